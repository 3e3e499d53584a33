//! `dataFrom[].rewrite`: changes to keys.

use schemars::JsonSchema;
use serde::Deserialize;

/// One change to the keys: exactly one member.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct Rewrite {
    /// Merges the values, each of them a JSON object.
    pub merge: Option<Merge>,
    /// Replaces matches of an expression.
    pub regexp: Option<Regexp>,
    /// Renders a template with the key as its value.
    pub transform: Option<Transform>,
}

/// Merges the values, each of them a JSON object.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Merge {
    /// What happens when two objects have the same member.
    #[serde(default)]
    #[schemars(extend("default" = "Error"))]
    pub conflict_policy: ConflictPolicy,
    /// The key of the merged object, with strategy `JSON`.
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub into: String,
    /// Keys that are merged last, in this order.
    #[serde(default)]
    pub priority: Vec<String>,
    /// What happens when a key of `priority` is missing.
    #[serde(default)]
    #[schemars(extend("default" = "Strict"))]
    pub priority_policy: PriorityPolicy,
    /// What the merged object becomes.
    #[serde(default)]
    #[schemars(extend("default" = "Extract"))]
    pub strategy: MergeStrategy,
}

/// What happens when two objects have the same member.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum ConflictPolicy {
    /// It is an error.
    #[default]
    Error,
    /// The later one wins.
    Ignore,
}

/// What happens when a key of `priority` is missing.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum PriorityPolicy {
    /// It is left out.
    IgnoreNotFound,
    /// It is an error.
    #[default]
    Strict,
}

/// What a merged object becomes.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum MergeStrategy {
    /// Its members become keys.
    #[default]
    Extract,
    /// It becomes one key.
    #[serde(rename = "JSON")]
    Json,
}

/// Replaces matches of an expression in the keys.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Regexp {
    /// The expression (RE2).
    pub source: String,
    /// The replacement.
    pub target: String,
}

/// Renders a template with the key as its value.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transform {
    /// The template.
    pub template: String,
}
