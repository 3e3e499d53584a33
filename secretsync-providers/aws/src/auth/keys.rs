//! Keys that are given by reference.

use aws_credential_types::Credentials;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::{CredentialRef, CredentialSource};
use secretsync_core::secret::SecretValue;

/// The keys in Secrets, without the white space around them.
pub(super) async fn obtain(
    id: &CredentialRef,
    secret: &CredentialRef,
    token: Option<&CredentialRef>,
    credentials: &dyn CredentialSource,
) -> Result<Credentials> {
    let id = resolve("accessKeyID", id, credentials).await?;
    let secret = resolve("SecretAccessKey", secret, credentials).await?;
    let token = match token {
        Some(token) => Some(resolve("SessionToken", token, credentials).await?),
        None => None,
    };
    Ok(Credentials::new(id, secret, token, None, "secretRef"))
}

async fn resolve(name: &'static str, reference: &CredentialRef, credentials: &dyn CredentialSource) -> Result<String> {
    let value = credentials.resolve(reference).await;
    let value = value.map_err(|error| error.within("fetch", format!("{name} secret")))?;
    printable(&value).ok_or_else(|| {
        Error::new(ErrorKind::InvalidConfig, "use")
            .on(reference)
            .because("it is empty or has characters that no AWS key has")
            .with_hint(Hint::new(Code::AwsCredentialsInvalid, "store the key alone, as plain text"))
    })
}

/// A text that can be a part of credentials. The SDK wipes the secret ones.
pub(super) fn printable(value: &SecretValue) -> Option<String> {
    let text = value.expose_str()?.trim();
    let printable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    printable.then(|| text.to_owned())
}
