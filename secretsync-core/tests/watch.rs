//! Watching, on a clock that jumps from one event to the next.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use secretsync_core::engine::Engine;
use secretsync_core::error::{Error, ErrorKind, Retry};
use secretsync_core::memory::{MemoryProvider, MemoryStore};
use secretsync_core::provider::{Provider, Query, RemoteRef};
use secretsync_core::secret::{Secret, SecretValue};
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{
    CreationPolicy, Cron, DataEntry, DataFrom, DeletionPolicy, Outcome, ProviderKey, RefreshPolicy, SyncReport,
    SyncSpec, SyncWindow, SyncWindows, Timing,
};
use tokio::time::{Instant, sleep};

const MINUTE: Duration = Duration::from_mins(1);

struct World {
    provider: Arc<MemoryProvider>,
    store: Arc<MemoryStore>,
    engine: Engine,
    told: Mutex<Vec<(Duration, SyncReport)>>,
    start: Instant,
}

impl World {
    fn new(provider: MemoryProvider) -> Self {
        let (provider, store) = (Arc::new(provider), Arc::new(MemoryStore::new()));
        let engine = Engine::builder(Arc::clone(&store) as _)
            .provider(ProviderKey::new("p"), Arc::clone(&provider) as Arc<dyn Provider>)
            .build();
        Self { provider, store, engine, told: Mutex::default(), start: Instant::now() }
    }

    async fn watch(&self, specs: Vec<SyncSpec>, time: Duration) {
        let told = |report: &SyncReport| self.told.lock().unwrap().push((self.start.elapsed(), report.clone()));
        self.engine.watch(specs, told, sleep(time)).await;
    }

    /// When syncs of a name were told, and how they ended.
    fn told(&self, name: &str) -> Vec<(Duration, Outcome)> {
        let told = self.told.lock().unwrap();
        let of_name = told.iter().filter(|(_, report)| report.owner.name() == name);
        of_name.map(|(at, report)| (*at, report.outcome)).collect()
    }
}

fn value(text: &str) -> Secret {
    Secret::bytes(SecretValue::from(text))
}

fn spec(name: &str, object: &str, every: Option<Duration>) -> SyncSpec {
    SyncSpec::new(OwnerId::new("shop", name), TargetRef::new("shop", name))
        .with_data(DataEntry::new("key", ProviderKey::new("p"), RemoteRef::new(object)))
        .with_timing(Timing::new(every))
}

#[tokio::test(start_paused = true)]
async fn a_target_is_synced_at_once_and_then_at_every_interval() {
    let world = World::new(MemoryProvider::new("p").with("app", value("one")));
    let change = async {
        sleep(MINUTE * 25).await;
        world.provider.set("app", Some(value("two")));
    };
    tokio::join!(world.watch(vec![spec("db", "app", Some(MINUTE * 10))], MINUTE * 61), change);
    let told = world.told("db");
    assert_eq!(told[0], (Duration::ZERO, Outcome::Created));
    assert!((7..=8).contains(&told.len()), "six or seven refreshes in an hour: {told:?}");
    for pair in told.windows(2) {
        let rest = pair[1].0.saturating_sub(pair[0].0);
        assert!((MINUTE * 9..=MINUTE * 10 + Duration::from_secs(1)).contains(&rest), "{rest:?}");
    }
    let changed: Vec<_> = told.iter().filter(|(_, outcome)| *outcome == Outcome::Updated).collect();
    assert_eq!(changed.len(), 1, "{told:?}");
    assert_eq!(world.store.writes(), 2, "what is unchanged is not written");
    assert_eq!(world.store.value("shop", "db", "key").unwrap().expose(), b"two");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_targets_of_one_object_cost_one_read_each_interval() {
    let world = World::new(MemoryProvider::new("p").with("app", value("one")));
    let specs = (0..100).map(|index| spec(&format!("db-{index}"), "app", Some(MINUTE * 10))).collect();
    world.watch(specs, Duration::from_secs(3599)).await;
    let reads = world.provider.reads("app");
    assert!((6..=7).contains(&reads), "{reads} reads");
    for index in 0..100 {
        assert!(world.told(&format!("db-{index}")).len() >= 6);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_target_is_not_dragged_along_by_a_fast_one() {
    let world = World::new(MemoryProvider::new("p").with("app", value("one")));
    let specs = vec![spec("fast", "app", Some(Duration::from_secs(10))), spec("slow", "app", Some(MINUTE * 60))];
    world.watch(specs, MINUTE * 119).await;
    let slow = world.told("slow").len();
    assert!((3..=5).contains(&slow), "from half of its interval on it goes with the other: {slow}");
    assert_eq!(world.provider.reads("app"), world.told("fast").len(), "and never costs a read of its own");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_after_pauses_that_grow() {
    let world = World::new(MemoryProvider::new("p"));
    let heal = async {
        sleep(MINUTE * 3).await;
        world.provider.set("app", Some(value("one")));
    };
    tokio::join!(world.watch(vec![spec("db", "app", None)], MINUTE * 60), heal);
    let told = world.told("db");
    let (last, failures) = told.split_last().unwrap();
    assert_eq!(last.1, Outcome::Created);
    assert!((7..=9).contains(&failures.len()), "after 0, 1, 3, 7, 15… seconds: {told:?}");
    for pair in told.windows(3) {
        assert!(pair[2].0.saturating_sub(pair[1].0) > pair[1].0.saturating_sub(pair[0].0), "{told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_says_when_is_not_asked_before() {
    let busy = Error::new(ErrorKind::RateLimited, "read").with_retry(Retry::After(MINUTE * 2));
    let world = World::new(MemoryProvider::new("p").with_failure("app", busy));
    world.watch(vec![spec("db", "app", Some(MINUTE))], MINUTE * 3).await;
    let told = world.told("db");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].0.saturating_sub(told[0].0) >= MINUTE * 2);
}

#[tokio::test(start_paused = true)]
async fn what_has_no_reason_to_run_again_runs_once() {
    let world = World::new(MemoryProvider::new("p").with("app", value("one")));
    let once = |name: &str, refresh| {
        let policies = (CreationPolicy::Owner, DeletionPolicy::Retain);
        spec(name, "app", Some(MINUTE)).with_policies(policies.0, policies.1, refresh)
    };
    let specs = vec![
        spec("never", "app", None),
        once("once", RefreshPolicy::CreatedOnce),
        once("change", RefreshPolicy::OnChange),
        spec("suspended", "app", Some(MINUTE)).suspended(true),
        spec("windows", "app", Some(MINUTE)).with_timing(Timing::new(Some(MINUTE)).with_windows(Some(closed()))),
    ];
    world.watch(specs, MINUTE * 60).await;
    for name in ["never", "once", "change", "suspended", "windows"] {
        assert_eq!(world.told(name).len(), 1, "{name}");
    }
    assert_eq!(world.store.keys("shop", "suspended"), None);
}

/// Windows that permit nothing, whatever the time.
fn closed() -> SyncWindows {
    SyncWindows::Deny(vec![SyncWindow::new("* * * * *".parse::<Cron>().unwrap(), MINUTE * 10)])
}

#[tokio::test(start_paused = true)]
async fn a_source_that_ends_is_read_again_when_it_has_ended() {
    let soon = SystemTime::now() + MINUTE * 2;
    let world = World::new(MemoryProvider::new("p").with("app", value("one").with_expiry(soon)));
    world.watch(vec![spec("db", "app", Some(MINUTE * 60))], MINUTE * 2 + Duration::from_secs(3)).await;
    assert_eq!(world.told("db").len(), 2);
    assert!(world.told("db")[1].0 >= Duration::from_secs(119));
}

#[tokio::test(start_paused = true)]
async fn two_syncs_of_one_target_run_one_after_the_other_in_their_order() {
    let world = World::new(MemoryProvider::new("p").with("app", value("one")));
    let first = spec("first", "app", Some(MINUTE));
    let mut second = spec("second", "app", Some(MINUTE));
    second.target = first.target.clone();
    world.watch(vec![first, second], MINUTE * 10).await;
    let names: Vec<_> = world.told.lock().unwrap().iter().map(|(_, report)| report.owner.name().to_owned()).collect();
    assert!(names.len() >= 10, "{names:?}");
    assert!(names.chunks(2).all(|pair| pair == ["first", "second"]), "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_somebody_says_has_changed_is_read_at_once_by_all_that_depend_on_it() {
    let world = World::new(MemoryProvider::new("p").with("app", value("one")));
    let hour = Some(MINUTE * 60);
    let found = SyncSpec::new(OwnerId::new("shop", "found"), TargetRef::new("shop", "found"))
        .with_data_from(DataFrom::find(ProviderKey::new("p"), Query::default()))
        .with_timing(Timing::new(hour));
    let specs = vec![spec("named", "app", hour), found, spec("once", "app", None), spec("missing", "new", None)];
    let change = async {
        sleep(MINUTE).await;
        world.provider.set("app", Some(value("two")));
        world.engine.source_changed(&ProviderKey::new("another"));
        sleep(MINUTE).await;
        assert_eq!(world.store.value("shop", "named", "key").unwrap().expose(), b"one");
        world.provider.set("new", Some(value("three")));
        world.engine.source_changed(&ProviderKey::new("p"));
    };
    tokio::join!(world.watch(specs, MINUTE * 4), change);
    let updated = [(Duration::ZERO, Outcome::Created), (MINUTE * 2, Outcome::Updated)];
    assert_eq!(world.told("named"), updated);
    assert_eq!(world.told("found"), updated);
    assert_eq!(world.told("once"), updated[..1], "what never runs again does not run now");
    assert_eq!(world.told("missing").last().unwrap(), &(MINUTE * 2, Outcome::Created), "a failure waits no longer");
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_before_a_change_serves_nobody_who_asks_later() {
    let provider = MemoryProvider::new("p").with("app", value("one"));
    let (provider, store) = (Arc::new(provider), Arc::new(MemoryStore::new()));
    let engine = Engine::builder(Arc::clone(&store) as _)
        .provider(ProviderKey::new("p"), Arc::clone(&provider) as Arc<dyn Provider>)
        .concurrency(1)
        .build();
    // The first sync of the pass has read when the source changes; those that wait would be served with the same answer.
    let changed = std::sync::atomic::AtomicBool::new(false);
    let told = |_: &SyncReport| {
        if !changed.swap(true, std::sync::atomic::Ordering::Relaxed) {
            provider.set("app", Some(value("two")));
            engine.source_changed(&ProviderKey::new("p"));
        }
    };
    let names = ["a", "b", "c", "d"];
    let specs = names.map(|name| spec(name, "app", Some(MINUTE * 60))).to_vec();
    engine.watch(specs, told, sleep(MINUTE)).await;
    for name in names {
        assert_eq!(store.value("shop", name, "key").unwrap().expose(), b"two", "{name}");
    }
}
