//! Where a configuration stands: its errors name the field, and its references stay in the store's namespace.

use std::borrow::Cow;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::{CredentialRef, StoreOrigin};

use super::SecretKeySelector;

/// The store that configured something, and the member in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) origin: &'a StoreOrigin,
    /// The path below `spec`: `provider.vault`.
    pub(crate) member: &'a str,
}

impl Place<'_> {
    /// The Secret's key that a selector means.
    pub(super) fn secret(
        &self,
        field: &str,
        selector: &SecretKeySelector,
        default_key: Option<&str>,
    ) -> Result<CredentialRef> {
        self.same_namespace(field, selector.namespace.as_deref())?;
        reference(selector, default_key).ok_or_else(|| self.unnamed(field))
    }

    /// As [`secret`](Self::secret), for a selector that must be there.
    pub(super) fn given(
        &self,
        field: &str,
        selector: Option<&SecretKeySelector>,
        default_key: Option<&str>,
    ) -> Result<CredentialRef> {
        self.secret(field, selector.ok_or_else(|| self.unnamed(field))?, default_key)
    }

    /// A namespaced store reads its own namespace only; whoever resolves references checks that too.
    pub(super) fn same_namespace(&self, field: &str, namespace: Option<&str>) -> Result<()> {
        match (self.origin.namespace(), namespace) {
            (Some(own), Some(other)) if !other.is_empty() && own != other => Err(self.invalid(
                &format!("{field}.namespace"),
                "namespace should either be empty or match the namespace of the SecretStore",
                "remove `namespace`, or use a ClusterSecretStore",
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn unnamed(&self, field: &str) -> Error {
        self.invalid(field, "it needs a name and a key", "name the object and the key in it")
    }

    pub(super) fn invalid(&self, field: &str, detail: &'static str, advice: &'static str) -> Error {
        self.refused(ErrorKind::InvalidConfig, Code::StoreInvalid, field, detail, advice)
    }

    pub(super) fn refused(
        &self,
        kind: ErrorKind,
        code: Code,
        field: &str,
        detail: impl Into<Cow<'static, str>>,
        advice: &'static str,
    ) -> Error {
        Error::new(kind, "use")
            .on(format!("`spec.{}.{field}` of {}", self.member, self.origin))
            .because(detail)
            .with_hint(Hint::new(code, advice))
    }
}

fn reference(selector: &SecretKeySelector, default_key: Option<&str>) -> Option<CredentialRef> {
    let SecretKeySelector { name, namespace, key, .. } = selector;
    let name = name.as_deref().filter(|name| !name.is_empty())?;
    let key = key.as_deref().filter(|key| !key.is_empty()).or(default_key)?;
    Some(CredentialRef::secret(name, key).in_namespace(namespace.as_deref()))
}
