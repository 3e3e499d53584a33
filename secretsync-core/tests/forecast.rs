//! What is forecast, and what is then sent.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use secretsync_core::engine::{Engine, Forecast, StoreForecast};
use secretsync_core::error::{Error, ErrorKind, Result};
use secretsync_core::memory::MemoryStore;
use secretsync_core::object::{ObjectRef, Part, Read};
use secretsync_core::provider::{
    Asked, Cost, FetchOptions, Fetched, Found, Leases, PriceList, Provider, ProviderInfo, Query, RemoteRef, Request,
};
use secretsync_core::secret::{Secret, SecretValue};
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{
    CreationPolicy, DataEntry, DataFrom, DeletionPolicy, ProviderKey, RefreshPolicy, SyncSpec, Timing,
};
use tokio::time::sleep;

/// A billed store: each call is one request, its kind tells how many objects it reads.
#[derive(Debug)]
struct Billed {
    info: ProviderInfo,
    calls: Mutex<Vec<usize>>,
}

static LIST: PriceList = PriceList::new("tests", "2026-11", "a thousandth of a dollar for each object");

impl Billed {
    fn new(per_request: usize) -> Arc<Self> {
        let info = ProviderInfo::new("billed", "Store test").with_per_request(NonZeroUsize::new(per_request).unwrap());
        Arc::new(Self { info: info.with_versions().with_find(), calls: Mutex::default() })
    }

    fn engine(self: &Arc<Self>) -> Engine {
        Engine::builder(Arc::new(MemoryStore::new())).provider(key(), Arc::clone(self) as _).build()
    }

    fn sent(&self) -> usize {
        self.calls.lock().unwrap().len()
    }
}

#[async_trait]
impl Provider for Billed {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        let object = ObjectRef::new(&reference.key);
        Ok(match (&*reference.key, reference.metadata) {
            ("wrong", _) => return Err(Error::new(ErrorKind::InvalidConfig, "address")),
            ("mint", _) => object.with_read(Read::Issuing),
            (_, true) => object.with_part(Part::Metadata),
            _ => object,
        })
    }

    async fn fetch(&self, objects: &[ObjectRef], _options: &FetchOptions) -> Vec<Result<Fetched>> {
        self.calls.lock().unwrap().push(objects.len());
        tokio::task::yield_now().await;
        objects.iter().map(|object| Ok(Fetched::Found(Secret::bytes(SecretValue::from(object.name()))))).collect()
    }

    async fn find(&self, _query: &Query) -> Result<Vec<Found>> {
        Ok(Vec::new())
    }

    fn requests(&self, asked: Asked<'_>) -> Vec<Request> {
        match asked {
            Asked::Fetch(objects) => {
                let kind = if objects.len() == 1 { "one" } else { "many" };
                let cost = 1_000_000 * u32::try_from(objects.len()).unwrap();
                vec![Request::new(kind).costing(Cost::new(0, cost, &LIST))]
            }
            _ => vec![Request::new("list")],
        }
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn leases(&self) -> Option<&dyn Leases> {
        None
    }

    async fn close(&self) {}
}

fn key() -> ProviderKey {
    ProviderKey::new("p")
}

fn spec(name: &str, objects: &[&str], hours: u64) -> SyncSpec {
    let interval = (hours > 0).then(|| Duration::from_hours(hours));
    let new =
        SyncSpec::new(OwnerId::new("shop", name), TargetRef::new("shop", name)).with_timing(Timing::new(interval));
    objects.iter().fold(new, |spec, object| spec.with_data(DataEntry::new(*object, key(), RemoteRef::new(*object))))
}

fn many(count: usize, hours: u64) -> Vec<SyncSpec> {
    (0..count).map(|index| spec(&format!("s{index}"), &[&format!("k{index}")], hours)).collect()
}

#[track_caller]
fn only(forecast: &Forecast) -> StoreForecast {
    assert_eq!((forecast.stores.len(), forecast.failed.len()), (1, 0), "{forecast:?}");
    forecast.stores[0].clone()
}

/// A kind of request: in a run, and in a day.
fn sent(store: &StoreForecast, kind: &str) -> (f64, f64) {
    store.requests.get(kind).map_or((0.0, 0.0), |requests| (requests.run, requests.day))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_sends_what_was_forecast() {
    let mut shared = many(30, 1);
    shared.extend((0..10).map(|index| spec(&format!("again{index}"), &["k1", "k2", &format!("x{index}")], 1)));
    for specs in [many(1000, 1), many(45, 1), shared, vec![spec("db", &["a"], 1)]] {
        for per_request in [1, 20] {
            let provider = Billed::new(per_request);
            let engine = provider.engine();
            let forecast = only(&engine.forecast(&specs));
            assert_eq!(provider.sent(), 0, "nothing is asked");
            engine.sync_all(specs.clone()).await;
            let told: f64 = forecast.requests.values().map(|requests| requests.run).sum();
            assert_eq!(format!("{told}"), provider.sent().to_string(), "{per_request} {forecast:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_day_of_watching_sends_what_was_forecast_and_a_tenth_more_at_most() {
    for (specs, batches) in [(many(60, 1), 3.0 * 24.0), (many(60, 6), 3.0 * 4.0)] {
        let provider = Billed::new(20);
        let engine = provider.engine();
        let forecast = only(&engine.forecast(&specs));
        assert_eq!(sent(&forecast, "many"), (3.0, batches));
        engine.watch(specs, |_| {}, sleep(Duration::from_hours(24))).await;
        let sent = u32::try_from(provider.sent()).map(f64::from).unwrap();
        assert!((batches..=3.0 + batches * 1.12).contains(&sent), "{sent} of {batches}");
    }
}

#[test]
fn an_object_of_many_is_read_at_the_shortest_of_their_intervals() {
    let provider = Billed::new(20);
    let specs = [spec("often", &["a"], 1), spec("rarely", &["a", "b"], 24), spec("alone", &["c"], 24)];
    let store = only(&provider.engine().forecast(&specs));
    // `b` comes along with `a` after half of its day; `c` is nobody's business.
    assert_eq!(sent(&store, "one"), (0.0, 24.0 + 2.0 + 1.0));
    assert_eq!(sent(&store, "many"), (1.0, 0.0));
    let day = store.day;
    assert_eq!([day.wanted, day.shared, day.sent].map(|number| number.to_string()), ["27", "27", "27"]);
}

#[test]
fn what_is_read_once_costs_nothing_a_day() {
    let provider = Billed::new(20);
    let once = spec("once", &["a"], 1).with_policies(
        CreationPolicy::default(),
        DeletionPolicy::default(),
        RefreshPolicy::CreatedOnce,
    );
    let specs = [once, spec("never again", &["b"], 0), spec("paused", &["c"], 1).suspended(true)];
    let store = only(&provider.engine().forecast(&specs));
    assert_eq!(sent(&store, "many"), (1.0, 0.0));
    assert_eq!(store.requests.len(), 1);
}

#[test]
fn what_only_the_store_knows_is_said_and_not_guessed() {
    let provider = Billed::new(20);
    let find = spec("find", &[], 1).with_data_from(DataFrom::find(key(), Query::default()));
    let store = only(&provider.engine().forecast(&[find, spec("mint", &["mint"], 1)]));
    assert_eq!(sent(&store, "list"), (1.0, 24.0));
    assert_eq!(sent(&store, "one"), (1.0, 0.0));
    assert_eq!((store.searches, store.issuing), (1, 1));
}

#[test]
fn what_cannot_be_addressed_fails_alone() {
    let forecast = Billed::new(20).engine().forecast(&[spec("bad", &["wrong"], 1), spec("good", &["a"], 1)]);
    assert_eq!((forecast.failed.len(), forecast.stores.len()), (1, 1));
    assert_eq!(forecast.failed[0].owner.name(), "bad");
}

#[test]
fn a_bill_goes_from_the_least_to_the_most_that_requests_can_cost() {
    let store = only(&Billed::new(20).engine().forecast(&many(20, 1)));
    let bill = store.requests["many"].bill.unwrap();
    assert_eq!(format!("{:.3} {:.3} {}", bill.least, bill.most, bill.list.name), "0.000 0.480 tests");
}
