//! Access keys of AWS: from Secrets, for a service account, or those that this process may lend.

use std::fmt;
use std::path::Path;

use secretsync_core::error::{Code, Error, ErrorKind, Hint};
use secretsync_core::provider::{Ambient, CredentialRef, TokenRequest};
use secretsync_core::secret::SecretValue;
use zeroize::Zeroizing;

use super::sts::{Sts, WebIdentity};
use crate::auth::login::{Door, text};
use crate::auth::token;
use crate::error::Failure;

/// Where access keys come from.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum AwsKeys {
    /// The AWS role of a service account; without audiences, the one that AWS expects.
    Account {
        account: CredentialRef,
        audiences: Option<Vec<String>>,
    },
    /// Those of this process, where it may lend them.
    Own(Option<Ambient>),
    Static {
        id: CredentialRef,
        secret: CredentialRef,
        session: Option<CredentialRef>,
    },
}

/// Access keys.
pub(crate) struct Keys {
    pub(super) id: String,
    pub(super) secret: Zeroizing<String>,
    pub(super) session: Option<Zeroizing<String>>,
}

impl Keys {
    pub(super) fn new(id: &str, secret: &str, session: Option<&str>) -> Self {
        Self {
            id: id.to_owned(),
            secret: secret.to_owned().into(),
            session: session.map(|session| session.to_owned().into()),
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

impl AwsKeys {
    pub(crate) fn references(&self) -> Vec<CredentialRef> {
        match self {
            Self::Account { account, .. } => vec![account.clone()],
            Self::Own(_) => Vec::new(),
            Self::Static { id, secret, session } => {
                [Some(id), Some(secret), session.as_ref()].into_iter().flatten().cloned().collect()
            }
        }
    }

    pub(super) async fn obtain(&self, door: &Door<'_>, sts: &Sts) -> Result<Keys, Failure> {
        match self {
            Self::Account { account, audiences } => {
                let annotations = door.credentials.annotations(account).await.map_err(Failure::Credential)?;
                let role = annotations.get(ROLE_ANNOTATION).ok_or_else(|| without_role(account))?;
                let audiences = audiences.clone().unwrap_or_else(|| vec![AUDIENCE.to_owned()]);
                let issued = door.credentials.token(account, &TokenRequest::new(audiences)).await;
                let token = text(&issued.map_err(Failure::Credential)?.token, account)?;
                sts.exchange(&WebIdentity { role, session: SESSION, token: &token }).await
            }
            Self::Own(Some(own)) => own_keys(own, sts).await,
            Self::Own(None) => Err(Failure::Credential(nothing_to_lend())),
            Self::Static { id, secret, session } => Ok(Keys {
                id: door.text(id).await?.to_string(),
                secret: door.text(secret).await?,
                session: match session {
                    Some(session) => Some(door.text(session).await?),
                    None => None,
                },
            }),
        }
    }
}

/// Variables with keys, or a token that stands for a role, as Kubernetes on AWS mounts one.
async fn own_keys(own: &Ambient, sts: &Sts) -> Result<Keys, Failure> {
    let text =
        |name: &str| own.secret(name).as_ref().and_then(SecretValue::expose_str).map(str::to_owned).map(Zeroizing::new);
    if let (Some(id), Some(secret)) = (text("AWS_ACCESS_KEY_ID"), text("AWS_SECRET_ACCESS_KEY")) {
        return Ok(Keys { id: id.to_string(), secret, session: text("AWS_SESSION_TOKEN") });
    }
    let (Some(file), Some(role)) = (own.path("AWS_WEB_IDENTITY_TOKEN_FILE"), text("AWS_ROLE_ARN")) else {
        return Err(Failure::Credential(nothing_to_lend()));
    };
    let token = read(&file).map_err(|error| Failure::Credential(nothing_to_lend().with_source(error)))?;
    let session = text("AWS_ROLE_SESSION_NAME");
    let session = session.as_ref().map_or(SESSION, |session| session.as_str());
    sts.exchange(&WebIdentity { role: &role, session, token: &token }).await
}

fn read(file: &Path) -> std::io::Result<Zeroizing<String>> {
    let found = token::read(file)?;
    let text = found.expose_str().map(str::trim).unwrap_or_default();
    Ok(text.to_owned().into())
}

fn without_role(account: &CredentialRef) -> Failure {
    Failure::Credential(
        Error::new(ErrorKind::InvalidConfig, "use")
            .on(account)
            .because(format!("it has no annotation `{ROLE_ANNOTATION}`"))
            .with_hint(Hint::new(
                Code::CredentialMissing,
                "annotate the service account with the AWS role that it stands for",
            )),
    )
}

fn nothing_to_lend() -> Error {
    Error::new(ErrorKind::NotFound, "find").on("AWS credentials of this process").with_hint(Hint::new(
        Code::CredentialMissing,
        "give `secretRef` or `jwt.serviceAccountRef`, or let this process run with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or with AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE",
    ))
}

/// What External Secrets Operator calls such sessions: policies may match it.
pub(super) const SESSION: &str = "external-secrets-provider-vault";
const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";
const AUDIENCE: &str = "sts.amazonaws.com";
