//! Secret ids that come wrapped: a token of one use stands for them, so that nobody on the way can read them unnoticed.

use std::fmt;

use secretsync_core::json::Json;
use secretsync_core::secret::SecretValue;
use zeroize::Zeroizing;

use super::login::Door;
use super::{Token, body};
use crate::client::Answer;
use crate::error::Failure;

/// A secret id, and the wrapping token that it came in.
pub(crate) struct Unwrapped {
    wrapping: Zeroizing<String>,
    secret_id: Zeroizing<String>,
}

impl fmt::Debug for Unwrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unwrapped(..)")
    }
}

/// What can be wrong with a wrapped secret id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wrapped {
    /// It was unwrapped already, or has expired.
    Gone,
    /// Something else than a secret id of this mount is inside.
    Substituted,
}

/// Whether a text is a token, as no secret id looks (they are UUIDs, unless somebody chose them).
pub(super) fn looks_wrapped(text: &str) -> bool {
    let rest = text.strip_prefix("hvs.").or_else(|| text.strip_prefix("s."));
    rest.is_some_and(|rest| {
        rest.len() >= 20 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    })
}

/// The secret id inside, after a look that it is one.
pub(super) async fn unwrap(door: &Door<'_>, mount: &str, wrapping: &str) -> Result<Zeroizing<String>, Failure> {
    if let Some(known) = remembered(door, wrapping) {
        return Ok(known);
    }
    let gone = |failure| match failure {
        Failure::Status { status: 400 | 404, .. } | Failure::Forbidden => Failure::Wrapped(Wrapped::Gone),
        failure => failure,
    };
    let looked = door.post("sys/wrapping/lookup", body(&[("token", wrapping)]), None).await.map_err(gone)?;
    let Answer::Found(looked) = looked else { return Err(Failure::Wrapped(Wrapped::Gone)) };
    let origin = looked.get("data").and_then(|data| data.get("creation_path"));
    if !matches!(origin, Some(Json::String(path)) if is_secret_id(path.expose(), mount)) {
        return Err(Failure::Wrapped(Wrapped::Substituted));
    }
    let token = Token::parse(&SecretValue::from(wrapping)).ok_or(Failure::Wrapped(Wrapped::Gone))?;
    // The token is the credential here: naming it in the body too would use it up.
    let opened = door.post("sys/wrapping/unwrap", body(&[]), Some(&token)).await.map_err(gone)?;
    let Answer::Found(opened) = opened else { return Err(Failure::Wrapped(Wrapped::Gone)) };
    let Some(Json::String(secret_id)) = opened.get("data").and_then(|data| data.get("secret_id")) else {
        return Err(Failure::Wrapped(Wrapped::Substituted));
    };
    let secret_id: Zeroizing<String> = secret_id.expose().to_owned().into();
    let unwrapped = Unwrapped { wrapping: wrapping.to_owned().into(), secret_id: secret_id.clone() };
    *door.unwrapped.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(unwrapped);
    Ok(secret_id)
}

fn remembered(door: &Door<'_>, wrapping: &str) -> Option<Zeroizing<String>> {
    let unwrapped = door.unwrapped.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    unwrapped.as_ref().filter(|known| *known.wrapping == wrapping).map(|known| known.secret_id.clone())
}

/// Whether a path makes secret ids of a mount: `auth/<mount>/role/<role>/secret-id`, after the namespace if there is one.
fn is_secret_id(path: &str, mount: &str) -> bool {
    let Some((before, role)) = path.split_once(&format!("auth/{mount}/role/")) else { return false };
    let role = role.strip_suffix("/secret-id").unwrap_or_default();
    (before.is_empty() || before.ends_with('/')) && !role.is_empty() && !role.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_tokens_are_told_from_secret_ids() {
        for wrapped in ["hvs.CAESIJ2Zb8Xj3xKk3x_-abc", "s.KkNJYWF5g0pomcCLEmDdOVCW", "s.KkNJYWF5g0pomcCLEmDdOVCW.ns1"] {
            assert!(looks_wrapped(wrapped), "{wrapped}");
        }
        for plain in ["d0d1c3f0-5a1c-4f0e-9a2b-1c2d3e4f5a6b", "s.short", "hvs.", "secret with. blanks", ""] {
            assert!(!looks_wrapped(plain), "{plain}");
        }
    }

    #[test]
    fn only_secret_ids_of_the_mount_are_taken() {
        for good in ["auth/approle/role/shop/secret-id", "ns1/ns2/auth/approle/role/shop/secret-id"] {
            assert!(is_secret_id(good, "approle"), "{good}");
        }
        for bad in [
            "auth/other/role/shop/secret-id",
            "auth/approle/role/shop/custom-secret-id",
            "auth/approle/role/a/b/secret-id",
            "auth/approle/role//secret-id",
            "xauth/approle/role/shop/secret-id",
            "sys/wrapping/wrap",
            "",
        ] {
            assert!(!is_secret_id(bad, "approle"), "{bad}");
        }
    }
}
