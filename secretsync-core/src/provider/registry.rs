//! The providers that a program knows: a value, so that a third party adds one without touching our crates.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use super::{Ambient, CredentialRef, CredentialSource, Provider};
use crate::error::{Code, Error, ErrorKind, Hint, Result};

/// Builds providers of one kind from a store's configuration.
#[async_trait]
pub trait ProviderFactory: fmt::Debug + Send + Sync + 'static {
    /// The member of a store's `provider` that this factory reads: `vault`. Of a generator's factory, the generator's kind.
    fn kind(&self) -> &'static str;

    /// What the configuration reads from outside, so that callers can tell whose namespace decides and what to watch. Pure.
    fn references(&self, config: &RawConfig, origin: &StoreOrigin) -> Result<Vec<CredentialRef>>;

    /// The files and folders that the configuration reads, so that callers can watch them. Pure; nothing where [`BuildContext::base`] is not set.
    fn paths(&self, _config: &RawConfig, _context: &BuildContext) -> Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    /// The JSON schema of the configuration, for the kinds that a cluster stores; `None` where anything is stored and [`build`](Self::build) alone
    /// decides. [`schema::of`](crate::schema::of) makes it from the type of the configuration.
    fn schema(&self) -> Option<serde_json::Value> {
        None
    }

    /// Whether what a provider of a ClusterSecretStore hands out depends on [`BuildContext::consumer`], so that each namespace needs one of its own
    /// even where no reference says so. Pure.
    fn depends_on_consumer(&self, _config: &RawConfig, _origin: &StoreOrigin) -> Result<bool> {
        Ok(false)
    }

    /// Builds a provider. Checks the whole configuration; whether the other side answers is [`Provider::check`]'s to tell.
    async fn build(&self, config: &RawConfig, context: BuildContext) -> Result<Arc<dyn Provider>>;
}

/// What a provider is built with.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct BuildContext {
    /// The store that asks.
    pub origin: StoreOrigin,
    /// Where its credentials come from.
    pub credentials: Arc<dyn CredentialSource>,
    /// The environment that replaces the configured credentials, when the user asked for that.
    pub ambient: Option<Ambient>,
    /// The environment whose identity serves a configuration that names no credentials; `None` where this process must not lend its own: to a
    /// namespaced store of an operator (design 9.2). It never replaces what is configured.
    pub own_identity: Option<Ambient>,
    /// The namespace of the ExternalSecrets that are served, where the caller builds a provider for each.
    pub consumer: Option<String>,
    /// The folder that relative paths of the configuration start from; `None` where files may not be read.
    pub base: Option<PathBuf>,
}

impl BuildContext {
    /// A context with credentials from `credentials`, and neither environment nor files.
    pub fn new(origin: StoreOrigin, credentials: Arc<dyn CredentialSource>) -> Self {
        Self { origin, credentials, ambient: None, own_identity: None, consumer: None, base: None }
    }

    /// Lets the environment replace the configured credentials.
    #[must_use]
    pub fn with_ambient(mut self, ambient: Option<Ambient>) -> Self {
        self.ambient = ambient;
        self
    }

    /// Lends the identity of this process to a configuration that names no credentials.
    #[must_use]
    pub fn with_own_identity(mut self, environment: Option<Ambient>) -> Self {
        self.own_identity = environment;
        self
    }

    /// Says whose namespace is served.
    #[must_use]
    pub fn for_consumer(mut self, namespace: impl Into<String>) -> Self {
        self.consumer = Some(namespace.into());
        self
    }

    /// Lets the configuration name files below a folder.
    #[must_use]
    pub fn with_base(mut self, base: Option<PathBuf>) -> Self {
        self.base = base;
        self
    }
}

/// Which object configured a provider: a store, or a generator, which is a provider of what it generates. `Display` is its name in messages:
/// `SecretStore shop/vault`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StoreOrigin {
    /// The kind of a generator; `None` for a store.
    generator: Option<String>,
    /// `None` for a ClusterSecretStore.
    namespace: Option<String>,
    name: String,
}

impl StoreOrigin {
    /// A store of one namespace.
    pub fn namespaced(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { generator: None, namespace: Some(namespace.into()), name: name.into() }
    }

    /// A store of the whole cluster.
    pub fn cluster(name: impl Into<String>) -> Self {
        Self { generator: None, namespace: None, name: name.into() }
    }

    /// A generator of one namespace.
    pub fn generator(kind: impl Into<String>, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { generator: Some(kind.into()), ..Self::namespaced(namespace, name) }
    }

    /// The kind of a generator; `None` for a store.
    pub fn generator_kind(&self) -> Option<&str> {
        self.generator.as_deref()
    }

    /// The namespace of a namespaced store.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for StoreOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.generator, &self.namespace) {
            (Some(kind), Some(namespace)) => write!(f, "{kind} {namespace}/{}", self.name),
            (Some(kind), None) => write!(f, "{kind} {}", self.name),
            (None, Some(namespace)) => write!(f, "SecretStore {namespace}/{}", self.name),
            (None, None) => write!(f, "ClusterSecretStore {}", self.name),
        }
    }
}

/// A store's configuration of one provider, still untyped.
#[derive(Clone)]
pub struct RawConfig(Arc<[u8]>);

impl RawConfig {
    /// Wraps the JSON text of a configuration.
    pub fn from_json(text: impl Into<Vec<u8>>) -> Self {
        Self(text.into().into())
    }

    /// Reads it as `T`. The error names the field, never a value: a configuration may hold a document or a token by mistake.
    pub fn read<T: DeserializeOwned>(&self, origin: &StoreOrigin, kind: &str) -> Result<T> {
        let mut deserializer = serde_json::Deserializer::from_slice(&self.0);
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().to_string();
            let page = kind.split('.').next().unwrap_or(kind);
            let field = if path == "." { String::new() } else { format!(".{path}") };
            let member = if origin.generator.is_some() { "spec".to_owned() } else { format!("spec.provider.{kind}") };
            Error::new(ErrorKind::InvalidConfig, "read")
                .on(format!("`{member}{field}` of {origin}"))
                .because(complaint(error.inner()))
                .with_hint(Hint::new(
                    Code::StoreInvalid,
                    match origin.generator {
                        Some(_) => "correct the field; `docs/providers` lists them all".to_owned(),
                        None => format!("correct the field; `docs/providers/{page}.md` lists them all"),
                    },
                ))
        })
    }
}

impl fmt::Debug for RawConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawConfig(..)")
    }
}

/// The part of serde's message that names fields and types of ours; whatever could quote the input is cut.
fn complaint(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    for known in ["missing field", "unknown field", "duplicate field"] {
        if let Some(rest) = text.strip_prefix(known) {
            return format!("{known}{rest}");
        }
    }
    match text.rsplit_once("expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None => "it has not the expected form".to_owned(),
    }
}

/// The kinds of providers that a program knows.
#[derive(Clone, Debug, Default)]
pub struct ProviderRegistry {
    stores: BTreeMap<&'static str, Arc<dyn ProviderFactory>>,
    generators: BTreeMap<&'static str, Arc<dyn ProviderFactory>>,
}

impl ProviderRegistry {
    /// A registry that knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind; a factory of the same kind is replaced.
    pub fn register(&mut self, factory: impl ProviderFactory) -> &mut Self {
        self.stores.insert(factory.kind(), Arc::new(factory));
        self
    }

    /// Adds a kind of generators: its factory reads a generator's whole `spec`, and what it builds has one object, whose members the generator gives.
    pub fn register_generator(&mut self, factory: impl ProviderFactory) -> &mut Self {
        self.generators.insert(factory.kind(), Arc::new(factory));
        self
    }

    /// The factory of a kind.
    pub fn factory(&self, kind: &str) -> Option<&Arc<dyn ProviderFactory>> {
        self.stores.get(kind)
    }

    /// The factory of a kind of generators.
    pub fn generator(&self, kind: &str) -> Option<&Arc<dyn ProviderFactory>> {
        self.generators.get(kind)
    }

    /// The kinds, sorted.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.stores.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Config {
        server: String,
        #[serde(default)]
        depth: u8,
    }

    fn error(text: &str) -> String {
        let origin = StoreOrigin::namespaced("shop", "v");
        RawConfig::from_json(text).read::<Config>(&origin, "vault").unwrap_err().to_string()
    }

    #[test]
    fn errors_name_the_field_and_never_the_value() {
        assert_eq!(
            error(r#"{"server": "a", "depth": "hunter2"}"#),
            "failed to read `spec.provider.vault.depth` of SecretStore shop/v: expected u8"
        );
        assert!(error(r#"{"srver": "a"}"#).contains("unknown field `srver`, expected `server` or `depth`"));
        assert!(error("{}").contains("missing field `server`"));
    }
}
