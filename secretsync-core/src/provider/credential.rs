//! How a provider obtains credentials without knowing Kubernetes.

use std::fmt;

use async_trait::async_trait;

use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::secret::SecretValue;

/// A credential named in a store's configuration.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CredentialRef {
    kind: CredentialKind,
    namespace: Option<String>,
    name: String,
    key: String,
}

/// What kind of object holds the credential.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum CredentialKind {
    /// A key of a ConfigMap: certificates of an authority.
    ConfigMap,
    /// A key of a Secret.
    Secret,
}

impl CredentialRef {
    /// A key of a Secret.
    pub fn secret(name: impl Into<String>, key: impl Into<String>) -> Self {
        Self { kind: CredentialKind::Secret, namespace: None, name: name.into(), key: key.into() }
    }

    /// A key of a ConfigMap.
    pub fn config_map(name: impl Into<String>, key: impl Into<String>) -> Self {
        Self { kind: CredentialKind::ConfigMap, namespace: None, name: name.into(), key: key.into() }
    }

    /// Sets the namespace that the configuration names; an empty one is as good as none. What it means is the source's to decide: a namespaced store has no
    /// say.
    #[must_use]
    pub fn in_namespace(mut self, namespace: Option<impl Into<String>>) -> Self {
        self.namespace = namespace.map(Into::into).filter(|namespace: &String| !namespace.is_empty());
        self
    }

    /// Secret or ConfigMap.
    pub fn kind(&self) -> CredentialKind {
        self.kind
    }

    /// The namespace that the configuration names, if any.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key inside the object.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for CredentialRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            CredentialKind::ConfigMap => "ConfigMap",
            CredentialKind::Secret => "Secret",
        };
        match &self.namespace {
            Some(namespace) => write!(f, "key `{}` of {kind} `{namespace}/{}`", self.key, self.name),
            None => write!(f, "key `{}` of {kind} `{}`", self.key, self.name),
        }
    }
}

/// Where a provider's credentials come from: objects of one namespace in the operator, documents and flags in the command line.
///
/// It is asked at each login, so a rotated credential is picked up without a restart.
#[async_trait]
pub trait CredentialSource: fmt::Debug + Send + Sync + 'static {
    /// The bytes behind a reference. A missing one is an error of kind [`ErrorKind::NotFound`] that names it.
    async fn resolve(&self, reference: &CredentialRef) -> Result<SecretValue>;
}

/// A source without credentials, for providers that need none.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NoCredentials;

#[async_trait]
impl CredentialSource for NoCredentials {
    async fn resolve(&self, reference: &CredentialRef) -> Result<SecretValue> {
        Err(Error::new(ErrorKind::NotFound, "resolve")
            .on(reference)
            .because("no source of credentials was given")
            .with_hint(Hint::new(Code::CredentialMissing, "give the provider a CredentialSource when you build it")))
    }
}
