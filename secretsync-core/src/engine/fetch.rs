//! Asks the providers: finds first, then every object once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::future::join_all;

use super::Shared;
use super::reads::{ObjectKey, Reads, at};
use crate::error::{Error, Result};
use crate::layer::Coalesce;
use crate::object::{ObjectRef, Read};
use crate::provider::{FetchOptions, Fetched, Found, Provider, Query};
use crate::sync::{Origin, ProviderKey, Selection, SyncSpec};

/// The answers to [`Reads`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(HashMap<ObjectKey, Result<Fetched>>);

/// Whether an answer that another sync got may serve this one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sharing {
    /// It may.
    Shared,
    /// A new read, past the coalescing layer: before something is deleted.
    Fresh,
}

impl Answers {
    /// The answer for an object that was asked for.
    pub(crate) fn get(&self, provider: &ProviderKey, object: &ObjectRef) -> Option<&Result<Fetched>> {
        self.0.get(&(provider.clone(), object.clone()))
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one.
    pub(crate) fn insert(&mut self, object: ObjectKey, answer: Result<Fetched>) {
        self.0.insert(object, answer);
    }

    /// Adds those of `others`.
    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }
}

/// Runs the `find` entries of a spec, in order. What the spec may not read is left out: a search sees what a namespace may see.
pub(crate) async fn find(spec: &SyncSpec, shared: &Shared) -> Result<Vec<Vec<Found>>> {
    let mut found = Vec::new();
    for (index, entry) in spec.data_from.iter().enumerate() {
        if let Selection::Find(query) = &entry.selection {
            let origin = Origin::data_from(index, entry);
            let provider = shared.provider(&entry.provider).map_err(|error| at(&origin, error))?;
            let query = Query { access: spec.access_to(&entry.provider), ..query.clone() };
            let mut matching = provider.find(&query).await.map_err(|error| at(&origin, error))?;
            matching.retain(|one| query.access.admits(&one.object));
            found.push(matching);
        }
    }
    Ok(found)
}

/// Settles what reading those objects does whose name does not say so. One that cannot be settled now gets its failure as its answer.
pub(crate) async fn settle(spec: &SyncSpec, reads: &mut Reads, shared: &Shared) -> Answers {
    let ask = |(key, object): ObjectKey| async move {
        let answer = match shared.provider(&key) {
            Ok(provider) => provider.reading(&object).await,
            Err(error) => Err(error),
        };
        ((key, object), answer)
    };
    let mut doubts = Answers::default();
    let mut harmless = HashSet::new();
    for (object, answer) in join_all(reads.issuing().map(ask)).await {
        match answer {
            Ok(Read::Repeatable) => drop(harmless.insert(object)),
            Ok(Read::Issuing) => {}
            Err(error) => doubts.insert(object, Err(error)),
        }
    }
    if !harmless.is_empty() {
        reads.relax(spec, &harmless);
    }
    doubts
}

/// Fetches every object that can be read repeatably once, all providers at the same time, in pieces of the size that each provider takes best.
pub(crate) async fn fetch(reads: &Reads, shared: &Shared, sharing: Sharing) -> Answers {
    let mut calls = Vec::new();
    let mut answers = Answers::default();
    for (key, objects) in &reads.objects {
        let provider = match shared.provider(key) {
            Ok(provider) => provider,
            Err(error) => {
                answers.0.extend(
                    objects.iter().map(|object| ((key.clone(), object.clone()), Err::<Fetched, Error>(error.clone()))),
                );
                continue;
            }
        };
        let objects: Vec<_> = objects.iter().filter(|object| object.read() == Read::Repeatable).cloned().collect();
        for piece in objects.chunks(provider.info().per_fetch.get()) {
            calls.push(ask(key.clone(), Arc::clone(&provider), piece.to_vec(), sharing));
        }
    }
    answers.0.extend(join_all(calls).await.into_iter().flatten());
    answers
}

async fn ask(
    key: ProviderKey,
    provider: Arc<Coalesce>,
    objects: Vec<ObjectRef>,
    sharing: Sharing,
) -> Vec<((ProviderKey, ObjectRef), Result<Fetched>)> {
    let options = FetchOptions::default();
    for object in &objects {
        tracing::debug!(provider = %key, object = %object, "asked for");
    }
    let answers = match sharing {
        Sharing::Shared => provider.fetch(&objects, &options).await,
        Sharing::Fresh => provider.inner().fetch(&objects, &options).await,
    };
    objects.into_iter().map(|object| (key.clone(), object)).zip(answers).collect()
}
