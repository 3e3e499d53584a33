//! The security token service of AWS: other keys for a token or for keys.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use reqwest::redirect::Policy;
use reqwest::tls::Version;
use secretsync_core::net::AddressGuard;
use secretsync_core::provider::Ambient;
use zeroize::Zeroizing;

use super::keys::{Keys, SESSION};
use super::sign::{self, FORM, Post};
use super::{AssumedRole, Iam};
use crate::client::{self, Guard};
use crate::error::Failure;

/// STS of one region.
#[derive(Debug)]
pub(super) struct Sts {
    url: Url,
    region: String,
}

/// A token that stands for a role.
#[derive(Debug)]
pub(super) struct WebIdentity<'a> {
    pub(super) role: &'a str,
    pub(super) session: &'a str,
    pub(super) token: &'a str,
}

impl Sts {
    pub(super) fn new(iam: &Iam) -> Result<Self, Failure> {
        let configured = iam.own.as_ref().and_then(endpoint);
        let url = configured.unwrap_or_else(|| iam.endpoint());
        let url = Url::parse(&url).map_err(|_| Failure::Aws("the address of STS is none"))?;
        if url.scheme() != "https" && !client::is_loopback(&url) || client::refused_host(&url).is_some() {
            return Err(Failure::Aws("the address of STS is refused"));
        }
        Ok(Self { url, region: iam.region.clone() })
    }

    /// Keys for a token.
    pub(super) async fn exchange(&self, identity: &WebIdentity<'_>) -> Result<Keys, Failure> {
        let body = form(&[
            ("Action", "AssumeRoleWithWebIdentity"),
            ("RoleArn", identity.role),
            ("RoleSessionName", identity.session),
            ("Version", VERSION),
            ("WebIdentityToken", identity.token),
        ]);
        self.call(self.post()?.header("content-type", FORM), body).await
    }

    /// Keys of another role for keys.
    pub(super) async fn assume(&self, role: &AssumedRole, keys: &Keys) -> Result<Keys, Failure> {
        let mut fields = vec![
            ("Action", "AssumeRole"),
            ("RoleArn", role.arn.as_str()),
            ("RoleSessionName", SESSION),
            ("Version", VERSION),
        ];
        fields.extend(role.external_id.as_deref().map(|id| ("ExternalId", id)));
        let body = form(&fields);
        let post = Post { url: &self.url, region: &self.region, body: &body, headers: &[] };
        let mut request = self.post()?;
        for (name, value) in sign::sign(&post, keys, Timestamp::now()) {
            // The HTTP stack writes these two itself.
            if !matches!(name.as_str(), "host" | "content-length") {
                request = request.header(name, value.as_str());
            }
        }
        self.call(request, body).await
    }

    /// Logins are rare: no connection is kept between them.
    fn post(&self) -> Result<reqwest::RequestBuilder, Failure> {
        let builder = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .tls_version_min(Version::TLS_1_2)
            .redirect(Policy::none())
            .dns_resolver(Guard(AddressGuard::new().loopback_only(self.url.scheme() != "https")));
        let http = builder.build().map_err(|error| Failure::Setup(error.without_url()))?;
        Ok(http.post(self.url.clone()))
    }

    async fn call(&self, request: reqwest::RequestBuilder, body: Zeroizing<String>) -> Result<Keys, Failure> {
        let answer = request.body(body.as_bytes().to_vec()).send().await.map_err(|error| client::failure(&error))?;
        let status = answer.status().as_u16();
        let text = client::capped(answer, LIMIT).await?;
        if status != 200 {
            return Err(Failure::AwsRefused(status));
        }
        let text = std::str::from_utf8(&text).unwrap_or_default();
        let inside = |name: &str| element(text, name).ok_or(Failure::Aws("the answer of STS has no keys"));
        Ok(Keys::new(inside("AccessKeyId")?, inside("SecretAccessKey")?, Some(inside("SessionToken")?)))
    }
}

/// Another address, as the programs of AWS take it from the environment.
fn endpoint(own: &Ambient) -> Option<String> {
    ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"]
        .iter()
        .find_map(|name| own.secret(name)?.expose_str().map(str::to_owned))
}

/// A form: everything but unreserved characters is escaped.
fn form(fields: &[(&str, &str)]) -> Zeroizing<String> {
    let room = fields.iter().map(|(name, value)| name.len() + 3 * value.len() + 2).sum();
    let mut form = Zeroizing::new(String::with_capacity(room));
    for (name, value) in fields {
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => form.push(char::from(byte)),
                other => {
                    const DIGITS: [char; 16] =
                        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
                    form.push('%');
                    form.push(DIGITS[usize::from(other >> 4)]);
                    form.push(DIGITS[usize::from(other & 15)]);
                }
            }
        }
    }
    form
}

/// The text of the first element of a name. Keys hold no character that XML escapes.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = text.trim();
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'&'));
    (plain && !text.is_empty()).then_some(text)
}

const TIMEOUT: Duration = Duration::from_secs(20);
const VERSION: &str = "2011-06-15";
const LIMIT: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_escape_what_separates() {
        assert_eq!(
            *form(&[("RoleArn", "arn:aws:iam::1:role/a b+c"), ("X", "a~b&c=d")]),
            "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b%2Bc&X=a~b%26c%3Dd"
        );
    }

    #[test]
    fn keys_are_taken_from_their_elements_only() {
        let xml = "<A><AccessKeyId> ASIA1 </AccessKeyId><SessionToken>a+/=</SessionToken><Odd>a&amp;b</Odd><Empty></Empty></A>";
        assert_eq!(element(xml, "AccessKeyId"), Some("ASIA1"));
        assert_eq!(element(xml, "SessionToken"), Some("a+/="));
        for nothing in ["SecretAccessKey", "Odd", "Empty", "A"] {
            assert_eq!(element(xml, nothing), None, "{nothing}");
        }
    }
}
