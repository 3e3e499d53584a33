//! `onMissing`: what becomes of a target when an entry's object is missing.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use async_trait::async_trait;
use proptest::prelude::*;
use secretsync_core::Result;
use secretsync_core::engine::Engine;
use secretsync_core::error::{Code, chain};
use secretsync_core::memory::{MemoryProvider, MemoryStore};
use secretsync_core::provider::{Query, RemoteRef};
use secretsync_core::secret::{Secret, SecretKey, SecretValue};
use secretsync_core::store::{Applied, Observed, OwnerId, Pass, Removed, Store, TargetRef, Write};
use secretsync_core::sync::{
    CreationPolicy, DataEntry, DataFrom, DeletionPolicy, OnMissing, Outcome, ProviderKey, Reason, RefreshPolicy,
    Sync as _, SyncReport, SyncSpec, TemplateFrom, TemplateSpec, TemplateTarget, TemplateText,
};

use DeletionPolicy::{Delete, Merge, Retain};
use OnMissing::{Fail, Keep, Skip};

struct World {
    provider: Arc<MemoryProvider>,
    store: Arc<MemoryStore>,
    engine: Engine,
}

fn vault() -> ProviderKey {
    ProviderKey::new("vault")
}

fn secret(json: &str) -> Secret {
    Secret::bytes(SecretValue::from(json))
}

impl World {
    fn new(objects: &[(&str, &str)]) -> Self {
        let (provider, store) = (Arc::new(MemoryProvider::new("vault")), Arc::new(MemoryStore::new()));
        let engine = Engine::builder(Arc::clone(&store) as _).provider(vault(), Arc::clone(&provider) as _).build();
        let world = Self { provider, store, engine };
        for (name, json) in objects {
            world.set(name, json);
        }
        world
    }

    fn set(&self, name: &str, json: &str) {
        self.provider.set(name, Some(secret(json)));
    }

    fn drop(&self, name: &str) {
        self.provider.set(name, None);
    }

    async fn sync(&self, spec: &SyncSpec) -> SyncReport {
        let plan = self.engine.plan(spec).await.into_report();
        let report = self.engine.sync(spec).await;
        assert_eq!((plan.outcome, plan.reason, &plan.kept), (report.outcome, report.reason, &report.kept));
        assert_eq!(plan.changes, report.changes, "the plan says what the sync does");
        report
    }

    /// Keys and values as `a=1 b=2`; `-` without a target.
    fn shown(&self) -> String {
        let Some(keys) = self.store.keys("shop", "db") else { return "-".to_owned() };
        let text = |key: &SecretKey| {
            let value = self.store.value("shop", "db", key.as_str()).unwrap();
            format!("{key}={}", String::from_utf8_lossy(value.expose()))
        };
        keys.iter().map(text).collect::<Vec<_>>().join(" ")
    }
}

fn spec(deletion: DeletionPolicy) -> SyncSpec {
    SyncSpec::new(OwnerId::new("shop", "db"), TargetRef::new("shop", "db")).with_policies(
        CreationPolicy::Owner,
        deletion,
        RefreshPolicy::Periodic,
    )
}

/// A key that takes the object of its name.
fn entry(name: &str, on_missing: impl Into<Option<OnMissing>>) -> DataEntry {
    DataEntry::new(name, vault(), RemoteRef::new(name)).on_missing(on_missing.into())
}

fn extract(name: &str, on_missing: impl Into<Option<OnMissing>>) -> DataFrom {
    DataFrom::extract(vault(), RemoteRef::new(name)).on_missing(on_missing.into())
}

fn code(report: &SyncReport) -> Code {
    report.error.as_ref().unwrap().hint().unwrap().code()
}

#[tokio::test]
async fn each_entry_decides_for_itself_whatever_the_deletion_policy_says() {
    for (deletion, on_missing, outcome, shown) in [
        (Retain, Some(Fail), Outcome::Failed, "a=1 b=2"),
        (Delete, Some(Fail), Outcome::Failed, "a=1 b=2"),
        (Merge, Some(Fail), Outcome::Failed, "a=1 b=2"),
        (Retain, Some(Skip), Outcome::Updated, "a=new"),
        (Delete, Some(Skip), Outcome::Updated, "a=new"),
        (Merge, Some(Skip), Outcome::Updated, "a=new"),
        (Retain, Some(Keep), Outcome::Updated, "a=new b=2"),
        (Delete, Some(Keep), Outcome::Updated, "a=new b=2"),
        (Merge, Some(Keep), Outcome::Updated, "a=new b=2"),
        (Retain, None, Outcome::Failed, "a=1 b=2"),
        (Delete, None, Outcome::Updated, "a=new"),
    ] {
        let world = World::new(&[("a", "1"), ("b", "2")]);
        let spec = spec(deletion).with_data(entry("a", None)).with_data(entry("b", on_missing));
        world.sync(&spec).await;
        world.set("a", "new");
        world.drop("b");
        let report = world.sync(&spec).await;
        assert_eq!((report.outcome, world.shown().as_str()), (outcome, shown), "{deletion:?} {on_missing:?}");
        if outcome == Outcome::Failed {
            assert_eq!(code(&report), Code::SecretMissing);
            continue;
        }
        assert_eq!(report.missing, ["spec.data[1] (key: b)"]);
        assert_eq!(report.kept.is_empty(), on_missing != Some(Keep));
        assert_eq!(world.sync(&spec).await.outcome, Outcome::Unchanged, "{deletion:?} {on_missing:?}");
        world.set("b", "back");
        world.sync(&spec).await;
        assert_eq!(world.shown(), "a=new b=back");
    }
}

#[tokio::test]
async fn an_optional_property_is_an_optional_entry() {
    for (on_missing, shown) in [(Skip, Ok("a=1")), (Keep, Ok("a=1 b=2")), (Fail, Err(Code::PropertyMissing))] {
        let world = World::new(&[("db", r#"{"a": "1", "b": "2"}"#)]);
        let take = |key: &str| DataEntry::new(key, vault(), RemoteRef::new("db")).with_property(key);
        let spec = spec(Retain).with_data(take("a")).with_data(take("b").on_missing(Some(on_missing)));
        world.sync(&spec).await;
        world.set("db", r#"{"a": "1"}"#);
        let report = world.sync(&spec).await;
        match shown {
            Ok(shown) => assert_eq!(world.shown(), shown, "{on_missing:?} {report:?}"),
            Err(expected) => assert_eq!((code(&report), world.shown().as_str()), (expected, "a=1 b=2")),
        }
    }
    // What is there and cannot be used is no missing property.
    let world = World::new(&[("db", "no json")]);
    let odd = DataEntry::new("a", vault(), RemoteRef::new("db"));
    let report = world.sync(&spec(Delete).with_data_from(extract("db", Skip)).with_data(odd)).await;
    assert_eq!((report.outcome, code(&report)), (Outcome::Failed, Code::DataInvalid));
}

#[tokio::test]
async fn a_new_target_is_made_without_what_is_missing() {
    for on_missing in [Skip, Keep] {
        let world = World::new(&[("a", "1")]);
        let spec = spec(Retain).with_data(entry("a", None)).with_data(entry("b", on_missing));
        assert_eq!(world.sync(&spec).await.outcome, Outcome::Created);
        assert_eq!(world.shown(), "a=1");
        assert_eq!(world.sync(&spec).await.outcome, Outcome::Unchanged);
        world.set("b", "2");
        world.sync(&spec).await;
        assert_eq!(world.shown(), "a=1 b=2");
    }
}

#[tokio::test]
async fn a_kept_entry_keeps_the_target_when_everything_is_missing() {
    for (deletion, with_skip, outcome, shown) in [
        (Delete, false, Outcome::Unchanged, "a=1"),
        (Retain, false, Outcome::Unchanged, "a=1"),
        (Merge, false, Outcome::Unchanged, "a=1"),
        (Delete, true, Outcome::Updated, "a=1"),
        (Retain, true, Outcome::Updated, "a=1"),
    ] {
        let world = World::new(&[("a", "1"), ("b", "2")]);
        let mut spec = spec(deletion).with_data(entry("a", Keep));
        if with_skip {
            spec = spec.with_data(entry("b", Skip));
        }
        world.sync(&spec).await;
        world.drop("a");
        world.drop("b");
        let report = world.sync(&spec).await;
        assert_eq!((report.outcome, world.shown().as_str()), (outcome, shown), "{deletion:?} {with_skip}");
    }
}

#[tokio::test]
async fn nothing_is_made_and_nothing_deleted_where_there_is_nothing_to_keep() {
    let world = World::new(&[]);
    let all = spec(Delete).with_data(entry("a", Keep)).with_data(entry("b", Skip));
    let report = world.sync(&all).await;
    assert_eq!((report.outcome, report.reason, world.shown().as_str()), (Outcome::Unchanged, Reason::Kept, "-"));

    // Made without `a`, then the rest goes too: the target stays for `a`, without `b`.
    world.set("b", "2");
    world.sync(&all).await;
    world.drop("b");
    let report = world.sync(&all).await;
    assert_eq!((report.outcome, world.shown().as_str()), (Outcome::Updated, ""), "{report:?}");

    // A target that this sync never wrote is none of its business.
    let world = World::new(&[]);
    world.store.put("shop", "db", SecretKey::new("theirs").unwrap(), SecretValue::from("x"));
    let report = world.sync(&all).await;
    assert_eq!((report.outcome, report.reason, world.shown().as_str()), (Outcome::Unchanged, Reason::Kept, "theirs=x"));
}

#[tokio::test]
async fn a_kept_key_that_somebody_else_changed_stays_too() {
    for wide in [false, true] {
        let world = World::new(&[("a", r#"{"a": "1"}"#), ("b", "2")]);
        let kept = |spec: SyncSpec| {
            if wide { spec.with_data_from(extract("a", Keep)) } else { spec.with_data(entry("a", Keep)) }
        };
        let spec = kept(spec(Delete)).with_data(entry("b", None));
        world.sync(&spec).await;
        world.store.put("shop", "db", SecretKey::new("a").unwrap(), SecretValue::from("by hand"));
        world.drop("a");
        world.set("b", "new");
        world.sync(&spec).await;
        assert_eq!(world.shown(), "a=by hand b=new", "{wide}");
    }
}

#[tokio::test]
async fn a_missing_object_under_keep_gives_what_the_target_has() {
    let world = World::new(&[
        ("base", r#"{"x": "base", "only": "base"}"#),
        ("team", r#"{"x": "team", "t": "team"}"#),
        ("last", r#"{"l": "last"}"#),
        ("named", "named"),
    ]);
    let spec = spec(Retain)
        .with_data_from(extract("base", None))
        .with_data_from(extract("team", Keep))
        .with_data_from(extract("last", None))
        .with_data(entry("named", Skip));
    world.sync(&spec).await;
    assert_eq!(world.shown(), "l=last named=named only=base t=team x=team");

    world.drop("team");
    world.set("base", r#"{"x": "base2", "only": "base2", "more": "base2"}"#);
    world.set("last", r#"{"l": "last2", "t": "last2"}"#);
    let report = world.sync(&spec).await;
    assert_eq!(
        world.shown(),
        "l=last2 more=base2 named=named only=base t=last2 x=team",
        "later entries win, as always"
    );
    assert_eq!(report.kept, ["spec.dataFrom[1].extract (key: team)"]);

    world.drop("named");
    world.sync(&spec).await;
    assert_eq!(world.shown(), "l=last2 more=base2 only=base t=last2 x=team", "a skipped key goes all the same");

    world.set("team", r#"{"x": "team3"}"#);
    world.sync(&spec).await;
    assert_eq!(world.shown(), "l=last2 more=base2 only=base2 t=last2 x=team3");
}

#[tokio::test]
async fn a_merging_template_renders_with_what_is_kept() {
    let mut template = TemplateSpec::default();
    template.merge = true;
    template.data.insert("url".to_owned(), "{{ .user }}:{{ .pin }}".to_owned());
    let world = World::new(&[("user", "ann"), ("pin", "1")]);
    let spec = spec(Retain).with_data(entry("user", None)).with_data(entry("pin", Keep)).with_template(Some(template));
    world.sync(&spec).await;
    world.drop("pin");
    world.set("user", "bob");
    world.sync(&spec).await;
    assert_eq!(world.shown(), "pin=1 url=bob:1 user=bob");
}

#[tokio::test]
async fn keep_is_refused_where_the_target_does_not_tell_what_to_keep() {
    let template = |merge: bool, keys: &[&str], from: Vec<TemplateFrom>| {
        let mut template = TemplateSpec::default();
        template.merge = merge;
        template.data = keys.iter().map(|key| ((*key).to_owned(), "x".to_owned())).collect();
        template.from = from;
        template
    };
    let literal = |target| TemplateFrom::new(vec![TemplateText::Literal("k: v".to_owned())]).with_target(target);
    let mut labels = TemplateSpec::default();
    labels.labels.insert("user".to_owned(), "{{ .a }}".to_owned());
    let data = || spec(Retain).with_data(entry("a", Keep));
    let whole = || spec(Retain).with_data_from(extract("a", Keep));
    let search = DataFrom::find(vault(), Query::default()).on_missing(Some(Keep));
    for (spec, refusal) in [
        (spec(Retain).with_data_from(search), Some("a search does not tell")),
        (data().with_template(Some(template(false, &["b"], vec![]))), Some("takes the place of the data")),
        (data().with_template(Some(template(true, &["a"], vec![]))), Some("may make a key of the same name")),
        (
            data().with_template(Some(template(true, &[], vec![literal(TemplateTarget::Data)]))),
            Some("may make a key of the same name"),
        ),
        (whole().with_template(Some(template(true, &["b"], vec![]))), Some("does not tell them from those")),
        (data().with_template(Some(template(true, &["b"], vec![literal(TemplateTarget::Labels)]))), None),
        (data().with_template(Some(labels.clone())), None),
        (whole().with_template(Some(labels)), None),
    ] {
        let world = World::new(&[("a", r#"{"a": "1"}"#)]);
        let report = world.sync(&spec).await;
        match refusal {
            None => assert_eq!(report.outcome, Outcome::Created, "{report:?}"),
            Some(text) => {
                assert_eq!((report.reason, code(&report)), (Reason::SpecInvalid, Code::ManifestInvalid));
                assert!(chain(report.error.as_ref().unwrap()).contains(text), "{report:?}");
                assert_eq!(world.provider.reads("a"), 0, "before anything is read");
            }
        }
    }
}

#[tokio::test]
async fn a_search_that_must_find_something_fails_when_it_does_not() {
    let world = World::new(&[("app", "1")]);
    let search = |on_missing| {
        let mut query = Query::default();
        query.name = Some("^app".to_owned());
        spec(Delete).with_data_from(DataFrom::find(vault(), query).on_missing(on_missing))
    };
    world.sync(&search(Some(Fail))).await;
    world.drop("app");
    let report = world.sync(&search(Some(Fail))).await;
    assert_eq!(
        (report.outcome, code(&report), world.shown().as_str()),
        (Outcome::Failed, Code::SecretMissing, "app=1")
    );
    assert_eq!(world.sync(&search(Some(Skip))).await.outcome, Outcome::Removed);
}

#[tokio::test]
async fn values_are_read_back_only_to_be_kept() {
    let provider = Arc::new(MemoryProvider::new("vault").with_json("a", "1").with_json("b", "2"));
    let store = Arc::new(Mute(MemoryStore::new()));
    let engine = Engine::builder(Arc::clone(&store) as _).provider(vault(), Arc::clone(&provider) as _).build();
    let spec = spec(Delete).with_data(entry("a", Keep)).with_data(entry("b", Skip));
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Created);
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Unchanged);
    provider.set("b", None);
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Updated);
    provider.set("a", None);
    let report = engine.sync(&spec).await;
    assert_eq!(
        (report.outcome, report.reason, code(&report)),
        (Outcome::Failed, Reason::WriteFailed, Code::Unsupported)
    );
    assert!(store.0.value("shop", "db", "a").is_some(), "nothing was touched");
}

/// A store that does not give back what it holds.
#[derive(Debug)]
struct Mute(MemoryStore);

#[async_trait]
impl Store for Mute {
    fn kind(&self) -> &'static str {
        "mute"
    }
    async fn begin(&self) -> Pass {
        self.0.begin().await
    }
    fn stages(&self) -> bool {
        self.0.stages()
    }
    async fn observe(&self, target: &TargetRef, owner: &OwnerId) -> Result<Observed> {
        self.0.observe(target, owner).await
    }
    async fn admit(&self, write: &Write<'_>) -> Result<()> {
        self.0.admit(write).await
    }
    async fn apply(&self, write: &Write<'_>) -> Result<Applied> {
        self.0.apply(write).await
    }
    async fn remove(&self, target: &TargetRef, owner: &OwnerId) -> Result<Removed> {
        self.0.remove(target, owner).await
    }
    async fn verify(&self) -> Result<()> {
        self.0.verify().await
    }
    async fn flush(&self) -> Result<()> {
        self.0.flush().await
    }
}

fn choice() -> impl Strategy<Value = Option<OnMissing>> {
    prop_oneof![Just(None), Just(Some(Fail)), Just(Some(Keep)), Just(Some(Skip))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is missing: all or nothing is written, no key goes that may not, and everything comes back.
    #[test]
    fn any_mixture_of_entries_follows_the_rules_of_each(
        entries in proptest::collection::vec((choice(), any::<bool>()), 1..6),
        deletion in prop_oneof![Just(Retain), Just(Delete), Just(Merge)],
    ) {
        let names: Vec<_> = (0..entries.len()).map(|index| format!("k{index}")).collect();
        let world = World::new(&[]);
        let mut spec = spec(deletion);
        for (name, (on_missing, _)) in names.iter().zip(&entries) {
            world.set(name, "old");
            spec = spec.with_data(entry(name, *on_missing));
        }
        let keys = |value: fn(Option<OnMissing>, bool) -> Option<&'static str>| {
            let all = names.iter().zip(&entries).filter_map(|(name, (choice, there))| Some(format!("{name}={}", value(*choice, *there)?)));
            all.collect::<Vec<_>>().join(" ")
        };
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            world.sync(&spec).await;
            let before = world.shown();
            for (name, (_, there)) in names.iter().zip(&entries) {
                if *there { world.set(name, "new") } else { world.drop(name) }
            }
            let report = world.sync(&spec).await;
            let fails = entries.iter().any(|(choice, there)| !there && (*choice == Some(Fail) || choice.is_none() && deletion == Retain));
            let after = keys(|choice, there| if there { Some("new") } else { (choice == Some(Keep)).then_some("old") });
            let expected = match (after.as_str(), deletion) {
                _ if fails => before,
                ("", Retain) => before,
                ("", Delete) => "-".to_owned(),
                _ => after,
            };
            assert_eq!((report.outcome == Outcome::Failed, world.shown()), (fails, expected));

            for name in &names {
                world.set(name, "back");
            }
            world.sync(&spec).await;
            assert_eq!(world.shown(), keys(|_, _| Some("back")));
        });
    }
}
