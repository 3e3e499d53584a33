//! Roles of service accounts (IRSA): the cluster issues a token, STS exchanges it.

use aws_credential_types::Credentials;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::{CredentialRef, CredentialSource, TokenRequest};

use super::keys::printable;
use super::sts::Sts;
use crate::config::is_role;

/// The credentials of the role that a service account names.
pub(super) async fn obtain(
    sts: &Sts<'_>,
    account: &CredentialRef,
    audiences: &[String],
    credentials: &dyn CredentialSource,
) -> Result<Credentials> {
    let annotations = credentials.annotations(account).await?;
    let annotation = |name: &str| annotations.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let role = annotation(ROLE).ok_or_else(|| no_role(account, "an IAM role must be associated with it"))?;
    if !is_role(role) {
        return Err(no_role(account, "its annotation names no ARN of a role"));
    }
    let mut all = vec![annotation(AUDIENCE).unwrap_or(STS_AUDIENCE).to_owned()];
    for audience in audiences {
        if !all.contains(audience) {
            all.push(audience.clone());
        }
    }
    let issued = credentials.token(account, &TokenRequest::new(all)).await?;
    let token = printable(&issued.token).ok_or_else(|| no_role(account, "its token is no text"))?;
    sts.assume_with_token(role, SESSION_NAME, token).await
}

fn no_role(account: &CredentialRef, reason: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfig, "take the role").on(format!("of {account}")).because(reason).with_hint(
        Hint::new(
            Code::AwsRoleRefused,
            format!("annotate the service account with `{ROLE}: arn:aws:iam::123456789012:role/name`"),
        ),
    )
}

const ROLE: &str = "eks.amazonaws.com/role-arn";
const AUDIENCE: &str = "eks.amazonaws.com/audience";
const STS_AUDIENCE: &str = "sts.amazonaws.com";
/// External Secrets Operator's: trust policies may name it.
const SESSION_NAME: &str = "external-secrets-provider-aws";
