//! The engine: runs the steps of a sync in the order of the data flow.
//!
//! *reads* names every object once, *fetch* asks the providers through their layers, *assemble* and *render* make the desired target, *decide* compares it
//! with what the store observed, and *apply* writes what differs. Everything between fetch and apply is pure.

mod assemble;
mod builder;
mod decide;
mod fetch;
mod forecast;
mod inputs;
mod ledger;
mod observer;
mod pass;
mod providers;
mod reads;
mod render;
mod run;
mod watch;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use builder::EngineBuilder;
pub use forecast::{Bill, Forecast, ReadForecast, RequestForecast, StoreForecast};
pub use observer::{EngineObserver, NoObserver};

use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::layer::{Coalesce, Expectation, LayerSettings, goes_along, stack};
use crate::object::{ObjectRef, Read};
use crate::provider::{CredentialSource, Provider, RemoteRef};
use crate::schedule::Luggage;
use crate::secret::{Secret, SecretValue};
use crate::store::{OwnerId, Store, TargetRef};
use crate::sync::{self, Issued, Plan, ProviderKey, SyncReport, SyncSpec};

use inputs::Inputs;
use ledger::{Ledger, give_back};
use pass::run_all;
use providers::Providers;
pub use reads::ObjectKey;

use reads::Reads;
use render::TemplateParser;
use run::Mode;

/// Brings targets in line with their sources.
///
/// Cheap to share behind an [`Arc`]. It reads each object once for all syncs that are due together, runs syncs of different targets at the same time,
/// and survives a provider or store that panics: the sync fails, the others go on.
///
/// # Issued credentials
///
/// What an issuing read gave belongs to one sync and is kept in memory, nowhere else: a sync that runs again before it is due uses it again. The engine renews
/// leases at about two thirds of their life. What can be renewed no longer, or never could (a certificate), is replaced before its end: the engine
/// syncs again, writes the target, and gives the old lease back a while later ([`EngineBuilder::overlap`]). What was issued for a sync that failed, panicked or was
/// abandoned is given back at once. All this happens in background tasks, until [`shutdown`](Self::shutdown) or the drop of the engine; the observer
/// sees their reports.
///
/// ```
/// use std::sync::Arc;
///
/// use secretsync_core::engine::Engine;
/// use secretsync_core::memory::{MemoryProvider, MemoryStore};
/// use secretsync_core::provider::RemoteRef;
/// use secretsync_core::store::{OwnerId, TargetRef};
/// use secretsync_core::sync::{DataEntry, Outcome, ProviderKey, Sync as _, SyncSpec};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let provider = MemoryProvider::new("demo").with_json("app/db", r#"{"password": "s3cr3t"}"#);
/// let store = Arc::new(MemoryStore::new());
/// let engine = Engine::builder(store.clone()).provider(ProviderKey::new("demo"), Arc::new(provider)).build();
///
/// let spec = SyncSpec::new(OwnerId::new("shop", "db"), TargetRef::new("shop", "db"))
///     .with_data(DataEntry::new("password", ProviderKey::new("demo"), RemoteRef::new("app/db")).with_property("password"));
/// assert_eq!(engine.sync(&spec).await.outcome, Outcome::Created);
/// assert_eq!(engine.sync(&spec).await.outcome, Outcome::Unchanged);
/// assert_eq!(store.value("shop", "db", "password").unwrap().expose(), b"s3cr3t");
/// # });
/// ```
pub struct Engine {
    shared: Arc<Shared>,
}

/// The members of an object under their names, as `dataFrom[].extract` takes them: for programs that want a map and no target.
pub fn members(secret: &Secret) -> Result<BTreeMap<String, SecretValue>> {
    Ok(assemble::members(&secret.payload, None)?.into_iter().collect())
}

/// Reads that somebody will ask for. See [`Engine::announce`].
#[derive(Debug)]
#[must_use = "dropping it ends the announcement"]
pub struct Announcement {
    _expectations: Vec<Expectation>,
}

/// What every running sync uses.
pub(crate) struct Shared {
    store: Arc<dyn Store>,
    providers: Providers,
    observer: Arc<dyn EngineObserver>,
    templates: Option<Arc<dyn CredentialSource>>,
    parser: Arc<TemplateParser>,
    slots: Semaphore,
    concurrency: usize,
    ledger: Ledger,
    inputs: Inputs,
    /// How long a lease outlives its replacement.
    overlap: Duration,
    /// Whether anything may be issued.
    issues: bool,
    /// Whether any number of targets of a store may be deleted at once.
    mass_deletion: bool,
    tasks: TaskTracker,
    /// Ends the background work that waits for a moment to come.
    stop: CancellationToken,
    /// Providers whose sources changed, for the watches under way.
    changes: broadcast::Sender<ProviderKey>,
    /// What ran by itself because something that was issued ends, for the watches under way.
    replacements: broadcast::Sender<Arc<SyncReport>>,
}

impl Engine {
    /// An engine that writes to `store`.
    pub fn builder(store: Arc<dyn Store>) -> EngineBuilder {
        EngineBuilder::new(store)
    }

    /// Syncs many targets at once, each remote object read once. Reports come in the order of the specs. A store that writes one document writes it at the
    /// end: if that fails, every sync that would have changed it has failed.
    pub async fn sync_all(&self, specs: Vec<SyncSpec>) -> Vec<SyncReport> {
        run_all(&self.shared, specs, Mode::Sync).await
    }

    /// Plans many syncs at once, each remote object read once. Plans come in the order of the specs.
    pub async fn plan_all(&self, specs: Vec<SyncSpec>) -> Vec<Plan> {
        run_all(&self.shared, specs, Mode::Plan).await.into_iter().map(Plan::from).collect()
    }

    /// Adds a provider under the name that specs use, or puts it in the place of another one, with every layer around it; an error makes each sync that
    /// needs it fail with it. The replaced one is closed when nothing uses it any more.
    pub fn provide(&self, key: ProviderKey, provider: Result<Arc<dyn Provider>>, layers: &LayerSettings) {
        let provider = provider.map(|provider| Arc::new(stack(provider, layers)));
        self.retire(self.shared.providers.set(key, provider));
    }

    /// Takes a provider away; it is closed when nothing uses it any more. Syncs that need it fail from now on.
    pub fn withdraw(&self, key: &ProviderKey) {
        self.retire(self.shared.providers.take(key));
    }

    /// Says that what a provider reads has changed, where somebody knows: each [watch](Self::watch) under way syncs what depends on it now. No answer to a
    /// read that began before serves a sync that asks later.
    pub fn source_changed(&self, key: &ProviderKey) {
        if let Ok(provider) = self.shared.provider(key) {
            provider.outdate();
        }
        // Nobody listens where there is no watch.
        drop(self.shared.changes.send(key.clone()));
    }

    fn retire(&self, provider: Option<Arc<Coalesce>>) {
        let Some(provider) = provider else { return };
        let stop = self.shared.stop.clone();
        self.shared.tasks.spawn(async move {
            // Reads under way hold it; none of them takes longer than its retries.
            for _ in 0..LONGEST_FAREWELL.as_secs() {
                if Arc::strong_count(&provider) == 1 || stop.is_cancelled() {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            provider.close().await;
        });
    }

    /// The objects that a sync names by itself, without those that a search will find: what other syncs may have in common with it.
    pub fn objects(&self, spec: &SyncSpec) -> Result<Vec<ObjectKey>> {
        if spec.suspended {
            return Ok(Vec::new());
        }
        let reads = Reads::of(spec, &mut std::iter::empty(), |key, remote| self.shared.address(key, remote))?;
        Ok(reads.every().collect())
    }

    /// What of these objects can be read in one request with those of others: for a [`Company`](crate::schedule::Company).
    pub fn luggage(&self, objects: &[ObjectKey]) -> Luggage {
        let mut luggage = Luggage::default();
        for (key, _) in objects.iter().filter(|(_, object)| object.read() == Read::Repeatable && goes_along(object)) {
            if let Ok(provider) = self.shared.provider(key) {
                luggage.add(key, provider.info().per_request);
            }
        }
        luggage
    }

    /// Has the answers to reads of these objects kept for somebody who will ask for them, and has the reads done together where one request can do that, until
    /// the returned value is dropped.
    pub fn announce(&self, objects: &[ObjectKey]) -> Announcement {
        Announcement { _expectations: self.shared.expect(objects) }
    }

    /// Takes over what an earlier process was issued for a sync, as its last report told ([`SyncReport::issued`]): it is renewed, and replaced before its end, as if
    /// it had been issued here. Until then a sync whose sources are all issued leaves a target alone that is as it was left; one that has other sources,
    /// or a target that was changed, is issued something new at its next sync.
    ///
    /// Where the id of a lease is also a value of the target ([`Lease::is_hidden`](crate::secret::Lease::is_hidden)), hand over what was issued without it: it is
    /// then replaced before its end.
    ///
    /// What the spec does not name (any more) is not taken over; give it back with [`Provider::leases`], or let it end by itself.
    pub async fn adopt(&self, spec: SyncSpec, issued: &[Issued]) -> Result<()> {
        let shared = &self.shared;
        let reads = Reads::of(&spec, &mut std::iter::empty(), |key, remote| shared.address(key, remote))?;
        let keeping = shared.ledger.enter(&(spec.owner.clone(), spec.target.clone())).await;
        for object in reads.issuing() {
            let same = |issued: &&Issued| issued.provider == object.0 && issued.object == object.1.to_string();
            if let Some(issued) = issued.iter().find(same) {
                let provider = shared.provider(&object.0)?;
                keeping.adopt(object, provider, issued);
            }
        }
        keeping.watch(shared, spec);
        Ok(())
    }

    /// What a sync was issued and its target holds, as it is now: renewals move ends.
    pub fn issued(&self, owner: &OwnerId, target: &TargetRef) -> Vec<Issued> {
        match self.shared.ledger.page(&(owner.clone(), target.clone())) {
            Some(page) => page.entry().issued(),
            None => Vec::new(),
        }
    }

    /// Stops looking after what a sync was issued, and gives its leases back now: when the sync is no longer wanted. Its target stays as it is. What random
    /// templates were made of is forgotten for all targets of the owner.
    pub async fn release(&self, owner: &OwnerId, target: &TargetRef) {
        self.shared.inputs.release(owner);
        let sync = (owner.clone(), target.clone());
        if self.shared.ledger.knows(&sync) {
            let leases = self.shared.ledger.enter(&sync).await.clear(&self.shared, &sync);
            join_all(leases.iter().map(|(provider, lease)| give_back(provider, lease))).await;
        }
    }

    /// Stops renewing and replacing, waits for what is under way for half of `deadline`, then closes every provider in what is left. Says whether everything
    /// ended in time.
    ///
    /// Leases are not given back: the targets hold what hangs on them. They end at their own time unless another process [adopts](Self::adopt) them, and
    /// a login that they hang on is not given back either.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        let started = tokio::time::Instant::now();
        self.shared.stop.cancel();
        self.shared.tasks.close();
        let waited = tokio::time::timeout(deadline / 2, self.shared.tasks.wait()).await.is_ok();
        self.shared.ledger.leave();
        let goodbye =
            join_all(self.shared.providers.all().into_iter().map(|provider| async move { provider.close().await }));
        let closed = tokio::time::timeout(deadline.saturating_sub(started.elapsed()), goodbye).await.is_ok();
        waited && closed
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Background work keeps what it needs alive, so it has to be told.
        self.shared.stop.cancel();
        self.shared.ledger.leave();
    }
}

impl Shared {
    /// Announces the objects that a spec names by itself, without those that a search will find.
    fn announce(&self, spec: &SyncSpec) -> Vec<Expectation> {
        if spec.suspended {
            return Vec::new();
        }
        // A spec that cannot be addressed fails when its turn comes, with the entry named.
        let Ok(reads) = Reads::of(spec, &mut std::iter::empty(), |key, remote| self.address(key, remote)) else {
            return Vec::new();
        };
        let objects: Vec<_> = reads.every().collect();
        self.expect(&objects)
    }

    fn expect(&self, objects: &[ObjectKey]) -> Vec<Expectation> {
        let mut by_provider: BTreeMap<&ProviderKey, Vec<ObjectRef>> = BTreeMap::new();
        for (key, object) in objects {
            by_provider.entry(key).or_default().push(object.clone());
        }
        let expect = |(key, objects)| self.provider(key).ok().map(|provider: Arc<Coalesce>| provider.expect(objects));
        by_provider.into_iter().filter_map(expect).collect()
    }

    /// The one name of what a reference means at a provider.
    fn address(&self, key: &ProviderKey, reference: &RemoteRef) -> Result<ObjectRef> {
        self.provider(key)?.address(reference)
    }

    /// The provider with its layers, or why there is none.
    fn provider(&self, key: &ProviderKey) -> Result<Arc<Coalesce>> {
        self.providers.get(key)
    }
}

#[async_trait]
impl sync::Sync for Engine {
    async fn plan(&self, spec: &SyncSpec) -> Plan {
        let report = run_all(&self.shared, vec![spec.clone()], Mode::Plan).await.pop();
        Plan::from(report.expect("one spec gives one report"))
    }

    async fn sync(&self, spec: &SyncSpec) -> SyncReport {
        self.sync_all(vec![spec.clone()]).await.pop().expect("one spec gives one report")
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("store", &self.shared.store)
            .field("providers", &self.shared.providers)
            .finish_non_exhaustive()
    }
}

/// How long a provider that was replaced is kept open for reads under way.
const LONGEST_FAREWELL: Duration = Duration::from_mins(2);

fn panicked(target: &TargetRef) -> Error {
    Error::new(ErrorKind::Internal, "sync")
        .on(format!("target `{target}`"))
        .because("secretsync itself failed")
        .with_hint(Hint::new(Code::InternalDefect, "report it with the version and the manifest, without values"))
}
