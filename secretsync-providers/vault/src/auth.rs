//! From the configured method to the token that requests carry.

pub(crate) mod answer;
mod body;
mod iam;
mod jwt;
mod login;
mod token;
mod wrapped;

use secretsync_core::provider::{Ambient, CredentialRef};
use secretsync_core::session::Term;

use crate::config::ClientCertificate;
use crate::error::Failure;

pub(crate) use body::body;
pub(crate) use iam::{AssumedRole, AwsKeys, Iam};
pub(crate) use jwt::Jwt;
pub(crate) use login::Door;
pub(crate) use token::Token;
pub(crate) use wrapped::{Unwrapped, Wrapped};

/// How the token is obtained.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Method {
    /// From the environment of the process, because the user asked for that.
    Ambient(Ambient),
    /// A role id and a secret id.
    AppRole { mount: String, role: RoleId, secret: CredentialRef },
    /// The certificate that each connection offers.
    Cert { mount: String, role: Option<String>, certificate: ClientCertificate },
    /// An AWS identity, proved by a request to STS that Vault sends on.
    Iam(Box<Iam>),
    /// A JSON web token, checked by its signature.
    Jwt { mount: String, role: Option<String>, jwt: Jwt },
    /// A token of a service account, checked by the cluster.
    Kubernetes { mount: String, role: String, jwt: Jwt },
    /// A name and a password of a directory.
    Ldap(Password),
    /// Not at all: requests carry none.
    None,
    /// From a Secret.
    Token(CredentialRef),
    /// A name and a password.
    UserPass(Password),
}

/// Where the id of a role is.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum RoleId {
    Reference(CredentialRef),
    Written(String),
}

/// A name and a password.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Password {
    pub(crate) mount: String,
    /// One segment of a path.
    pub(crate) user: String,
    pub(crate) secret: CredentialRef,
}

/// What a login gave.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) token: Option<Token>,
    pub(crate) term: Term,
    /// Whether it was made for us, so that it is ours to end.
    pub(crate) ours: bool,
}

impl Granted {
    /// A token that somebody else made and looks after.
    fn given(token: Token) -> Self {
        Self { token: Some(token), term: Term::unknown(), ours: false }
    }
}

impl Method {
    /// The member of `auth` that chose it.
    pub(crate) fn name(&self) -> Option<&'static str> {
        match self {
            Self::Ambient(_) | Self::None => None,
            Self::AppRole { .. } => Some("appRole"),
            Self::Cert { .. } => Some("cert"),
            Self::Iam(_) => Some("iam"),
            Self::Jwt { .. } => Some("jwt"),
            Self::Kubernetes { .. } => Some("kubernetes"),
            Self::Ldap(_) => Some("ldap"),
            Self::Token(_) => Some("tokenSecretRef"),
            Self::UserPass(_) => Some("userPass"),
        }
    }

    /// What it reads from outside.
    pub(crate) fn references(&self) -> Vec<CredentialRef> {
        match self {
            Self::Ambient(_) | Self::None => Vec::new(),
            Self::AppRole { role: RoleId::Reference(role), secret, .. } => vec![role.clone(), secret.clone()],
            Self::AppRole { role: RoleId::Written(_), secret, .. } => vec![secret.clone()],
            Self::Cert { certificate, .. } => vec![certificate.certificate.clone(), certificate.key.clone()],
            Self::Iam(iam) => iam.keys.references(),
            Self::Jwt { jwt, .. } | Self::Kubernetes { jwt, .. } => jwt.reference().into_iter().collect(),
            Self::Ldap(login) | Self::UserPass(login) => vec![login.secret.clone()],
            Self::Token(reference) => vec![reference.clone()],
        }
    }

    /// Whether it would use the identity of this process, and has none to use.
    pub(crate) fn lacks_identity(&self) -> bool {
        match self {
            Self::Kubernetes { jwt: Jwt::Mounted(own), .. } => own.is_none(),
            Self::Iam(iam) => matches!(&iam.keys, AwsKeys::Own(None)),
            _ => false,
        }
    }

    /// Obtains a token anew: a rotated credential is found here.
    pub(crate) async fn log_in(&self, door: &Door<'_>) -> Result<Granted, Failure> {
        match self {
            Self::Ambient(ambient) => token::ambient(ambient).map(Granted::given).map_err(Failure::Credential),
            Self::None => Ok(Granted { token: None, term: Term::endless(), ours: false }),
            Self::Token(reference) => {
                token::referenced(door.credentials, reference).await.map(Granted::given).map_err(Failure::Credential)
            }
            Self::AppRole { mount, role, secret } => {
                let role = match role {
                    RoleId::Reference(reference) => door.text(reference).await?,
                    RoleId::Written(role) => role.clone().into(),
                };
                let secret = door.secret_id(mount, secret).await?;
                door.log_in(mount, None, &[("role_id", &role), ("secret_id", &secret)]).await
            }
            Self::Cert { mount, role, .. } => {
                let fields: Vec<_> = role.iter().map(|role| ("name", role.as_str())).collect();
                door.log_in(mount, None, &fields).await
            }
            Self::Iam(iam) => door.log_in(&iam.mount, None, &iam.proof(door).await?.fields(&iam.role)).await,
            Self::Jwt { mount, role, jwt } => {
                let token = jwt.token(door).await?;
                let role = role.iter().map(|role| ("role", role.as_str()));
                let fields: Vec<_> = role.chain([("jwt", token.as_str())]).collect();
                door.log_in(mount, None, &fields).await
            }
            Self::Kubernetes { mount, role, jwt } => {
                let token = jwt.token(door).await?;
                door.log_in(mount, None, &[("role", role), ("jwt", &token)]).await
            }
            Self::Ldap(login) | Self::UserPass(login) => {
                let password = door.verbatim(&login.secret).await?;
                door.log_in(&login.mount, Some(&login.user), &[("password", &password)]).await
            }
        }
    }
}
