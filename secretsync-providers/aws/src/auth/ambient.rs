//! The identity that a process finds around it, as AWS's own tools look for it.
//!
//! The SDK's default chain reads the process environment by itself, which a process that serves tenants must not leave to it. So this is a chain of our own
//! over the environment that was handed in, in the order of the SDK for Rust: variables, profile, web identity, container, instance. What reads files in formats of AWS's
//! own (profiles) or speaks its protocols (STS, instance metadata) is the SDK's.

use std::fmt;
use std::hash::{Hash, Hasher};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::Ambient;
use secretsync_core::secret::Fingerprint;

use super::sts::Sts;
use super::{container, instance, keys, profile};
use crate::client::endpoint_text as text;

/// An environment, equal to others that name the same credentials.
#[derive(Clone)]
pub(crate) struct Environment {
    pub(super) variables: Ambient,
    seen: Vec<Option<Fingerprint>>,
}

impl Environment {
    pub(crate) fn new(variables: Ambient) -> Self {
        let seen = DECISIVE.iter().map(|name| variables.secret(name).map(|value| Fingerprint::of(&value)));
        Self { seen: seen.collect(), variables }
    }
}

impl PartialEq for Environment {
    fn eq(&self, other: &Self) -> bool {
        self.seen == other.seen
    }
}

impl Eq for Environment {}

impl Hash for Environment {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.seen.hash(state);
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment(..)")
    }
}

/// The first credentials that are found. What is configured but fails ends the search: another identity would be a surprise.
pub(super) async fn obtain(environment: &Environment, sts: &Sts<'_>) -> Result<Credentials> {
    let Environment { variables, .. } = environment;
    if let Some(found) = variables_of(variables)? {
        return Ok(found);
    }
    if let Some(found) = profile::obtain(environment, sts).await? {
        return Ok(found);
    }
    if let Some(found) = web_identity(variables, sts).await? {
        return Ok(found);
    }
    if let Some(found) = container::obtain(variables).await? {
        return Ok(found);
    }
    match instance::obtain(variables).await? {
        Some(found) => Ok(found),
        None => Err(nothing()),
    }
}

/// `AWS_ACCESS_KEY_ID` and its companions.
fn variables_of(variables: &Ambient) -> Result<Option<Credentials>> {
    let Some(id) = variables.secret("AWS_ACCESS_KEY_ID") else { return Ok(None) };
    let Some(secret) = variables.secret("AWS_SECRET_ACCESS_KEY") else {
        return Err(unusable("AWS_SECRET_ACCESS_KEY", "it is not set, but AWS_ACCESS_KEY_ID is"));
    };
    let odd = "it has characters that no AWS key has";
    let id = keys::printable(&id).ok_or_else(|| unusable("AWS_ACCESS_KEY_ID", odd))?;
    let secret = keys::printable(&secret).ok_or_else(|| unusable("AWS_SECRET_ACCESS_KEY", odd))?;
    let token = match variables.secret("AWS_SESSION_TOKEN") {
        Some(token) => Some(keys::printable(&token).ok_or_else(|| unusable("AWS_SESSION_TOKEN", odd))?),
        None => None,
    };
    Ok(Some(Credentials::new(id, secret, token, None, "environment")))
}

/// The role of the pod itself (IRSA): the token's file is read each time, because it is replaced every hour.
async fn web_identity(variables: &Ambient, sts: &Sts<'_>) -> Result<Option<Credentials>> {
    let (Some(path), Some(role)) = (variables.path("AWS_WEB_IDENTITY_TOKEN_FILE"), text(variables, "AWS_ROLE_ARN"))
    else {
        return Ok(None);
    };
    let name = "AWS_WEB_IDENTITY_TOKEN_FILE";
    let token =
        container::token_file(&path).ok_or_else(|| unusable(name, "the file holds no token that can be read"))?;
    let session = text(variables, "AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "secretsync".to_owned());
    sts.assume_with_token(&role, &session, token).await.map(Some)
}

/// One link of the chain under the name that a profile's `credential_source` gives it.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) environment: Environment,
    pub(super) kind: LinkKind,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum LinkKind {
    Container,
    Instance,
    Variables,
}

impl ProvideCredentials for Link {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            let variables = &self.environment.variables;
            let found = match self.kind {
                LinkKind::Container => container::obtain(variables).await,
                LinkKind::Instance => instance::obtain(variables).await,
                LinkKind::Variables => variables_of(variables),
            };
            found.map_err(CredentialsError::provider_error)?.ok_or_else(|| CredentialsError::not_loaded("none there"))
        })
    }
}

/// A variable that is set, but cannot be used.
pub(super) fn unusable(name: &str, reason: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfig, "use")
        .on(format!("the variable {name}"))
        .because(reason)
        .with_hint(Hint::new(Code::AwsCredentialsInvalid, "correct the variable, or remove it"))
}

fn nothing() -> Error {
    Error::new(ErrorKind::NotFound, "find").on("AWS credentials in the environment").with_hint(Hint::new(
        Code::CredentialMissing,
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; in a cluster give the pod a role by IRSA or EKS Pod Identity; on an instance a \
         pod reaches the metadata service only with a hop limit of 2",
    ))
}

/// The variables that decide who is found.
const DECISIVE: [&str; 17] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "HOME",
];
