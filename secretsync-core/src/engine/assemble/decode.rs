//! Decoding of values: base64 as Go's decoder takes it.

use base64::Engine;
use base64::alphabet::{self, Alphabet};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::secret::SecretValue;
use crate::sync::DecodingStrategy;

/// A value is not in the encoding that was asked for. Says nothing about the value.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub(crate) enum DecodeError {
    /// Not base64 in the standard alphabet.
    #[error("illegal base64 data")]
    Base64,
    /// Not base64 in the URL-safe alphabet.
    #[error("illegal base64url data")]
    Base64Url,
}

/// Decodes `value`.
///
/// As in Go, carriage returns and line feeds are ignored, padding is required, and the unused bits of the last character may be anything.
///
/// # Errors
///
/// [`DecodeError`] from `Base64` and `Base64Url` for values that are not; `Auto` and `None` take every value.
pub(crate) fn decode(value: SecretValue, strategy: DecodingStrategy) -> Result<SecretValue, DecodeError> {
    let standard = || base64(value.expose(), &alphabet::STANDARD);
    let url = || base64(value.expose(), &alphabet::URL_SAFE);
    let decoded = match strategy {
        DecodingStrategy::None => return Ok(value),
        DecodingStrategy::Base64 => standard().ok_or(DecodeError::Base64)?,
        DecodingStrategy::Base64Url => url().ok_or(DecodeError::Base64Url)?,
        DecodingStrategy::Auto => match standard().or_else(url) {
            Some(decoded) => decoded,
            None => return Ok(value),
        },
    };
    Ok(decoded.into())
}

fn base64(value: &[u8], alphabet: &Alphabet) -> Option<Zeroizing<Vec<u8>>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    let engine = GeneralPurpose::new(alphabet, config);
    let mut text = Zeroizing::new(Vec::with_capacity(value.len()));
    text.extend(value.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')));
    // The decoder writes into what is there, so nothing grows and leaves a copy behind.
    let mut decoded = Zeroizing::new(vec![0; text.len()]);
    let length = engine.decode_slice(&*text, &mut decoded).ok()?;
    decoded.truncate(length);
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(strategy: DecodingStrategy, value: &str) -> Option<Vec<u8>> {
        decode(value.into(), strategy).ok().map(|value| value.expose().to_vec())
    }

    /// Answers of Go's `base64.StdEncoding` and `base64.URLEncoding`; none where they fail.
    #[test]
    fn base64_is_taken_as_go_takes_it() {
        let both: [(&str, Option<&[u8]>); 18] = [
            ("", Some(b"")),
            ("aGVsbG8=", Some(b"hello")),
            ("aGVs\r\nbG8=\n", Some(b"hello")),
            ("\naGVsbG8\n=", Some(b"hello")),
            ("aGk\n=\n", Some(b"hi")),
            ("aA=\r\n=", Some(b"h")),
            ("aGVsbG9=", Some(b"hello")),
            ("aB==", Some(b"h")),
            ("aGVsbG8", None),
            ("aGVsbG8==", None),
            ("aGVsbG8=x", None),
            ("aGVsbG8=aGVsbG8=", None),
            ("aGVs bG8=", None),
            ("aGVs\tbG8=", None),
            ("=", None),
            ("a===", None),
            ("abc", None),
            ("p@ssword", None),
        ];
        for (text, expected) in both {
            assert_eq!(decoded(DecodingStrategy::Base64, text).as_deref(), expected, "for {text:?}");
            assert_eq!(decoded(DecodingStrategy::Base64Url, text).as_deref(), expected, "for {text:?}");
        }
        assert_eq!(decoded(DecodingStrategy::Base64, "+/+/").as_deref(), Some(&b"\xfb\xff\xbf"[..]));
        assert_eq!(decoded(DecodingStrategy::Base64, "-_-_"), None);
        assert_eq!(decoded(DecodingStrategy::Base64Url, "-_-_").as_deref(), Some(&b"\xfb\xff\xbf"[..]));
        assert_eq!(decoded(DecodingStrategy::Base64Url, "+/+/"), None);
    }

    #[test]
    fn auto_decodes_what_it_can_and_keeps_the_rest() {
        let auto = |text| decoded(DecodingStrategy::Auto, text).unwrap();
        assert_eq!(auto("aGVsbG8="), b"hello");
        assert_eq!(auto("-_-_"), b"\xfb\xff\xbf");
        assert_eq!(auto("test"), b"\xb5\xeb\x2d");
        assert_eq!(auto("+-/_"), b"+-/_");
        assert_eq!(auto("p@ssword\n"), b"p@ssword\n");
        assert_eq!(auto(""), b"");
    }

    #[test]
    fn none_keeps_every_value() {
        assert_eq!(decoded(DecodingStrategy::None, "aGVsbG8=").unwrap(), b"aGVsbG8=");
    }
}
