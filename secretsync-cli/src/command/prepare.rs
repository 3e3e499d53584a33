//! From a command line to an engine and its syncs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use secretsync_core::access::KeyAccess;
use secretsync_core::engine::Engine;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::Ambient;
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{ProviderKey, Reason, SyncReport, SyncSpec};
use secretsync_k8s::api::{self, ExternalSecret};
use secretsync_k8s::convert::{self, StoreUse};

use super::data::Data;
use super::stores::Stores;
use crate::args::{Files, Source};
use crate::credentials::{CredentialFlag, CredentialPool, TemplateTexts};
use crate::manifests::{Located, Manifests, Object, References};
use crate::output::Progress;
use crate::target::Target;

/// What the engine is wanted for.
pub(super) enum Purpose {
    /// To write targets, or to tell what would be written; and whether any number of them may be deleted.
    Write { mass_deletion: bool },
    /// To look at finished Secrets only, made of this data, or of what can be read without having it issued.
    Show(Option<Box<Data>>),
}

/// Everything that a verb needs.
pub(super) struct Prepared {
    /// The engine with every provider that a sync needs.
    pub(super) engine: Engine,
    /// The syncs that can be tried.
    pub(super) specs: Vec<SyncSpec>,
    /// Where their reports belong among all.
    pub(super) order: Order,
    /// Where each ExternalSecret stands, in the order of the reports.
    pub(super) places: Vec<Located>,
    /// Documents that are none of ours.
    pub(super) skipped: usize,
    /// The files and folders that providers read.
    pub(super) paths: BTreeMap<PathBuf, Vec<ProviderKey>>,
}

/// The order of the manifests: a report that is known already, or the place of one that comes.
pub(super) struct Order(Vec<Option<SyncReport>>);

impl Order {
    /// The syncs that cannot be tried.
    pub(super) fn unusable(&self) -> impl Iterator<Item = &SyncReport> {
        self.0.iter().flatten()
    }

    /// All reports in order, given those of the syncs that were tried.
    pub(super) fn merge(self, reports: Vec<SyncReport>) -> Vec<SyncReport> {
        let mut reports = reports.into_iter();
        self.0.into_iter().filter_map(|known| known.or_else(|| reports.next())).collect()
    }
}

/// What the manifests want, before anything is built.
pub(super) struct Wanted {
    /// The syncs that can be tried.
    pub(super) specs: Vec<SyncSpec>,
    /// Where their reports belong among all.
    pub(super) order: Order,
    /// The stores that they need.
    pub(super) stores: Stores,
    places: Vec<Located>,
    references: References,
    skipped: usize,
}

/// Reads the manifests and names the syncs. An error means that nothing was tried.
pub(super) fn read(files: &Files, data: Option<&Data>) -> Result<Wanted> {
    let manifests = Manifests::read(&files.paths, &files.namespace)?;
    let Manifests { external_secrets, stores, namespaces, references, skipped } = manifests;
    if external_secrets.is_empty() {
        return Err(nothing_to_do(skipped));
    }
    if let Some(data) = data {
        data.check(&external_secrets.iter().map(owner).collect::<Vec<_>>())?;
    }
    let mut stores = Stores::new(stores, namespaces);
    let mut specs = Vec::new();
    let mut order = Vec::new();
    for object in &external_secrets {
        match spec(object, &mut stores, data) {
            Ok(spec) => {
                specs.push(spec);
                order.push(None);
            }
            Err(error) => order.push(Some(unusable(object, error))),
        }
    }
    let places = external_secrets.into_iter().map(Object::located).collect();
    Ok(Wanted { specs, order: Order(order), stores, places, references, skipped })
}

/// Reads the manifests, builds the providers that they need unless there is data, and names the syncs. An error means that nothing was tried.
pub(super) async fn prepare(source: Source, target: Target, purpose: Purpose) -> Result<(Prepared, Progress)> {
    let (shows, mass_deletion, data) = match purpose {
        Purpose::Write { mass_deletion } => (false, mass_deletion, None),
        Purpose::Show(data) => (true, false, data.map(|data| *data)),
    };
    let credentials = flags(&source.credentials)?;
    let Wanted { specs, order, stores, places, references, skipped } = read(&source.files, data.as_ref())?;
    let progress = Progress::start(specs.len(), !target.is_terminal());
    let store = target.store();
    let pool = CredentialPool::new(references, credentials, target.cluster());
    let templates = TemplateTexts::new(Arc::clone(&pool));
    let mut builder = Engine::builder(store)
        .observer(Arc::new(progress.clone()))
        .template_source(Arc::new(templates))
        .template_delimiters(source.template_left_delimiter, source.template_right_delimiter)
        .allow_mass_deletion(mass_deletion);
    if shows {
        builder = builder.without_issuing();
    }
    if let Some(data) = data {
        builder = builder.provider(Data::key(), data.into_provider());
    }
    let paths = stores.paths();
    let engine = stores.build(builder, &pool, source.ambient.then(Ambient::from_env)).await.build();
    Ok((Prepared { engine, specs, order, places, skipped, paths }, progress))
}

/// Reads each `--credential`. What cannot be read is not quoted: it may be the credential itself.
fn flags(texts: &[String]) -> Result<Vec<CredentialFlag>> {
    let refuse = |index: usize, why: &'static str, advice: &'static str| {
        Error::new(ErrorKind::InvalidConfig, "read")
            .on(format!("the flag `--credential` number {}", index + 1))
            .because(why)
            .with_hint(Hint::new(Code::UsageInvalid, advice))
    };
    let mut flags: Vec<CredentialFlag> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let flag = text.parse().map_err(|form| refuse(index, "it has not the expected form", form))?;
        if flags.iter().any(|earlier| earlier.contradicts(&flag)) {
            return Err(refuse(index, "an earlier one gives the same reference", "give each reference once"));
        }
        flags.push(flag);
    }
    Ok(flags)
}

fn spec(object: &Object, stores: &mut Stores, data: Option<&Data>) -> Result<SyncSpec> {
    let parsed: ExternalSecret =
        api::parse(object.manifest.clone()).map_err(|error| error.within("read", &object.place))?;
    let namespace = object.namespace.clone().unwrap_or_default();
    let Some(data) = data else { return convert::sync_spec(&parsed, |origin| stores.admit(origin, &namespace)) };
    let mut spec = convert::sync_spec(&parsed, |_| Ok(StoreUse::new(Data::key(), KeyAccess::everything())))?;
    data.feed(&mut spec)?;
    Ok(spec)
}

/// A sync whose manifest cannot be used fails like any other; the others run.
fn unusable(object: &Object, error: Error) -> SyncReport {
    let owner = owner(object);
    let target = object.manifest.pointer("/spec/target/name").and_then(|name| name.as_str()).unwrap_or(&object.name);
    let target = TargetRef::new(owner.namespace(), target);
    SyncReport::failed(owner, target, Reason::SpecInvalid, error)
}

fn owner(object: &Object) -> OwnerId {
    OwnerId::new(object.namespace.clone().unwrap_or_default(), &*object.name)
}

fn nothing_to_do(skipped: usize) -> Error {
    Error::new(ErrorKind::InvalidConfig, "find an ExternalSecret")
        .because(format!("the manifests hold none ({skipped} other documents were skipped)"))
        .with_hint(Hint::new(Code::UsageInvalid, "name the files or the folder that hold the ExternalSecrets with -f"))
}
