//! From `auth` to the method that is used.

use std::time::Duration;

use secretsync_core::error::{Code, ErrorKind, Result};
use secretsync_core::provider::{Ambient, CredentialRef};

use super::auth::{AppRoleAuth, IamAuth, JwtAuth, KubernetesAuth, PasswordAuth};
use super::place::Place;
use super::{CERTIFICATE_KEY, ClientCertificate, KEY_KEY, ServiceAccountSelector, VaultAuth};
use crate::address;
use crate::auth::{AssumedRole, AwsKeys, Iam, Jwt, Method, RoleId};

/// The first method in External Secrets Operator's order. `own` is the identity that this process lends to stores which name none.
pub(super) fn method(place: &Place<'_>, auth: Option<&VaultAuth>, own: Option<&Ambient>) -> Result<Method> {
    let Some(auth) = auth else { return Ok(Method::None) };
    if let Some(token) = &auth.token_secret_ref {
        return Ok(Method::Token(place.secret("auth.tokenSecretRef", token, None)?));
    }
    if let Some(config) = &auth.app_role {
        return app_role(place, config);
    }
    if let Some(config) = &auth.kubernetes {
        return kubernetes(place, config, own);
    }
    if let Some(config) = &auth.ldap {
        return password(place, "ldap", config).map(Method::Ldap);
    }
    if let Some(config) = &auth.user_pass {
        return password(place, "userPass", config).map(Method::UserPass);
    }
    if let Some(config) = &auth.jwt {
        return jwt(place, config);
    }
    if let Some(config) = &auth.cert {
        return Ok(Method::Cert {
            mount: mount(place, "auth.cert.path", &config.path, "cert")?,
            role: config.vault_role.clone().filter(|role| !role.is_empty()),
            certificate: ClientCertificate {
                certificate: place.given("auth.cert.clientCert", config.client_cert.as_ref(), Some(CERTIFICATE_KEY))?,
                key: place.given("auth.cert.secretRef", config.secret_ref.as_ref(), Some(KEY_KEY))?,
            },
        });
    }
    if let Some(config) = &auth.iam {
        return iam(place, config, own).map(Box::new).map(Method::Iam);
    }
    if auth.gcp.is_some() {
        return Err(place.refused(
            ErrorKind::Unsupported,
            Code::Unsupported,
            "auth.gcp",
            "auth method `gcp` is not supported",
            "use `kubernetes` or `jwt`, which know the same workloads",
        ));
    }
    Err(place.invalid(
        "auth",
        "no valid auth method specified",
        "add one: `kubernetes`, `appRole`, `jwt`, `tokenSecretRef`, `userPass`, `ldap`, `cert` or `iam`",
    ))
}

fn app_role(place: &Place<'_>, config: &AppRoleAuth) -> Result<Method> {
    let written = config.role_id.as_deref().map(str::trim).filter(|role| !role.is_empty());
    let role = match (written, &config.role_ref) {
        (Some(role), _) => RoleId::Written(role.to_owned()),
        (None, Some(reference)) => RoleId::Reference(place.secret("auth.appRole.roleRef", reference, None)?),
        (None, None) => {
            return Err(place.invalid(
                "auth.appRole",
                "neither `roleId` nor `roleRef` was supplied",
                "write the role id into `roleId`, or refer to it with `roleRef`",
            ));
        }
    };
    Ok(Method::AppRole {
        mount: mount(place, "auth.appRole.path", &config.path, "approle")?,
        role,
        secret: place.secret("auth.appRole.secretRef", &config.secret_ref, None)?,
    })
}

fn kubernetes(place: &Place<'_>, config: &KubernetesAuth, own: Option<&Ambient>) -> Result<Method> {
    let role = config.role.trim();
    if role.is_empty() {
        return Err(place.invalid("auth.kubernetes.role", "no role name was provided", "name the role in Vault"));
    }
    let jwt = match (&config.service_account_ref, &config.secret_ref) {
        (Some(account), _) => Jwt::Account {
            account: place.account("auth.kubernetes.serviceAccountRef", account)?,
            audiences: account.audiences.clone().unwrap_or_default(),
            lifetime: LIFETIME,
        },
        (None, Some(secret)) => Jwt::Secret(place.secret("auth.kubernetes.secretRef", secret, Some("token"))?),
        (None, None) => Jwt::Mounted(own.cloned()),
    };
    let mount = mount(place, "auth.kubernetes.mountPath", &config.mount_path, "kubernetes")?;
    Ok(Method::Kubernetes { mount, role: role.to_owned(), jwt })
}

fn password(place: &Place<'_>, name: &'static str, config: &PasswordAuth) -> Result<crate::auth::Password> {
    let field = |member: &str| format!("auth.{name}.{member}");
    let user = config.username.trim();
    if user.contains('/') || !address::segments(user).is_ok_and(|segments| segments.len() == 1) {
        return Err(place.invalid(&field("username"), "it cannot be a name at this mount", "write the bare user name"));
    }
    let default = if name == "ldap" { "ldap" } else { "userpass" };
    Ok(crate::auth::Password {
        mount: mount(place, &field("path"), config.path.as_deref().unwrap_or_default(), default)?,
        user: user.to_owned(),
        secret: place.given(&field("secretRef"), config.secret_ref.as_ref(), None)?,
    })
}

fn jwt(place: &Place<'_>, config: &JwtAuth) -> Result<Method> {
    let jwt = match (&config.secret_ref, &config.kubernetes_service_account_token) {
        (Some(secret), _) => Jwt::Secret(place.secret("auth.jwt.secretRef", secret, None)?),
        (None, Some(token)) => {
            let field = "auth.jwt.kubernetesServiceAccountToken.serviceAccountRef";
            let account = &token.service_account_ref;
            let more = token.audiences.clone().unwrap_or_else(|| vec!["vault".to_owned()]);
            let seconds = token.expiration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
            Jwt::Account {
                account: place.account(field, account)?,
                audiences: account.audiences.iter().flatten().cloned().chain(more).collect(),
                lifetime: seconds.filter(|seconds| *seconds > 0).map_or(LIFETIME, Duration::from_secs),
            }
        }
        (None, None) => {
            return Err(place.invalid(
                "auth.jwt",
                "neither `secretRef` nor `kubernetesServiceAccountToken` was supplied",
                "say where the JSON web token comes from",
            ));
        }
    };
    Ok(Method::Jwt {
        mount: mount(place, "auth.jwt.path", &config.path, "jwt")?,
        role: config.role.as_deref().map(str::trim).filter(|role| !role.is_empty()).map(str::to_owned),
        jwt,
    })
}

fn iam(place: &Place<'_>, config: &IamAuth, own: Option<&Ambient>) -> Result<Iam> {
    let role = config.vault_role.trim();
    if role.is_empty() {
        return Err(place.invalid("auth.iam.vaultRole", "no role name was provided", "name the role in Vault"));
    }
    let text = |field: &str, text: &Option<String>| plain(place, field, text.as_deref());
    let region = text("auth.iam.region", &config.region)?.unwrap_or_else(|| "us-east-1".to_owned());
    if !region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        return Err(place.invalid("auth.iam.region", "it is no name of a region", "write it as `eu-central-1`"));
    }
    let account = config.jwt.as_ref().and_then(|jwt| jwt.service_account_ref.as_ref());
    let keys = match (account, &config.secret_ref) {
        (Some(account), _) => AwsKeys::Account {
            account: place.account("auth.iam.jwt.serviceAccountRef", account)?,
            audiences: account.audiences.clone().filter(|audiences| !audiences.is_empty()),
        },
        (None, Some(secret)) => {
            let given = |field: &str, selector| place.given(&format!("auth.iam.secretRef.{field}"), selector, None);
            AwsKeys::Static {
                id: given("accessKeyIDSecretRef", secret.access_key_id_secret_ref.as_ref())?,
                secret: given("secretAccessKeySecretRef", secret.secret_access_key_secret_ref.as_ref())?,
                session: match secret.session_token_secret_ref.as_ref() {
                    Some(selector) => Some(given("sessionTokenSecretRef", Some(selector))?),
                    None => None,
                },
            }
        }
        (None, None) => AwsKeys::Own(own.cloned()),
    };
    Ok(Iam {
        mount: mount(place, "auth.iam.path", config.path.as_deref().unwrap_or_default(), "aws")?,
        role: role.to_owned(),
        server_id: text("auth.iam.vaultAwsIamServerID", &config.vault_aws_iam_server_id)?,
        assumed: match text("auth.iam.role", &config.role)? {
            Some(arn) => Some(AssumedRole { arn, external_id: text("auth.iam.externalID", &config.external_id)? }),
            None => None,
        },
        region,
        keys,
        own: own.cloned(),
    })
}

/// A text that goes into a signed request: one line of visible characters.
fn plain(place: &Place<'_>, field: &str, text: Option<&str>) -> Result<Option<String>> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Some(text.to_owned()));
    }
    Err(place.invalid(field, "it has characters that a request to AWS cannot carry", "correct the value"))
}

fn mount(place: &Place<'_>, field: &str, path: &str, default: &str) -> Result<String> {
    let segments = address::segments(path).map_err(|reason| {
        place.invalid(field, reason, "write the mount as `vault auth list` shows it, without `auth/`")
    })?;
    Ok(if segments.is_empty() { default.to_owned() } else { segments.join("/") })
}

impl Place<'_> {
    fn account(&self, field: &str, selector: &ServiceAccountSelector) -> Result<CredentialRef> {
        self.same_namespace(field, selector.namespace.as_deref())?;
        if selector.name.is_empty() {
            return Err(self.invalid(field, "it needs a name", "name the service account"));
        }
        Ok(CredentialRef::service_account(&selector.name).in_namespace(selector.namespace.as_deref()))
    }
}

/// As External Secrets Operator asks for; Kubernetes gives no shorter life.
const LIFETIME: Duration = Duration::from_mins(10);
