//! A store around documents, as a program that embeds the provider builds it.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result, chain};
use secretsync_core::json::Json;
use secretsync_core::provider::{
    Ambient, BuildContext, CredentialRef, CredentialSource, FetchOptions, Fetched, KeyServiceFactory, Provider,
    ProviderFactory, RawConfig, RemoteRef, StoreOrigin,
};
use secretsync_core::secret::{Payload, Secret, SecretValue};
use secretsync_provider_sops::SopsFactory;
use serde_json::{Value, json};

/// A throw-away identity, for tests only.
pub(crate) const KEY: &str = "AGE-SECRET-KEY-1ACFQMJYU6AS6JDEWFTRFFGKECZMY8JFU9CXDSYNN4EAEJNWF7J2S3ZQUYM";

/// The public half of [`KEY`].
pub(crate) const RECIPIENT: &str = "age1l5pzvjlqecvn4y3ejtzyul49z54mq2sy7jae7xp2xmk92q977u4qy0az6v";

/// Credentials by `name/key`.
#[derive(Clone, Default)]
pub(crate) struct Given(pub(crate) Vec<(String, String)>);

impl Given {
    /// The age key that stores name by default.
    pub(crate) fn key(text: &str) -> Self {
        Self::default().and("sops-age/key.txt", text)
    }

    /// One more.
    pub(crate) fn and(mut self, name: &str, text: &str) -> Self {
        self.0.push((name.to_owned(), text.to_owned()));
        self
    }
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Given(..)")
    }
}

#[async_trait]
impl CredentialSource for Given {
    async fn resolve(&self, reference: &CredentialRef) -> Result<SecretValue> {
        let name = format!("{}/{}", reference.name(), reference.key());
        match self.0.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Ok(SecretValue::from(text.as_str())),
            None => Err(Error::new(ErrorKind::NotFound, "resolve")
                .on(reference)
                .with_hint(Hint::new(Code::CredentialMissing, "create it"))),
        }
    }

    async fn keys(&self, object: &CredentialRef) -> Result<Vec<String>> {
        let folder = format!("{}/", object.name());
        Ok(self.0.iter().filter_map(|(known, _)| known.strip_prefix(&folder)).map(str::to_owned).collect())
    }
}

/// A store; `source` is the member of that name in its configuration.
pub(crate) struct Store {
    config: Value,
    context: BuildContext,
    factory: SopsFactory,
}

impl Store {
    pub(crate) fn new(source: &Value) -> Self {
        let config =
            json!({ "source": source, "keys": [{ "age": { "secretRef": { "name": "sops-age", "key": "key.txt" } } }] });
        let context = BuildContext::new(StoreOrigin::namespaced("shop", "sops"), Arc::new(Given::key(KEY)));
        Self { config, context, factory: SopsFactory::new() }
    }

    /// A store with one document in its manifest.
    pub(crate) fn inline(document: &str) -> Self {
        Self::new(&json!({ "inline": document }))
    }

    /// A store with one document of this name, which tells its format, in a `ConfigMap`.
    pub(crate) fn named(name: &str, document: &str) -> Self {
        let given = Given::key(KEY).and(&format!("docs/{name}"), document);
        Self::new(&json!({ "configMapRef": { "name": "docs" } })).with_credentials(given)
    }

    /// A store of a folder or file.
    pub(crate) fn path(base: &Path, path: &str) -> Self {
        let mut store = Self::new(&json!({ "path": path }));
        store.context.base = Some(base.to_owned());
        store
    }

    pub(crate) fn with_credentials(mut self, given: Given) -> Self {
        self.context.credentials = Arc::new(given);
        self
    }

    pub(crate) fn with_ambient(mut self, variables: &[(&'static str, &str)]) -> Self {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let lookup =
            move |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        self.context.ambient = Some(Ambient::new(lookup));
        self
    }

    /// Demands that documents are bound to a namespace.
    pub(crate) fn bound(mut self) -> Self {
        self.config["bind"] = json!("Namespace");
        self
    }

    /// A store of the whole cluster, serving the ExternalSecrets of a namespace.
    pub(crate) fn of_cluster(mut self, consumer: Option<&str>) -> Self {
        self.context.origin = StoreOrigin::cluster("sops");
        self.context.consumer = consumer.map(str::to_owned);
        self
    }

    /// Lets the store configure keys of one more kind.
    pub(crate) fn with_service(mut self, service: impl KeyServiceFactory) -> Self {
        self.factory = self.factory.with_key_service(service);
        self
    }

    pub(crate) fn with_keys(mut self, keys: Value) -> Self {
        self.config["keys"] = keys;
        self
    }

    pub(crate) async fn build(&self) -> Result<Arc<dyn Provider>> {
        let config = RawConfig::from_json(self.config.to_string());
        self.factory.build(&config, self.context.clone()).await
    }

    /// What a manifest gets for a key.
    pub(crate) async fn fetch(&self, key: &str) -> Result<Fetched> {
        let provider = self.build().await?;
        fetch(&*provider, key).await
    }

    /// The document in the clear.
    pub(crate) async fn read(&self, key: &str) -> Result<Value> {
        match self.fetch(key).await? {
            Fetched::Found(secret) => Ok(shape(&secret)),
            other => panic!("expected a document, got {other:?}"),
        }
    }

    /// The whole text of the error that reading a document gives.
    pub(crate) async fn complaint(&self, key: &str) -> String {
        let error = self.fetch(key).await.expect_err("it is refused");
        assert!(error.hint().is_some(), "{error:?} has no hint");
        chain(&error)
    }
}

pub(crate) async fn fetch(provider: &dyn Provider, key: &str) -> Result<Fetched> {
    let object = provider.address(&RemoteRef::new(key))?;
    provider.fetch(&[object], &FetchOptions::default()).await.remove(0)
}

/// A document as comparable data: numbers by their text, `{"number": "1.5"}`, and bytes as a list.
pub(crate) fn shape(secret: &Secret) -> Value {
    match &*secret.payload {
        Payload::Object(object) => value(object.expose()),
        Payload::Bytes(bytes) => json!(bytes.expose()),
        other => panic!("expected an object, got {other:?}"),
    }
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => json!(value),
        Json::Number(text) => number(text.expose()),
        Json::String(text) => json!(text.expose()),
        Json::Array(items) => items.iter().map(value).collect(),
        Json::Object(members) => {
            Value::Object(members.iter().map(|(key, member)| (key.clone(), value(member))).collect())
        }
    }
}

/// A number as [`shape`] shows it.
pub(crate) fn number(text: &str) -> Value {
    json!({ "number": text })
}
