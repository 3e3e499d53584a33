//! From an answer to the keys that a generator gives. Pure.

use std::time::SystemTime;

use secretsync_core::json::Json;
use secretsync_core::secret::{Secret, SecretObject};

use super::ResultType;
use super::config::Call;
use crate::error::Failure;
use crate::lease::hidden;
use crate::provider::issued::{End, bound, end, nothing};

/// What an answer gives, bound to its end, and whether it is of use: one that is not may still have handed out something that must be given back.
pub(super) fn secret(call: &Call, body: Option<Json>, asked: SystemTime) -> (Secret, Result<(), Failure>) {
    let Some(body) = body else {
        return (nothing(), if call.allow_empty { Ok(()) } else { Err(Failure::NoContent) });
    };
    let (end, told) = end(&body, &call.path, asked);
    let end = match (call.result, end) {
        // The id of the lease is one of the values.
        (ResultType::Raw, Some(End::Lease(lease, at))) if !lease.is_hidden() => {
            Some(End::Lease(hidden(lease, "lease", &call.path), at))
        }
        (_, end) => end,
    };
    match part(call.result, body) {
        Some(object) => (bound(Secret::object(SecretObject::new(object)), end), told),
        None if call.allow_empty => (bound(nothing(), end), told),
        None => (bound(nothing(), end), Err(Failure::NoSuchPart(call.result))),
    }
}

fn part(result: ResultType, body: Json) -> Option<Json> {
    let mut body = body.into_object().ok()?;
    let part = match result {
        ResultType::Data => body.swap_remove("data"),
        ResultType::Auth => body.swap_remove("auth").map(|auth| only(auth, AUTH)),
        ResultType::Raw => Some(only(Json::object(body), RAW)),
    };
    part.filter(|part| part.as_object().is_some())
}

/// The members that External Secrets Operator knows.
fn only(json: Json, names: &[&str]) -> Json {
    match json.into_object() {
        Ok(mut members) => {
            members.retain(|name, _| names.contains(&name.as_str()));
            Json::object(members)
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
    use secretsync_core::provider::StoreOrigin;
    use secretsync_core::secret::Payload;

    const BODY: &str = r#"{"request_id":"r","lease_id":"db/creds/a/1","renewable":true,"lease_duration":60,"data":{"username":"u"},"wrap_info":null,
        "warnings":null,"auth":{"client_token":"t","accessor":"a","policies":["p"],"lease_duration":30,"renewable":true,"num_uses":0},"other":1}"#;

    fn call(result: ResultType, allow_empty: bool) -> Call {
        let config = serde_json::json!({"path": "a/b", "allowEmptyResponse": allow_empty});
        let call = Call::new(
            &serde_json::from_value(config).unwrap(),
            &StoreOrigin::generator("VaultDynamicSecret", "shop", "db"),
        );
        Call { result, ..call.unwrap() }
    }

    fn keys(result: ResultType, body: &str) -> Vec<String> {
        let body = Json::parse(body.as_bytes()).unwrap();
        let (secret, useful) = secret(&call(result, false), Some(body), SystemTime::UNIX_EPOCH);
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
        let (_, told) = secret(&call(ResultType::Data, false), None, SystemTime::UNIX_EPOCH);
        assert_eq!(told.unwrap_err().to_string(), "unable to get dynamic secret: empty response from Vault");
        assert!(secret(&call(ResultType::Data, true), None, SystemTime::UNIX_EPOCH).1.is_ok());
        let login =
            r#"{"data":null,"auth":{"client_token":"t","accessor":"abc","lease_duration":30,"renewable":true}}"#;
        let body = || Some(Json::parse(login.as_bytes()).unwrap());
        let (found, told) = secret(&call(ResultType::Data, false), body(), SystemTime::UNIX_EPOCH);
        assert!(matches!(told, Err(Failure::NoSuchPart(ResultType::Data))));
        assert_eq!(found.lease.unwrap().id(), "auth/token/accessor/abc");
    }
    #[test]
    fn an_id_that_is_a_value_is_shown_nowhere_else() {
        let lease = |result| {
            let body = Json::parse(BODY.as_bytes()).unwrap();
            secret(&call(result, false), Some(body), SystemTime::UNIX_EPOCH).0.lease.unwrap()
        };
        let (data, raw) = (lease(ResultType::Data), lease(ResultType::Raw));
        assert_eq!((data.id(), data.name(), raw.id()), ("db/creds/a/1", "db/creds/a/1", "db/creds/a/1"));
        assert!(raw.name().starts_with("lease #") && raw.is_hidden(), "{}", raw.name());
        assert!(!format!("{raw:?}").contains("creds"));
    }
}
