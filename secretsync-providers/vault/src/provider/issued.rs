//! From an answer that issued something to a secret that ends. Pure.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use secretsync_core::json::Json;
use secretsync_core::secret::{Lease, Secret, SecretObject};

use crate::config::KvVersion;
use crate::error::Failure;
use crate::lease::of_accessor;
use crate::number::{moment_of, seconds_of};

/// What the answer hands out: its `data`, bound to its end, and whether it is of use: one that is not may still have handed out something that must be
/// given back. `asked` is when the request was sent to `place`.
pub(crate) fn data(body: Json, place: &str, asked: SystemTime) -> (Secret, Result<(), Failure>) {
    let (end, told) = end(&body, place, asked);
    let data = body.into_object().ok().and_then(|mut body| body.swap_remove("data"));
    match data.filter(|data| data.as_object().is_some()) {
        Some(data) => (bound(Secret::object(SecretObject::new(data)), end), told),
        None => (
            bound(nothing(), end),
            Err(Failure::Malformed { version: KvVersion::V1, found: "its `data` is no object" }),
        ),
    }
}

/// A secret without members.
pub(crate) fn nothing() -> Secret {
    Secret::object(SecretObject::new(Json::object(std::iter::empty().collect())))
}

/// The end of what an answer hands out, with its lease, with its token, or as its data tell. A lease that does not tell its end is a failure, but known.
pub(crate) fn end(body: &Json, place: &str, asked: SystemTime) -> (Option<End>, Result<(), Failure>) {
    if let Some(id) = text(body, "lease_id").filter(|id| !id.is_empty()) {
        let lease = Lease::new(id, is_true(body, "renewable"));
        return match seconds_of(body, "lease_duration") {
            Some(lasts) => (Some(End::Lease(lease, asked + lasts)), Ok(())),
            None => (Some(End::Lease(lease, asked)), Err(Failure::OddLease)),
        };
    }
    let token = body.get("auth").and_then(|auth| token(auth, place, asked));
    (token.or_else(|| end_of(body.get("data")?, asked)), Ok(()))
}

/// When something ends, and how.
pub(crate) enum End {
    /// With its lease.
    Lease(Lease, SystemTime),
    /// By itself.
    At(SystemTime),
    /// The other side puts something else in its place; the text tells one from the next.
    Rotation(SystemTime, Option<String>),
}

/// Binds a secret to its end.
pub(crate) fn bound(secret: Secret, end: Option<End>) -> Secret {
    match end {
        Some(End::Lease(lease, at)) => secret.with_lease(lease).with_expiry(at),
        Some(End::At(at)) => secret.with_expiry(at),
        Some(End::Rotation(at, Some(version))) => secret.with_rotation(at).with_version(version),
        Some(End::Rotation(at, None)) => secret.with_rotation(at),
        None => secret,
    }
}

/// The end of a token in an answer. Batch tokens have no accessor: they can be neither renewed nor revoked.
fn token(auth: &Json, place: &str, asked: SystemTime) -> Option<End> {
    let lasts = seconds_of(auth, "lease_duration").filter(|lasts| !lasts.is_zero())?;
    Some(match text(auth, "accessor").filter(|accessor| !accessor.is_empty()) {
        Some(accessor) => End::Lease(of_accessor(accessor, place, is_true(auth, "renewable")), asked + lasts),
        None => End::At(asked + lasts),
    })
}

/// The end that engines without leases tell in their data: passwords of static roles, certificates, tokens of clouds.
fn end_of(data: &Json, asked: SystemTime) -> Option<End> {
    let rotated = text(data, "last_vault_rotation").or_else(|| text(data, "last_openbao_rotation"));
    if rotated.is_some() || data.get("rotation_period").is_some() {
        // At the boundary the old password may be given for a moment longer.
        let at = asked + seconds_of(data, "ttl")? + LATE;
        return Some(End::Rotation(at, rotated.map(str::to_owned)));
    }
    if let Some(end) = moment_of(data, "expiration").or_else(|| moment_of(data, "expires_at_seconds")) {
        return Some(End::At(end));
    }
    let rotation = text(data, "expiration")?.parse::<Timestamp>().ok()?;
    Some(End::Rotation(SystemTime::from(rotation) + LATE, None))
}

fn text<'a>(json: &'a Json, name: &str) -> Option<&'a str> {
    match json.get(name) {
        Some(Json::String(text)) => Some(text.expose()),
        _ => None,
    }
}

fn is_true(json: &Json, name: &str) -> bool {
    matches!(json.get(name), Some(Json::Bool(true)))
}

const LATE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Secret {
        let (secret, told) = data(Json::parse(text.as_bytes()).unwrap(), "a/b", SystemTime::UNIX_EPOCH);
        told.unwrap();
        secret
    }

    fn after(secret: &Secret) -> Option<u64> {
        secret.expires_at.map(|at| at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
    }

    #[test]
    fn leases_bind_what_came_with_them() {
        let secret = read(
            r#"{"lease_id":"database/creds/a/x","renewable":true,"lease_duration":3600,"data":{"username":"u","ttl":5}}"#,
        );
        let lease = secret.lease.clone().unwrap();
        assert_eq!((lease.id(), lease.renewable(), after(&secret)), ("database/creds/a/x", true, Some(3600)));
    }

    #[test]
    fn static_roles_end_with_their_next_rotation() {
        for name in ["last_vault_rotation", "last_openbao_rotation"] {
            let text = format!(
                r#"{{"lease_id":"","lease_duration":0,"data":{{"password":"p","{name}":"2026-01-01T00:00:00Z","ttl":60}}}}"#
            );
            let secret = read(&text);
            assert_eq!((after(&secret), secret.rotates, secret.lease.is_none()), (Some(61), true, true), "{name}");
            assert_eq!(secret.version.unwrap().as_str(), "2026-01-01T00:00:00Z");
        }
        let cloud = read(r#"{"data":{"access_key":"a","expiration":"1970-01-01T00:01:00Z"}}"#);
        assert_eq!((after(&cloud), cloud.rotates), (Some(61), true));
    }

    #[test]
    fn certificates_and_cloud_tokens_tell_their_end_themselves() {
        for text in
            [r#"{"data":{"certificate":"c","expiration":100}}"#, r#"{"data":{"token":"t","expires_at_seconds":100}}"#]
        {
            let secret = read(text);
            assert_eq!((after(&secret), secret.rotates), (Some(100), false), "{text}");
        }
        assert_eq!(after(&read(r#"{"data":{"code":"123456"}}"#)), None);
    }

    #[test]
    fn tokens_are_known_by_their_accessor_and_shown_without_it() {
        let end = |text: &str| end(&Json::parse(text.as_bytes()).unwrap(), "a/b", SystemTime::UNIX_EPOCH).0;
        let token =
            end(r#"{"auth":{"client_token":"t","accessor":"abc","lease_duration":60,"renewable":true},"data":null}"#);
        let Some(End::Lease(lease, _)) = token else { panic!("no lease") };
        assert_eq!(lease.id(), "auth/token/accessor/abc");
        assert!(lease.name().starts_with("token #") && lease.name().ends_with(" of a/b"), "{}", lease.name());
        assert!(!format!("{lease:?}").contains("abc"));
        let batch =
            end(r#"{"auth":{"client_token":"t","accessor":"","lease_duration":60,"renewable":false},"data":null}"#);
        assert!(matches!(batch, Some(End::At(_))));
    }

    #[test]
    fn a_lease_is_known_although_its_answer_is_of_no_use() {
        for (text, told) in [
            (r#"{"lease_id":"l/1","lease_duration":60,"data":null}"#, "is no object"),
            (r#"{"lease_id":"l/1","lease_duration":60,"data":["a"]}"#, "is no object"),
            (r#"{"lease_id":"l/1","lease_duration":"60","data":{"u":"v"}}"#, "how long its lease lasts"),
            (r#"{"lease_id":"l/1","data":{"u":"v"}}"#, "how long its lease lasts"),
        ] {
            let (secret, useful) = data(Json::parse(text.as_bytes()).unwrap(), "a/b", SystemTime::UNIX_EPOCH);
            assert!(useful.unwrap_err().to_string().contains(told), "{text}");
            assert_eq!(secret.lease.unwrap().id(), "l/1", "{text}");
        }
        let long = r#"{"lease_id":"l/1","lease_duration":18446744073709551615,"data":{"u":"v"}}"#;
        assert!(after(&read(long)).unwrap() > 900_000_000);
    }
}
