//! The configuration of a store: External Secrets Operator's `provider.aws`, field for field.

mod identity;
mod settings;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use secretsync_core::provider::{SecretKeySelector, ServiceAccountSelector};
use serde::Deserialize;
use serde_json::{Value, json};

use identity::{RESERVED_TAG, RESERVED_TAGS};
pub(crate) use identity::{identity, is_role, references, tags_follow_consumer};
pub(crate) use settings::{Region, Settings, invalid};

/// `provider.aws`. Every field of the original is known; what does not work here is refused by name when a provider is built.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsConfig {
    /// Which service holds the secrets.
    pub service: Service,
    /// The region, as AWS writes it: `eu-central-1`.
    pub region: String,
    /// Whose credentials are used. Without it, the identity of the process, where it may lend it.
    pub auth: Option<AwsAuth>,
    /// The role that the credentials take in the end.
    pub role: Option<String>,
    /// Roles on the way to `role`, each taken by the one before it.
    pub additional_roles: Option<Vec<String>>,
    /// The external id that `role` demands. It is no secret.
    #[serde(rename = "externalID")]
    pub external_id: Option<String>,
    /// Text in front of each key. It is no folder: no separator is added.
    pub prefix: Option<String>,
    /// Tags of the session of `role`.
    pub session_tags: Option<Vec<SessionTag>>,
    /// Which tags the session of `role` has.
    #[schemars(extend("default" = "None"))]
    pub session_tags_policy: Option<SessionTagsPolicy>,
    /// Tags beside those that the policy `Custom` adds by itself.
    #[schemars(extend("x-kubernetes-validations" = no_reserved_tags()))]
    pub custom_session_tags: Option<BTreeMap<String, String>>,
    /// Which tags stay when the session takes further roles.
    pub transitive_tag_keys: Option<Vec<String>>,
    /// How secrets are deleted. Accepted for the sake of the manifests; nothing is written here.
    pub secrets_manager: Option<SecretsManagerOptions>,
}

impl AwsConfig {
    /// A configuration of a service in a region, everything else as by default.
    pub fn new(service: Service, region: impl Into<String>) -> Self {
        Self { service, region: region.into(), ..Self::default() }
    }
}

/// External Secrets Operator's rule about tags, in the API server's expression language (CEL).
fn no_reserved_tags() -> Value {
    let absent: Vec<_> = RESERVED_TAGS.iter().map(|tag| format!("!('{tag}' in self)")).collect();
    json!([{"rule": absent.join(" && "), "message": RESERVED_TAG}])
}

/// A service that holds secrets.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq)]
pub enum Service {
    /// Known, and refused by name: it holds certificates, which other fields of the manifests would have to ask for.
    CertificateManager,
    /// Systems Manager Parameter Store.
    ParameterStore,
    /// Secrets Manager.
    #[default]
    SecretsManager,
}

/// `auth`: `jwt` wins over `secretRef`.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsAuth {
    /// A role that a service account may take (IRSA).
    pub jwt: Option<JwtAuth>,
    /// Keys in Secrets.
    pub secret_ref: Option<KeyAuth>,
}

/// `auth.jwt`.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JwtAuth {
    /// The service account, which names its role in the annotation `eks.amazonaws.com/role-arn`.
    pub service_account_ref: Option<ServiceAccountSelector>,
}

/// `auth.secretRef`.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyAuth {
    /// The access key id.
    #[serde(rename = "accessKeyIDSecretRef")]
    pub access_key_id: Option<SecretKeySelector>,
    /// The secret access key.
    #[serde(rename = "secretAccessKeySecretRef")]
    pub secret_access_key: Option<SecretKeySelector>,
    /// The session token, of temporary keys.
    #[serde(rename = "sessionTokenSecretRef")]
    pub session_token: Option<SecretKeySelector>,
}

/// A tag of a session.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionTag {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// Which tags a session has.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum SessionTagsPolicy {
    /// `sessionTags` as they are.
    #[default]
    None,
    /// `esoNamespace`, `esoStoreName` and `esoStoreKind`.
    Simple,
    /// Those of `Simple`, and `customSessionTags`.
    Custom,
}

/// `secretsManager`.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretsManagerOptions {
    /// Whether deleted secrets are gone at once.
    pub force_delete_without_recovery: Option<bool>,
    /// For how many days a deleted secret can be restored.
    pub recovery_window_in_days: Option<i64>,
}
