//! Syncs of database users into memory.

use std::sync::Arc;

use secretsync_core::engine::Engine;
use secretsync_core::memory::MemoryStore;
use secretsync_core::provider::{Provider, RemoteRef};
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{DataEntry, ProviderKey, Reason, SyncReport, SyncSpec};
use xtask::rig::postgres::Postgres;

/// The name of the provider.
pub(crate) fn key() -> ProviderKey {
    ProviderKey::new("vault")
}

/// A user and its password, out of one object.
pub(crate) fn spec(name: &str, object: &str) -> SyncSpec {
    let entry =
        |key: &str, property: &str| DataEntry::new(key, self::key(), RemoteRef::new(object)).with_property(property);
    SyncSpec::new(OwnerId::new("shop", name), TargetRef::new("shop", name))
        .with_data(entry("user", "username"))
        .with_data(entry("password", "password"))
}

pub(crate) fn engine(provider: Arc<dyn Provider>) -> (Arc<MemoryStore>, Engine) {
    let store = Arc::new(MemoryStore::new());
    (Arc::clone(&store), Engine::builder(store as _).provider(key(), provider).build())
}

pub(crate) fn text(store: &MemoryStore, name: &str, key: &str) -> String {
    store.value("shop", name, key).expect("the key exists").expose_str().unwrap().to_owned()
}

/// Whether the database accepts what a target holds.
pub(crate) fn logs_in(postgres: &Postgres, store: &MemoryStore, name: &str) -> bool {
    postgres.accepts(&text(store, name, "user"), &text(store, name, "password")).unwrap()
}

#[track_caller]
pub(crate) fn synced(report: &SyncReport) {
    assert_eq!(report.reason, Reason::Synced, "{:?}", report.error);
}
