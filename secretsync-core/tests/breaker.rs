//! The breaker on a paused clock.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use secretsync_core::error::{Error, ErrorKind, Result, Retry, chain};
use secretsync_core::layer::{Breaker, BreakerSettings};
use secretsync_core::object::ObjectRef;
use secretsync_core::provider::{
    Absence, FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef,
};
use tokio::time::{Instant, sleep};

/// A store that fails on demand, and takes a tenth of a second for a call.
#[derive(Debug)]
struct Store {
    info: ProviderInfo,
    failure: Mutex<Option<Error>>,
    calls: AtomicUsize,
}

impl Store {
    fn new() -> (Arc<Self>, Breaker) {
        let info = ProviderInfo::new("fake", "SecretStore shop/fake");
        let store = Arc::new(Self { info, failure: Mutex::default(), calls: AtomicUsize::new(0) });
        let breaker = Breaker::new(Arc::clone(&store) as Arc<dyn Provider>, BreakerSettings::default());
        (store, breaker)
    }

    fn fails(&self, failure: Option<Error>) {
        *self.failure.lock().unwrap() = failure;
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn failure(&self) -> Option<Error> {
        self.failure.lock().unwrap().clone()
    }
}

#[async_trait]
impl Provider for Store {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        Ok(ObjectRef::new(&reference.key))
    }

    async fn fetch(&self, objects: &[ObjectRef], _: &FetchOptions) -> Vec<Result<Fetched>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_millis(100)).await;
        objects.iter().map(|_| self.failure().map_or(Ok(Fetched::Absent(Absence::default())), Err)).collect()
    }

    async fn find(&self, _: &Query) -> Result<Vec<Found>> {
        self.check().await.map(|()| Vec::new())
    }

    async fn check(&self) -> Result<()> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.failure().map_or(Ok(()), Err)
    }

    fn leases(&self) -> Option<&dyn Leases> {
        None
    }

    async fn close(&self) {}
}

fn failing(kind: ErrorKind) -> Error {
    Error::new(kind, "read").on("`kv/a`")
}

async fn read(breaker: &Breaker) -> Result<Fetched> {
    breaker.fetch(&[ObjectRef::new("a")], &FetchOptions::default()).await.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_answer_is_left_alone_until_one_probe_succeeds() {
    for kind in [ErrorKind::Unavailable, ErrorKind::RateLimited, ErrorKind::Unauthenticated] {
        let (store, breaker) = Store::new();
        store.fails(Some(failing(kind)));
        for _ in 0..100 {
            assert_eq!(read(&breaker).await.unwrap_err().kind(), kind);
        }
        assert_eq!(store.calls(), 5, "{kind:?}");
        let error = read(&breaker).await.unwrap_err();
        assert!(matches!(error.retry(), Retry::After(left) if left >= Duration::from_secs(1)), "{error:?}");
        assert!(chain(&error).contains("is not asked again yet: failed to read `kv/a`"), "{error:?}");

        store.fails(None);
        sleep(Duration::from_secs(2)).await;
        let answers = join_all((0..50).map(|_| read(&breaker))).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "one probe, the others wait for its end");
        assert_eq!(store.calls(), 6);
        assert!(join_all((0..50).map(|_| read(&breaker))).await.iter().all(Result::is_ok));
    }
}

#[tokio::test(start_paused = true)]
async fn probes_that_fail_come_at_growing_and_spread_distances() {
    let (store, breaker) = Store::new();
    store.fails(Some(failing(ErrorKind::Unavailable)));
    let (start, mut probes) = (Instant::now(), Vec::new());
    while probes.len() < 12 {
        let before = store.calls();
        drop(read(&breaker).await);
        if store.calls() > before {
            probes.push(start.elapsed());
        }
        sleep(Duration::from_millis(50)).await;
    }
    let pauses: Vec<_> = probes[4..].windows(2).map(|pair| pair[1].saturating_sub(pair[0]).as_secs_f64()).collect();
    for (pause, expected) in pauses.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]) {
        assert!((expected..=expected * 1.5 + 1.0).contains(pause), "{pauses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_objects_never_counts_and_proves_that_the_store_works() {
    let (store, breaker) = Store::new();
    let of_objects = [
        ErrorKind::NotFound,
        ErrorKind::PermissionDenied,
        ErrorKind::InvalidData,
        ErrorKind::InvalidConfig,
        ErrorKind::Internal,
    ];
    for kind in of_objects {
        store.fails(Some(failing(kind)));
        for _ in 0..50 {
            assert_eq!(read(&breaker).await.unwrap_err().kind(), kind);
        }
    }
    assert_eq!(store.calls(), 250);
    for _ in 0..50 {
        for kind in [ErrorKind::Unavailable, ErrorKind::Unavailable, ErrorKind::Unavailable, ErrorKind::NotFound] {
            store.fails(Some(failing(kind)));
            drop(read(&breaker).await);
        }
    }
    assert_eq!(store.calls(), 450, "failures that are not in a row");
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_other_side_asks_for_is_kept_at_once() {
    let (store, breaker) = Store::new();
    store.fails(Some(failing(ErrorKind::RateLimited).with_retry(Retry::After(Duration::from_mins(5)))));
    drop(read(&breaker).await);
    store.fails(None);
    sleep(Duration::from_secs(299)).await;
    assert!(read(&breaker).await.is_err());
    assert_eq!(store.calls(), 1);
    sleep(Duration::from_secs(1)).await;
    assert!(read(&breaker).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_pause_without_end_is_kept_for_a_day() {
    let (store, breaker) = Store::new();
    store.fails(Some(failing(ErrorKind::RateLimited).with_retry(Retry::After(Duration::MAX))));
    drop(read(&breaker).await);
    store.fails(None);
    assert!(read(&breaker).await.is_err());
    sleep(Duration::from_hours(24)).await;
    assert!(read(&breaker).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_given_up_makes_room_for_the_next() {
    let (store, breaker) = Store::new();
    store.fails(Some(failing(ErrorKind::Unavailable)));
    for _ in 0..5 {
        drop(read(&breaker).await);
    }
    store.fails(None);
    sleep(Duration::from_secs(2)).await;
    assert!(tokio::time::timeout(Duration::from_millis(50), read(&breaker)).await.is_err());
    assert!(read(&breaker).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn searches_are_held_back_too_and_a_check_never_is() {
    let (store, breaker) = Store::new();
    store.fails(Some(failing(ErrorKind::Unavailable)));
    for _ in 0..20 {
        drop(breaker.find(&Query::default()).await);
    }
    assert_eq!(store.calls(), 5);
    assert!(breaker.check().await.is_err());
    store.fails(None);
    breaker.check().await.unwrap();
    assert!(read(&breaker).await.is_ok(), "a check that succeeds is as good as a probe");
}
