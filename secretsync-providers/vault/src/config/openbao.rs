//! `provider.openBao`: External Secrets Operator's smaller provider of the same servers.

use std::fmt;

use schemars::JsonSchema;
use secretsync_core::error::Result;
use secretsync_core::provider::{RawConfig, StoreOrigin};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{AppRoleAuth, PasswordAuth, path};
use super::place::Place;
use super::{CaProvider, KvVersion, SecretKeySelector, VaultAuth, VaultConfig};
use crate::OPENBAO;

/// `provider.openBao`: fewer fields than [`VaultConfig`], with the same meaning.
#[non_exhaustive]
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenBaoConfig {
    /// The base URL.
    pub server: String,
    /// The mount of the KV engine; without it keys begin with the mount.
    pub path: Option<String>,
    /// The version of the KV engine; `v2` by default.
    #[schemars(extend("default" = "v2"))]
    pub version: Option<KvVersion>,
    /// The namespace of the secrets.
    pub namespace: Option<String>,
    /// Who asks: exactly one method.
    pub auth: Option<OpenBaoAuth>,
    /// Certificates of the authorities that are trusted instead of the system's: PEM, or base64 of PEM.
    pub ca_bundle: Option<String>,
    /// Where such certificates are; `ca_bundle` wins.
    pub ca_provider: Option<CaProvider>,
}

/// `auth` of `provider.openBao`.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = one_method()))]
pub struct OpenBaoAuth {
    /// The namespace to log in to, where it is not that of the secrets.
    pub namespace: Option<String>,
    /// A token.
    pub token_secret_ref: Option<SecretKeySelector>,
    /// A role id and a secret id.
    pub app_role: Option<AppRoleAuth>,
    /// A name and a password.
    #[schemars(transform = path("userpass"))]
    pub user_pass: Option<PasswordAuth>,
}

/// External Secrets Operator's rule about methods, in the API server's expression language (CEL).
fn one_method() -> Value {
    let methods = ["appRole", "tokenSecretRef", "userPass"].map(|method| format!("has(self.{method})"));
    json!([{
        "rule": format!("[{}].filter(given, given).size() == 1", methods.join(", ")),
        "message": "exactly one auth method must be given",
    }])
}

impl fmt::Debug for OpenBaoConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A mistaken server URL may hold a password.
        f.debug_struct("OpenBaoConfig")
            .field("path", &self.path)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl From<OpenBaoConfig> for VaultConfig {
    fn from(config: OpenBaoConfig) -> Self {
        let OpenBaoConfig { server, path, version, namespace, auth, ca_bundle, ca_provider } = config;
        let auth = auth.map(|auth| {
            let OpenBaoAuth { namespace, token_secret_ref, app_role, user_pass } = auth;
            VaultAuth { namespace, token_secret_ref, app_role, user_pass, ..VaultAuth::default() }
        });
        Self { server, path, version, namespace, auth, ca_bundle, ca_provider, ..Self::default() }
    }
}

/// Reads the configuration, and holds it to the rules of its schema.
pub(crate) fn open_bao(config: &RawConfig, origin: &StoreOrigin) -> Result<VaultConfig> {
    let config: OpenBaoConfig = config.read(origin, OPENBAO.kind)?;
    let place = Place { origin, member: OPENBAO.member };
    if let Some(auth) = &config.auth {
        let methods = [auth.app_role.is_some(), auth.token_secret_ref.is_some(), auth.user_pass.is_some()];
        if methods.iter().filter(|present| **present).count() != 1 {
            return Err(place.invalid(
                "auth",
                "exactly one auth method must be given",
                "give one of `appRole`, `tokenSecretRef` and `userPass`; `provider.vault` knows more of them",
            ));
        }
        if auth.app_role.as_ref().is_some_and(|role| role.role_id.is_some() && role.role_ref.is_some()) {
            return Err(place.invalid(
                "auth.appRole",
                "exactly one of `roleId` and `roleRef` must be given",
                "remove one",
            ));
        }
    }
    Ok(config.into())
}
