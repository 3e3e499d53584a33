//! The engine over memory types.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use secretsync_core::engine::{Engine, EngineObserver};
use secretsync_core::error::{Code, Error, ErrorKind, chain};
use secretsync_core::memory::{MemoryProvider, MemoryStore};
use secretsync_core::object::ObjectRef;
use secretsync_core::provider::{
    Absence, FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef,
};
use secretsync_core::secret::{Secret, SecretKey, SecretValue};
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{
    Change, CreationPolicy, DataEntry, DataFrom, DecodingStrategy, DeletionPolicy, NullBytePolicy, OnMissing, Outcome,
    ProviderKey, Reason, RefreshPolicy, Rewrite, Selection, Sync as _, SyncReport, SyncSpec, TemplateSpec, ValueRules,
};

fn vault() -> ProviderKey {
    ProviderKey::new("SecretStore/shop/vault")
}

fn spec(name: &str) -> SyncSpec {
    SyncSpec::new(OwnerId::new("shop", name), TargetRef::new("shop", name))
}

fn entry(key: &str, object: &str, property: &str) -> DataEntry {
    DataEntry::new(key, vault(), RemoteRef::new(object)).with_property(property)
}

fn engine(provider: &Arc<MemoryProvider>, store: &Arc<MemoryStore>) -> Engine {
    Engine::builder(Arc::clone(store) as _).provider(vault(), Arc::clone(provider) as _).build()
}

fn setup(json: &str) -> (Arc<MemoryProvider>, Arc<MemoryStore>, Engine) {
    let provider = Arc::new(MemoryProvider::new("SecretStore shop/vault").with_json("app/db", json));
    let store = Arc::new(MemoryStore::new());
    let engine = engine(&provider, &store);
    (provider, store, engine)
}

fn text(store: &MemoryStore, name: &str, key: &str) -> String {
    String::from_utf8(store.value("shop", name, key).expect("the key exists").expose().to_vec()).unwrap()
}

#[tokio::test]
async fn extract_then_data_then_template_make_the_target() {
    let (_, store, engine) = setup(r#"{"user": "ann", "password": "p/w", "port": 5432, "nested": {"a": [1, 2]}}"#);
    let mut template = TemplateSpec::default();
    template.merge = true;
    template.data.insert("url".to_owned(), "db://{{ .user }}:{{ .port }}".to_owned());
    let spec = spec("db")
        .with_data_from(DataFrom::extract(vault(), RemoteRef::new("app/db")))
        .with_data(entry("first", "app/db", "nested.a.0"))
        .with_data(entry("user", "/app/db", "password"))
        .with_template(Some(template));
    let report = engine.sync(&spec).await;
    assert_eq!((report.outcome, report.reason), (Outcome::Created, Reason::Synced), "{:?}", report.error);
    assert_eq!(text(&store, "db", "user"), "p/w", "data wins over dataFrom");
    assert_eq!(text(&store, "db", "url"), "db://p/w:5432");
    assert_eq!(text(&store, "db", "first"), "1");
    assert_eq!(text(&store, "db", "nested"), r#"{"a":[1,2]}"#);
}

#[tokio::test]
async fn a_second_run_writes_nothing_and_a_changed_value_writes_one_key() {
    let (provider, store, engine) = setup(r#"{"a": "1", "b": "2"}"#);
    let spec = spec("db").with_data_from(DataFrom::extract(vault(), RemoteRef::new("app/db")));
    engine.sync(&spec).await;
    let again = engine.sync(&spec).await;
    assert_eq!((again.outcome, store.writes()), (Outcome::Unchanged, 1));

    provider.set("app/db", Some(Secret::bytes(SecretValue::from(r#"{"a": "1", "b": "3"}"#))));
    let plan = engine.plan(&spec).await;
    assert!(plan.would_change());
    assert_eq!(store.writes(), 1, "a plan writes nothing");
    let report = engine.sync(&spec).await;
    let keys: Vec<_> = report.changes.keys.iter().map(|(key, change)| (key.as_str(), *change)).collect();
    assert_eq!(keys, [("a", Change::Unchanged), ("b", Change::Updated)]);
    assert_eq!(plan.report().changes, report.changes, "the plan said what the sync did");
}

#[tokio::test]
async fn an_object_is_read_once_for_all_syncs_of_a_pass() {
    let (provider, _, _) = setup(r#"{"a": "1"}"#);
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::builder(store as _).provider(vault(), Arc::clone(&provider) as _).concurrency(1).build();
    let specs: Vec<_> = (0..100)
        .map(|index| {
            spec(&format!("s{index}")).with_data(entry("a", "app/db", "a")).with_data(entry("b", "/app//db", "a"))
        })
        .collect();
    let reports = engine.sync_all(specs.clone()).await;
    assert!(reports.iter().all(|report| report.outcome == Outcome::Created));
    assert_eq!(
        reports.iter().map(|report| report.owner.name().to_owned()).collect::<Vec<_>>(),
        (0..100).map(|i| format!("s{i}")).collect::<Vec<_>>()
    );
    assert_eq!(provider.reads("app/db"), 1);
    engine.sync_all(specs).await;
    assert_eq!(provider.reads("app/db"), 2, "the next pass reads anew");
}

#[tokio::test]
async fn one_failing_sync_never_stops_the_others() {
    let failure = Error::new(ErrorKind::PermissionDenied, "read").on("`denied`");
    let provider =
        Arc::new(MemoryProvider::new("m").with_json("good", r#"{"a": "1"}"#).with_failure("denied", failure));
    let store = Arc::new(MemoryStore::new());
    let broken = Error::new(ErrorKind::InvalidConfig, "read").on("SecretStore shop/broken");
    let engine = Engine::builder(Arc::clone(&store) as _)
        .provider(vault(), provider as _)
        .provider(ProviderKey::new("panics"), Arc::new(Panicking(ProviderInfo::new("panics", "panics"))) as _)
        .broken_provider(ProviderKey::new("broken"), broken)
        .build();
    let from = |key: &str, object: &str| DataEntry::new("a", ProviderKey::new(key), RemoteRef::new(object));
    let reports = engine
        .sync_all(vec![
            spec("denied").with_data(entry("a", "denied", "a")),
            spec("panics").with_data(from("panics", "x")),
            spec("broken").with_data(from("broken", "x")),
            spec("unknown").with_data(from("unknown", "x")),
            spec("property").with_data(entry("a", "good", "nope")),
            spec("good").with_data(entry("a", "good", "a")),
        ])
        .await;
    let kinds: Vec<_> = reports.iter().map(|report| report.error.as_ref().map(Error::kind)).collect();
    assert_eq!(
        kinds,
        [
            Some(ErrorKind::PermissionDenied),
            Some(ErrorKind::Internal),
            Some(ErrorKind::InvalidConfig),
            Some(ErrorKind::InvalidConfig),
            Some(ErrorKind::InvalidData),
            None
        ]
    );
    assert_eq!(store.keys("shop", "good").unwrap().len(), 1);
    assert!(store.keys("shop", "denied").is_none());
}

#[tokio::test]
async fn a_failure_leaves_an_existing_target_as_it_was() {
    let (provider, store, engine) = setup(r#"{"a": "1"}"#);
    let spec = spec("db").with_data(entry("a", "app/db", "a"));
    engine.sync(&spec).await;
    provider.set("app/db", None);
    let report = engine.sync(&spec).await;
    assert_eq!((report.outcome, report.reason), (Outcome::Failed, Reason::SourceFailed));
    let error = report.error.unwrap();
    assert_eq!(error.hint().unwrap().code(), Code::SecretMissing);
    assert_eq!(
        chain(&error),
        "failed to process spec.data[0] (key: app/db): failed to read `app/db` from SecretStore/shop/vault: it does not exist"
    );
    assert_eq!(text(&store, "db", "a"), "1");
}

#[tokio::test]
async fn absence_follows_the_deletion_policy() {
    use DeletionPolicy::{Delete, Merge};
    for (deletion, gone, outcome, keys) in [
        (Delete, vec!["app/db"], Outcome::Updated, Some(vec!["b"])),
        (Merge, vec!["app/db"], Outcome::Updated, Some(vec!["b"])),
        (Delete, vec!["app/db", "app/other"], Outcome::Removed, None),
        (Merge, vec!["app/db", "app/other"], Outcome::Updated, Some(vec![])),
    ] {
        let (provider, store, engine) = setup(r#"{"a": "1"}"#);
        provider.set("app/other", Some(Secret::bytes(SecretValue::from("x"))));
        let spec = spec("db")
            .with_data(entry("a", "app/db", "a"))
            .with_data(DataEntry::new("b", vault(), RemoteRef::new("app/other")))
            .with_policies(CreationPolicy::Owner, deletion, RefreshPolicy::Periodic);
        engine.sync(&spec).await;
        for key in &gone {
            provider.set(key, None);
        }
        let report = engine.sync(&spec).await;
        assert_eq!(report.outcome, outcome, "{deletion:?} {gone:?} {:?}", report.error);
        assert_eq!(report.missing.len(), gone.len());
        let found =
            store.keys("shop", "db").map(|keys| keys.iter().map(|key| key.as_str().to_owned()).collect::<Vec<_>>());
        assert_eq!(found, keys.map(|keys| keys.into_iter().map(str::to_owned).collect()));
    }
}

#[tokio::test]
async fn a_target_goes_only_after_two_reads_agree() {
    for (deletion, on_missing) in [(DeletionPolicy::Delete, None), (DeletionPolicy::Merge, Some(OnMissing::Skip))] {
        let store = Arc::new(MemoryStore::new());
        let flickering = Arc::new(Flickering::default());
        let engine = Engine::builder(Arc::clone(&store) as _).provider(vault(), Arc::clone(&flickering) as _).build();
        let spec = spec("db").with_data(entry("a", "x", "").on_missing(on_missing)).with_policies(
            CreationPolicy::Owner,
            deletion,
            RefreshPolicy::Periodic,
        );
        assert_eq!(engine.sync(&spec).await.outcome, Outcome::Created);
        let report = engine.sync(&spec).await;
        assert_eq!(report.error.unwrap().hint().unwrap().code(), Code::DeletionUnconfirmed);
        assert_eq!(text(&store, "db", "a"), "value");
    }
}

#[tokio::test]
async fn a_search_that_finds_nothing_once_removes_nothing() {
    let store = Arc::new(MemoryStore::new());
    let provider = Vanishing(ProviderInfo::new("vanishing", "vanishing"), std::sync::atomic::AtomicUsize::new(0));
    let engine = Engine::builder(Arc::clone(&store) as _).provider(vault(), Arc::new(provider) as _).build();
    let spec = spec("db").with_data_from(DataFrom::find(vault(), Query::default())).with_policies(
        CreationPolicy::Owner,
        DeletionPolicy::Delete,
        RefreshPolicy::Periodic,
    );
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Created);
    let report = engine.sync(&spec).await;
    assert_eq!(report.error.unwrap().hint().unwrap().code(), Code::DeletionUnconfirmed);
    assert_eq!(text(&store, "db", "x"), "value");
}

#[tokio::test]
async fn two_syncs_cannot_own_one_target_and_the_first_one_wins() {
    let (_, store, engine) = setup(r#"{"a": "1", "b": "2"}"#);
    let to_shared = |owner: &str, key: &str| {
        SyncSpec::new(OwnerId::new("shop", owner), TargetRef::new("shop", "shared"))
            .with_data(entry(key, "app/db", key))
    };
    let reports = engine.sync_all(vec![to_shared("one", "a"), to_shared("two", "b")]).await;
    assert_eq!(reports.iter().map(|report| report.outcome).collect::<Vec<_>>(), [Outcome::Created, Outcome::Failed]);
    assert_eq!(reports[1].reason, Reason::NotOwned);
    assert!(reports[1].error.as_ref().unwrap().to_string().contains("ExternalSecret `shop/one`"));

    let merging = |owner: &str, key: &str| {
        to_shared(owner, key).with_policies(
            CreationPolicy::CreateOrMerge,
            DeletionPolicy::Retain,
            RefreshPolicy::Periodic,
        )
    };
    let store2 = Arc::new(MemoryStore::new());
    let provider = Arc::new(MemoryProvider::new("m").with_json("app/db", r#"{"a": "1", "b": "2"}"#));
    let engine = self::engine(&provider, &store2);
    let reports = engine.sync_all(vec![merging("one", "a"), merging("two", "b")]).await;
    assert!(reports.iter().all(|report| report.error.is_none()), "{reports:?}");
    assert_eq!(store2.keys("shop", "shared").unwrap().len(), 2);
    drop(store);
}

#[tokio::test]
async fn decoding_and_nul_bytes_follow_their_rules() {
    let (_, store, engine) = setup(r#"{"b64": "c2VjcmV0", "nul": "AAE="}"#);
    let with = |property: &str, rules| spec(property).with_data(entry("k", "app/db", property).with_rules(rules));
    let report = engine.sync(&with("b64", ValueRules::new(DecodingStrategy::Base64, NullBytePolicy::Ignore))).await;
    assert_eq!(report.outcome, Outcome::Created, "{:?}", report.error);
    assert_eq!(text(&store, "b64", "k"), "secret");
    let report = engine.sync(&with("nul", ValueRules::new(DecodingStrategy::Base64, NullBytePolicy::Fail))).await;
    assert!(chain(report.error.as_ref().unwrap()).contains("NUL"));
}

#[tokio::test]
async fn a_target_that_was_made_once_is_left_alone_and_nothing_is_read_for_it() {
    let (provider, store, engine) = setup(r#"{"a": "1"}"#);
    let once = spec("db").with_data(entry("a", "app/db", "a")).with_policies(
        CreationPolicy::Owner,
        DeletionPolicy::Retain,
        RefreshPolicy::CreatedOnce,
    );
    store.put("shop", "db", SecretKey::new("mine").unwrap(), SecretValue::from("x"));
    let adopted = engine.sync(&once).await;
    assert_eq!((adopted.outcome, adopted.reason, adopted.found), (Outcome::Updated, Reason::Synced, true));
    let kept = engine.sync(&once).await;
    assert_eq!((kept.outcome, kept.reason), (Outcome::Unchanged, Reason::KeptOnce));
    assert_eq!((provider.reads("app/db"), store.writes()), (1, 1));
}

#[tokio::test]
async fn without_a_target_the_sources_are_read_and_fail() {
    let (provider, store, engine) = setup(r#"{"a": "1"}"#);
    let none = |key: &str| {
        spec("db").with_data(entry("a", key, "a")).with_policies(
            CreationPolicy::None,
            DeletionPolicy::Retain,
            RefreshPolicy::Periodic,
        )
    };
    let report = engine.sync(&none("app/db")).await;
    assert_eq!((report.outcome, report.reason), (Outcome::Unchanged, Reason::CreationPolicyNone));
    assert_eq!((provider.reads("app/db"), store.writes()), (1, 0));
    let report = engine.sync(&none("app/none")).await;
    assert_eq!((report.outcome, report.reason), (Outcome::Failed, Reason::SourceFailed));
    assert_eq!(engine.sync(&none("app/db").suspended(true)).await.reason, Reason::Suspended);
}

#[tokio::test]
async fn nothing_is_issued_that_nobody_would_get() {
    let provider = Arc::new(MemoryProvider::new("m").with_json("creds", r#"{"a": "1"}"#).with_issuing("creds"));
    let store = Arc::new(MemoryStore::new());
    let none = spec("db").with_data(entry("a", "creds", "a")).with_policies(
        CreationPolicy::None,
        DeletionPolicy::Retain,
        RefreshPolicy::Periodic,
    );
    let report = engine(&provider, &store).sync(&none).await;
    assert_eq!((report.reason, provider.reads("creds")), (Reason::CreationPolicyNone, 0));
}

#[tokio::test]
async fn a_failure_says_whether_there_was_a_target() {
    let (_, store, engine) = setup(r#"{"a": "1"}"#);
    let mut template = TemplateSpec::default();
    template.data.insert("a".into(), "{{ .nope }}".into());
    let broken = spec("db").with_data(entry("a", "app/db", "a")).with_template(Some(template));
    let report = engine.sync(&broken).await;
    assert_eq!((report.reason, report.found), (Reason::TemplateFailed, false));
    store.put("shop", "db", SecretKey::new("mine").unwrap(), SecretValue::from("x"));
    let report = engine.sync(&broken).await;
    assert_eq!((report.reason, report.found), (Reason::TemplateFailed, true));
}

#[tokio::test]
async fn a_plan_never_sends_an_issuing_read_and_a_sync_sends_it_once() {
    let provider = Arc::new(MemoryProvider::new("m").with_json("creds", r#"{"a": "1"}"#).with_issuing("creds"));
    let store = Arc::new(MemoryStore::new());
    let engine = engine(&provider, &store);
    let spec = spec("db").with_data(entry("a", "creds", "a"));
    let plan = engine.plan(&spec).await;
    assert_eq!((plan.report().reason, provider.reads("creds")), (Reason::WouldBeIssued, 0));
    engine.sync_all(vec![spec.clone(), self::spec("other").with_data(entry("a", "creds", "a"))]).await;
    assert_eq!(provider.reads("creds"), 2, "issuing reads are never shared");
}

#[tokio::test(start_paused = true)]
async fn transient_failures_are_tried_again_and_others_are_not() {
    for (kind, reads) in [(ErrorKind::Unavailable, 4), (ErrorKind::PermissionDenied, 1)] {
        let provider = Arc::new(MemoryProvider::new("m").with_failure("x", Error::new(kind, "read")));
        let store = Arc::new(MemoryStore::new());
        let report = engine(&provider, &store).sync(&spec("db").with_data(entry("a", "x", "a"))).await;
        assert_eq!((report.outcome, provider.reads("x")), (Outcome::Failed, reads), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_answers_is_given_up() {
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::builder(store as _)
        .provider(vault(), Arc::new(Silent(ProviderInfo::new("silent", "silent"))) as _)
        .build();
    let report = engine.sync(&spec("db").with_data(entry("a", "x", "a"))).await;
    assert_eq!(report.error.unwrap().kind(), ErrorKind::Unavailable);
    assert!(engine.shutdown(Duration::from_secs(5)).await);
}

#[tokio::test]
async fn the_first_end_of_a_source_is_reported_and_the_observer_sees_every_report() {
    #[derive(Debug, Default)]
    struct Count(std::sync::atomic::AtomicUsize);
    impl EngineObserver for Count {
        fn finished(&self, _: &SyncReport) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let (soon, late) = (SystemTime::now() + Duration::from_secs(61), SystemTime::now() + Duration::from_secs(601));
    let expiring = |at| Secret::bytes(SecretValue::from("x")).with_expiry(at);
    let provider = Arc::new(MemoryProvider::new("m").with("soon", expiring(soon)).with("late", expiring(late)));
    let count = Arc::new(Count::default());
    let engine = Engine::builder(Arc::new(MemoryStore::new()) as _)
        .observer(Arc::clone(&count) as _)
        .provider(vault(), provider as _)
        .build();
    let report = engine.sync(&spec("db").with_data(entry("a", "late", "")).with_data(entry("b", "soon", ""))).await;
    assert_eq!(report.expires_at, Some(soon));
    assert_eq!(count.0.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_value_that_goes_through_everything_is_never_printable() {
    const CANARY: &str = "canary-51e0";
    let json = format!(r#"{{"a": "{CANARY}", "list": ["{CANARY}"], "n": {{"x": "{CANARY}"}}}}"#);
    let (provider, store, engine) = setup(&json);
    let mut template = TemplateSpec::default();
    template.data.insert("t".to_owned(), "{{ .a }}{{ .nope }}".to_owned());
    let specs = vec![
        spec("good").with_data_from(DataFrom::extract(vault(), RemoteRef::new("app/db"))),
        spec("property").with_data(entry("a", "app/db", "a.b.c")),
        spec("decode").with_data(
            entry("a", "app/db", "a").with_rules(ValueRules::new(DecodingStrategy::Base64, NullBytePolicy::Fail)),
        ),
        spec("members").with_data_from(DataFrom::new(
            vault(),
            Selection::Extract { remote: RemoteRef::new("app/db"), property: Some("a".to_owned()) },
        )),
        spec("template").with_data(entry("a", "app/db", "a")).with_template(Some(template)),
    ];
    let plans = engine.plan_all(specs.clone()).await;
    let reports = engine.sync_all(specs).await;
    assert_eq!(reports.iter().filter(|report| report.outcome == Outcome::Failed).count(), 4);
    let chains: Vec<_> = reports.iter().filter_map(|report| report.error.as_ref()).map(|error| chain(error)).collect();
    let printed = format!("{plans:?} {reports:?} {chains:?} {provider:?} {store:?} {engine:?}");
    assert!(!printed.contains(CANARY), "{printed}");
}

#[derive(Debug)]
struct Panicking(ProviderInfo);

#[derive(Debug)]
struct Silent(ProviderInfo);

/// Found, then absent, then found again.
#[derive(Debug)]
struct Flickering(ProviderInfo, std::sync::atomic::AtomicUsize);

/// Finds its object, then nothing, then the object again.
#[derive(Debug)]
struct Vanishing(ProviderInfo, std::sync::atomic::AtomicUsize);

impl Default for Flickering {
    fn default() -> Self {
        Self(ProviderInfo::new("flickering", "flickering"), std::sync::atomic::AtomicUsize::new(0))
    }
}

macro_rules! test_provider {
    ($name:ident, |$this:ident, $objects:ident| $fetch:expr) => {
        test_provider!($name, |$this, $objects| $fetch, |_none| Vec::new());
    };
    ($name:ident, |$this:ident, $objects:ident| $fetch:expr, |$finder:ident| $find:expr) => {
        #[async_trait]
        impl Provider for $name {
            fn info(&self) -> &ProviderInfo {
                &self.0
            }
            fn address(&self, reference: &RemoteRef) -> secretsync_core::Result<ObjectRef> {
                Ok(ObjectRef::new(&*reference.key))
            }
            async fn fetch(&self, $objects: &[ObjectRef], _: &FetchOptions) -> Vec<secretsync_core::Result<Fetched>> {
                let $this = self;
                $fetch
            }
            async fn find(&self, _: &Query) -> secretsync_core::Result<Vec<Found>> {
                let $finder = self;
                Ok($find)
            }
            async fn check(&self) -> secretsync_core::Result<()> {
                Ok(())
            }
            fn leases(&self) -> Option<&dyn Leases> {
                None
            }
            async fn close(&self) {}
        }
    };
}

test_provider!(Panicking, |_this, _objects| panic!("a defect of a provider"));
test_provider!(Silent, |_this, _objects| std::future::pending().await);
test_provider!(Flickering, |this, _objects| {
    let turn = this.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    vec![Ok(if turn == 1 {
        Fetched::Absent(Absence::default())
    } else {
        Fetched::Found(Secret::bytes(SecretValue::from("value")))
    })]
});
test_provider!(
    Vanishing,
    |_this, objects| objects.iter().map(|_| Ok(Fetched::Found(Secret::bytes(SecretValue::from("value"))))).collect(),
    |this| match this.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        1 => Vec::new(),
        _ => vec![Found::new(ObjectRef::new("x"), "x")],
    }
);

#[tokio::test]
async fn a_rewrite_takes_the_place_of_the_conversion_and_its_keys_are_checked() {
    let (_, store, engine) = setup(r#"{"db/user": "ann", "db/pin": "1", "x y": "z"}"#);
    let regexp = |source: &str, target: &str| Rewrite::Regexp { source: source.to_owned(), target: target.to_owned() };
    let transform = Rewrite::Transform { template: "{{ .value | upper | replace \" \" \"_\" }}".to_owned() };
    let from = |rewrites| DataFrom::extract(vault(), RemoteRef::new("app/db")).with_rewrites(rewrites);
    let report = engine.sync(&spec("db").with_data_from(from(vec![regexp("^db/", ""), transform]))).await;
    assert_eq!(report.outcome, Outcome::Created, "{:?}", report.error);
    assert_eq!(
        store.keys("shop", "db").unwrap().iter().map(SecretKey::as_str).collect::<Vec<_>>(),
        ["PIN", "USER", "X_Y"]
    );

    let report = engine.sync(&spec("db").with_data_from(from(vec![regexp("^db/", "")]))).await;
    let error = chain(&report.error.unwrap());
    assert!(error.contains("key has invalid character") && error.ends_with("are allowed: x y"), "{error}");
    assert_eq!(store.keys("shop", "db").unwrap().len(), 3, "a failure changes nothing");
}

#[tokio::test]
async fn a_suspended_sync_reads_and_writes_nothing_until_it_is_resumed() {
    let (provider, store, engine) = setup(r#"{"a": "1"}"#);
    let spec = spec("db").with_data(entry("a", "app/db", "a"));
    let report = engine.sync(&spec.clone().suspended(true)).await;
    assert_eq!((report.outcome, report.reason), (Outcome::Unchanged, Reason::Suspended));
    assert_eq!((provider.reads("app/db"), store.writes()), (0, 0));
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Created);
}
