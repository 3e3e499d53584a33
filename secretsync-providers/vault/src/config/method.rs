//! From `auth` to the method that is used.

use secretsync_core::error::{Code, ErrorKind, Result};

use super::VaultAuth;
use super::place::Place;
use crate::auth::Method;

/// The first method in External Secrets Operator's order.
pub(super) fn method(place: &Place<'_>, auth: Option<&VaultAuth>) -> Result<Method> {
    let Some(auth) = auth else { return Ok(Method::None) };
    match (auth.method(), &auth.token_secret_ref) {
        (_, Some(token)) => Ok(Method::Token(place.secret("auth.tokenSecretRef", token, None)?)),
        (Some(other), None) => Err(place.refused(
            ErrorKind::Unsupported,
            Code::Unsupported,
            "auth",
            format!("auth method `{other}` is not supported yet"),
            "use `tokenSecretRef`, or leave `auth` out behind a proxy that adds the token",
        )),
        (None, None) => {
            Err(place.invalid("auth", "no valid auth method specified", "add `tokenSecretRef`, the supported method"))
        }
    }
}
