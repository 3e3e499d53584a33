//! `target.template`: how the Secret is made from the data.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use secretsync_core::schema::{ObjectName, SecretKey};
use serde::Deserialize;

use super::DecodingStrategy;

/// How the Secret is made from the data.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// The Secret's type.
    #[serde(rename = "type")]
    pub secret_type: Option<String>,
    /// The version of the template language.
    #[serde(default)]
    #[schemars(extend("default" = "v2"))]
    pub engine_version: EngineVersion,
    /// Labels, annotations and finalizers.
    #[serde(default)]
    pub metadata: TemplateMetadata,
    /// Whether the data's own keys stay.
    #[serde(default)]
    #[schemars(extend("default" = "Replace"))]
    pub merge_policy: MergePolicy,
    /// The template of each key.
    #[serde(default)]
    pub data: BTreeMap<String, String>,
    /// Templates from elsewhere, in order.
    #[serde(default)]
    pub template_from: Vec<TemplateFrom>,
}

/// The version of the template language: there is one.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum EngineVersion {
    /// Go templates with sprig's functions.
    #[default]
    V2,
}

/// Whether the data's own keys stay beside the template's.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum MergePolicy {
    /// They stay.
    Merge,
    /// They go.
    #[default]
    Replace,
}

/// Metadata of the Secret.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateMetadata {
    /// The template of each label.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The template of each annotation.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Finalizers that are added where they are missing.
    #[serde(default)]
    pub finalizers: Vec<String>,
}

/// Templates from elsewhere.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateFrom {
    /// A ConfigMap of the namespace.
    pub config_map: Option<TemplateSource>,
    /// A Secret of the namespace.
    pub secret: Option<TemplateSource>,
    /// The template itself.
    pub literal: Option<String>,
    /// Where the results go: `Data`, `Labels` or `Annotations`, in any letter case; without it `Data`.
    #[schemars(extend("default" = "Data"))]
    pub target: Option<String>,
    /// How each result is decoded.
    pub values_decoding_strategy: Option<DecodingStrategy>,
}

/// An object that holds templates.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateSource {
    /// Its name.
    #[schemars(with = "ObjectName")]
    pub name: String,
    /// The keys that are taken.
    pub items: Vec<TemplateItem>,
}

/// A key that holds a template.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateItem {
    /// The key.
    #[schemars(with = "SecretKey")]
    pub key: String,
    /// What the rendered text is.
    #[serde(default)]
    #[schemars(extend("default" = "Values"))]
    pub template_as: TemplateAs,
}

/// What a rendered text is.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum TemplateAs {
    /// A YAML mapping of keys to values.
    KeysAndValues,
    /// The value of the key.
    #[default]
    Values,
}
