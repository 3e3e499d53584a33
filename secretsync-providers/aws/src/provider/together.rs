//! Many objects in few requests: which go together, and what is left to be read alone.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use futures::{StreamExt as _, stream};
use secretsync_core::object::{ObjectRef, Part};
use secretsync_core::provider::Fetched;

use crate::address;
use crate::config::Region;
use crate::error::Failure;

/// The answer for one object; `None` where it has to be read alone.
pub(super) type Answer = Option<Result<Fetched, Failure>>;

/// A service of which one request reads many values.
pub(super) trait Together: Sync {
    /// How many at most.
    fn at_once(&self) -> NonZeroUsize;

    /// The region of the store.
    fn region(&self) -> &Region;

    /// Whether a value of this version can be read beside others.
    fn fits(&self, object: &ObjectRef) -> bool;

    /// Reads many of one region in one request, one answer for each, in order.
    fn read_many(&self, region: &Region, objects: &[&ObjectRef]) -> impl Future<Output = Vec<Answer>> + Send;

    /// Reads one, value or metadata.
    fn read_one(&self, region: &Region, object: &ObjectRef) -> impl Future<Output = Result<Fetched, Failure>> + Send;
}

/// Reads objects in as few requests as their regions allow. A single one is read alone: that needs no further right.
pub(super) async fn fetch<S: Together>(service: &S, objects: &[ObjectRef]) -> Vec<Result<Fetched, Failure>> {
    let mut answers: Vec<Answer> = objects.iter().map(|_| None).collect();
    let mut regions: BTreeMap<Region, Vec<usize>> = BTreeMap::new();
    for (index, object) in objects.iter().enumerate() {
        if object.part() == Part::Value && service.fits(object) {
            regions.entry(region_of(service, object)).or_default().push(index);
        }
    }
    let at_once = service.at_once().get();
    let pieces = regions.iter().flat_map(|(region, indexes)| indexes.chunks(at_once).map(move |piece| (region, piece)));
    let reads: Vec<_> = pieces
        .filter(|(_, piece)| piece.len() > 1)
        .map(|(region, piece)| async move {
            let many: Vec<_> = piece.iter().map(|&index| &objects[index]).collect();
            (piece, service.read_many(region, &many).await)
        })
        .collect();
    let mut reads = stream::iter(reads).buffer_unordered(REQUESTS);
    while let Some((piece, read)) = reads.next().await {
        for (&index, answer) in piece.iter().zip(read) {
            answers[index] = answer;
        }
    }
    let alone: Vec<_> =
        (0..objects.len())
            .filter(|&index| answers[index].is_none())
            .map(|index| async move {
                (index, service.read_one(&region_of(service, &objects[index]), &objects[index]).await)
            })
            .collect();
    let mut alone = stream::iter(alone).buffer_unordered(REQUESTS);
    while let Some((index, answer)) = alone.next().await {
        answers[index] = Some(answer);
    }
    answers.into_iter().map(|answer| answer.unwrap_or(Err(Failure::Malformed("there is no answer")))).collect()
}

/// An ARN says in which region it lies; everything else lies in the store's.
pub(super) fn region_of<S: Together>(service: &S, object: &ObjectRef) -> Region {
    let own = service.region();
    match address::region(object.name()) {
        Some(region) => Region { fips: own.fips, ..region },
        None => own.clone(),
    }
}

/// How many requests of one fetch are under way at once.
const REQUESTS: usize = 16;
