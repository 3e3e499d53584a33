//! ClusterExternalSecret: it describes the same sync for many namespaces.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use secretsync_core::schema::{NamespaceName, ObjectName};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::external_secret::ExternalSecretSpec;
use super::{GoDuration, LabelSelector, Manifest, Metadata};

/// Makes an ExternalSecret in each namespace that it selects.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterExternalSecret {
    #[serde(rename = "apiVersion")]
    _api_version: IgnoredAny,
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    /// Name, labels and annotations.
    pub metadata: Metadata,
    /// What it makes, and where.
    pub spec: ClusterExternalSecretSpec,
    #[serde(rename = "status")]
    _status: Option<IgnoredAny>,
}

/// The spec of a [`ClusterExternalSecret`].
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterExternalSecretSpec {
    /// The spec of the ExternalSecrets. It is copied as it is: each of them says itself what is wrong with it.
    #[schemars(with = "ExternalSecretSpec")]
    pub external_secret_spec: Value,
    /// The name of the ExternalSecrets; without it that of this object.
    #[schemars(with = "Option<ObjectName>")]
    pub external_secret_name: Option<String>,
    /// Labels and annotations of the ExternalSecrets.
    #[serde(default)]
    pub external_secret_metadata: ExternalSecretMetadata,
    /// Which namespaces, by their labels: one selector must match.
    #[serde(default)]
    pub namespace_selectors: Vec<LabelSelector>,
    /// One more selector. Deprecated: use `namespaceSelectors`.
    pub namespace_selector: Option<LabelSelector>,
    /// More namespaces, by name. Deprecated: use `namespaceSelectors` with the label `kubernetes.io/metadata.name`.
    #[serde(default)]
    #[schemars(with = "Vec<NamespaceName>")]
    pub namespaces: Vec<String>,
    /// The time between two looks at the namespaces; without it an hour, zero for never.
    pub refresh_time: Option<GoDuration>,
}

/// Labels and annotations of the ExternalSecrets that are made.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretMetadata {
    /// All labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// All annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest for ClusterExternalSecret {
    const KIND: &'static str = "ClusterExternalSecret";

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
