//! What a sync may not read is never asked for, and nothing is lost over it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use secretsync_core::access::{KeyAccess, KeyTemplate};
use secretsync_core::engine::Engine;
use secretsync_core::error::{Code, Error, ErrorKind, chain};
use secretsync_core::memory::{MemoryProvider, MemoryStore};
use secretsync_core::provider::{Query, RemoteRef};
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{
    CreationPolicy, DataEntry, DataFrom, DeletionPolicy, Outcome, ProviderKey, Reason, RefreshPolicy, Sync as _,
    SyncReport, SyncSpec,
};

struct World {
    provider: Arc<MemoryProvider>,
    store: Arc<MemoryStore>,
    engine: Engine,
}

fn vault() -> ProviderKey {
    ProviderKey::new("ClusterSecretStore/main")
}

impl World {
    fn new() -> Self {
        let provider = MemoryProvider::new("ClusterSecretStore main")
            .with_json("teams/shop/db", r#"{"pin": "1"}"#)
            .with_json("teams/shop/mail", r#"{"pin": "2"}"#)
            .with_json("teams/bank/db", r#"{"pin": "3"}"#);
        let (provider, store) = (Arc::new(provider), Arc::new(MemoryStore::new()));
        let engine = Engine::builder(Arc::clone(&store) as _).provider(vault(), Arc::clone(&provider) as _).build();
        Self { provider, store, engine }
    }

    async fn sync(&self, spec: &SyncSpec) -> SyncReport {
        self.engine.sync(spec).await
    }

    fn keys(&self) -> Vec<String> {
        self.store.keys("shop", "db").into_iter().flatten().map(|key| key.as_str().to_owned()).collect()
    }
}

fn spec(templates: &[&str]) -> SyncSpec {
    let templates = templates.iter().map(|text| KeyTemplate::parse(text).unwrap()).collect();
    SyncSpec::new(OwnerId::new("shop", "db"), TargetRef::new("shop", "db"))
        .with_access(vault(), KeyAccess::only("ClusterSecretStore main", "shop", templates))
        .with_policies(CreationPolicy::Owner, DeletionPolicy::Delete, RefreshPolicy::Periodic)
}

const OWN: &[&str] = &["teams/{namespace}/**"];

fn refused(report: &SyncReport) -> &Error {
    let error = report.error.as_ref().unwrap();
    assert_eq!((report.outcome, report.reason), (Outcome::Failed, Reason::SourceFailed));
    assert_eq!((error.kind(), error.hint().unwrap().code()), (ErrorKind::PermissionDenied, Code::AccessDenied));
    error
}

#[tokio::test]
async fn no_spelling_of_a_key_reaches_what_is_not_granted() {
    for key in ["teams/bank/db", "/teams/bank/db", "teams//bank/db/", "//teams/bank//db//"] {
        for extract in [false, true] {
            let world = World::new();
            let entry = DataEntry::new("a", vault(), RemoteRef::new(key));
            let spec = if extract {
                spec(OWN).with_data_from(DataFrom::extract(vault(), RemoteRef::new(key)))
            } else {
                spec(OWN).with_data(DataEntry::new("own", vault(), RemoteRef::new("teams/shop/db"))).with_data(entry)
            };
            assert!(chain(refused(&world.sync(&spec).await)).contains("`teams/bank/db`"), "{key}");
            refused(world.engine.plan(&spec).await.report());
            assert_eq!((world.provider.reads("teams/bank/db"), world.provider.reads("teams/shop/db")), (0, 0), "{key}");
            assert_eq!(world.store.writes(), 0);
        }
    }
}

#[tokio::test]
async fn a_refusal_says_which_entry_which_rule_and_which_key() {
    let entry = DataEntry::new("a", vault(), RemoteRef::new("/teams//bank/db"));
    let report = World::new().sync(&spec(OWN).with_data(entry)).await;
    assert_eq!(
        chain(refused(&report)),
        "failed to process spec.data[0] (key: /teams//bank/db): failed to read `teams/bank/db`: ClusterSecretStore main grants namespace \
         `shop` only `teams/{namespace}/**`"
    );
}

#[tokio::test]
async fn every_spelling_of_what_is_granted_is_read_once() {
    let world = World::new();
    let spec = spec(OWN)
        .with_data(DataEntry::new("a", vault(), RemoteRef::new("/teams/shop/db")).with_property("pin"))
        .with_data(DataEntry::new("b", vault(), RemoteRef::new("teams//shop/db")).with_property("pin"));
    assert_eq!(world.sync(&spec).await.outcome, Outcome::Created);
    assert_eq!(world.provider.reads("teams/shop/db"), 1);
}

#[tokio::test]
async fn a_search_sees_what_is_granted() {
    let world = World::new();
    let spec = spec(OWN).with_data_from(DataFrom::find(vault(), Query::default()));
    assert_eq!(world.sync(&spec).await.outcome, Outcome::Created);
    assert_eq!(world.keys(), ["teams_shop_db", "teams_shop_mail"]);
    assert_eq!(world.provider.reads("teams/bank/db"), 0);
}

#[tokio::test]
async fn a_rule_that_grants_nothing_any_more_takes_nothing_away() {
    for with_data in [false, true] {
        let search = |templates: &[&str]| {
            let spec = spec(templates).with_data_from(DataFrom::find(vault(), Query::default()));
            if !with_data {
                return spec;
            }
            spec.with_data(DataEntry::new("own", vault(), RemoteRef::new("teams/shop/db")))
        };
        let world = World::new();
        world.sync(&search(OWN)).await;
        let before = world.keys();
        let report = world.sync(&search(&["team/{namespace}/**", "teams/shop/db/**", "teams/shop/d"])).await;
        assert_eq!(refused(&report).kind(), ErrorKind::PermissionDenied);
        assert_eq!(world.keys(), before);
    }
}

#[tokio::test]
async fn a_search_that_never_found_anything_stops_nothing() {
    let world = World::new();
    let spec = spec(&["teams/shop/db", "none/**"])
        .with_data_from(DataFrom::find(vault(), {
            let mut query = Query::default();
            query.path = Some("none".to_owned());
            query
        }))
        .with_data(DataEntry::new("a", vault(), RemoteRef::new("teams/shop/db")));
    assert_eq!(world.sync(&spec).await.outcome, Outcome::Created);
    assert_eq!(world.sync(&spec).await.outcome, Outcome::Unchanged);
}

#[tokio::test]
async fn a_rule_is_for_one_provider_and_one_sync() {
    let world = World::new();
    let free = SyncSpec::new(OwnerId::new("bank", "db"), TargetRef::new("bank", "db")).with_data(DataEntry::new(
        "a",
        vault(),
        RemoteRef::new("teams/bank/db"),
    ));
    let limited = spec(OWN).with_data(DataEntry::new("a", vault(), RemoteRef::new("teams/bank/db")));
    let reports = world.engine.sync_all(vec![limited, free]).await;
    refused(&reports[0]);
    assert_eq!(reports[1].outcome, Outcome::Created);
}
