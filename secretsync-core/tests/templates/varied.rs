//! Texts whose results merely vary: salted, or taken from the clock.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::layer::LayerSettings;
use secretsync_core::memory::{MemoryProvider, MemoryStore};
use secretsync_core::secret::{SecretKey, SecretMap, SecretValue};
use secretsync_core::store::{
    Applied, DirectoryStore, ManifestStore, Observed, OwnerId, Pass, Removed, Store, TargetRef, Write,
};
use secretsync_core::sync::{
    Outcome, ProviderKey, Sync as _, SyncSpec, TemplateFrom, TemplateScope, TemplateSpec, TemplateText,
};

use super::{Shelf, builder, map, spec, value};

/// A hash is salted anew at each rendering, and a moment is another one: neither is a reason to write.
#[tokio::test]
async fn what_is_only_salted_or_tells_the_time_is_made_anew_when_something_else_changes() {
    let (store, key) = (Arc::new(MemoryStore::new()), ProviderKey::new("m"));
    let engine = builder(&store).build();
    let mut template = TemplateSpec::default();
    template.data.insert("hash".to_owned(), "{{ htpasswd .user .user \"bcrypt\" }}".to_owned());
    template.annotations.insert("made".to_owned(), "{{ now | date \"15:04:05.000000000\" }}".to_owned());
    template.from.push(TemplateFrom::new(vec![TemplateText::Literal(
        "at: '{{ now | date \"15:04:05.000000000\" }}'".to_owned(),
    )]));
    let salted = spec(template.clone());
    let made = || (value(&store, "hash"), value(&store, "at"));
    assert_eq!(engine.sync(&salted).await.outcome, Outcome::Created);
    let first = made();
    for _ in 0..2 {
        assert_eq!(engine.sync(&salted).await.outcome, Outcome::Unchanged);
        assert_eq!(engine.plan(&salted).await.into_report().outcome, Outcome::Unchanged);
    }
    assert_eq!((made(), store.writes()), (first.clone(), 1));

    let changed = MemoryProvider::new("m").with_json("app/db", r#"{"user": "ann"}"#);
    engine.provide(key, Ok(Arc::new(changed) as _), &LayerSettings::default());
    assert_eq!(engine.sync(&salted).await.outcome, Outcome::Updated);
    let second = made();
    assert!(second.0.starts_with(b"ann:") && second.1 != first.1);
    assert_eq!(engine.sync(&salted).await.outcome, Outcome::Unchanged);

    // What somebody put there is not what was made of the same data.
    store.put("shop", "db", SecretKey::new("hash").unwrap(), SecretValue::from("theirs"));
    assert_eq!(engine.sync(&salted).await.outcome, Outcome::Updated);
    assert!(value(&store, "hash").starts_with(b"ann:"));

    template.data.insert("user".to_owned(), "{{ .user }}".to_owned());
    assert_eq!(engine.sync(&spec(template.clone())).await.outcome, Outcome::Updated);
    assert_eq!(engine.sync(&spec(template)).await.outcome, Outcome::Unchanged);
}

/// A store with values in view, in which somebody may make a target immutable.
#[derive(Debug, Default)]
struct Fixed {
    inner: MemoryStore,
    fixed: AtomicBool,
}

#[async_trait]
impl Store for Fixed {
    fn kind(&self) -> &'static str {
        "fixed"
    }
    async fn begin(&self) -> Pass {
        self.inner.begin().await
    }
    fn stages(&self) -> bool {
        self.inner.stages()
    }
    async fn observe(&self, target: &TargetRef, owner: &OwnerId) -> Result<Observed> {
        let mut observed = self.inner.observe(target, owner).await?;
        if let Observed::Present(present) = &mut observed {
            present.immutable |= self.fixed.load(Ordering::Relaxed);
        }
        Ok(observed)
    }
    async fn own_values(&self, target: &TargetRef, owner: &OwnerId) -> Result<SecretMap> {
        self.inner.own_values(target, owner).await
    }
    async fn verify(&self) -> Result<()> {
        self.inner.verify().await
    }
    async fn admit(&self, write: &Write<'_>) -> Result<()> {
        let there = |key: &SecretKey| self.inner.value(write.target.namespace(), write.target.name(), key.as_str());
        let same = |key, value: &SecretValue| there(key).is_some_and(|there| there.expose() == value.expose());
        if self.fixed.load(Ordering::Relaxed) && !write.desired.data.iter().all(|(key, value)| same(key, value)) {
            return Err(Error::new(ErrorKind::InvalidConfig, "write")
                .because("it is immutable and would change")
                .with_hint(Hint::new(Code::TargetImmutable, "leave it")));
        }
        self.inner.admit(write).await
    }
    async fn apply(&self, write: &Write<'_>) -> Result<Applied> {
        self.admit(write).await?;
        self.inner.apply(write).await
    }
    async fn remove(&self, target: &TargetRef, owner: &OwnerId) -> Result<Removed> {
        self.inner.remove(target, owner).await
    }
    async fn flush(&self) -> Result<()> {
        self.inner.flush().await
    }
}

fn salted() -> TemplateSpec {
    let mut template = TemplateSpec::default();
    template.data.insert("hash".to_owned(), "{{ bcrypt .user }}".to_owned());
    template
}

fn with_label(mut spec: SyncSpec, value: &str) -> SyncSpec {
    spec.meta.labels.insert("team".to_owned(), value.to_owned());
    spec
}

#[tokio::test]
async fn what_is_only_salted_is_no_change_of_an_immutable_target() {
    let store = Arc::new(Fixed::default());
    let engine = builder(&store).build();
    let salted = spec(salted());
    assert_eq!(engine.sync(&salted).await.outcome, Outcome::Created);
    let hash = value(&store.inner, "hash");
    store.fixed.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        let report = engine.sync(&salted).await;
        assert_eq!(report.outcome, Outcome::Unchanged, "{:?}", report.error);
    }
    // A label can be changed all the same.
    let labelled = with_label(salted, "shop");
    for outcome in [Outcome::Updated, Outcome::Unchanged] {
        let report = engine.sync(&labelled).await;
        assert_eq!(report.outcome, outcome, "{:?}", report.error);
    }
    assert_eq!((value(&store.inner, "hash"), store.inner.writes()), (hash, 2));
    // What was made of other data is a change.
    let changed = MemoryProvider::new("m").with_json("app/db", r#"{"user": "ann"}"#);
    engine.provide(ProviderKey::new("m"), Ok(Arc::new(changed) as _), &LayerSettings::default());
    assert_eq!(engine.sync(&labelled).await.error.unwrap().hint().unwrap().code(), Code::TargetImmutable);
}

#[tokio::test]
async fn a_write_for_another_reason_leaves_what_is_only_salted() {
    let store = Arc::new(MemoryStore::new());
    let engine = builder(&store).build();
    assert_eq!(engine.sync(&spec(salted())).await.outcome, Outcome::Created);
    let hash = value(&store, "hash");
    for label in ["a", "b"] {
        assert_eq!(engine.sync(&with_label(spec(salted()), label)).await.outcome, Outcome::Updated);
        assert_eq!(value(&store, "hash"), hash);
    }
}

/// A template that keeps what it makes from nothing has the values of the target at hand, those that somebody put there too.
#[tokio::test]
async fn what_somebody_put_in_the_place_of_a_hash_goes_whatever_stands_beside_it() {
    for token in [None, Some("{{ randAlphaNum 8 }}")] {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(DirectoryStore::new(dir.path()));
        let engine = builder(&store).build();
        let mut template = salted();
        template.data.extend(token.map(|text| ("token".to_owned(), text.to_owned())));
        let spec = spec(template);
        assert_eq!(engine.sync(&spec).await.outcome, Outcome::Created);
        assert_eq!(engine.sync(&spec).await.outcome, Outcome::Unchanged);
        let read = |key: &str| fs::read_to_string(dir.path().join("shop/db").join(key)).unwrap_or_default();
        let made = read("token");
        fs::write(dir.path().join("shop/db/hash"), "theirs").unwrap();
        assert_eq!(engine.sync(&spec).await.outcome, Outcome::Updated, "{token:?}");
        assert!(read("hash").starts_with("$2a$"), "{token:?}");
        assert_eq!(read("token"), made);
        assert_eq!(engine.sync(&spec).await.outcome, Outcome::Unchanged, "{token:?}");
    }
}

#[tokio::test]
async fn what_somebody_put_in_the_place_of_a_moment_in_the_metadata_goes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("all.yaml");
    let store = Arc::new(ManifestStore::file(&file));
    let engine = builder(&store).build();
    let mut template = salted();
    let moment = || ("made".to_owned(), "at-{{ now | date \"150405.000000000\" }}".to_owned());
    template.labels.extend([moment()]);
    template.annotations.extend([moment()]);
    let spec = spec(template);
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Created);
    let first = fs::read_to_string(&file).unwrap();
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Unchanged);
    assert!(first.contains("at-"), "{first}");
    fs::write(&file, first.replace("at-", "theirs-")).unwrap();
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Updated);
    assert_eq!(fs::read_to_string(&file).unwrap(), first);
}

#[tokio::test]
async fn a_text_that_makes_something_else_from_now_on_is_rendered_anew() {
    let store = Arc::new(MemoryStore::new());
    let shelf = Arc::new(Shelf([(map("tpl", "auth"), "auth: '{{ bcrypt .user }}'")].into(), Mutex::default()));
    let engine = builder(&store).template_source(shelf as _).build();
    for (scope, start) in [(TemplateScope::Values, "auth: '$2a$"), (TemplateScope::KeysAndValues, "$2a$")] {
        let mut template = TemplateSpec::default();
        template.from.push(TemplateFrom::new(vec![TemplateText::item(map("tpl", "auth"), scope)]));
        engine.sync(&spec(template)).await;
        assert!(value(&store, "auth").starts_with(start.as_bytes()), "{scope:?}");
    }
}

/// Nothing is kept for an owner that is gone: the inputs are unknown again.
#[tokio::test]
async fn what_was_made_for_an_owner_is_forgotten_when_it_is_released() {
    let store = Arc::new(MemoryStore::new());
    let engine = builder(&store).build();
    let spec = spec(salted());
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Created);
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Unchanged);
    engine.release(&OwnerId::new("shop", "other"), &spec.target).await;
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Unchanged);
    engine.release(&spec.owner, &TargetRef::new("shop", "later")).await;
    assert_eq!(engine.sync(&spec).await.outcome, Outcome::Updated);
}
