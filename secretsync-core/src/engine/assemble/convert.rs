//! Keys of a Secret: conversion of names that are none, and the check that they are some.

use indexmap::IndexMap;
use indexmap::map::Entry;
use thiserror::Error;

use crate::sync::KeyConversion;

/// The longest key that Kubernetes takes, in bytes.
const MAX_KEY: usize = 253;

/// Why keys were refused. Keys are names, not secrets: they are shown.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub(crate) enum KeyError {
    /// Two keys became the same.
    #[error("secret name collision during conversion: {key}")]
    Collision {
        /// What both became.
        key: String,
    },
    /// A key has a character that Kubernetes refuses.
    #[error("{INVALID}: key has invalid character {character}, only alphanumeric, '-', '.' and '_' are allowed: {key}")]
    InvalidCharacter {
        /// The key.
        key: String,
        /// The first such character.
        character: char,
    },
    /// A key is too long for Kubernetes.
    #[error("{INVALID}: key has length {length} but max is {MAX_KEY}: (following is truncated): {start}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// As much of it as would be allowed.
        start: String,
    },
}

const INVALID: &str = "invalid secret keys (TIP: use rewrite or conversionStrategy to change keys)";

/// Converts every key of `map`, in order.
///
/// Unlike ESO, which keeps letters and digits of all scripts, only ASCII ones are kept: the API server refuses others.
///
/// # Errors
///
/// [`KeyError::Collision`] if two keys become equal.
pub(crate) fn convert_keys<V>(
    strategy: KeyConversion,
    map: IndexMap<String, V>,
) -> Result<IndexMap<String, V>, KeyError> {
    let mut converted = IndexMap::with_capacity(map.len());
    for (key, value) in map {
        match converted.entry(convert(strategy, &key)) {
            Entry::Occupied(entry) => return Err(KeyError::Collision { key: entry.key().clone() }),
            Entry::Vacant(entry) => entry.insert(value),
        };
    }
    Ok(converted)
}

/// Drops the empty key and checks the others.
///
/// # Errors
///
/// [`KeyError::InvalidCharacter`] or [`KeyError::TooLong`] for the first key that Kubernetes would refuse.
pub(crate) fn validate_keys<V>(map: &mut IndexMap<String, V>) -> Result<(), KeyError> {
    map.shift_remove("");
    map.keys().try_for_each(|key| {
        if key.len() > MAX_KEY {
            let start = key[..key.floor_char_boundary(MAX_KEY)].to_owned();
            return Err(KeyError::TooLong { length: key.len(), start });
        }
        match key.chars().find(|&c| !is_allowed(c)) {
            Some(character) => Err(KeyError::InvalidCharacter { key: key.clone(), character }),
            None => Ok(()),
        }
    })
}

fn convert(strategy: KeyConversion, key: &str) -> String {
    let mut converted = String::with_capacity(key.len());
    for c in key.chars() {
        match strategy {
            _ if is_allowed(c) => converted.push(c),
            KeyConversion::Default => converted.push('_'),
            KeyConversion::Unicode => converted.extend(["_U", &format!("{:04x}", u32::from(c)), "_"]),
        }
    }
    converted
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map<const N: usize>(keys: [&str; N]) -> IndexMap<String, usize> {
        keys.into_iter().enumerate().map(|(value, key)| (key.to_owned(), value)).collect()
    }

    #[test]
    fn characters_that_keys_may_not_have_are_replaced() {
        for (key, default, unicode) in [
            ("plain-Key_1.x", "plain-Key_1.x", "plain-Key_1.x"),
            ("a/b c", "a_b_c", "a_U002f_b_U0020_c"),
            ("[x]", "_x_", "_U005b_x_U005d_"),
            ("\u{1f600}", "_", "_U1f600_"),
            ("é²", "__", "_U00e9__U00b2_"),
            ("", "", ""),
        ] {
            assert_eq!(convert(KeyConversion::Default, key), default);
            assert_eq!(convert(KeyConversion::Unicode, key), unicode);
        }
    }

    #[test]
    fn keys_keep_their_order_and_values() {
        let converted = convert_keys(KeyConversion::Default, map(["z/1", "a/2", "m"])).unwrap();
        let pairs: Vec<_> = converted.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        assert_eq!(pairs, [("z_1", 0), ("a_2", 1), ("m", 2)]);
    }

    #[test]
    fn two_keys_that_become_one_are_refused() {
        let error = convert_keys(KeyConversion::Default, map(["a/b", "c", "a_b"])).unwrap_err();
        assert_eq!(error.to_string(), "secret name collision during conversion: a_b");
        assert!(convert_keys(KeyConversion::Unicode, map(["a/b", "a_b"])).is_ok());
    }

    #[test]
    fn keys_that_kubernetes_would_refuse_are_refused() {
        let refusal = |key: &str| validate_keys(&mut map([key])).map_err(|error| error.to_string());
        let long = "k".repeat(254);
        assert_eq!(refusal("Ab-1._"), Ok(()));
        assert_eq!(refusal(&long[1..]), Ok(()));
        assert_eq!(
            refusal(&long).unwrap_err(),
            format!(
                "invalid secret keys (TIP: use rewrite or conversionStrategy to change keys): key has length 254 but max \
                 is 253: (following is truncated): {}",
                &long[1..]
            )
        );
        assert_eq!(
            refusal("x<no value>-key").unwrap_err(),
            "invalid secret keys (TIP: use rewrite or conversionStrategy to change keys): key has invalid character <, \
             only alphanumeric, '-', '.' and '_' are allowed: x<no value>-key"
        );
        assert!(refusal("é").is_err());
        assert!(refusal(&"é".repeat(200)).is_err());
    }

    #[test]
    fn the_empty_key_is_dropped() {
        let mut keys = map(["a", "", "b"]);
        validate_keys(&mut keys).unwrap();
        assert_eq!(keys, IndexMap::from([("a".to_owned(), 0), ("b".to_owned(), 2)]));
    }
}
