//! AWS Signature Version 4, for requests that are sent by POST to the root of a service: all that STS needs. Pure.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use reqwest::Url;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::keys::Keys;

/// A request to sign.
#[derive(Debug)]
pub(super) struct Post<'a> {
    pub(super) url: &'a Url,
    pub(super) region: &'a str,
    pub(super) body: &'a str,
    /// Further headers, by their names in lower case.
    pub(super) headers: &'a [(&'a str, &'a str)],
}

/// Every header of the signed request, `authorization` among them, by name.
pub(super) fn sign(post: &Post<'_>, keys: &Keys, now: Timestamp) -> Vec<(String, Zeroizing<String>)> {
    let stamp = now.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
    let date = &stamp[..8];
    let mut headers: Vec<(String, Zeroizing<String>)> = vec![
        ("content-length".to_owned(), post.body.len().to_string().into()),
        ("content-type".to_owned(), FORM.to_owned().into()),
        ("host".to_owned(), host(post.url).into()),
        ("x-amz-date".to_owned(), stamp.clone().into()),
    ];
    headers.extend(post.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned().into())));
    if let Some(session) = &keys.session {
        headers.push(("x-amz-security-token".to_owned(), session.clone()));
    }
    headers.sort_by(|(one, _), (other, _)| one.cmp(other));

    let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    let mut canonical = Zeroizing::new(format!("POST\n{}\n\n", post.url.path()));
    for (name, value) in &headers {
        canonical.push_str(name);
        canonical.push(':');
        canonical.push_str(value);
        canonical.push('\n');
    }
    canonical.push('\n');
    canonical.push_str(&names);
    canonical.push('\n');
    canonical.push_str(&hex(&Sha256::digest(post.body)));

    let scope = format!("{date}/{}/sts/aws4_request", post.region);
    let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let mut first = Zeroizing::new(b"AWS4".to_vec());
    first.extend_from_slice(keys.secret.as_bytes());
    let key = [date, post.region, "sts", "aws4_request"].iter().fold(first, |key, part| mac(&key, part));
    let signature = hex(&mac(&key, &to_sign));
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", keys.id);
    headers.push(("authorization".to_owned(), authorization.into()));
    headers
}

/// The host as the header has it: a port that is not the scheme's own belongs to it.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn mac(key: &[u8], text: &str) -> Zeroizing<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(text.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(super) const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference: the same request signed by botocore 1.43 (`SigV4Auth`), with the headers that it was given.
    #[test]
    fn a_signature_is_the_one_of_the_reference() {
        let url = Url::parse("https://sts.amazonaws.com/").unwrap();
        let keys = Keys::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Some("session/token=="));
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let body = "Action=GetCallerIdentity&Version=2011-06-15";
        let post = Post {
            url: &url,
            region: "us-east-1",
            body,
            headers: &[("x-vault-aws-iam-server-id", "vault.example.com")],
        };
        let signed = sign(&post, &keys, now);
        let header = |name: &str| signed.iter().find(|(known, _)| known == name).map(|(_, value)| value.to_string());
        assert_eq!(header("host").unwrap(), "sts.amazonaws.com");
        assert_eq!(header("x-amz-date").unwrap(), "20260102T030405Z");
        assert_eq!(header("content-length").unwrap(), "43");
        assert_eq!(header("authorization").unwrap(), REFERENCE);
    }

    const REFERENCE: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/sts/aws4_request, SignedHeaders=content-length;content-type;host;x-amz-date;x-amz-security-token;x-vault-aws-iam-server-id, Signature=4139f018bf7988d49ad79f70f30d11a33ff77747b3fd1a19a5c43498d895aae2";
}
