//! Who unwraps data keys: an encrypted document carries its data key wrapped by a key that never leaves such a service.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{BuildContext, CredentialRef, RawConfig, StoreOrigin};
use crate::error::Result;
use crate::secret::SecretValue;

/// A configured service that unwraps data keys: one identity at one server.
///
/// # Security
///
/// A document *selects* among the services that a store configures, and never says whom to contact: addresses, roles and profiles in a
/// [`WrappedKey`] are compared with the configuration at most (design 7).
#[async_trait]
pub trait KeyService: fmt::Debug + Send + Sync + 'static {
    /// Whether this service may be asked for the key, else why not, in a few words that name no value. Pure: nothing is sent.
    fn serves(&self, key: &WrappedKey) -> Result<(), String>;

    /// The data key. Asked only for keys that it [`serves`](Self::serves).
    async fn unwrap(&self, key: &WrappedKey) -> Result<SecretValue>;

    /// Ends sessions and gives back what is held, bounded in time.
    async fn close(&self);
}

/// Builds key services of one kind from a store's configuration.
#[async_trait]
pub trait KeyServiceFactory: fmt::Debug + Send + Sync + 'static {
    /// The member of a configured key that this factory reads: `vaultTransit`, `awsKms`.
    fn member(&self) -> &'static str;

    /// Which wrapped keys its services can open.
    fn kind(&self) -> KeyKind;

    /// What the configuration reads from outside. Pure.
    fn references(&self, config: &RawConfig, origin: &StoreOrigin) -> Result<Vec<CredentialRef>>;

    /// Whether a service asks in another way for each [`BuildContext::consumer`]. Pure.
    fn depends_on_consumer(&self, _config: &RawConfig, _origin: &StoreOrigin) -> Result<bool> {
        Ok(false)
    }

    /// Builds a service. Checks the whole configuration; nothing is sent before the first use.
    async fn build(&self, config: &RawConfig, context: BuildContext) -> Result<Arc<dyn KeyService>>;
}

/// Which kind of service wrapped a data key.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum KeyKind {
    /// AWS KMS. Attributes: `arn`, and where the document has them `role` and `aws_profile`.
    AwsKms,
    /// The transit engine of Vault or OpenBao. Attributes: `vault_address`, `engine_path`, `key_name`.
    VaultTransit,
}

/// A data key as a document carries it.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WrappedKey {
    /// Who wrapped it.
    pub kind: KeyKind,
    /// What the document says about the key, by the document's own names: hostile until compared.
    pub attributes: BTreeMap<String, String>,
    /// The encryption context that is bound to the ciphertext (AWS KMS).
    pub context: BTreeMap<String, String>,
    /// The wrapped key as the document writes it: base64 for AWS KMS, `vault:v1:…` for transit.
    pub ciphertext: String,
}

impl WrappedKey {
    /// A wrapped key without attributes.
    pub fn new(kind: KeyKind, ciphertext: impl Into<String>) -> Self {
        Self { kind, attributes: BTreeMap::new(), context: BTreeMap::new(), ciphertext: ciphertext.into() }
    }

    /// Adds what the document says about the key.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.attributes.insert(name.into(), text.into());
        self
    }

    /// Sets the encryption context.
    #[must_use]
    pub fn with_context(mut self, context: BTreeMap<String, String>) -> Self {
        self.context = context;
        self
    }

    /// What the document says under a name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}
