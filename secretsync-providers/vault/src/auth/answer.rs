//! What Vault says about tokens. Pure.

use std::time::Duration;

use secretsync_core::json::Json;
use secretsync_core::session::Term;

/// The term in the answer of `auth/token/lookup-self`.
pub(crate) fn looked_up(body: &Json) -> Term {
    let Some(data) = body.get("data") else { return Term::endless() };
    // Only a token that never ends, a root token, has no `expire_time`.
    let ends = matches!(data.get("expire_time"), Some(Json::String(_)));
    let term = match number(data, "ttl") {
        Some(seconds) if ends => Term::lasting(Duration::from_secs(seconds)),
        _ => Term::endless(),
    };
    counted(term, data).renewable(truth(data, "renewable"))
}

/// The term in the `auth` of a login or a renewal.
pub(crate) fn renewed(body: &Json) -> Option<Term> {
    body.get("auth").map(term)
}

/// The term of an `auth`.
pub(super) fn term(auth: &Json) -> Term {
    let term = match number(auth, "lease_duration") {
        Some(seconds) if seconds > 0 => Term::lasting(Duration::from_secs(seconds)),
        _ => Term::endless(),
    };
    counted(term, auth).renewable(truth(auth, "renewable"))
}

/// Whether the token cannot be ended: it lives nowhere but in itself.
pub(super) fn is_batch(auth: &Json) -> bool {
    matches!(auth.get("token_type"), Some(Json::String(kind)) if kind.expose() == "batch")
}

fn counted(term: Term, json: &Json) -> Term {
    match number(json, "num_uses") {
        Some(uses) if uses > 0 => term.with_uses(uses),
        _ => term,
    }
}

fn number(json: &Json, name: &str) -> Option<u64> {
    match json.get(name) {
        Some(Json::Number(number)) => number.expose().parse().ok(),
        _ => None,
    }
}

fn truth(json: &Json, name: &str) -> bool {
    matches!(json.get(name), Some(Json::Bool(true)))
}
