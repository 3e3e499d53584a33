//! How many calls a pass makes where one request reads many objects.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use secretsync_core::engine::Engine;
use secretsync_core::error::Result;
use secretsync_core::layer::Coalesce;
use secretsync_core::memory::MemoryStore;
use secretsync_core::object::ObjectRef;
use secretsync_core::provider::{
    FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef, find_unsupported,
};
use secretsync_core::secret::{Secret, SecretValue};
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{DataEntry, Outcome, ProviderKey, SyncSpec};

/// Remembers the size of each call.
#[derive(Debug)]
struct Counting {
    info: ProviderInfo,
    calls: Mutex<Vec<Vec<String>>>,
}

impl Counting {
    fn new(per_request: usize) -> Arc<Self> {
        let info = ProviderInfo::new("counting", "test").with_per_request(NonZeroUsize::new(per_request).unwrap());
        Arc::new(Self { info: info.with_versions(), calls: Mutex::default() })
    }

    fn sizes(&self) -> Vec<usize> {
        self.calls.lock().unwrap().iter().map(Vec::len).collect()
    }
}

#[async_trait]
impl Provider for Counting {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        let object = ObjectRef::new(&reference.key);
        Ok(match &reference.version {
            Some(version) => object.with_version(version),
            None => object,
        })
    }

    async fn fetch(&self, objects: &[ObjectRef], _options: &FetchOptions) -> Vec<Result<Fetched>> {
        self.calls.lock().unwrap().push(objects.iter().map(ToString::to_string).collect());
        tokio::task::yield_now().await;
        let value = |object: &ObjectRef| Fetched::Found(Secret::bytes(SecretValue::from(object.name())));
        objects.iter().map(|object| Ok(value(object))).collect()
    }

    async fn find(&self, _query: &Query) -> Result<Vec<Found>> {
        Err(find_unsupported(&self.info))
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn leases(&self) -> Option<&dyn Leases> {
        None
    }

    async fn close(&self) {}
}

fn spec(index: usize, key: &str) -> SyncSpec {
    let name = format!("sync-{index}");
    let entry = DataEntry::new("value", ProviderKey::new("p"), RemoteRef::new(key));
    SyncSpec::new(OwnerId::new("shop", &*name), TargetRef::new("shop", &*name)).with_data(entry)
}

async fn sync(provider: &Arc<Counting>, specs: Vec<SyncSpec>) {
    let store = Arc::new(MemoryStore::new());
    let engine =
        Engine::builder(Arc::clone(&store) as _).provider(ProviderKey::new("p"), Arc::clone(provider) as _).build();
    let keys: Vec<_> = specs.iter().map(|spec| (spec.target.clone(), spec.data[0].remote.key.clone())).collect();
    let reports = engine.sync_all(specs).await;
    assert!(reports.iter().all(|report| report.outcome == Outcome::Created));
    for (target, key) in keys {
        assert_eq!(store.value("shop", target.name(), "value").unwrap().expose(), key.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_syncs_of_a_thousand_objects_are_fifty_calls_of_twenty() {
    for _ in 0..3 {
        let provider = Counting::new(20);
        sync(&provider, (0..1000).map(|index| spec(index, &format!("k{index}"))).collect()).await;
        assert_eq!(provider.sizes(), [20; 50]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_syncs_of_one_object_are_one_call_for_one() {
    let provider = Counting::new(20);
    sync(&provider, (0..1000).map(|index| spec(index, "k")).collect()).await;
    assert_eq!(provider.sizes(), [1]);
}

#[tokio::test]
async fn what_is_left_over_goes_in_one_smaller_call() {
    let provider = Counting::new(20);
    sync(&provider, (0..45).map(|index| spec(index, &format!("k{index}"))).collect()).await;
    assert_eq!(provider.sizes(), [20, 20, 5]);
}

#[tokio::test]
async fn where_each_object_is_a_request_nothing_is_taken_along() {
    let provider = Counting::new(1);
    sync(&provider, (0..10).map(|index| spec(index, &format!("k{index}"))).collect()).await;
    assert_eq!(provider.sizes(), [1; 10]);
}

#[tokio::test]
async fn pinned_versions_take_nobody_along_and_are_not_taken() {
    let provider = Counting::new(20);
    let coalesce = Coalesce::new(Arc::clone(&provider) as _);
    let objects = [ObjectRef::new("a"), ObjectRef::new("b").with_version("1"), ObjectRef::new("c")];
    let _expected = coalesce.expect(objects.clone());
    coalesce.fetch(&objects[1..2], &FetchOptions::default()).await;
    coalesce.fetch(&objects[..1], &FetchOptions::default()).await;
    assert_eq!(
        *provider.calls.lock().unwrap(),
        [vec!["b (version 1)".to_owned()], vec!["a".to_owned(), "c".to_owned()]]
    );
}

#[tokio::test]
async fn an_announcement_that_was_withdrawn_is_not_read_and_a_later_one_is_read_anew() {
    let provider = Counting::new(20);
    let coalesce = Coalesce::new(Arc::clone(&provider) as _);
    drop(coalesce.expect([ObjectRef::new("gone")]));
    let expected = coalesce.expect([ObjectRef::new("a"), ObjectRef::new("b")]);
    coalesce.fetch(&[ObjectRef::new("a")], &FetchOptions::default()).await;
    drop(expected);
    let _expected = coalesce.expect([ObjectRef::new("b")]);
    coalesce.fetch(&[ObjectRef::new("b")], &FetchOptions::default()).await;
    assert_eq!(*provider.calls.lock().unwrap(), [vec!["a".to_owned(), "b".to_owned()], vec!["b".to_owned()]]);
}
