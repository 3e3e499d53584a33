//! Clocks that are wrong, slow sources, changes at the wrong moment.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use secretsync_core::engine::Engine;
use secretsync_core::error::{Error, ErrorKind, Result, Retry};
use secretsync_core::layer::LayerSettings;
use secretsync_core::memory::MemoryStore;
use secretsync_core::object::{ObjectRef, Read};
use secretsync_core::provider::{
    FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef, Renewed,
};
use secretsync_core::secret::{Secret, SecretObject};
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{Outcome, Reason, Sync as _, SyncSpec, TemplateSpec};
use tokio::time::sleep;

use crate::issuer::{HOUR, Issuer, engine, entry, json, key, settle, setup, spec, user, written};

#[tokio::test(start_paused = true)]
async fn a_rotation_that_is_stuck_is_not_asked_about_each_second_for_ever() {
    for unversioned in [true, false] {
        let (issuer, _, engine) = setup(|state| {
            (state.rotates, state.leased, state.past, state.unversioned) = (true, false, 2 * HOUR, unversioned);
        });
        engine.sync(&spec()).await;
        sleep(Duration::from_mins(5)).await;
        let reads = issuer.count("issue");
        assert!(reads < 60, "unversioned {unversioned}: {reads} reads in five minutes");
    }
}

#[tokio::test(start_paused = true)]
async fn an_issuing_read_that_ran_into_the_time_limit_may_have_been_carried_out() {
    let (_issuer, _, engine) = setup(|state| state.slow = Duration::from_secs(40));
    let report = engine.sync(&spec()).await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert_eq!(report.error.unwrap().retry(), Retry::Never);
}

#[tokio::test(start_paused = true)]
async fn a_release_during_a_replacement_is_final() {
    let (issuer, _, engine) = setup(|state| {
        (state.ttl, state.renewable) = (Duration::from_mins(1), false);
    });
    let spec = spec().with_data(entry("plain", "kv/slow"));
    written(&engine.sync(&spec).await);
    // The replacement begins 36 to 40 seconds after the issue, and reads something slow under its page.
    let (owner, target) = (spec.owner.clone(), spec.target.clone());
    sleep(Duration::from_secs(42)).await;
    engine.release(&owner, &target).await;
    sleep(Duration::from_mins(10)).await;
    let before = issuer.count("issue");
    sleep(HOUR).await;
    assert_eq!(issuer.count("issue"), before, "nobody wants it any more");
}

#[tokio::test(start_paused = true)]
async fn a_release_before_the_replacement_has_its_page_is_final() {
    let (issuer, _, engine) = setup(|state| (state.ttl, state.renewable) = (Duration::from_mins(1), false));
    let engine = Arc::new(engine);
    let spec = spec();
    written(&engine.sync(&spec).await);
    // Somebody else's slow sync of the same name holds the page; upkeep waits for it, and then the release.
    let slow = spec.clone().with_data(entry("plain", "kv/slow"));
    sleep(Duration::from_secs(30)).await;
    let running = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.sync(&slow).await }
    });
    settle().await;
    let release = tokio::spawn({
        let (engine, owner, target) = (Arc::clone(&engine), spec.owner.clone(), spec.target.clone());
        async move { engine.release(&owner, &target).await }
    });
    written(&running.await.unwrap());
    release.await.unwrap();
    sleep(Duration::from_mins(1)).await;
    let before = issuer.count("issue");
    sleep(HOUR).await;
    assert_eq!(issuer.count("issue"), before, "nobody wants it any more: {:?}", issuer.state().log);
}

#[tokio::test(start_paused = true)]
async fn the_newest_spec_wins_over_a_replacement_under_way() {
    let (issuer, store, engine) = setup(|state| (state.ttl, state.renewable) = (Duration::from_mins(1), false));
    written(&engine.sync(&spec()).await);
    sleep(Duration::from_secs(30)).await;
    let changed = SyncSpec::new(OwnerId::new("shop", "db"), TargetRef::new("shop", "db"))
        .with_data(entry("user", "others"))
        .with_data(entry("plain", "kv/slow"));
    written(&engine.sync(&changed).await);
    assert!(user(&store).starts_with("others"));
    sleep(Duration::from_secs(10)).await;
    assert!(user(&store).starts_with("others"), "{} {:?}", user(&store), issuer.state().log);
}

#[tokio::test(start_paused = true)]
async fn a_plan_issues_nothing_also_at_the_moment_when_something_becomes_due() {
    let (issuer, _, engine) = setup(|state| (state.ttl, state.renewable) = (Duration::from_mins(1), false));
    let spec = spec().with_data(entry("plain", "kv/slow"));
    written(&engine.sync(&spec).await);
    sleep(Duration::from_secs(30)).await;
    let plan = engine.plan(&spec).await;
    assert_eq!(plan.report().reason, Reason::WouldBeIssued);
    settle().await;
    // The replacement waited for the plan to end.
    assert_eq!(issuer.log(), ["issue 1", "issue 2"], "nothing that a plan would have had issued is given back");
}

#[tokio::test(start_paused = true)]
async fn a_spec_that_was_changed_while_nothing_ran_is_applied_after_a_restart() {
    let (issuer, store, engine) = setup(|_| {});
    let told = engine.sync(&spec()).await.issued;
    drop(engine);
    let engine = self::engine(&issuer, &store);
    let changed = spec().with_data(entry("again", "creds"));
    engine.adopt(changed.clone(), &told).await.unwrap();
    let report = engine.sync(&changed).await;
    assert!(
        store.value("shop", "db", "again").is_some(),
        "{:?} {:?} although a key is missing",
        report.outcome,
        report.reason
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_with_a_random_part_follows_the_credential_that_it_holds() {
    let (issuer, store, engine) = setup(|state| state.longest = Duration::from_mins(90));
    let mut template = TemplateSpec::default();
    template.data.insert("config".to_owned(), "user={{ .user }} session={{ randAlphaNum 8 }}".to_owned());
    let spec = spec().with_template(Some(template));
    written(&engine.sync(&spec).await);
    let config = || store.value("shop", "db", "config").unwrap().expose_str().unwrap().to_owned();
    assert!(config().starts_with("user=creds-1 "));
    while issuer.count("revoke lease-1") == 0 {
        sleep(Duration::from_mins(1)).await;
    }
    assert!(!config().starts_with("user=creds-1 "), "the target holds what was revoked: {}", config());
}

#[tokio::test(start_paused = true)]
async fn a_renewal_without_an_end_does_not_end_the_upkeep() {
    let (issuer, _, engine) = setup(|state| {
        state.renewal = Some(Renewed::new(Duration::from_secs(u64::MAX), true));
    });
    engine.sync(&spec()).await;
    sleep(2 * HOUR).await;
    issuer.state().renewal = None;
    engine.sync(&spec()).await;
    assert_eq!(issuer.count("renew"), 1);
    let report = engine.sync(&spec()).await;
    assert!(
        report.expires_at.unwrap() > SystemTime::now() + 24 * HOUR,
        "the renewal was noted: {:?}",
        issuer.state().log
    );
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_closes_what_was_replaced_a_moment_ago() {
    let (first, _, engine) = setup(|_| {});
    engine.sync(&spec()).await;
    engine.provide(key(), Ok(Issuer::new(|_| {}) as _), &LayerSettings::default());
    sleep(Duration::from_secs(5)).await;
    let ended = engine.shutdown(Duration::from_secs(20)).await;
    assert!(ended && first.state().closed == 1, "in time: {ended}, closed: {}", first.state().closed);
}

#[tokio::test(start_paused = true)]
async fn a_lease_without_an_end_is_given_back_when_it_is_replaced() {
    let (issuer, _, engine) = setup(|state| state.no_end = true);
    for _ in 0..5 {
        written(&engine.sync(&spec()).await);
        sleep(HOUR).await;
    }
    assert_eq!((issuer.count("issue"), issuer.count("revoke")), (5, 4));
}

#[tokio::test(start_paused = true)]
async fn a_slow_source_beside_a_lease_does_not_keep_it_from_being_renewed() {
    let (issuer, _, engine) = setup(|state| state.ttl = Duration::from_mins(1));
    let spec = spec().with_data(entry("plain", "kv/hang"));
    written(&engine.sync(&spec).await);
    issuer.state().hangs = true;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Failed);
    sleep(Duration::from_mins(2)).await;
    let at: Vec<_> = issuer.state().log.iter().map(|(at, _)| *at).collect();
    let gap = at.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(gap < 60, "the lease of a minute was left alone for {gap} s: {:?}", issuer.state().log);
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_that_a_replacement_fails_while_there_is_time() {
    let (issuer, _, engine) = setup(|state| state.renewable = false);
    let mut told = Vec::new();
    let breaks = async {
        sleep(Duration::from_mins(5)).await;
        issuer.state().failure = Some(Error::new(ErrorKind::PermissionDenied, "issue"));
        sleep(Duration::from_mins(52)).await;
    };
    engine.watch(vec![spec()], |report| told.push((report.outcome, report.reason)), breaks).await;
    assert!(issuer.count("refuse") > 0);
    assert!(told.iter().any(|(outcome, _)| *outcome == Outcome::Failed), "{told:?} but {:?}", issuer.state().log);
}

/// Reads many objects with one request.
#[derive(Debug)]
struct Batching(ProviderInfo, Mutex<Vec<String>>);

#[async_trait]
impl Provider for Batching {
    fn info(&self) -> &ProviderInfo {
        &self.0
    }
    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        let read = if reference.key.starts_with("kv") { Read::Repeatable } else { Read::Issuing };
        Ok(ObjectRef::new(&reference.key).with_read(read))
    }
    async fn fetch(&self, objects: &[ObjectRef], _: &FetchOptions) -> Vec<Result<Fetched>> {
        for object in objects {
            self.1.lock().unwrap().push(object.name().to_owned());
        }
        let answer = |_| Ok(Fetched::Found(Secret::object(SecretObject::new(json(r#"{"user": "x"}"#)))));
        objects.iter().map(answer).collect()
    }
    async fn find(&self, _: &Query) -> Result<Vec<Found>> {
        Ok(Vec::new())
    }
    async fn check(&self) -> Result<()> {
        Ok(())
    }
    fn leases(&self) -> Option<&dyn Leases> {
        None
    }
    async fn close(&self) {}
}

#[tokio::test(start_paused = true)]
async fn a_request_for_many_objects_takes_no_issuing_one_along() {
    let sixteen = std::num::NonZeroUsize::new(16).unwrap();
    let info = ProviderInfo::new("batching", "SecretStore shop/batching").with_per_request(sixteen);
    let provider = Arc::new(Batching(info, Mutex::default()));
    let engine = Engine::builder(Arc::new(MemoryStore::new())).provider(key(), Arc::clone(&provider) as _).build();
    let other = SyncSpec::new(OwnerId::new("shop", "other"), TargetRef::new("shop", "other"));
    let reports = engine.sync_all(vec![spec(), other.with_data(entry("plain", "kv/plain"))]).await;
    reports.iter().for_each(written);
    let asked = provider.1.lock().unwrap().iter().filter(|name| *name == "creds").count();
    assert_eq!(asked, 1, "{:?}", provider.1.lock().unwrap());
}
