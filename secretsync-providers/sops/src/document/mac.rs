//! The digest over all values of a document.

use std::fmt::Write as _;

use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// SHA-256 of `sops`: what the digest of `mac_only_encrypted` documents begins with, so that they never verify as others.
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b, 0x97, 0x5b,
    0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// Hashes the values in document order, without keys, types or lengths (section 6 of the format).
pub(crate) struct Mac {
    hash: Sha512,
    only_encrypted: bool,
}

impl Mac {
    pub(crate) fn new(only_encrypted: bool) -> Self {
        let mut hash = Sha512::new();
        if only_encrypted {
            hash.update(ONLY_ENCRYPTED);
        }
        Self { hash, only_encrypted }
    }

    /// Adds the plain bytes of one value.
    pub(crate) fn add(&mut self, bytes: &[u8], encrypted: bool) {
        if encrypted || !self.only_encrypted {
            self.hash.update(bytes);
        }
    }

    /// Whether the values are those that `stored` was made of.
    pub(crate) fn matches(self, stored: &[u8]) -> bool {
        self.text().as_bytes().ct_eq(stored).into()
    }

    fn text(self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(128));
        for byte in self.hash.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02X}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(only_encrypted: bool) -> String {
        let mut mac = Mac::new(only_encrypted);
        for (value, encrypted) in
            [("admin", true), ("5432", true), ("True", true), ("a", true), ("b", true), ("plain", false)]
        {
            mac.add(value.as_bytes(), encrypted);
        }
        mac.text().to_string()
    }

    #[test]
    fn digests_are_those_of_the_published_vectors() {
        assert_eq!(
            of(false),
            "5A0C9A767B346D13A8C7E4865C8CC48CB76871955DC4FA32D9D95E09CE768DCBF327C238ED0EE9A735B1EC80D1B55E96DB72F17231EEEC7884C976623D514CC8"
        );
        assert_eq!(
            of(true),
            "4720DE3A600B0E8269C0080887DFA830FB6416B0CA95BF41F3C415E4168C03E1F76921AE7ACD3DB9B09FC4CF6D1276E51EDE182AD2075883D4D2B9FDD6369848"
        );
    }

    #[test]
    fn a_shorter_digest_does_not_match() {
        let mac = || Mac::new(false);
        let text = mac().text();
        assert!(mac().matches(text.as_bytes()));
        assert!(!mac().matches(&text.as_bytes()[..127]));
        assert!(!mac().matches(b""));
    }
}
