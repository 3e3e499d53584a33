//! How configurations name credentials: External Secrets Operator's selectors.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{CredentialRef, StoreOrigin};
use crate::schema::{NamespaceName, ObjectName, SecretKey};

/// A key of a Secret.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretKeySelector {
    /// The Secret.
    #[schemars(with = "Option<ObjectName>")]
    pub name: Option<String>,
    /// Its namespace; for cluster stores only.
    #[schemars(with = "Option<NamespaceName>")]
    pub namespace: Option<String>,
    /// The key.
    #[schemars(with = "Option<SecretKey>")]
    pub key: Option<String>,
}

/// A service account.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceAccountSelector {
    /// The service account.
    #[schemars(with = "ObjectName")]
    pub name: String,
    /// Its namespace; for cluster stores only.
    #[schemars(with = "Option<NamespaceName>")]
    pub namespace: Option<String>,
    /// Audiences of the token.
    pub audiences: Option<Vec<String>>,
}

/// Why a selector cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SelectorProblem {
    /// What is wrong.
    pub detail: &'static str,
    /// What to do.
    pub advice: &'static str,
}

impl SecretKeySelector {
    /// A key of a Secret in the store's own namespace.
    pub fn new(name: impl Into<String>, key: impl Into<String>) -> Self {
        Self { name: Some(name.into()), namespace: None, key: Some(key.into()) }
    }

    /// The key that it means, `default_key` where it names none.
    pub fn reference(&self, default_key: Option<&str>) -> Result<CredentialRef, SelectorProblem> {
        let Self { name, namespace, key } = self;
        let name = name.as_deref().filter(|name| !name.is_empty());
        let key = key.as_deref().filter(|key| !key.is_empty()).or(default_key);
        let (Some(name), Some(key)) = (name, key) else {
            return Err(SelectorProblem {
                detail: "it needs a name and a key",
                advice: "name the object and the key in it",
            });
        };
        Ok(CredentialRef::secret(name, key).in_namespace(namespace.as_deref()))
    }
}

impl ServiceAccountSelector {
    /// A service account in the store's own namespace.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), namespace: None, audiences: None }
    }

    /// The service account that it means.
    pub fn reference(&self) -> Result<CredentialRef, SelectorProblem> {
        if self.name.is_empty() {
            return Err(SelectorProblem { detail: "it needs a name", advice: "name the service account" });
        }
        Ok(CredentialRef::service_account(&self.name).in_namespace(self.namespace.as_deref()))
    }
}

impl StoreOrigin {
    /// Whether a store may name this namespace: a namespaced one reads its own only, and whoever resolves references checks that too.
    pub fn admits(&self, namespace: Option<&str>) -> Result<(), SelectorProblem> {
        match (self.namespace(), namespace) {
            (Some(own), Some(other)) if own != other && !other.is_empty() => Err(SelectorProblem {
                detail: "namespace should either be empty or match the namespace of the SecretStore",
                advice: "remove `namespace`, or use a ClusterSecretStore",
            }),
            _ => Ok(()),
        }
    }
}
