//! Certificates of authorities and of ourselves.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use reqwest::Certificate;
use secretsync_core::secret::SecretValue;
use zeroize::Zeroizing;

/// The PEM text of a bundle that may be wrapped in base64, as Kubernetes wraps fields of bytes.
pub(crate) fn pem(bundle: &[u8]) -> Vec<u8> {
    if bundle.windows(BEGIN.len()).any(|window| window == BEGIN) {
        return bundle.to_vec();
    }
    let packed: Vec<_> = bundle.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let decoded =
        [STANDARD, URL_SAFE, STANDARD_NO_PAD, URL_SAFE_NO_PAD].iter().find_map(|form| form.decode(&packed).ok());
    decoded.unwrap_or_else(|| bundle.to_vec())
}

/// The certificates of a PEM text: at least one, and nothing else.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, &'static str> {
    let found = Certificate::from_pem_bundle(pem).map_err(|_| "it is not valid PEM")?;
    let blocks = pem.windows(BEGIN.len()).filter(|window| window == &BEGIN).count();
    if found.is_empty() || found.len() != blocks {
        return Err("it is not a list of PEM certificates");
    }
    // Only a trust store parses what is inside the blocks.
    let parsed = reqwest::Client::builder().tls_certs_only(found.clone()).build();
    parsed.map_err(|_| "a PEM block is no certificate")?;
    Ok(found)
}

/// Our certificate with its key.
pub(super) fn identity(certificate: &SecretValue, key: &SecretValue) -> Result<reqwest::Identity, &'static str> {
    let mut both = Zeroizing::new(Vec::with_capacity(certificate.expose().len() + key.expose().len() + 1));
    both.extend_from_slice(key.expose());
    both.push(b'\n');
    both.extend_from_slice(certificate.expose());
    reqwest::Identity::from_pem(&both).map_err(|_| "certificate or key is not valid PEM")
}

const BEGIN: &[u8] = b"-----BEGIN ";
