//! How a provider obtains credentials without knowing Kubernetes.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::secret::SecretValue;

/// A credential named in a store's configuration: a key of a Secret or ConfigMap, or a service account.
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
    /// A service account, whose tokens are issued on demand.
    ServiceAccount,
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

    /// A service account. It has no key; [`CredentialSource::token`] asks for its tokens.
    pub fn service_account(name: impl Into<String>) -> Self {
        Self { kind: CredentialKind::ServiceAccount, namespace: None, name: name.into(), key: String::new() }
    }

    /// Sets the namespace that the configuration names; an empty one is as good as none. What it means is the source's to decide: a namespaced store has no
    /// say.
    #[must_use]
    pub fn in_namespace(mut self, namespace: Option<impl Into<String>>) -> Self {
        self.namespace = namespace.map(Into::into).filter(|namespace: &String| !namespace.is_empty());
        self
    }

    /// What kind of object it is.
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

    /// The key inside the object; empty for a service account.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for CredentialRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            CredentialKind::ConfigMap => write!(f, "key `{}` of ConfigMap", self.key)?,
            CredentialKind::Secret => write!(f, "key `{}` of Secret", self.key)?,
            CredentialKind::ServiceAccount => f.write_str("service account")?,
        }
        match &self.namespace {
            Some(namespace) => write!(f, " `{namespace}/{}`", self.name),
            None => write!(f, " `{}`", self.name),
        }
    }
}

/// Which token of a service account is wanted.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TokenRequest {
    /// Who the token is meant for; without any, the API server chooses itself. A token that is sent elsewhere MUST name its receiver.
    pub audiences: Vec<String>,
    /// How long it is to live; `None` leaves that to the issuer. The issuer may give more or less, and Kubernetes gives no less than ten minutes.
    pub lifetime: Option<Duration>,
}

impl TokenRequest {
    /// A token for these receivers, of the issuer's usual life.
    pub fn new(audiences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { audiences: audiences.into_iter().map(Into::into).collect(), lifetime: None }
    }

    /// Asks for a certain life.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }
}

/// A token of a service account.
#[non_exhaustive]
#[derive(Debug)]
pub struct AccountToken {
    /// The token.
    pub token: SecretValue,
    /// When it ends, where the issuer said so.
    pub expires_at: Option<SystemTime>,
}

impl AccountToken {
    /// A token that ends at a certain moment, or at one that is not known.
    pub fn new(token: SecretValue, expires_at: Option<SystemTime>) -> Self {
        Self { token, expires_at }
    }
}

/// Where a provider's credentials come from: objects of one namespace in the operator, documents and flags in the command line.
///
/// It is asked at each login, so a rotated credential is picked up without a restart.
#[async_trait]
pub trait CredentialSource: fmt::Debug + Send + Sync + 'static {
    /// The bytes behind a key of a Secret or ConfigMap. A missing one is an error of kind [`ErrorKind::NotFound`] that names it.
    async fn resolve(&self, reference: &CredentialRef) -> Result<SecretValue>;

    /// The keys of the Secret or ConfigMap that a reference names, sorted; its own key does not matter. A missing object is an error as for
    /// [`resolve`](Self::resolve). A source that cannot list refuses with [`ErrorKind::Unsupported`], which is the default.
    async fn keys(&self, object: &CredentialRef) -> Result<Vec<String>> {
        Err(Error::new(ErrorKind::Unsupported, "list the keys")
            .on(format!("beside {object}"))
            .because("this source of credentials gives only what is asked for by name")
            .with_hint(Hint::new(Code::Unsupported, "name each key with `data` or `dataFrom[].extract`")))
    }

    /// A text that names what is behind a reference, wherever it is asked from: equal texts of two sources MUST mean the same credential, so that whoever may
    /// use the one may use the other. `None`, the default, shares nothing. Pure.
    fn identity(&self, _reference: &CredentialRef) -> Option<String> {
        None
    }

    /// A new token of a service account. A source without a cluster refuses with [`ErrorKind::Unsupported`].
    async fn token(&self, account: &CredentialRef, _request: &TokenRequest) -> Result<AccountToken> {
        Err(no_cluster("issue a token", account))
    }

    /// The annotations of a service account: roles that it may take elsewhere. A source without a cluster refuses with
    /// [`ErrorKind::Unsupported`].
    async fn annotations(&self, account: &CredentialRef) -> Result<BTreeMap<String, String>> {
        Err(no_cluster("read the annotations", account))
    }
}

fn no_cluster(operation: &'static str, account: &CredentialRef) -> Error {
    Error::new(ErrorKind::Unsupported, operation)
        .on(format!("of {account}"))
        .because("only a cluster can do that, and none is in reach")
        .with_hint(Hint::new(
            Code::CredentialMissing,
            "name the cluster of the service account, or give the store another way to log in",
        ))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_read_like_a_sentence() {
        let texts = [
            CredentialRef::secret("s", "k"),
            CredentialRef::config_map("c", "k").in_namespace(Some("n")),
            CredentialRef::service_account("a").in_namespace(Some("n")),
        ];
        let texts = texts.map(|reference| reference.to_string());
        assert_eq!(texts, ["key `k` of Secret `s`", "key `k` of ConfigMap `n/c`", "service account `n/a`"]);
    }
}
