//! The token service: roles for tokens, roles for other credentials.

use std::fmt::Display;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::Client;
use aws_sdk_sts::types::Tag;
use secretsync_core::error::{Code, Error, Hint, Result};
use zeroize::Zeroize as _;

use super::Role;
use crate::client::{Api, Network, in_time};
use crate::config::Region;
use crate::error::{Failure, Meaning, Refusal};

/// The token service of one region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sts<'a> {
    network: &'a Network,
    region: &'a Region,
}

impl<'a> Sts<'a> {
    pub(super) fn new(network: &'a Network, region: &'a Region) -> Self {
        Self { network, region }
    }

    /// Takes a role with credentials.
    pub(super) async fn assume(&self, with: Credentials, role: &Role) -> Result<Credentials> {
        let mut call = self
            .client(Some(with), &role.arn)?
            .assume_role()
            .role_arn(&role.arn)
            .role_session_name(SESSION_NAME)
            .set_external_id(role.external_id.clone());
        for tag in &role.tags {
            let tag = Tag::builder().key(&tag.key).value(&tag.value).build();
            call = call.tags(tag.map_err(|_| refused(Failure::Malformed("a session tag has no key"), &role.arn))?);
        }
        for key in &role.transitive {
            call = call.transitive_tag_keys(key);
        }
        let answer = in_time(|| call.clone().send()).await;
        from_answer(answer.map_err(|failure| refused(failure, &role.arn))?.credentials, &role.arn)
    }

    /// Takes a role with a token of an identity provider. The request is not signed: the token is the proof.
    pub(super) async fn assume_with_token(&self, role: &str, session_name: &str, token: String) -> Result<Credentials> {
        let call = self.client(None, role)?.assume_role_with_web_identity();
        let call = call.role_arn(role).role_session_name(session_name).web_identity_token(token);
        let answer = call.send().await.map_err(|error| refused(Failure::of(&error), role))?;
        from_answer(answer.credentials, role)
    }

    pub(super) fn region(&self) -> &'a Region {
        self.region
    }

    pub(super) fn network(&self) -> &'a Network {
        self.network
    }

    fn client(&self, with: Option<Credentials>, role: &str) -> Result<Client> {
        let config = self.network.config(Api::Sts, self.region, with.map(SharedCredentialsProvider::new));
        config.map(|config| Client::new(&config)).map_err(|failure| refused(failure, role))
    }
}

fn from_answer(answer: Option<aws_sdk_sts::types::Credentials>, role: &str) -> Result<Credentials> {
    let Some(mut answer) = answer else {
        return Err(refused(Failure::Malformed("it has no credentials"), role));
    };
    let expiry = SystemTime::try_from(answer.expiration).ok();
    let found = Credentials::new(
        &*answer.access_key_id,
        std::mem::take(&mut answer.secret_access_key),
        Some(std::mem::take(&mut answer.session_token)),
        expiry,
        "sts",
    );
    answer.access_key_id.zeroize();
    Ok(found)
}

fn refused(failure: Failure, role: &str) -> Error {
    not_taken(failure, format!("`{role}`"))
}

/// The failure to take a role.
pub(super) fn not_taken(failure: Failure, role: impl Display) -> Error {
    let hint = match &failure {
        Failure::Refused(refusal) if refusal.meaning == Meaning::Denied => {
            Some(Hint::new(Code::AwsRoleRefused, trust(refusal)))
        }
        Failure::Refused(refusal) if refusal.meaning == Meaning::Invalid => Some(Hint::new(
            Code::StoreInvalid,
            "check the role, its external id, and its session tags: each key once, and among them all that are to be transitive",
        )),
        _ => None,
    };
    let error = failure.into_error("take the role", role);
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// What the role's trust policy has to say.
fn trust(refusal: &Refusal) -> String {
    let (action, principal) = refusal.wanted();
    let action = action.unwrap_or("sts:AssumeRole");
    let to = principal.map_or_else(|| "who asks".to_owned(), |arn| format!("`{arn}`"));
    format!(
        "let the role's trust policy allow `{action}` to {to}, with the external id of the store, and `sts:TagSession` where there are session tags; the \
         policies of who asks must allow it, too"
    )
}

/// Shown in `CloudTrail` beside each call.
const SESSION_NAME: &str = "secretsync";
