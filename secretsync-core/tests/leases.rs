//! Issued credentials over their whole life, on a paused clock.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use secretsync_core::engine::Engine;
use secretsync_core::error::{Error, ErrorKind, Result, Retry};
use secretsync_core::json::Json;
use secretsync_core::layer::LayerSettings;
use secretsync_core::memory::MemoryStore;
use secretsync_core::object::{ObjectRef, Read};
use secretsync_core::provider::{
    FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef, Renewed,
};
use secretsync_core::secret::{Lease, Secret, SecretKey, SecretObject, SecretValue};
use secretsync_core::store::{ManifestStore, OwnerId, Store, TargetRef};
use secretsync_core::sync::{
    CreationPolicy, DataEntry, DeletionPolicy, Outcome, ProviderKey, Reason, RefreshPolicy, Sync as _, SyncReport,
    SyncSpec,
};
use tokio::time::{Instant, sleep};

/// Issues numbered credentials and writes down what it is asked, with the seconds since the start.
#[derive(Debug)]
struct Issuer {
    info: ProviderInfo,
    begun: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// How long a credential lasts, and how much longer it can be made to last in all.
    ttl: Duration,
    longest: Duration,
    leased: bool,
    rotates: bool,
    renewable: bool,
    failure: Option<Error>,
    renewal_failure: Option<Error>,
    issued: u32,
    rotation: u32,
    born: Vec<Instant>,
    log: Vec<(u64, String)>,
}

fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).unwrap()
}

const HOUR: Duration = Duration::from_hours(1);

impl Issuer {
    fn new(change: impl FnOnce(&mut State)) -> Arc<Self> {
        let mut state = State {
            ttl: HOUR,
            longest: 1000 * HOUR,
            leased: true,
            rotates: false,
            renewable: true,
            failure: None,
            renewal_failure: None,
            issued: 0,
            rotation: 1,
            born: Vec::new(),
            log: Vec::new(),
        };
        change(&mut state);
        Arc::new(Self {
            info: ProviderInfo::new("issuer", "SecretStore shop/issuer"),
            begun: Instant::now(),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn note(&self, state: &mut State, what: String) {
        state.log.push((self.begun.elapsed().as_secs(), what));
    }

    /// What was asked, without the times.
    fn log(&self) -> Vec<String> {
        self.state().log.iter().map(|(_, what)| what.clone()).collect()
    }

    fn count(&self, what: &str) -> usize {
        self.log().iter().filter(|entry| entry.starts_with(what)).count()
    }

    /// When something was asked first.
    fn when(&self, what: &str) -> u64 {
        let state = self.state();
        state.log.iter().find(|(_, entry)| entry == what).unwrap_or_else(|| panic!("no {what} in {:?}", state.log)).0
    }

    fn issue(&self, name: &str) -> Result<Fetched> {
        let mut state = self.state();
        if let Some(error) = state.failure.clone() {
            self.note(&mut state, "refuse".to_owned());
            return Err(error);
        }
        state.issued += 1;
        let number = state.issued;
        state.born.push(Instant::now());
        self.note(&mut state, format!("issue {number}"));
        let shown = if state.rotates { state.rotation } else { number };
        let text = format!(r#"{{"user": "{name}-{shown}"}}"#);
        let secret = Secret::object(SecretObject::new(json(&text)));
        let end = SystemTime::now() + state.ttl;
        let secret = if state.rotates {
            secret.with_rotation(end).with_version(shown.to_string())
        } else {
            secret.with_expiry(end)
        };
        Ok(Fetched::Found(if state.leased {
            secret.with_lease(Lease::new(format!("lease-{number}"), state.renewable))
        } else {
            secret
        }))
    }
}

#[async_trait]
impl Provider for Issuer {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        Ok(ObjectRef::new(&reference.key).with_read(Read::Issuing))
    }

    async fn reading(&self, object: &ObjectRef) -> Result<Read> {
        Ok(if object.name().starts_with("kv") { Read::Repeatable } else { Read::Issuing })
    }

    async fn fetch(&self, objects: &[ObjectRef], _: &FetchOptions) -> Vec<Result<Fetched>> {
        assert_eq!(objects.len(), 1, "issuing reads are never batched");
        if objects[0].name() == "kv/broken" {
            return vec![Err(Error::new(ErrorKind::PermissionDenied, "read"))];
        }
        if objects[0].name().starts_with("kv") {
            return vec![Ok(Fetched::Found(Secret::bytes(SecretValue::from("plain"))))];
        }
        vec![self.issue(objects[0].name())]
    }

    async fn find(&self, _: &Query) -> Result<Vec<Found>> {
        Ok(Vec::new())
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn leases(&self) -> Option<&dyn Leases> {
        Some(self)
    }

    async fn close(&self) {}
}

#[async_trait]
impl Leases for Issuer {
    async fn renew(&self, lease: &Lease, increment: Duration) -> Result<Renewed> {
        let mut state = self.state();
        self.note(&mut state, format!("renew {}", lease.id()));
        if let Some(error) = state.renewal_failure.clone() {
            return Err(error);
        }
        let number: usize = lease.id().trim_start_matches("lease-").parse().unwrap();
        let age = state.born.get(number - 1).map_or(Duration::ZERO, Instant::elapsed);
        let increment = if increment.is_zero() { state.ttl } else { increment };
        Ok(Renewed::new(increment.min(state.longest.saturating_sub(age)), true))
    }

    async fn revoke(&self, lease: &Lease) -> Result<()> {
        let mut state = self.state();
        self.note(&mut state, format!("revoke {}", lease.id()));
        Ok(())
    }
}

fn key() -> ProviderKey {
    ProviderKey::new("issuer")
}

fn spec() -> SyncSpec {
    SyncSpec::new(OwnerId::new("shop", "db"), TargetRef::new("shop", "db")).with_data(entry("user", "creds"))
}

fn entry(name: &str, object: &str) -> DataEntry {
    let entry = DataEntry::new(name, key(), RemoteRef::new(object));
    if object.starts_with("kv") { entry } else { entry.with_property("user") }
}

fn engine(issuer: &Arc<Issuer>, store: &Arc<MemoryStore>) -> Engine {
    Engine::builder(Arc::clone(store) as _).provider(key(), Arc::clone(issuer) as _).build()
}

fn setup(change: impl FnOnce(&mut State)) -> (Arc<Issuer>, Arc<MemoryStore>, Engine) {
    let (issuer, store) = (Issuer::new(change), Arc::new(MemoryStore::new()));
    let engine = engine(&issuer, &store);
    (issuer, store, engine)
}

fn user(store: &MemoryStore) -> String {
    let value = store.value("shop", "db", "user").expect("the key exists");
    value.expose_str().unwrap().to_owned()
}

fn written(report: &SyncReport) {
    assert_eq!(report.reason, Reason::Synced, "{:?}", report.error);
}

/// Lets background tasks run that are due now.
async fn settle() {
    sleep(Duration::from_millis(10)).await;
}

#[tokio::test(start_paused = true)]
async fn a_sync_that_runs_again_uses_what_it_was_issued() {
    let (issuer, store, engine) = setup(|_| {});
    let report = engine.sync(&spec()).await;
    written(&report);
    let told = &report.issued[0];
    assert_eq!((told.object.as_str(), told.lease.as_ref().unwrap().id()), ("creds", "lease-1"));
    assert_eq!(report.expires_at, Some(told.expires_at));
    for _ in 0..5 {
        sleep(Duration::from_mins(5)).await;
        let again = engine.sync(&spec()).await;
        assert_eq!((again.outcome, again.issued.len()), (Outcome::Unchanged, 1));
        assert_eq!(engine.plan(&spec()).await.report().outcome, Outcome::Unchanged, "a plan sees it as well");
    }
    assert_eq!((issuer.log(), user(&store)), (vec!["issue 1".to_owned()], "creds-1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn one_object_gives_all_its_keys_and_two_syncs_are_issued_one_each() {
    let (issuer, store, engine) = setup(|_| {});
    let other = SyncSpec::new(OwnerId::new("shop", "other"), TargetRef::new("shop", "other"));
    let reports =
        engine.sync_all(vec![spec().with_data(entry("again", "creds")), other.with_data(entry("user", "creds"))]).await;
    reports.iter().for_each(written);
    assert_eq!(issuer.count("issue"), 2);
    let again = store.value("shop", "db", "again").unwrap();
    assert_eq!(user(&store), again.expose_str().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_at_two_thirds_and_lives_as_long_as_it_can() {
    let (issuer, store, engine) = setup(|_| {});
    let first = engine.sync(&spec()).await.expires_at.unwrap();
    sleep(20 * HOUR).await;
    assert_eq!((issuer.count("issue"), user(&store).as_str()), (1, "creds-1"));
    let renewals = issuer.count("renew lease-1");
    assert!((29..=34).contains(&renewals), "{renewals}");
    let earliest = issuer.when("renew lease-1");
    assert!((2100..=2400).contains(&earliest), "{earliest}");
    // The clock on the wall stands still here: the end is told anew all the same.
    assert!(engine.sync(&spec()).await.expires_at.unwrap() >= first);
    assert_eq!(issuer.count("revoke"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lease_near_its_last_end_is_replaced_and_given_back_after_the_write() {
    let (issuer, store, engine) = setup(|state| state.longest = Duration::from_mins(90));
    engine.sync(&spec()).await;
    while issuer.count("issue") < 2 {
        sleep(Duration::from_secs(1)).await;
    }
    let replaced = issuer.when("issue 2");
    assert!((60 * 60..90 * 60).contains(&replaced), "before the last end: {replaced}");
    settle().await;
    assert_eq!((user(&store).as_str(), issuer.count("revoke")), ("creds-2", 0), "both are good for a while");
    sleep(Duration::from_secs(125)).await;
    assert_eq!(issuer.when("revoke lease-1"), replaced + 120);
    assert_eq!(issuer.count("revoke"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_renewed_is_replaced_at_two_thirds_once_for_each_life() {
    for (leased, revocations) in [(true, 9), (false, 0)] {
        let (issuer, store, engine) = setup(|state| (state.renewable, state.leased) = (false, leased));
        engine.sync(&spec()).await;
        sleep(Duration::from_hours(6)).await;
        let lives = issuer.count("issue");
        assert!((10..=11).contains(&lives), "{lives}");
        assert_eq!(user(&store), format!("creds-{lives}"));
        assert_eq!(issuer.count("renew"), 0);
        assert!(issuer.count("revoke") >= revocations && issuer.count("revoke") < lives, "{:?}", issuer.log());
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_other_side_rotates_is_read_after_the_rotation_and_soon_again_if_that_is_late() {
    let (issuer, store, engine) = setup(|state| (state.rotates, state.leased) = (true, false));
    engine.sync(&spec()).await;
    assert_eq!(user(&store), "creds-1");
    sleep(HOUR + Duration::from_secs(3)).await;
    assert!(issuer.count("issue") >= 3, "asked again within seconds: {:?}", issuer.log());
    assert_eq!(user(&store), "creds-1");
    issuer.state().rotation = 2;
    sleep(Duration::from_secs(3)).await;
    let asked = issuer.count("issue");
    assert_eq!(user(&store), "creds-2");
    sleep(Duration::from_mins(50)).await;
    assert_eq!(issuer.count("issue"), asked, "then it is believed");
    assert!(issuer.when("issue 2") >= 3600);
    // Somebody rotates it by hand: a sync sees that at once, for reading it mints nothing.
    issuer.state().rotation = 3;
    engine.sync(&spec()).await;
    assert_eq!(user(&store), "creds-3");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_for_a_moment_is_tried_again_and_a_lost_lease_is_replaced() {
    let (issuer, store, engine) = setup(|_| {});
    engine.sync(&spec()).await;
    issuer.state().renewal_failure = Some(Error::new(ErrorKind::Unavailable, "renew"));
    sleep(Duration::from_secs(2500)).await;
    let tries = issuer.count("renew");
    assert!((2..=12).contains(&tries), "with growing distance: {:?}", issuer.state().log);
    issuer.state().renewal_failure = None;
    sleep(Duration::from_mins(10)).await;
    assert_eq!(issuer.count("issue"), 1, "{:?}", issuer.state().log);

    issuer.state().renewal_failure = Some(Error::new(ErrorKind::NotFound, "renew"));
    sleep(HOUR).await;
    assert_eq!((issuer.count("issue"), user(&store).as_str()), (2, "creds-2"));
}

#[tokio::test(start_paused = true)]
async fn an_outage_leaves_the_old_ones_in_place_and_is_asked_about_with_growing_distance() {
    let (issuer, store, engine) = setup(|state| state.renewable = false);
    engine.sync(&spec()).await;
    issuer.state().failure = Some(Error::new(ErrorKind::Unavailable, "issue"));
    sleep(HOUR).await;
    let tries = issuer.count("refuse");
    assert!((8..=20).contains(&tries), "{tries}");
    assert_eq!(user(&store), "creds-1");
    sleep(24 * HOUR).await;
    let later = issuer.count("refuse") - tries;
    assert!((250..=600).contains(&later), "about every five minutes: {later}");
    issuer.state().failure = None;
    sleep(Duration::from_mins(6)).await;
    assert_eq!(user(&store), "creds-2");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_may_have_been_carried_out_is_not_simply_repeated() {
    let lost = Error::new(ErrorKind::Unavailable, "issue").with_retry(Retry::Never);
    let (issuer, _, engine) = setup(|state| state.failure = Some(lost.clone()));
    assert_eq!(engine.sync(&spec()).await.outcome, Outcome::Failed);
    assert_eq!(issuer.count("refuse"), 1);

    let (issuer, _, engine) = setup(|state| state.renewable = false);
    engine.sync(&spec()).await;
    issuer.state().failure = Some(lost);
    sleep(Duration::from_secs(3570)).await;
    let tries = issuer.count("refuse");
    assert!((1..=9).contains(&tries), "each time after half of what is left, or five minutes: {tries}");
}

#[tokio::test(start_paused = true)]
async fn whatever_does_not_reach_the_target_is_given_back() {
    let (issuer, store, engine) = setup(|_| {});
    let broken = spec().with_data(DataEntry::new("x", key(), RemoteRef::new("creds")).with_property("nope"));
    assert_eq!(engine.sync(&broken).await.outcome, Outcome::Failed);
    settle().await;
    assert_eq!(issuer.log(), ["issue 1", "revoke lease-1"]);

    store.put("shop", "db", SecretKey::new("user").unwrap(), SecretValue::from("mine"));
    let foreign = SyncSpec::new(OwnerId::new("shop", "thief"), TargetRef::new("shop", "db"));
    engine.sync(&spec()).await;
    let report = engine.sync(&foreign.with_data(entry("user", "creds"))).await;
    assert_eq!((report.outcome, issuer.count("issue")), (Outcome::Failed, 2), "refused before it is issued");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_issued_for_a_sync_that_fails_or_writes_nothing_anyway() {
    let (issuer, _, engine) = setup(|_| {});
    assert_eq!(engine.sync(&spec().with_data(entry("a", "kv/broken"))).await.outcome, Outcome::Failed);
    let merge = spec().with_policies(CreationPolicy::Merge, DeletionPolicy::Retain, RefreshPolicy::Periodic);
    assert_eq!(engine.sync(&merge).await.reason, Reason::TargetMissing);
    let report = engine.plan(&spec()).await.into_report();
    assert_eq!((report.reason, issuer.count("issue")), (Reason::WouldBeIssued, 0));
}

#[tokio::test(start_paused = true)]
async fn a_panic_or_a_caller_that_goes_away_before_the_document_is_written_gives_back_what_was_issued() {
    #[derive(Debug)]
    struct Stubborn(ManifestStore, bool);
    #[async_trait]
    impl Store for Stubborn {
        fn kind(&self) -> &'static str {
            "stubborn"
        }
        async fn begin(&self) -> secretsync_core::store::Pass {
            self.0.begin().await
        }
        fn stages(&self) -> bool {
            true
        }
        async fn observe(&self, target: &TargetRef, owner: &OwnerId) -> Result<secretsync_core::store::Observed> {
            self.0.observe(target, owner).await
        }
        async fn admit(&self, write: &secretsync_core::store::Write<'_>) -> Result<()> {
            assert!(!self.1, "a defect");
            self.0.admit(write).await
        }
        async fn apply(&self, write: &secretsync_core::store::Write<'_>) -> Result<secretsync_core::store::Applied> {
            self.0.apply(write).await
        }
        async fn remove(&self, target: &TargetRef, owner: &OwnerId) -> Result<secretsync_core::store::Removed> {
            self.0.remove(target, owner).await
        }
        async fn verify(&self) -> Result<()> {
            Ok(())
        }
        async fn flush(&self) -> Result<()> {
            std::future::pending().await
        }
    }
    for panics in [true, false] {
        let issuer = Issuer::new(|_| {});
        let store = Stubborn(ManifestStore::writer(Box::new(std::io::sink())), panics);
        let engine = Engine::builder(Arc::new(store)).provider(key(), Arc::clone(&issuer) as _).build();
        // The document is never written: the caller gives up.
        drop(tokio::time::timeout(Duration::from_secs(5), engine.sync(&spec())).await);
        settle().await;
        assert_eq!(issuer.log(), ["issue 1", "revoke lease-1"], "panics: {panics}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_leaves_the_target_and_its_lease_whole() {
    let (issuer, store, engine) = setup(|_| {});
    let spec = spec();
    let mut sync = engine.sync(&spec);
    assert!(futures_poll(&mut sync).await.is_none());
    drop(sync);
    settle().await;
    assert_eq!((user(&store).as_str(), issuer.log()), ("creds-1", vec!["issue 1".to_owned()]));
    sleep(Duration::from_mins(45)).await;
    assert_eq!(issuer.count("renew"), 1);
}

/// Polls once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_spec_with_other_sources_gives_the_old_ones_back_after_the_write() {
    let (issuer, store, engine) = setup(|_| {});
    engine.sync(&spec()).await;
    let other = SyncSpec::new(OwnerId::new("shop", "db"), TargetRef::new("shop", "db"));
    written(&engine.sync(&other.clone().with_data(entry("user", "others"))).await);
    assert_eq!(user(&store), "others-2");
    sleep(Duration::from_mins(3)).await;
    assert_eq!(issuer.log(), ["issue 1", "issue 2", "revoke lease-1"]);
    written(&engine.sync(&other.with_data(entry("user", "kv/plain"))).await);
    sleep(5 * HOUR).await;
    assert_eq!(issuer.log(), ["issue 1", "issue 2", "revoke lease-1", "revoke lease-2"]);
}

#[tokio::test(start_paused = true)]
async fn another_provider_under_the_same_name_issues_anew_and_the_old_lease_is_given_back_where_it_came_from() {
    let (first, store, engine) = setup(|_| {});
    engine.sync(&spec()).await;
    let second = Issuer::new(|state| state.issued = 10);
    engine.provide(key(), Ok(Arc::clone(&second) as _), &LayerSettings::default());
    written(&engine.sync(&spec()).await);
    assert_eq!(user(&store), "creds-11");
    sleep(Duration::from_mins(5)).await;
    assert_eq!(first.log(), ["issue 1", "revoke lease-1"]);
    assert_eq!(second.log(), ["issue 11"]);
}

#[tokio::test(start_paused = true)]
async fn a_sync_that_is_no_longer_wanted_gives_back_at_once() {
    let (issuer, store, engine) = setup(|_| {});
    engine.sync(&spec()).await;
    engine.release(&OwnerId::new("shop", "db"), &TargetRef::new("shop", "db")).await;
    assert_eq!(issuer.log(), ["issue 1", "revoke lease-1"]);
    sleep(5 * HOUR).await;
    assert_eq!((issuer.log().len(), user(&store).as_str()), (2, "creds-1"));
}

#[tokio::test(start_paused = true)]
async fn a_suspended_sync_keeps_its_lease_and_is_not_written() {
    let (issuer, store, engine) = setup(|state| state.longest = Duration::from_mins(90));
    engine.sync(&spec()).await;
    assert_eq!(engine.sync(&spec().suspended(true)).await.reason, Reason::Suspended);
    sleep(3 * HOUR).await;
    assert!(issuer.count("renew") >= 1);
    assert_eq!((issuer.count("issue"), user(&store).as_str()), (1, "creds-1"));
    written(&engine.sync(&spec()).await);
    assert_eq!(user(&store), "creds-2");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_engine_ends_its_background_work_and_no_lease() {
    for explicit in [true, false] {
        let (issuer, _, engine) = setup(|_| {});
        engine.sync(&spec()).await;
        if explicit {
            assert!(engine.shutdown(Duration::from_secs(5)).await);
        } else {
            drop(engine);
        }
        sleep(5 * HOUR).await;
        assert_eq!(issuer.log(), ["issue 1"]);
    }
}

#[tokio::test(start_paused = true)]
async fn another_process_takes_over_what_the_report_told() {
    let (issuer, store, engine) = setup(|state| state.longest = Duration::from_mins(80));
    let told = engine.sync(&spec()).await.issued;
    engine.shutdown(Duration::from_secs(5)).await;

    let engine = self::engine(&issuer, &store);
    engine.adopt(spec(), &told).await.unwrap();
    let report = engine.sync(&spec()).await;
    assert_eq!((report.outcome, report.reason, report.issued.len()), (Outcome::Unchanged, Reason::Synced, 1));
    assert_eq!(engine.plan(&spec()).await.report().outcome, Outcome::Unchanged);
    assert_eq!(issuer.log(), ["issue 1"], "the target has it already");
    sleep(HOUR).await;
    assert!(issuer.count("renew lease-1") >= 1, "{:?}", issuer.log());
    sleep(Duration::from_mins(20)).await;
    assert_eq!((issuer.count("issue"), user(&store).as_str()), (2, "creds-2"));
    settle().await;
    assert_eq!(issuer.count("revoke lease-1"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_was_changed_or_has_other_sources_is_issued_something_new_after_a_restart() {
    let (issuer, store, engine) = setup(|_| {});
    let mixed = || spec().with_data(entry("plain", "kv/plain"));
    let told = engine.sync(&mixed()).await.issued;
    drop(engine);
    let engine = self::engine(&issuer, &store);
    engine.adopt(mixed(), &told).await.unwrap();
    written(&engine.sync(&mixed()).await);
    assert_eq!(user(&store), "creds-2");
    sleep(Duration::from_mins(3)).await;
    assert_eq!(issuer.log(), ["issue 1", "issue 2", "revoke lease-1"]);
}

#[tokio::test(start_paused = true)]
async fn many_calls_at_once_are_issued_one() {
    let (issuer, _, engine) = setup(|_| {});
    let (engine, spec) = (Arc::new(engine), spec());
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (engine, spec) = (Arc::clone(&engine), spec.clone());
            tokio::spawn(async move { engine.sync(&spec).await })
        })
        .collect();
    for call in calls {
        written(&call.await.unwrap());
    }
    // And the same sync twice in one pass.
    engine.sync_all(vec![spec.clone(), spec]).await;
    assert_eq!(issuer.log(), ["issue 1"]);
}

#[tokio::test(start_paused = true)]
async fn something_that_ends_at_once_is_not_issued_again_and_again() {
    for lasts in [Duration::ZERO, Duration::from_secs(1)] {
        for (leased, renewable) in [(false, false), (true, false), (true, true)] {
            let change = |state: &mut State| (state.ttl, state.leased, state.renewable) = (lasts, leased, renewable);
            let (issuer, _, engine) = setup(change);
            written(&engine.sync(&spec()).await);
            sleep(Duration::from_mins(10)).await;
            let (count, renewals) = (issuer.count("issue"), issuer.count("renew"));
            assert!(
                (2..=12).contains(&count) && renewals <= 12,
                "{lasts:?} {leased}: {count} issued, {renewals} renewed"
            );
            engine.shutdown(Duration::from_secs(5)).await;
        }
    }
}
