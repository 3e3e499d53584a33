//! Where the data comes from: `data`, `dataFrom`, and references to stores.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use secretsync_core::schema::{ObjectName, SecretKey};
use serde::Deserialize;

use super::Rewrite;
use crate::api::GENERATORS_API_VERSION;
use crate::api::schema::GeneratorKind;

/// One key of the Secret.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Data {
    /// The key.
    #[schemars(with = "SecretKey")]
    pub secret_key: String,
    /// The object, and the part of it.
    pub remote_ref: RemoteRef,
    /// Another store than the object's.
    pub source_ref: Option<SourceRef>,
    /// What happens when the object is missing, whatever `deletionPolicy` says. An addition to External Secrets Operator's API.
    pub on_missing: Option<OnMissing>,
}

/// Many keys of the Secret.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataFrom {
    /// Takes the members of one object.
    pub extract: Option<RemoteRef>,
    /// Takes each object that matches.
    pub find: Option<Find>,
    /// Changes the keys, in order.
    #[serde(default)]
    pub rewrite: Vec<Rewrite>,
    /// Another store than the object's, or a generator.
    pub source_ref: Option<SourceRef>,
    /// What happens when the object is missing, whatever `deletionPolicy` says. An addition to External Secrets Operator's API.
    pub on_missing: Option<OnMissing>,
}

/// An object and what is taken of it.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemoteRef {
    /// The object's key at the provider.
    pub key: String,
    /// The property of the object; without it the object is taken whole.
    pub property: Option<String>,
    /// The version, in the provider's words; without it the newest.
    pub version: Option<String>,
    /// Whether the object's metadata is meant.
    pub metadata_policy: Option<MetadataPolicy>,
    /// How remote names become keys.
    pub conversion_strategy: Option<ConversionStrategy>,
    /// How values are decoded.
    pub decoding_strategy: Option<DecodingStrategy>,
    /// What a NUL byte in a value means.
    pub null_byte_policy: Option<NullBytePolicy>,
}

/// Which objects are taken. All criteria must hold.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Find {
    /// Where to look.
    pub path: Option<String>,
    /// What the name must match.
    pub name: Option<FindName>,
    /// Tags that must have these values.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// How remote names become keys.
    pub conversion_strategy: Option<ConversionStrategy>,
    /// How values are decoded.
    pub decoding_strategy: Option<DecodingStrategy>,
    /// What a NUL byte in a value means.
    pub null_byte_policy: Option<NullBytePolicy>,
}

/// What a name must match.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FindName {
    /// A regular expression (RE2), found anywhere in the name.
    pub regexp: Option<String>,
}

/// The source of an entry: exactly one member.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct SourceRef {
    /// A store.
    pub store_ref: Option<StoreRef>,
    /// A generator, of a `dataFrom` entry.
    pub generator_ref: Option<GeneratorRef>,
}

/// A reference to a store.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreRef {
    /// The store's name.
    #[schemars(with = "Option<ObjectName>")]
    pub name: Option<String>,
    /// The store's kind.
    #[serde(default)]
    pub kind: StoreKind,
}

/// The kinds of stores.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd)]
pub enum StoreKind {
    /// A store of the whole cluster.
    ClusterSecretStore,
    /// A store of the ExternalSecret's namespace.
    #[default]
    SecretStore,
}

/// A reference to a generator.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GeneratorRef {
    /// The generator's group and version.
    #[schemars(extend("default" = GENERATORS_API_VERSION))]
    pub api_version: Option<String>,
    /// The generator's kind.
    #[schemars(with = "GeneratorKind")]
    pub kind: String,
    /// The generator's name.
    #[schemars(with = "ObjectName")]
    pub name: String,
}

/// Whether an object's metadata is meant.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum MetadataPolicy {
    /// Its metadata.
    Fetch,
    /// Its value.
    #[default]
    None,
}

/// How remote names become keys.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum ConversionStrategy {
    /// Other characters become `_`.
    #[default]
    Default,
    /// Other characters become their code point.
    Unicode,
}

/// How values are decoded.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum DecodingStrategy {
    /// Whichever base64 fits, else unchanged.
    Auto,
    /// Standard base64.
    Base64,
    /// Base64 with the URL alphabet.
    #[serde(rename = "Base64URL")]
    Base64Url,
    /// Unchanged.
    #[default]
    None,
}

/// What a NUL byte in a value means.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum NullBytePolicy {
    /// An error.
    Fail,
    /// Nothing.
    #[default]
    Ignore,
}

/// What happens when an object is missing.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum OnMissing {
    /// The sync fails.
    Fail,
    /// The key stays as it is.
    Keep,
    /// The key goes.
    Skip,
}
