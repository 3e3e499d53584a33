//! Change detection without keeping values.

use std::fmt;
use std::sync::OnceLock;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secret::SecretValue;

/// A digest of a value, keyed with a random key of this process.
///
/// It tells whether two values seen by this process are equal and nothing else: it cannot be serialised, printed, or compared with a digest of
/// another process, so it is of no use to somebody who guesses values.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a value.
    pub fn of(value: &SecretValue) -> Self {
        Self::of_bytes(value.expose())
    }

    /// The fingerprint of bytes that a store read back.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut mac = keyed();
        mac.update(bytes);
        Self(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

fn keyed() -> Hmac<Sha256> {
    static KEY: OnceLock<[u8; 32]> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("the operating system's random source works");
        key
    });
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_fingerprints_and_others_do_not() {
        assert_eq!(Fingerprint::of(&"a".into()), Fingerprint::of_bytes(b"a"));
        assert_ne!(Fingerprint::of(&"a".into()), Fingerprint::of(&"b".into()));
    }
}
