//! The engine with templates from elsewhere, and with templates that give another result each time.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod varied;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use secretsync_core::engine::{Engine, EngineBuilder};
use secretsync_core::error::{Code, Error, ErrorKind, Result, chain};
use secretsync_core::layer::LayerSettings;
use secretsync_core::memory::{MemoryProvider, MemoryStore};
use secretsync_core::provider::{CredentialRef, CredentialSource, RemoteRef};
use secretsync_core::secret::{SecretKey, SecretValue};
use secretsync_core::store::{Applied, Observed, OwnerId, Pass, Removed, Store, TargetRef, Write};
use secretsync_core::sync::{
    DataFrom, Outcome, ProviderKey, Reason, Sync as _, SyncSpec, TemplateFrom, TemplateMissing, TemplateScope,
    TemplateSpec, TemplateText, template_missing,
};

/// Texts by reference; counts how often it was asked.
#[derive(Debug, Default)]
struct Shelf(BTreeMap<CredentialRef, &'static str>, Mutex<Vec<CredentialRef>>);

#[async_trait]
impl CredentialSource for Shelf {
    async fn resolve(&self, reference: &CredentialRef) -> Result<SecretValue> {
        self.1.lock().unwrap().push(reference.clone());
        let text = self.0.get(reference).ok_or_else(|| template_missing(reference, TemplateMissing::Object))?;
        Ok(SecretValue::from(*text))
    }
}

fn map(name: &str, key: &str) -> CredentialRef {
    CredentialRef::config_map(name, key).in_namespace(Some("shop"))
}

fn item(reference: CredentialRef) -> TemplateText {
    TemplateText::item(reference, TemplateScope::Values)
}

fn builder(store: &Arc<impl Store>) -> EngineBuilder {
    let provider = MemoryProvider::new("m").with_json("app/db", r#"{"user": "zoe"}"#);
    Engine::builder(Arc::clone(store) as _).provider(ProviderKey::new("m"), Arc::new(provider))
}

fn spec(template: TemplateSpec) -> SyncSpec {
    SyncSpec::new(OwnerId::new("shop", "db"), TargetRef::new("shop", "db"))
        .with_data_from(DataFrom::extract(ProviderKey::new("m"), RemoteRef::new("app/db")))
        .with_template(Some(template))
}

fn random(text: &str) -> TemplateSpec {
    let mut template = TemplateSpec::default();
    template.data.insert("password".to_owned(), text.to_owned());
    template.labels.insert("made".to_owned(), "{{ uuidv4 }}".to_owned());
    template.from.push(TemplateFrom::new(vec![TemplateText::Literal("token: '{{ randAlphaNum 16 }}'".to_owned())]));
    template
}

fn value(store: &MemoryStore, key: &str) -> Vec<u8> {
    store.value("shop", "db", key).unwrap().expose().to_vec()
}

#[tokio::test]
async fn texts_of_other_objects_are_read_once_and_rendered() {
    let store = Arc::new(MemoryStore::new());
    let shelf = Arc::new(Shelf([(map("tpl", "a"), "{{ .user }}"), (map("tpl", "b"), "b")].into(), Mutex::default()));
    let engine = builder(&store).template_source(Arc::clone(&shelf) as _).build();
    let mut template = TemplateSpec::default();
    template.from = vec![
        TemplateFrom::new(vec![item(map("tpl", "a")), item(map("tpl", "b"))]),
        TemplateFrom::new(vec![item(map("tpl", "a"))]),
    ];
    let report = engine.sync(&spec(template)).await;
    assert_eq!(report.outcome, Outcome::Created, "{:?}", report.error);
    assert_eq!((value(&store, "a"), value(&store, "b")), (b"zoe".to_vec(), b"b".to_vec()));
    assert_eq!(shelf.1.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_missing_leaves_the_target_as_it_was() {
    let store = Arc::new(MemoryStore::new());
    let plain = builder(&store).build();
    let mut template = TemplateSpec::default();
    template.data.insert("user".to_owned(), "{{ .user }}".to_owned());
    plain.sync(&spec(template.clone())).await;
    template.from = vec![TemplateFrom::default(), TemplateFrom::new(vec![item(map("tpl", "a"))])];
    let engine = builder(&store).template_source(Arc::new(Shelf::default())).build();
    let report = engine.sync(&spec(template.clone())).await;
    let error = report.error.unwrap();
    assert_eq!((report.outcome, report.reason), (Outcome::Failed, Reason::TemplateFailed));
    assert_eq!((error.kind(), error.hint().unwrap().code()), (ErrorKind::NotFound, Code::TemplateMissing));
    assert_eq!(
        chain(&error),
        "failed to apply `spec.target.template.templateFrom[1]`: failed to read key `a` of ConfigMap `shop/tpl`: error fetching templateFrom data: \
         configmaps \"tpl\" not found"
    );
    let error = plain.sync(&spec(template)).await.error.unwrap();
    assert!(chain(&error).contains("no source of templates was given"), "{}", chain(&error));
    assert_eq!((value(&store, "user"), store.writes()), (b"zoe".to_vec(), 1));
}

#[tokio::test]
async fn a_random_value_is_made_once_and_a_plan_becomes_quiet() {
    let store = Arc::new(MemoryStore::new());
    let engine = builder(&store).build();
    let spec = spec(random("{{ randAlphaNum 16 }}"));
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Created);
    let first = [value(&store, "password"), value(&store, "token")];
    assert!(!engine.plan(&spec).await.would_change());
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Unchanged);
    assert_eq!(([value(&store, "password"), value(&store, "token")], store.writes()), (first, 1));
}

/// Whoever changes a password upstream must find it in the target, whatever random thing stands beside it.
#[tokio::test]
async fn a_random_value_made_of_data_follows_them_and_else_stays() {
    let (store, key) = (Arc::new(MemoryStore::new()), ProviderKey::new("m"));
    let engine = builder(&store).build();
    let mut template = TemplateSpec::default();
    template.data.insert("dsn".to_owned(), "{{ .user }} {{ randAlphaNum 16 }}".to_owned());
    let spec = spec(template);
    let dsn = || String::from_utf8(value(&store, "dsn")).unwrap();
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Created);
    let first = dsn();
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Unchanged);
    assert_eq!(engine.plan(&spec).await.into_report().outcome, Outcome::Unchanged);
    let changed = MemoryProvider::new("m").with_json("app/db", r#"{"user": "ann"}"#);
    engine.provide(key, Ok(Arc::new(changed) as _), &LayerSettings::default());
    assert_eq!(engine.plan(&spec).await.into_report().outcome, Outcome::Updated);
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Updated);
    assert!(first.starts_with("zoe ") && dsn().starts_with("ann "), "{first} {}", dsn());
    // Another process does not know what it was made of.
    assert_eq!(builder(&store).build().sync(&spec).await.outcome, Outcome::Updated);
    assert!(dsn().starts_with("zoe "));
}

#[tokio::test]
async fn a_random_value_made_of_data_stays_when_they_cannot_be_read_for_a_while() {
    let (store, key) = (Arc::new(MemoryStore::new()), ProviderKey::new("m"));
    let engine = builder(&store).build();
    let mut template = TemplateSpec::default();
    template.data.insert("dsn".to_owned(), "{{ .user }} {{ randAlphaNum 16 }}".to_owned());
    let spec = spec(template);
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Created);
    engine.provide(key.clone(), Err(Error::new(ErrorKind::Unavailable, "reach")), &LayerSettings::default());
    assert_eq!(engine.sync(&spec).await.reason, Reason::SourceFailed);
    let back = MemoryProvider::new("m").with_json("app/db", r#"{"user": "zoe"}"#);
    engine.provide(key, Ok(Arc::new(back) as _), &LayerSettings::default());
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Unchanged);
}

#[tokio::test]
async fn a_random_value_survives_a_change_beside_it_and_one_that_nobody_made_is_replaced() {
    let store = Arc::new(MemoryStore::new());
    let engine = builder(&store).build();
    let put = |key: &str| store.put("shop", "db", SecretKey::new(key).unwrap(), SecretValue::from("theirs"));
    put("password");
    let mut template = random("{{ randAlphaNum 16 }}");
    engine.sync(&spec(template.clone())).await;
    let password = value(&store, "password");
    assert_ne!(password, b"theirs");
    template.data.insert("url".to_owned(), "db://{{ .user }}".to_owned());
    assert_eq!(engine.sync(&spec(template)).await.outcome, Outcome::Updated);
    assert_eq!((value(&store, "password"), value(&store, "url")), (password, b"db://zoe".to_vec()));
}

/// A store that forgets what it was given.
#[derive(Debug)]
struct Forgetful(MemoryStore);

#[async_trait]
impl Store for Forgetful {
    fn kind(&self) -> &'static str {
        "forgetful"
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
    async fn verify(&self) -> Result<()> {
        self.0.verify().await
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
    async fn flush(&self) -> Result<()> {
        self.0.flush().await
    }
}

#[tokio::test]
async fn a_store_that_cannot_give_values_back_refuses_to_make_them_anew() {
    let store = Arc::new(Forgetful(MemoryStore::new()));
    let engine = builder(&store).build();
    assert_eq!(engine.sync(&spec(random("{{ randAlphaNum 16 }}"))).await.outcome, Outcome::Created);
    let report = engine.sync(&spec(random("{{ randAlphaNum 16 }}"))).await;
    let error = report.error.unwrap();
    assert_eq!((report.reason, error.kind()), (Reason::TemplateFailed, ErrorKind::Unsupported));
    assert!(error.to_string().contains("a forgetful store does not give back what it holds"), "{error}");
    assert_eq!(store.0.writes(), 1);
}

#[tokio::test]
async fn an_engine_may_have_other_delimiters() {
    let store = Arc::new(MemoryStore::new());
    let engine = builder(&store).template_delimiters("<%", "").build();
    let mut template = TemplateSpec::default();
    template.data.insert("who".to_owned(), "{{ <% .user }}".to_owned());
    assert_eq!(engine.sync(&spec(template)).await.outcome, Outcome::Created);
    assert_eq!(value(&store, "who"), b"{{ zoe");
}
