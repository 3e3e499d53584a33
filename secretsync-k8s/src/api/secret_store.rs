//! SecretStore and ClusterSecretStore: they configure a provider.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use secretsync_core::provider::RawConfig;
use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{GoDuration, Manifest, Metadata, StoreInterval};

/// Configures a provider for the ExternalSecrets of its namespace.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretStore {
    #[serde(rename = "apiVersion")]
    _api_version: IgnoredAny,
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    /// Name, namespace, labels and annotations.
    pub metadata: Metadata,
    /// What it configures.
    pub spec: SecretStoreSpec,
    #[serde(rename = "status")]
    _status: Option<IgnoredAny>,
}

/// Configures a provider for the ExternalSecrets of all namespaces, or of those that its conditions name.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSecretStore {
    #[serde(rename = "apiVersion")]
    _api_version: IgnoredAny,
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    /// Name, labels and annotations.
    pub metadata: Metadata,
    /// What it configures.
    pub spec: SecretStoreSpec,
    #[serde(rename = "status")]
    _status: Option<IgnoredAny>,
}

/// The spec of both kinds of stores.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretStoreSpec {
    /// The class of the controller that handles it; empty for any.
    pub controller: Option<String>,
    /// The provider's configuration, under the provider's name: exactly one.
    pub provider: ProviderConfig,
    /// How often and how fast failed calls are tried again.
    pub retry_settings: Option<RetrySettings>,
    /// How often the store is validated again.
    pub refresh_interval: Option<StoreInterval>,
    /// Which namespaces may use it, of a ClusterSecretStore: one condition must hold. None for all namespaces.
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

/// Configurations by provider kind, each still untyped: the provider's factory reads it.
#[derive(Clone, Debug)]
pub struct ProviderConfig(BTreeMap<String, RawConfig>);

impl ProviderConfig {
    /// Kinds with their configurations, sorted by kind.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &RawConfig)> {
        self.0.iter().map(|(kind, config)| (kind.as_str(), config))
    }
}

impl<'de> Deserialize<'de> for ProviderConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = BTreeMap::<String, Value>::deserialize(deserializer)?;
        let raw = |value: &Value| {
            serde_json::to_vec(value).map(RawConfig::from_json).map_err(|_| D::Error::custom("expected JSON"))
        };
        members.into_iter().map(|(kind, value)| Ok((kind, raw(&value)?))).collect::<Result<_, D::Error>>().map(Self)
    }
}

/// How failed calls to the provider are tried again.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RetrySettings {
    /// How many times.
    pub max_retries: Option<i32>,
    /// The pause between two attempts.
    pub retry_interval: Option<GoDuration>,
}

/// A condition on the namespaces that may use a ClusterSecretStore. It holds where one of its fields does.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Holds for namespaces with these labels.
    pub namespace_selector: Option<LabelSelector>,
    /// Holds for these namespaces.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// Holds for namespaces whose name contains a match of one of these expressions (RE2, not anchored).
    #[serde(default)]
    pub namespace_regexes: Vec<String>,
    /// Which objects those namespaces may read: templates of their addresses ([`KeyTemplate`](secretsync_core::access::KeyTemplate)); `None` for all.
    /// An addition to External Secrets Operator's API.
    pub keys: Option<Vec<String>>,
}

/// Selects objects by their labels. All requirements must hold; none selects every object.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must have these values.
    #[serde(default)]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements.
    #[serde(default)]
    pub match_expressions: Vec<SelectorRequirement>,
}

/// A requirement on one label.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SelectorRequirement {
    /// The label's key.
    pub key: String,
    /// How its value is compared.
    #[schemars(with = "String")]
    pub operator: SelectorOperator,
    /// The values it is compared with.
    #[serde(default)]
    pub values: Vec<String>,
}

/// How a label is compared. A cluster stores any word here.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SelectorOperator {
    /// There is no such label.
    DoesNotExist,
    /// There is one.
    Exists,
    /// It has one of the values.
    In,
    /// It has none of the values, or is not there.
    NotIn,
    /// Another word: a selector that cannot be used.
    Unknown,
}

impl<'de> Deserialize<'de> for SelectorOperator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match String::deserialize(deserializer)?.as_str() {
            "DoesNotExist" => Self::DoesNotExist,
            "Exists" => Self::Exists,
            "In" => Self::In,
            "NotIn" => Self::NotIn,
            _ => Self::Unknown,
        })
    }
}

impl Manifest for SecretStore {
    const KIND: &'static str = "SecretStore";

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl Manifest for ClusterSecretStore {
    const KIND: &'static str = "ClusterSecretStore";

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
