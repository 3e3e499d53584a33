//! From an answer to the keys that a generator gives. Pure.

use std::time::SystemTime;

use secretsync_core::json::Json;
use secretsync_core::secret::{Secret, SecretObject};

use super::ResultType;
use crate::error::Failure;
use crate::provider::issued::{End, bound, end_of, lease, token};

/// What an answer gives, bound to its end, and whether it is of use: one that is not may still have handed out something that must be given back.
pub(super) fn secret(
    result: ResultType,
    allow_empty: bool,
    body: Option<Json>,
    asked: SystemTime,
) -> (Secret, Result<(), Failure>) {
    let Some(body) = body else {
        return (empty(), if allow_empty { Ok(()) } else { Err(Failure::NoContent) });
    };
    let end = end(&body, asked);
    match part(result, body) {
        Some(object) => (bound(Secret::object(SecretObject::new(object)), end), Ok(())),
        None if allow_empty => (bound(empty(), end), Ok(())),
        None => (bound(empty(), end), Err(Failure::NoSuchPart(result))),
    }
}

fn empty() -> Secret {
    Secret::object(SecretObject::new(Json::Object(std::iter::empty().collect())))
}

/// With its lease, with its token, or as its data tell.
fn end(body: &Json, asked: SystemTime) -> Option<End> {
    lease(body, asked).or_else(|| token(body.get("auth")?, asked)).or_else(|| end_of(body.get("data")?, asked))
}

fn part(result: ResultType, body: Json) -> Option<Json> {
    let mut body = body.into_object().ok()?;
    let part = match result {
        ResultType::Data => body.swap_remove("data"),
        ResultType::Auth => body.swap_remove("auth").map(|auth| only(auth, AUTH)),
        ResultType::Raw => Some(only(Json::Object(body), RAW)),
    };
    part.filter(|part| part.as_object().is_some())
}

/// The members that External Secrets Operator knows.
fn only(json: Json, names: &[&str]) -> Json {
    match json.into_object() {
        Ok(mut members) => {
            members.retain(|name, _| names.contains(&name.as_str()));
            Json::Object(members)
        }
        Err(other) => other,
    }
}

const AUTH: &[&str] = &[
    "accessor",
    "client_token",
    "entity_id",
    "identity_policies",
    "lease_duration",
    "metadata",
    "mfa_requirement",
    "orphan",
    "policies",
    "renewable",
    "token_policies",
];

const RAW: &[&str] =
    &["auth", "data", "lease_duration", "lease_id", "mount_type", "renewable", "request_id", "warnings", "wrap_info"];

#[cfg(test)]
mod tests {
    use super::*;
    use secretsync_core::secret::Payload;

    const BODY: &str = r#"{"request_id":"r","lease_id":"db/creds/a/1","renewable":true,"lease_duration":60,"data":{"username":"u"},"wrap_info":null,
        "warnings":null,"auth":{"client_token":"t","accessor":"a","policies":["p"],"lease_duration":30,"renewable":true,"num_uses":0},"other":1}"#;

    fn keys(result: ResultType, body: &str) -> Vec<String> {
        let body = Json::parse(body.as_bytes()).unwrap();
        let (secret, useful) = secret(result, false, Some(body), SystemTime::UNIX_EPOCH);
        useful.unwrap();
        let Payload::Object(object) = secret.payload.as_ref() else { panic!("no object") };
        let mut keys: Vec<_> = object.expose().as_object().unwrap().keys().map(|key| key.as_str().to_owned()).collect();
        keys.sort();
        keys
    }

    #[test]
    fn each_result_type_takes_its_part() {
        assert_eq!(keys(ResultType::Data, BODY), ["username"]);
        assert_eq!(
            keys(ResultType::Auth, BODY),
            ["accessor", "client_token", "lease_duration", "policies", "renewable"]
        );
        let raw = ["auth", "data", "lease_duration", "lease_id", "renewable", "request_id", "warnings", "wrap_info"];
        assert_eq!(keys(ResultType::Raw, BODY), raw);
    }

    #[test]
    fn an_answer_without_content_is_a_failure_unless_allowed_and_its_lease_is_known_all_the_same() {
        let (_, told) = secret(ResultType::Data, false, None, SystemTime::UNIX_EPOCH);
        assert_eq!(told.unwrap_err().to_string(), "unable to get dynamic secret: empty response from Vault");
        assert!(secret(ResultType::Data, true, None, SystemTime::UNIX_EPOCH).1.is_ok());
        let login =
            r#"{"data":null,"auth":{"client_token":"t","accessor":"abc","lease_duration":30,"renewable":true}}"#;
        let body = || Some(Json::parse(login.as_bytes()).unwrap());
        let (found, told) = secret(ResultType::Data, false, body(), SystemTime::UNIX_EPOCH);
        assert!(matches!(told, Err(Failure::NoSuchPart(ResultType::Data))));
        assert_eq!(found.lease.unwrap().id(), "auth/token/accessor/abc");
    }
}
