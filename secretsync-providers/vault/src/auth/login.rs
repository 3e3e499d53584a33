//! The door of a server: what every login needs and does.

use std::sync::Mutex;

use secretsync_core::error::{Code, Error, ErrorKind, Hint};
use secretsync_core::json::Json;
use secretsync_core::provider::{CredentialRef, CredentialSource};
use secretsync_core::secret::SecretValue;
use zeroize::Zeroizing;

use super::wrapped::{self, Unwrapped};
use super::{Granted, Token, answer, body};
use crate::client::{Answer, Client, Request};
use crate::config::Account;
use crate::error::Failure;

/// Where a login happens and what it is made with.
pub(crate) struct Door<'a> {
    pub(crate) account: &'a Account,
    pub(crate) client: &'a Client,
    pub(crate) credentials: &'a dyn CredentialSource,
    /// The last secret id that came wrapped: it can be unwrapped only once, and is needed at each login.
    pub(crate) unwrapped: &'a Mutex<Option<Unwrapped>>,
}

impl Door<'_> {
    /// Sends the fields of a login and takes the token.
    pub(super) async fn log_in(
        &self,
        mount: &str,
        user: Option<&str>,
        fields: &[(&str, &str)],
    ) -> Result<Granted, Failure> {
        let path = match user {
            Some(user) => format!("auth/{mount}/login/{user}"),
            None => format!("auth/{mount}/login"),
        };
        let body = match self.post(&path, body(fields), None).await {
            Ok(Answer::Found(body)) => body,
            Ok(Answer::Empty) => return Err(Failure::NoToken),
            Ok(Answer::Missing(_)) => return Err(Failure::LoginRefused(404)),
            Err(Failure::Forbidden) => return Err(Failure::LoginRefused(403)),
            Err(Failure::Status { status: 400, .. }) => return Err(Failure::LoginRefused(400)),
            Err(failure) => return Err(failure),
        };
        granted(&body)
    }

    /// A request in the namespace of the identity.
    pub(super) async fn post(
        &self,
        path: &str,
        body: Zeroizing<Vec<u8>>,
        token: Option<&Token>,
    ) -> Result<Answer, Failure> {
        let request = Request::post(path, body).in_namespace(self.account.namespace.as_ref());
        self.client.call(request, token).await
    }

    /// A credential as text, without the white space around it.
    pub(super) async fn text(&self, reference: &CredentialRef) -> Result<Zeroizing<String>, Failure> {
        text(&self.resolve(reference).await?, reference)
    }

    /// A credential as it is, but for the line break that editors and `echo` add: a password may begin or end with a blank.
    pub(super) async fn verbatim(&self, reference: &CredentialRef) -> Result<Zeroizing<String>, Failure> {
        let value = self.resolve(reference).await?;
        let whole = value.expose_str().ok_or_else(|| unusable(reference))?;
        Ok(whole.trim_end_matches(['\r', '\n']).to_owned().into())
    }

    /// A secret id, unwrapped where it came wrapped.
    pub(super) async fn secret_id(&self, mount: &str, reference: &CredentialRef) -> Result<Zeroizing<String>, Failure> {
        let text = self.text(reference).await?;
        if wrapped::looks_wrapped(&text) { wrapped::unwrap(self, mount, &text).await } else { Ok(text) }
    }

    pub(super) async fn resolve(&self, reference: &CredentialRef) -> Result<SecretValue, Failure> {
        self.credentials.resolve(reference).await.map_err(Failure::Credential)
    }
}

/// A credential as text.
pub(super) fn text(value: &SecretValue, reference: &CredentialRef) -> Result<Zeroizing<String>, Failure> {
    let text = value.expose_str().map(str::trim).filter(|text| !text.is_empty()).ok_or_else(|| unusable(reference))?;
    Ok(text.to_owned().into())
}

fn unusable(reference: &CredentialRef) -> Failure {
    Failure::Credential(
        Error::new(ErrorKind::InvalidConfig, "use")
            .on(reference)
            .because("it is empty or no text")
            .with_hint(Hint::new(Code::CredentialMissing, "store the credential alone, as plain text")),
    )
}

fn granted(body: &Json) -> Result<Granted, Failure> {
    let auth = body.get("auth").ok_or(Failure::NoToken)?;
    if auth.get("mfa_requirement").is_some_and(|requirement| requirement.as_object().is_some()) {
        return Err(Failure::SecondFactor);
    }
    let Some(Json::String(text)) = auth.get("client_token") else { return Err(Failure::NoToken) };
    let token = Token::parse(&SecretValue::from(text.expose())).ok_or(Failure::NoToken)?;
    Ok(Granted { token: Some(token), term: answer::term(auth), ours: !answer::is_batch(auth) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(auth: &str) -> Result<Granted, Failure> {
        let body = Json::parse(format!(r#"{{"auth":{auth}}}"#).as_bytes());
        granted(&body.map_err(|_| Failure::TooBig)?)
    }

    #[test]
    fn a_login_without_a_token_is_none() {
        for nothing in ["null", "{}", r#"{"client_token":""}"#, r#"{"client_token":7}"#, r#"{"client_token":"a\nb"}"#] {
            assert!(matches!(login(nothing), Err(Failure::NoToken)), "{nothing}");
        }
        let second = r#"{"client_token":"","mfa_requirement":{"mfa_request_id":"x"}}"#;
        assert!(matches!(login(second), Err(Failure::SecondFactor)));
        assert!(login(r#"{"client_token":"t","mfa_requirement":null}"#).is_ok());
    }

    #[test]
    fn batch_tokens_are_not_ours_to_end() {
        assert!(!login(r#"{"client_token":"b.x","token_type":"batch","lease_duration":5}"#).unwrap().ours);
        assert!(login(r#"{"client_token":"s.x","token_type":"service","lease_duration":5}"#).unwrap().ours);
    }
}
