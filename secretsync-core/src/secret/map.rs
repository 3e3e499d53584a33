//! The keys and values of one target.

use std::borrow::Borrow;
use std::collections::{BTreeMap, btree_map};
use std::fmt;

use crate::secret::SecretValue;

/// A key of a Secret: 1 to 253 of the characters `A-Z a-z 0-9 - . _`, and neither `.` nor `..` nor a name that begins with `..`.
///
/// The rule is the API server's (`ValidateSecret`, `IsConfigMapKey`), so a key that we accept never fails there, and it is always a safe file name.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SecretKey(String);

/// A text that cannot be a [`SecretKey`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{text}` cannot be a key of a Secret: use 1 to 253 of the characters A-Z a-z 0-9 - . _, not beginning with `..`"
)]
pub struct InvalidKey {
    text: String,
}

impl SecretKey {
    /// Checks and wraps a key.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidKey> {
        let text = text.into();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if text.is_empty() || text.len() > 253 || !text.chars().all(allowed) || text == "." || text.starts_with("..") {
            let text = text.chars().take(80).flat_map(char::escape_debug).collect();
            return Err(InvalidKey { text });
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for SecretKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The keys and values of one target, ordered by key.
#[derive(Debug, Default)]
pub struct SecretMap(BTreeMap<SecretKey, SecretValue>);

impl SecretMap {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key; an earlier value is wiped.
    pub fn insert(&mut self, key: SecretKey, value: SecretValue) {
        self.0.insert(key, value);
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&SecretValue> {
        self.0.get(key)
    }

    /// Keys and values in order of the keys.
    pub fn iter(&self) -> btree_map::Iter<'_, SecretKey, SecretValue> {
        self.0.iter()
    }

    /// The keys in order.
    pub fn keys(&self) -> btree_map::Keys<'_, SecretKey, SecretValue> {
        self.0.keys()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'a> IntoIterator for &'a SecretMap {
    type Item = (&'a SecretKey, &'a SecretValue);
    type IntoIter = btree_map::Iter<'a, SecretKey, SecretValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for SecretMap {
    type Item = (SecretKey, SecretValue);
    type IntoIter = btree_map::IntoIter<SecretKey, SecretValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<(SecretKey, SecretValue)> for SecretMap {
    fn from_iter<I: IntoIterator<Item = (SecretKey, SecretValue)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_the_api_servers_rule() {
        for good in ["a", "tls.crt", ".dockerconfigjson", "A_b-1", &"x".repeat(253)] {
            assert!(SecretKey::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "..data", "a/b", "ä", "a b", "a\0b", &"x".repeat(254)] {
            assert!(SecretKey::new(bad).is_err(), "{bad:?}");
        }
    }
}
