//! `vaultTransit`: a key of the transit engine that unwraps data keys of SOPS documents.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::{CaProvider, ClientTls, VaultAuth, VaultConfig};

/// A transit engine, and which of its keys may be used. The server's fields are those of `provider.vault`.
#[non_exhaustive]
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransitConfig {
    /// The base URL. It alone decides who is asked: the address in a document is not looked at.
    pub server: String,
    /// The mount of the transit engine; `transit` by default.
    pub path: Option<String>,
    /// The key that may be used; without `key` and `keys`, every key of the mount that the policies of the token allow.
    pub key: Option<String>,
    /// Further keys that may be used.
    pub keys: Option<Vec<String>>,
    /// The namespace of the engine.
    pub namespace: Option<String>,
    /// Who asks.
    pub auth: Option<VaultAuth>,
    /// Headers that each request carries.
    pub headers: Option<BTreeMap<String, String>>,
    /// Certificates of the authorities that are trusted instead of the system's: PEM, or base64 of PEM.
    pub ca_bundle: Option<String>,
    /// Where such certificates are; `ca_bundle` wins.
    pub ca_provider: Option<CaProvider>,
    /// The client certificate that each connection offers.
    pub tls: Option<ClientTls>,
}

impl TransitConfig {
    /// The part that leads to the server.
    pub(crate) fn server(&self) -> VaultConfig {
        let Self { server, namespace, auth, headers, ca_bundle, ca_provider, tls, .. } = self.clone();
        VaultConfig { server, namespace, auth, headers, ca_bundle, ca_provider, tls, ..VaultConfig::default() }
    }
}

impl fmt::Debug for TransitConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may hold credentials, and a mistaken server URL a password.
        f.debug_struct("TransitConfig").field("path", &self.path).field("key", &self.key).finish_non_exhaustive()
    }
}
