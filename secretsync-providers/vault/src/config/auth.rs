//! How a store says who it is: External Secrets Operator's `auth`, every method with all its fields.

use schemars::{JsonSchema, Schema};
use serde::Deserialize;

use super::{SecretKeySelector, ServiceAccountSelector};

/// `auth`. The first method in the order of the fields is used; without any `auth` requests carry no token.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VaultAuth {
    /// The namespace to log in to, where it is not that of the secrets.
    pub namespace: Option<String>,
    /// A token.
    pub token_secret_ref: Option<SecretKeySelector>,
    /// A role id and a secret id.
    pub app_role: Option<AppRoleAuth>,
    /// A service account of Kubernetes, checked by `TokenReview`.
    pub kubernetes: Option<KubernetesAuth>,
    /// A name and a password, checked by LDAP.
    #[schemars(transform = path("ldap"))]
    pub ldap: Option<PasswordAuth>,
    /// A name and a password.
    #[schemars(transform = path("userpass"))]
    pub user_pass: Option<PasswordAuth>,
    /// A JSON web token.
    pub jwt: Option<JwtAuth>,
    /// A client certificate.
    pub cert: Option<CertAuth>,
    /// An AWS identity.
    pub iam: Option<IamAuth>,
    /// A Google Cloud identity.
    pub gcp: Option<GcpAuth>,
}

/// `auth.appRole`.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppRoleAuth {
    /// The mount; `approle` by default.
    #[serde(default = "approle")]
    pub path: String,
    /// The role id.
    pub role_id: Option<String>,
    /// Where the role id is, if it is not written here.
    pub role_ref: Option<SecretKeySelector>,
    /// Where the secret id is.
    pub secret_ref: SecretKeySelector,
}

/// `auth.kubernetes`.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesAuth {
    /// The mount; `kubernetes` by default.
    #[serde(default = "kubernetes")]
    pub mount_path: String,
    /// The role in Vault.
    pub role: String,
    /// Where a service account token is.
    pub secret_ref: Option<SecretKeySelector>,
    /// The service account that a token is requested for.
    pub service_account_ref: Option<ServiceAccountSelector>,
}

/// `auth.ldap` and `auth.userPass`.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordAuth {
    /// The mount; `ldap` or `userpass` by default.
    pub path: Option<String>,
    /// The name.
    pub username: String,
    /// Where the password is.
    pub secret_ref: Option<SecretKeySelector>,
}

/// `auth.jwt`.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JwtAuth {
    /// The mount; `jwt` by default.
    #[serde(default = "jwt")]
    pub path: String,
    /// The role in Vault; the mount's default role without it.
    pub role: Option<String>,
    /// Where the token is.
    pub secret_ref: Option<SecretKeySelector>,
    /// The service account that a token is requested for.
    pub kubernetes_service_account_token: Option<ServiceAccountToken>,
}

/// `auth.jwt.kubernetesServiceAccountToken`.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceAccountToken {
    /// The service account.
    pub service_account_ref: ServiceAccountSelector,
    /// Audiences beside those of the selector; `vault` by default.
    pub audiences: Option<Vec<String>>,
    /// How long the token lasts, in seconds; 600 by default.
    pub expiration_seconds: Option<i64>,
}

/// `auth.cert`.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertAuth {
    /// The mount; `cert` by default.
    #[serde(default = "cert")]
    pub path: String,
    /// The role in Vault.
    pub vault_role: Option<String>,
    /// Where the certificate is.
    pub client_cert: Option<SecretKeySelector>,
    /// Where its key is.
    pub secret_ref: Option<SecretKeySelector>,
}

/// `auth.iam`.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IamAuth {
    /// The mount; `aws` by default.
    pub path: Option<String>,
    /// The region of the signed request; `us-east-1` by default.
    pub region: Option<String>,
    /// The AWS role to assume first.
    pub role: Option<String>,
    /// The role in Vault.
    pub vault_role: String,
    /// The external id to assume the role with.
    #[serde(rename = "externalID")]
    pub external_id: Option<String>,
    /// The value of `X-Vault-AWS-IAM-Server-ID`.
    #[serde(rename = "vaultAwsIamServerID")]
    pub vault_aws_iam_server_id: Option<String>,
    /// Where access keys are.
    pub secret_ref: Option<IamSecretRef>,
    /// The service account whose AWS role is used.
    pub jwt: Option<IamJwt>,
}

/// `auth.iam.secretRef`.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IamSecretRef {
    /// Where the access key id is.
    #[serde(rename = "accessKeyIDSecretRef")]
    pub access_key_id_secret_ref: Option<SecretKeySelector>,
    /// Where the secret access key is.
    pub secret_access_key_secret_ref: Option<SecretKeySelector>,
    /// Where the session token is.
    pub session_token_secret_ref: Option<SecretKeySelector>,
}

/// `auth.iam.jwt`.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IamJwt {
    /// The service account.
    pub service_account_ref: Option<ServiceAccountSelector>,
}

/// `auth.gcp`.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GcpAuth {
    /// The mount; `gcp` by default.
    #[schemars(extend("default" = "gcp"))]
    pub path: Option<String>,
    /// The role in Vault.
    pub role: String,
    /// The project.
    #[serde(rename = "projectID")]
    pub project_id: Option<String>,
    /// The location.
    pub location: Option<String>,
    /// Where a key file is.
    pub secret_ref: Option<GcpSecretRef>,
    /// The service account whose workload identity is used.
    pub workload_identity: Option<GcpWorkloadIdentity>,
    /// The service account.
    pub service_account_ref: Option<ServiceAccountSelector>,
}

/// `auth.gcp.secretRef`.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GcpSecretRef {
    /// Where the key file is.
    pub secret_access_key_secret_ref: Option<SecretKeySelector>,
}

/// `auth.gcp.workloadIdentity`.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GcpWorkloadIdentity {
    /// The service account.
    pub service_account_ref: ServiceAccountSelector,
    /// The cluster's location.
    pub cluster_location: Option<String>,
    /// The cluster's name.
    pub cluster_name: Option<String>,
    /// The cluster's project.
    #[serde(rename = "clusterProjectID")]
    pub cluster_project_id: Option<String>,
}

/// Gives `path` a default, where the same type serves two methods.
pub(super) fn path(default: &'static str) -> impl FnMut(&mut Schema) {
    move |schema| {
        if let Some(path) = schema.pointer_mut("/properties/path") {
            path["default"] = default.into();
        }
    }
}

fn approle() -> String {
    "approle".to_owned()
}

fn cert() -> String {
    "cert".to_owned()
}

fn jwt() -> String {
    "jwt".to_owned()
}

fn kubernetes() -> String {
    "kubernetes".to_owned()
}
