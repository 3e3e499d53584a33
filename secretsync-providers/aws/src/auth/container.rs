//! The credential endpoints of containers: ECS, and EKS Pod Identity.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::Ambient;
use secretsync_core::secret::SecretValue;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::ambient::unusable;
use super::keys::printable;
use crate::client::{Fetcher, endpoint_host, endpoint_is_loopback, endpoint_text as text};

/// The credentials that the container's surroundings hand out, where they do.
pub(super) async fn obtain(variables: &Ambient) -> Result<Option<Credentials>> {
    let Some(url) = url(variables)? else { return Ok(None) };
    let token = authorization(variables)?;
    let fetched = Fetcher::new().get(&url, token.as_deref().map(String::as_str)).await;
    let fetched = fetched.map_err(|cause| failed(&url, cause.to_string()))?;
    if fetched.status != 200 {
        return Err(failed(&url, format!("it answers with status {}", fetched.status)));
    }
    parse(&fetched.body).map(Some).ok_or_else(|| failed(&url, "its answer holds no credentials"))
}

/// Credentials as the endpoints of containers and instances write them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<String>,
}

/// Reads an answer of such an endpoint.
pub(super) fn parse(body: &[u8]) -> Option<Credentials> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let Answer { access_key_id, secret_access_key, token, expiration } = answer;
    let expiry = match expiration {
        Some(text) => Some(
            aws_smithy_types::DateTime::from_str(&text, aws_smithy_types::date_time::Format::DateTimeWithOffset)
                .ok()?,
        ),
        None => None,
    };
    let expiry = expiry.map(SystemTime::try_from).transpose().ok()?;
    if access_key_id.is_empty() || secret_access_key.is_empty() {
        return None;
    }
    // Both are moved, and wiped by the SDK.
    Some(Credentials::new(access_key_id, secret_access_key, token, expiry, "endpoint"))
}

/// The token in a file, which is replaced from time to time.
pub(super) fn token_file(path: &Path) -> Option<String> {
    // One buffer of fixed size: a growing one would leave pieces of the token behind.
    let mut text = Zeroizing::new([0; TOKEN_FILE_LIMIT]);
    let mut file = File::open(path).ok()?;
    let mut length = 0;
    while length < text.len() {
        match file.read(&mut text[length..]).ok()? {
            0 => return printable(&SecretValue::from(&text[..length])),
            read => length += read,
        }
    }
    None
}

fn url(variables: &Ambient) -> Result<Option<String>> {
    if let Some(relative) = text(variables, RELATIVE) {
        if !relative.starts_with('/') {
            return Err(unusable(RELATIVE, "it is no path"));
        }
        return Ok(Some(format!("http://169.254.170.2{relative}")));
    }
    let Some(full) = text(variables, FULL) else { return Ok(None) };
    let host = endpoint_host(&full).ok_or_else(|| unusable(FULL, "it is no http or https URL of a host"))?;
    let nearby = host.parse::<IpAddr>().is_ok_and(|address| AGENTS.iter().any(|agent| agent.parse() == Ok(address)));
    if full.to_ascii_lowercase().starts_with("https://") || nearby || endpoint_is_loopback(host) {
        return Ok(Some(full));
    }
    Err(unusable(FULL, "it must be an https URL, a loopback address, or the address of AWS's own agents"))
}

fn authorization(variables: &Ambient) -> Result<Option<Zeroizing<String>>> {
    if let Some(path) = variables.path(TOKEN_FILE) {
        let token =
            token_file(&path).ok_or_else(|| unusable(TOKEN_FILE, "the file holds no token that can be read"))?;
        return Ok(Some(Zeroizing::new(token)));
    }
    let Some(token) = variables.secret(TOKEN) else { return Ok(None) };
    // A line break would let the token write headers of its own.
    let text = token.expose_str().map(str::trim).filter(|text| text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)));
    text.map(|text| Some(Zeroizing::new(text.to_owned())))
        .ok_or_else(|| unusable(TOKEN, "it has characters that a header cannot carry"))
}

fn failed(url: &str, reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    let host = endpoint_host(url).unwrap_or_default().to_owned();
    Error::new(ErrorKind::Unavailable, "get credentials")
        .on(format!("from the container's endpoint at `{host}`"))
        .because(reason)
        .with_hint(Hint::new(
            Code::ProviderUnavailable,
            "check the pod identity association of the service account, and that the agent runs on the node",
        ))
}

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
/// ECS, and EKS Pod Identity in both families.
const AGENTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];
const TOKEN_FILE_LIMIT: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn of(name: &'static str, value: &'static str) -> Result<Option<String>> {
        url(&Ambient::new(move |asked| (asked == name).then(|| OsString::from(value))))
    }

    #[test]
    fn a_full_uri_leads_to_aws_agents_this_machine_or_tls_only() {
        for good in [
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::23]/v1/credentials",
            "http://127.0.0.1:80/x",
            "http://localhost/x",
            "https://example.com/x",
        ] {
            assert_eq!(of(FULL, good).unwrap().as_deref(), Some(good));
        }
        for bad in ["http://169.254.169.254/x", "http://10.0.0.1/x", "http://example.com/x", "file:///etc/passwd", "x"]
        {
            assert!(of(FULL, bad).is_err(), "{bad}");
        }
        assert_eq!(of(RELATIVE, "/v2/a").unwrap().as_deref(), Some("http://169.254.170.2/v2/a"));
        assert!(of(RELATIVE, "@evil.example/").is_err());
    }

    #[test]
    fn an_authorization_token_cannot_write_headers() {
        let token = |text: &'static str| {
            authorization(&Ambient::new(move |name| (name == TOKEN).then(|| OsString::from(text))))
        };
        assert!(token("Basic abc\r\nX: y").is_err());
        assert_eq!(token("Basic abc\n").unwrap().unwrap().as_str(), "Basic abc");
    }
}
