//! Tokens and annotations of service accounts.

use std::collections::BTreeMap;
use std::time::Duration;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::{AccountToken, CredentialRef, TokenRequest};
use secretsync_core::secret::SecretValue;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::Text;
use crate::problems::plain;
use crate::request::{Answer, Call, Failure, Server, Target, Verb, View};

/// A new token of a service account, by the API server's TokenRequest.
pub(super) async fn token(
    server: &Server,
    account: &CredentialRef,
    namespace: &str,
    request: &TokenRequest,
) -> Result<AccountToken> {
    let target = Target::account_tokens(namespace, account.name());
    let body = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {
            "audiences": request.audiences,
            "expirationSeconds": request.lifetime.map(|lifetime| lifetime.max(SHORTEST_LIFE).as_secs()),
        },
    });
    let body = Zeroizing::new(body.to_string().into_bytes());
    let call = Call::new(Verb::Issue, target, View::Whole).with_body("application/json", body);
    let answer = call.send(server).await;
    let status = parse::<Wire<Issued>>(answer, Verb::Issue, &target, account)?.status;
    let issued = status.filter(|issued| !issued.token.0.is_empty()).ok_or_else(|| odd(&target))?;
    let Issued { token, expiration_timestamp } = issued;
    let expires_at = expiration_timestamp.and_then(|text| text.parse::<jiff::Timestamp>().ok()).map(Into::into);
    Ok(AccountToken::new(SecretValue::from(token.0.as_bytes()), expires_at))
}

/// The annotations of a service account.
pub(super) async fn annotations(
    server: &Server,
    account: &CredentialRef,
    namespace: &str,
) -> Result<BTreeMap<String, String>> {
    let target = Target::service_account(namespace, account.name());
    let answer = Call::new(Verb::Get, target, View::Metadata).send(server).await;
    Ok(parse::<Object>(answer, Verb::Get, &target, account)?.metadata.annotations.unwrap_or_default())
}

fn parse<T: for<'de> Deserialize<'de>>(
    answer: Result<Answer, Failure>,
    verb: Verb,
    target: &Target<'_>,
    account: &CredentialRef,
) -> Result<T> {
    match answer {
        Ok(answer) => serde_json::from_slice(&answer.body).map_err(|_| odd(target)),
        Err(Failure::Refused(refusal)) if refusal.is_absent() => Err(missing(account, target.namespace)),
        Err(failure) => Err(failure.into_error(verb, target)),
    }
}

fn odd(target: &Target<'_>) -> Error {
    Error::new(ErrorKind::InvalidData, "read").on(target).because("the answer is none of a Kubernetes API server")
}

fn missing(account: &CredentialRef, namespace: &str) -> Error {
    let (name, namespace) = (plain(account.name()), plain(namespace));
    Error::new(ErrorKind::NotFound, "resolve")
        .on(account)
        .because(format!("there is no service account \"{name}\" in namespace \"{namespace}\""))
        .with_hint(Hint::new(
            Code::CredentialMissing,
            format!("create serviceaccount `{namespace}/{name}`, or correct the reference in the store"),
        ))
}

#[derive(Deserialize)]
struct Wire<T> {
    status: Option<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issued {
    token: Text,
    expiration_timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    annotations: Option<BTreeMap<String, String>>,
}

/// The API server refuses less (validation of TokenRequest in Kubernetes).
const SHORTEST_LIFE: Duration = Duration::from_mins(10);
