//! Syncs that go by what a store recalls.

#![expect(clippy::unwrap_used, reason = "a failure of the test's own steps ends the test")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use secretsync_core::engine::Engine;
use secretsync_core::error::Result;
use secretsync_core::layer::LayerSettings;
use secretsync_core::memory::{MemoryProvider, MemoryStore};
use secretsync_core::object::{ObjectRef, Read};
use secretsync_core::provider::{FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef};
use secretsync_core::secret::SecretMap;
use secretsync_core::store::{Applied, Observed, OwnerId, Pass, Removed, Store, TargetRef, Write};
use secretsync_core::sync::{
    CreationPolicy, DataEntry, DeletionPolicy, Outcome, ProviderKey, RefreshPolicy, Sync as _, SyncSpec, TemplateSpec,
};

/// A store that recalls that nothing is there, whatever is true, until a write shows it.
#[derive(Debug, Default)]
struct Forgetful {
    inner: MemoryStore,
    looks: AtomicUsize,
    recalled: Mutex<bool>,
}

#[async_trait]
impl Store for Forgetful {
    fn kind(&self) -> &'static str {
        "forgetful"
    }

    async fn begin(&self) -> Pass {
        self.inner.begin().await
    }

    fn stages(&self) -> bool {
        false
    }

    async fn observe(&self, target: &TargetRef, owner: &OwnerId) -> Result<Observed> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        *self.recalled.lock().unwrap() = false;
        self.inner.observe(target, owner).await
    }

    async fn recall(&self, _target: &TargetRef, _owner: &OwnerId) -> Result<Option<Observed>> {
        *self.recalled.lock().unwrap() = true;
        Ok(Some(Observed::Absent))
    }

    async fn own_values(&self, target: &TargetRef, owner: &OwnerId) -> Result<SecretMap> {
        self.inner.own_values(target, owner).await
    }

    async fn admit(&self, _write: &Write<'_>) -> Result<()> {
        Ok(())
    }

    async fn apply(&self, write: &Write<'_>) -> Result<Applied> {
        let there = matches!(self.inner.observe(write.target, write.owner).await?, Observed::Present(_));
        if *self.recalled.lock().unwrap() && there {
            return Ok(Applied::Outdated);
        }
        self.inner.apply(write).await
    }

    async fn remove(&self, target: &TargetRef, owner: &OwnerId) -> Result<Removed> {
        self.inner.remove(target, owner).await
    }

    async fn verify(&self) -> Result<()> {
        Ok(())
    }

    async fn flush(&self) -> Result<()> {
        self.inner.flush().await
    }
}

/// Counts what is read.
#[derive(Debug)]
struct Counting(MemoryProvider, AtomicUsize);

#[async_trait]
impl Provider for Counting {
    fn info(&self) -> &ProviderInfo {
        self.0.info()
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        self.0.address(reference)
    }

    async fn reading(&self, object: &ObjectRef) -> Result<Read> {
        self.0.reading(object).await
    }

    async fn fetch(&self, objects: &[ObjectRef], options: &FetchOptions) -> Vec<Result<Fetched>> {
        self.1.fetch_add(objects.len(), Ordering::Relaxed);
        self.0.fetch(objects, options).await
    }

    async fn find(&self, query: &Query) -> Result<Vec<Found>> {
        self.0.find(query).await
    }

    async fn check(&self) -> Result<()> {
        self.0.check().await
    }

    fn leases(&self) -> Option<&dyn Leases> {
        self.0.leases()
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

struct World {
    store: Arc<Forgetful>,
    provider: Arc<Counting>,
    engine: Engine,
}

impl World {
    fn new() -> Self {
        let provider = MemoryProvider::new("demo").with_json("app/db", r#"{"password": "s3cr3t"}"#);
        let (store, provider) = (Arc::new(Forgetful::default()), Arc::new(Counting(provider, AtomicUsize::new(0))));
        let engine = Engine::builder(Arc::clone(&store) as _)
            .provider(ProviderKey::new("demo"), Arc::clone(&provider) as _)
            .build();
        Self { store, provider, engine }
    }

    fn figures(&self) -> (usize, usize) {
        (self.store.looks.load(Ordering::Relaxed), self.provider.1.load(Ordering::Relaxed))
    }
}

fn spec() -> SyncSpec {
    let remote = RemoteRef::new("app/db");
    SyncSpec::new(OwnerId::new("shop", "db"), TargetRef::new("shop", "db"))
        .with_data(DataEntry::new("password", ProviderKey::new("demo"), remote).with_property("password"))
}

#[tokio::test]
async fn a_new_target_is_written_without_a_look() {
    let world = World::new();
    assert_eq!(world.engine.sync(&spec()).await.outcome, Outcome::Created);
    assert_eq!(world.figures(), (0, 1));
}

#[tokio::test]
async fn what_is_outdated_is_looked_at_and_the_sources_are_not_read_again() {
    let world = World::new();
    world.engine.sync(&spec()).await;
    assert_eq!(world.engine.sync(&spec()).await.outcome, Outcome::Unchanged);
    assert_eq!(world.figures(), (1, 2), "one look, and one read for each sync");
}

#[tokio::test]
async fn where_absence_decides_it_is_not_taken_from_memory() {
    let world = World::new();
    world.engine.sync(&spec()).await;
    let once = spec().with_policies(CreationPolicy::Owner, DeletionPolicy::Retain, RefreshPolicy::CreatedOnce);
    assert_eq!(world.engine.sync(&once).await.outcome, Outcome::Unchanged);
    assert_eq!(world.figures(), (1, 1), "a target that is made once is left alone, and nothing is read");
    let merge = spec().with_policies(CreationPolicy::Merge, DeletionPolicy::Retain, RefreshPolicy::Periodic);
    assert_eq!(world.engine.sync(&merge).await.outcome, Outcome::Updated, "its policy is another one");
    assert_eq!(world.figures(), (2, 2));
}

#[tokio::test]
async fn a_plan_looks() {
    let world = World::new();
    world.engine.sync(&spec()).await;
    assert_eq!(world.engine.plan(&spec()).await.into_report().outcome, Outcome::Unchanged);
    assert_eq!(world.figures().0, 1);
}

#[tokio::test]
async fn a_random_value_follows_its_data_although_the_first_write_was_outdated() {
    let world = World::new();
    let mut template = TemplateSpec::default();
    template.data.insert("dsn".to_owned(), "{{ .password }} {{ randAlphaNum 16 }}".to_owned());
    let spec = spec().with_template(Some(template));
    let dsn = || String::from_utf8(world.store.inner.value("shop", "db", "dsn").unwrap().expose().to_vec()).unwrap();
    assert_eq!(world.engine.sync(&spec).await.outcome, Outcome::Created);
    let changed = MemoryProvider::new("demo").with_json("app/db", r#"{"password": "n3w"}"#);
    world.engine.provide(ProviderKey::new("demo"), Ok(Arc::new(changed) as _), &LayerSettings::default());
    assert_eq!(world.engine.sync(&spec).await.outcome, Outcome::Updated);
    let made = dsn();
    assert!(made.starts_with("n3w "));
    assert_eq!((world.engine.sync(&spec).await.outcome, dsn()), (Outcome::Unchanged, made));
}
