//! ExternalSecret: it describes a sync.

mod rewrite;
mod source;
mod target;
mod template;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::schema::Schedule;
use super::{GoDuration, Manifest, Metadata};

pub use rewrite::{ConflictPolicy, Merge, MergeStrategy, PriorityPolicy, Regexp, Rewrite, Transform};
pub use source::{
    ConversionStrategy, Data, DataFrom, DecodingStrategy, Find, FindName, GeneratorRef, MetadataPolicy, NullBytePolicy,
    OnMissing, RemoteRef, SourceRef, StoreKind, StoreRef,
};
pub use target::{CreationPolicy, DeletionPolicy, ManifestTarget, Target};
pub use template::{
    EngineVersion, MergePolicy, Template, TemplateAs, TemplateFrom, TemplateItem, TemplateMetadata, TemplateSource,
};

/// Describes a sync: which objects of which providers become which keys of one Secret.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecret {
    #[serde(rename = "apiVersion")]
    _api_version: IgnoredAny,
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    /// Name, namespace, labels and annotations.
    pub metadata: Metadata,
    /// The sync.
    pub spec: ExternalSecretSpec,
    #[serde(rename = "status")]
    _status: Option<IgnoredAny>,
}

/// The spec of an [`ExternalSecret`].
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretSpec {
    /// The store of all entries that name no other.
    pub secret_store_ref: Option<StoreRef>,
    /// The Secret that is written.
    #[serde(default)]
    #[schemars(extend("default" = {"creationPolicy": "Owner", "deletionPolicy": "Retain"}))]
    pub target: Target,
    /// When it is written again.
    pub refresh_policy: Option<RefreshPolicy>,
    /// The time between two refreshes; zero and less refresh once.
    #[schemars(extend("default" = "1h0m0s"))]
    pub refresh_interval: Option<GoDuration>,
    /// Single keys.
    #[serde(default)]
    pub data: Vec<Data>,
    /// Whole objects; `data` wins over them.
    #[serde(default)]
    pub data_from: Vec<DataFrom>,
    /// When periodic refreshes may happen.
    pub sync_windows: Option<SyncWindows>,
    /// Stops all work on this object. An addition to External Secrets Operator's API.
    pub suspend: Option<bool>,
}

/// When the Secret is written again.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum RefreshPolicy {
    /// Once.
    CreatedOnce,
    /// When the ExternalSecret changes.
    OnChange,
    /// Whenever the interval has passed.
    Periodic,
}

/// When periodic refreshes may happen.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncWindows {
    /// Whether they may happen inside the windows, or outside.
    pub kind: WindowKind,
    /// The windows: at least one.
    #[schemars(length(min = 1))]
    pub windows: Vec<SyncWindow>,
}

/// What a window means.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum WindowKind {
    /// Refreshes happen only inside.
    Allow,
    /// Refreshes happen only outside.
    Deny,
}

/// One window.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncWindow {
    /// When it opens: five cron fields, or `@daily` and the like.
    #[schemars(with = "Schedule")]
    pub schedule: String,
    /// How long it stays open.
    pub duration: GoDuration,
}

impl Manifest for ExternalSecret {
    const KIND: &'static str = "ExternalSecret";

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
