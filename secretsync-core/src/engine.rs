//! The engine: runs the steps of a sync in the order of the data flow.
//!
//! *reads* names every object once, *fetch* asks the providers through their layers, *assemble* and *render* make the desired target, *decide* compares it
//! with what the store observed, and *apply* writes what differs. Everything between fetch and apply is pure.

mod assemble;
mod builder;
mod decide;
mod fetch;
mod observer;
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
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

pub use builder::EngineBuilder;
pub use observer::{EngineObserver, NoObserver};

use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::layer::{Coalesce, Expectation, LayerSettings, stack};
use crate::object::ObjectRef;
use crate::provider::{CredentialSource, Provider, RemoteRef};
use crate::secret::{Secret, SecretValue};
use crate::store::{Pass, Store, TargetRef};
use crate::sync::{self, Outcome, Plan, ProviderKey, Reason, SyncReport, SyncSpec};

use providers::Providers;
use reads::Reads;
use render::TemplateParser;
use run::{Mode, Run};

/// Brings targets in line with their sources.
///
/// Cheap to share behind an [`Arc`]. It reads each object once for all syncs that are due together, runs syncs of different targets at the same time,
/// and survives a provider or store that panics: the sync fails, the others go on.
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
    tasks: TaskTracker,
}

/// The members of an object under their names, as `dataFrom[].extract` takes them: for programs that want a map and no target.
pub fn members(secret: &Secret) -> Result<BTreeMap<String, SecretValue>> {
    Ok(assemble::members(&secret.payload, None)?.into_iter().collect())
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
}

impl Engine {
    /// An engine that writes to `store`.
    pub fn builder(store: Arc<dyn Store>) -> EngineBuilder {
        EngineBuilder::new(store)
    }

    /// Syncs many targets at once, each remote object read once. Reports come in the order of the specs. A store that writes one document writes it at the
    /// end: if that fails, every sync that would have changed it has failed.
    pub async fn sync_all(&self, specs: Vec<SyncSpec>) -> Vec<SyncReport> {
        self.run_all(specs, Mode::Sync).await
    }

    /// Plans many syncs at once, each remote object read once. Plans come in the order of the specs.
    pub async fn plan_all(&self, specs: Vec<SyncSpec>) -> Vec<Plan> {
        self.run_all(specs, Mode::Plan).await.into_iter().map(Plan::from).collect()
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

    fn retire(&self, provider: Option<Arc<Coalesce>>) {
        let Some(provider) = provider else { return };
        self.tasks.spawn(async move {
            // Reads under way hold it; none of them takes longer than its retries.
            for _ in 0..LONGEST_FAREWELL.as_secs() {
                if Arc::strong_count(&provider) == 1 {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            provider.close().await;
        });
    }

    /// Waits for what is under way for half of `deadline`, then closes every provider in what is left. Says whether everything ended in time.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        let started = tokio::time::Instant::now();
        self.tasks.close();
        let waited = tokio::time::timeout(deadline / 2, self.tasks.wait()).await.is_ok();
        let goodbye =
            join_all(self.shared.providers.all().into_iter().map(|provider| async move { provider.close().await }));
        let closed = tokio::time::timeout(deadline.saturating_sub(started.elapsed()), goodbye).await.is_ok();
        waited && closed
    }

    /// One pass over the store, from its beginning to what ends it.
    async fn run_all(&self, specs: Vec<SyncSpec>, mode: Mode) -> Vec<SyncReport> {
        let store = &self.shared.store;
        // Every sync keeps it, so that the next pass begins when the last one has ended, even if this future is dropped.
        let pass = Arc::new(store.begin().await);
        let mut reports = self.run_each(specs, mode, &pass).await;
        let end = match mode {
            Mode::Plan => store.verify().await,
            Mode::Sync => store.flush().await,
        };
        if let Err(error) = end {
            for report in &mut reports {
                if !matches!(report.outcome, Outcome::Failed | Outcome::Unchanged) {
                    *report = SyncReport::failed(
                        report.owner.clone(),
                        report.target.clone(),
                        Reason::WriteFailed,
                        error.clone(),
                    );
                }
            }
        }
        reports
    }

    async fn run_each(&self, specs: Vec<SyncSpec>, mode: Mode, pass: &Arc<Pass>) -> Vec<SyncReport> {
        // Announced before the first read, so that one answer serves every sync of this pass, whenever its turn comes.
        let work: Vec<_> = specs.into_iter().map(|spec| (self.shared.announce(&spec), spec)).collect();
        let mut groups: BTreeMap<TargetRef, Vec<(usize, Vec<Expectation>, SyncSpec)>> = BTreeMap::new();
        let count = work.len();
        for (index, (expectations, spec)) in work.into_iter().enumerate() {
            groups.entry(spec.target.clone()).or_default().push((index, expectations, spec));
        }
        // Syncs of one target run one after the other, in their order: the first one to claim a target wins, every time.
        let mut running: FuturesUnordered<_> =
            groups.into_values().map(|group| self.run_group(group, mode, pass)).collect();
        let mut reports: Vec<Option<SyncReport>> = vec![None; count];
        while let Some(done) = running.next().await {
            for (index, report) in done {
                reports[index] = Some(report);
            }
        }
        reports.into_iter().flatten().collect()
    }

    async fn run_group(
        &self,
        group: Vec<(usize, Vec<Expectation>, SyncSpec)>,
        mode: Mode,
        pass: &Arc<Pass>,
    ) -> Vec<(usize, SyncReport)> {
        let mut reports = Vec::with_capacity(group.len());
        for (index, expectations, spec) in group {
            let report = self.run_guarded(spec, mode, pass).await;
            drop(expectations);
            self.shared.observer.finished(&report);
            reports.push((index, report));
        }
        reports
    }

    /// Runs a sync as a task of its own: a panic ends it and nothing else, and a caller that goes away leaves no half of it behind.
    async fn run_guarded(&self, spec: SyncSpec, mode: Mode, pass: &Arc<Pass>) -> SyncReport {
        let (owner, target) = (spec.owner.clone(), spec.target.clone());
        let (shared, pass) = (Arc::clone(&self.shared), Arc::clone(pass));
        let task = self.tasks.spawn(async move {
            let _pass = pass;
            let _slot = shared.slots.acquire().await;
            Run::new(&shared, &spec, mode).report().await
        });
        match task.await {
            Ok(report) => {
                tracing::info!(sync = %owner, target = %target, outcome = report.outcome.as_str(), reason = report.reason.as_str());
                report
            }
            Err(_) => SyncReport::failed(owner, target.clone(), Reason::SourceFailed, panicked(&target)),
        }
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
        let expect = |(key, objects)| self.provider(&key).ok().map(|provider: Arc<Coalesce>| provider.expect(objects));
        reads.objects.into_iter().filter_map(expect).collect()
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
        let report = self.run_all(vec![spec.clone()], Mode::Plan).await.pop();
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
