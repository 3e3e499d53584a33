//! A store that lost its secrets does not take their targets with it, on a clock that jumps from one event to the next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secretsync_core::engine::{Engine, EngineBuilder};
use secretsync_core::error::{Code, Error, ErrorKind, Hint};
use secretsync_core::layer::LayerSettings;
use secretsync_core::memory::{MemoryProvider, MemoryStore};
use secretsync_core::provider::{Provider, RemoteRef};
use secretsync_core::secret::{Secret, SecretValue};
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{
    CreationPolicy, DataEntry, DeletionPolicy, Outcome, ProviderKey, Reason, RefreshPolicy, SyncReport, SyncSpec,
    Timing,
};
use tokio::time::{Instant, sleep};

const MINUTE: Duration = Duration::from_mins(1);

type Counts = HashMap<(Outcome, Reason), usize>;

struct World {
    provider: Arc<MemoryProvider>,
    store: Arc<MemoryStore>,
    engine: Engine,
    specs: Vec<SyncSpec>,
}

impl World {
    /// So many targets, each of a secret of its own.
    fn of(targets: usize) -> Self {
        Self::with(targets, |engine| engine)
    }

    fn with(targets: usize, change: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        Self::over(MemoryProvider::new("p"), targets, change)
    }

    fn over(provider: MemoryProvider, targets: usize, change: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        let (provider, store) = (Arc::new(provider), Arc::new(MemoryStore::new()));
        let engine = Engine::builder(Arc::clone(&store) as _)
            .provider(ProviderKey::new("p"), Arc::clone(&provider) as Arc<dyn Provider>);
        let specs = (0..targets).map(spec).collect();
        let world = Self { provider, store, engine: change(engine).build(), specs };
        world.set(0..targets, true);
        world
    }

    fn set(&self, secrets: impl IntoIterator<Item = usize>, there: bool) {
        for secret in secrets {
            let value = there.then(|| Secret::bytes(SecretValue::from("value")));
            self.provider.set(&format!("secret-{secret}"), value);
        }
    }

    fn targets(&self) -> usize {
        self.specs.iter().filter(|spec| self.store.value("shop", spec.target.name(), "key").is_some()).count()
    }

    fn reads(&self) -> usize {
        (0..self.specs.len()).map(|secret| self.provider.reads(&format!("secret-{secret}"))).sum()
    }

    async fn sync(&self) -> Counts {
        counted(&self.engine.sync_all(self.specs.clone()).await)
    }
}

fn spec(number: usize) -> SyncSpec {
    SyncSpec::new(OwnerId::new("shop", format!("sync-{number}")), TargetRef::new("shop", format!("target-{number}")))
        .with_data(DataEntry::new("key", ProviderKey::new("p"), RemoteRef::new(format!("secret-{number}"))))
        .with_policies(CreationPolicy::Owner, DeletionPolicy::Delete, RefreshPolicy::Periodic)
        .with_timing(Timing::new(Some(MINUTE * 60)))
}

fn counted(reports: &[SyncReport]) -> Counts {
    let mut counts = HashMap::new();
    for report in reports {
        *counts.entry((report.outcome, report.reason)).or_default() += 1;
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn in_one_run_so_many_deletions_are_refused_and_planned_so() {
    let world = World::of(60);
    assert_eq!(world.sync().await, HashMap::from([((Outcome::Created, Reason::Synced), 60)]));
    world.set(0..13, false);
    let expected =
        HashMap::from([((Outcome::Failed, Reason::DeletionPaused), 13), ((Outcome::Unchanged, Reason::Synced), 47)]);
    let plans = world.engine.plan_all(world.specs.clone()).await;
    assert_eq!(plans.iter().filter(|plan| plan.report().reason == Reason::DeletionPaused).count(), 13);
    let reports = world.engine.sync_all(world.specs.clone()).await;
    assert_eq!((counted(&reports), world.targets()), (expected, 60));
    let error = reports[0].error.as_ref().unwrap();
    assert_eq!(error.hint().map(Hint::code), Some(Code::DeletionPaused));
    assert!(error.to_string().contains("13 of 60 targets of p are due for deletion at once"), "{error}");
    world.set(0..1, true);
    let expected =
        HashMap::from([((Outcome::Removed, Reason::Deleted), 12), ((Outcome::Unchanged, Reason::Synced), 48)]);
    assert_eq!((world.sync().await, world.targets()), (expected, 48), "twelve are a fifth");
}

#[tokio::test(start_paused = true)]
async fn somebody_may_want_it() {
    let world = World::with(60, |engine| engine.allow_mass_deletion(true));
    world.sync().await;
    world.set(0..60, false);
    assert_eq!(world.sync().await, HashMap::from([((Outcome::Removed, Reason::Deleted), 60)]));
    assert_eq!(world.sync().await, HashMap::from([((Outcome::Unchanged, Reason::Deleted), 60)]));
}

#[tokio::test(start_paused = true)]
async fn what_a_watch_finds_gone_little_by_little_is_deleted_only_when_the_rest_is_there() {
    let world = World::of(60);
    let told: Mutex<Vec<(Duration, SyncReport)>> = Mutex::default();
    let start = Instant::now();
    let watch = world.engine.watch(
        world.specs.clone(),
        |report| told.lock().unwrap().push((start.elapsed(), report.clone())),
        sleep(MINUTE * 190),
    );
    let life = async {
        sleep(MINUTE * 30).await;
        world.set(0..3, false);
        sleep(MINUTE * 32).await;
        // Each of the three was noticed at its time within the hour, and the others were asked at once.
        assert_eq!(world.targets(), 57);
        world.set(0..60, false);
        sleep(MINUTE * 60).await;
        assert_eq!(world.targets(), 57, "the first one that noticed had the others asked");
        let reads = world.reads();
        sleep(MINUTE).await;
        assert!(world.reads() - reads <= 6 * 57, "who waits does not hammer the store");
        world.set(0..60, true);
    };
    tokio::join!(watch, life);
    assert_eq!(world.targets(), 57 + 3, "all is as it was");
    let told = told.into_inner().unwrap();
    let removed: Vec<_> = told.iter().filter(|(_, report)| report.outcome == Outcome::Removed).collect();
    assert_eq!(removed.len(), 3);
    assert!(told.iter().any(|(_, report)| report.reason == Reason::DeletionPaused), "it is told why nothing goes");
}

#[tokio::test(start_paused = true)]
async fn sources_that_cannot_be_read_do_not_speak_for_those_that_are_gone() {
    let broken = |number: usize| (format!("secret-{number}"), Error::new(ErrorKind::PermissionDenied, "read").on("it"));
    let provider = (15..100)
        .map(broken)
        .fold(MemoryProvider::new("p"), |provider, (key, error)| provider.with_failure(&key, error));
    let mut world = World::over(provider, 15, |engine| engine);
    world.specs = (0..100).map(spec).collect();
    world.sync().await;
    assert_eq!(world.targets(), 15);
    world.set(0..15, false);
    assert_eq!((world.sync().await[&(Outcome::Failed, Reason::DeletionPaused)], world.targets()), (15, 15));
}

#[tokio::test(start_paused = true)]
async fn a_store_is_one_store_however_many_identities_have_a_provider_there() {
    let store = ProviderKey::new("ClusterSecretStore/main");
    let mut world = World::of(0);
    for number in 0..60 {
        let key = store.for_consumer(&format!("namespace-{}", number % 12));
        world.engine.provide(key.clone(), Ok(Arc::clone(&world.provider) as _), &LayerSettings::default());
        let mut spec = spec(number);
        spec.data[0].provider = key;
        world.specs.push(spec);
    }
    world.set(0..60, true);
    world.sync().await;
    world.set(0..60, false);
    let counts = world.sync().await;
    assert_eq!((counts[&(Outcome::Failed, Reason::DeletionPaused)], world.targets()), (60, 60));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_starts_on_an_empty_store_deletes_nothing_whatever_the_policies() {
    let mut world = World::of(60);
    for (number, spec) in world.specs.iter_mut().enumerate() {
        match number % 3 {
            0 => spec.refresh = RefreshPolicy::OnChange,
            1 => spec.timing = Timing::new(None),
            _ => {}
        }
    }
    world.sync().await;
    world.set(0..60, false);
    world.engine.watch(world.specs.clone(), |_| {}, sleep(MINUTE * 30)).await;
    assert_eq!(world.targets(), 60);
    world.set(0..60, true);
    world.engine.watch(world.specs.clone(), |_| {}, sleep(MINUTE * 30)).await;
    assert_eq!(world.targets(), 60);
}
