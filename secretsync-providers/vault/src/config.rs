//! The configuration of a store: External Secrets Operator's `provider.vault`, field for field.

mod account;
pub mod auth;
mod method;
mod openbao;
mod place;
mod settings;
mod transit;

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use secretsync_core::schema::{NamespaceName, ObjectName, SecretKey};
use serde::Deserialize;

pub(crate) use account::{Account, AccountKey, Authorities, ClientCertificate};
use account::{CERTIFICATE_KEY, KEY_KEY};
pub use auth::VaultAuth;
pub(crate) use openbao::open_bao;
pub use openbao::{OpenBaoAuth, OpenBaoConfig};
pub use secretsync_core::provider::{SecretKeySelector, ServiceAccountSelector};
pub(crate) use settings::{Settings, key_names, references};
pub use transit::TransitConfig;

/// `provider.vault`. Every field of the original is known; what does not work yet is refused by name when a provider is built.
#[non_exhaustive]
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VaultConfig {
    /// The base URL. A path in it is kept, for servers behind a prefix.
    pub server: String,
    /// The mount of the KV engine; without it keys begin with the mount.
    pub path: Option<String>,
    /// The version of the KV engine; `v2` by default.
    #[schemars(extend("default" = "v2"))]
    pub version: Option<KvVersion>,
    /// The namespace of the secrets.
    pub namespace: Option<String>,
    /// Who asks; without it requests carry no token, as behind a proxy that adds one.
    pub auth: Option<VaultAuth>,
    /// Headers that each request carries.
    pub headers: Option<BTreeMap<String, String>>,
    /// Certificates of the authorities that are trusted instead of the system's: PEM, or base64 of PEM.
    pub ca_bundle: Option<String>,
    /// Where such certificates are; `ca_bundle` wins.
    pub ca_provider: Option<CaProvider>,
    /// The client certificate that each connection offers.
    pub tls: Option<ClientTls>,
    /// Together with `read_your_writes`: lets a node that lags behind forward the request.
    pub forward_inconsistent: Option<bool>,
    /// Sends the state of the newest answer along, so that no node with an older state answers.
    pub read_your_writes: Option<bool>,
    /// How values are written. Accepted for the sake of the manifests; nothing is written here.
    pub check_and_set: Option<CheckAndSet>,
}

impl VaultConfig {
    /// A configuration of a server, everything else as by default.
    pub fn new(server: impl Into<String>) -> Self {
        Self { server: server.into(), ..Self::default() }
    }
}

impl fmt::Debug for VaultConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may hold credentials, and a mistaken server URL a password.
        f.debug_struct("VaultConfig").field("path", &self.path).field("version", &self.version).finish_non_exhaustive()
    }
}

/// The version of a KV engine.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum KvVersion {
    /// Without versions of the values.
    V1,
    /// With versions of the values.
    #[default]
    V2,
}

impl fmt::Display for KvVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        })
    }
}

/// `caProvider`.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaProvider {
    /// What holds the certificates.
    #[serde(rename = "type")]
    pub kind: CaProviderKind,
    /// The object's name.
    #[schemars(with = "ObjectName")]
    pub name: String,
    /// The key in it.
    #[schemars(with = "Option<SecretKey>")]
    pub key: Option<String>,
    /// Its namespace; cluster stores must name it.
    #[schemars(with = "Option<NamespaceName>")]
    pub namespace: Option<String>,
}

/// What holds certificates of an authority.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum CaProviderKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

/// `tls`: both or neither.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientTls {
    /// Where the certificate is; key `tls.crt` by default.
    pub cert_secret_ref: Option<SecretKeySelector>,
    /// Where its key is; key `tls.key` by default.
    pub key_secret_ref: Option<SecretKeySelector>,
}

/// `checkAndSet`.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckAndSet {
    /// Whether writes name the version they replace.
    pub required: Option<bool>,
}
