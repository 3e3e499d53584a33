//! Generators: they give the keys of an ExternalSecret without a store.

use secretsync_core::provider::RawConfig;
use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{GENERATORS_API_VERSION, Manifest, Metadata, RetrySettings};

/// Sends one request to Vault, and gives what the answer hands out.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultDynamicSecret {
    #[serde(rename = "apiVersion")]
    _api_version: IgnoredAny,
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    /// Name, namespace, labels and annotations.
    pub metadata: Metadata,
    /// What it asks for.
    pub spec: GeneratorSpec,
    #[serde(rename = "status")]
    _status: Option<IgnoredAny>,
}

/// The spec of a generator, still untyped: the factory of its kind reads it.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct GeneratorSpec {
    /// All of it.
    pub config: RawConfig,
    /// The class of the controller that handles it; empty for any.
    pub controller: Option<String>,
    /// How often and how fast failed calls are tried again.
    pub retry_settings: Option<RetrySettings>,
}

/// What every generator of this kind has, whatever else it says.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Common {
    controller: Option<String>,
    retry_settings: Option<RetrySettings>,
}

impl<'de> Deserialize<'de> for GeneratorSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spec = serde_json::Map::<String, Value>::deserialize(deserializer)?;
        let common = spec.iter().filter(|(name, _)| matches!(name.as_str(), "controller" | "retrySettings"));
        let common: Value = common.map(|(name, value)| (name.clone(), value.clone())).collect();
        let Common { controller, retry_settings } =
            super::read::read(common).map_err(|complaints| D::Error::custom(complaints.join("; ")))?;
        let config = serde_json::to_vec(&spec).map_err(|_| D::Error::custom("expected JSON"))?;
        Ok(Self { config: RawConfig::from_json(config), controller, retry_settings })
    }
}

impl Manifest for VaultDynamicSecret {
    const API_VERSION: &'static str = GENERATORS_API_VERSION;
    const KIND: &'static str = "VaultDynamicSecret";

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
