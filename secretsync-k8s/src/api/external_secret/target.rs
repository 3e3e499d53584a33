//! `target`: the Secret that is written.

use schemars::JsonSchema;
use secretsync_core::schema::ObjectName;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::Template;

/// The Secret that is written.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Its name; without it the ExternalSecret's.
    #[schemars(with = "Option<ObjectName>")]
    pub name: Option<String>,
    /// What may be done to it.
    #[serde(default)]
    #[schemars(extend("default" = "Owner"))]
    pub creation_policy: CreationPolicy,
    /// What happens when the sources are gone.
    #[serde(default)]
    #[schemars(extend("default" = "Retain"))]
    pub deletion_policy: DeletionPolicy,
    /// How it is made from the data.
    pub template: Option<Template>,
    /// Another object than a Secret. Not supported yet.
    pub manifest: Option<ManifestTarget>,
    /// Whether it is made immutable.
    #[serde(default)]
    pub immutable: bool,
    /// Keeps the values from before the last change. Not supported yet.
    #[schemars(with = "Option<Value>")]
    pub keep_previous: Option<IgnoredAny>,
    /// Restarts workloads after a change. Not supported yet.
    #[schemars(with = "Option<Value>")]
    pub restart: Option<IgnoredAny>,
}

/// What may be done to the Secret.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum CreationPolicy {
    /// It is created or updated; keys of others stay.
    CreateOrMerge,
    /// It is updated where it exists; keys of others stay.
    Merge,
    /// It is left alone.
    None,
    /// It is created or updated, and survives the ExternalSecret.
    Orphan,
    /// It is created or updated, and goes with the ExternalSecret.
    #[default]
    Owner,
}

/// What happens when the sources are gone.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum DeletionPolicy {
    /// Missing keys go, and the Secret with the last of them.
    Delete,
    /// Missing keys go.
    Merge,
    /// Nothing goes.
    #[default]
    Retain,
}

/// Another object than a Secret.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestTarget {
    /// Its group and version.
    #[schemars(length(min = 1))]
    pub api_version: String,
    /// Its kind.
    #[schemars(length(min = 1))]
    pub kind: String,
}
