//! A decrypted document.

use std::collections::HashMap;

use secretsync_core::json::Json;
use secretsync_core::secret::{Secret, SecretObject};
use zeroize::Zeroizing;

use super::value::float_text;

/// A value in the clear; its texts are wiped when dropped.
pub(crate) enum Plain {
    Bool(bool),
    /// The content of a binary document.
    Bytes(Zeroizing<Vec<u8>>),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
    Null,
    Number(Zeroizing<String>),
    Text(Zeroizing<String>),
}

impl Plain {
    /// A whole number.
    pub(crate) fn int(number: i64) -> Self {
        Self::Number(Zeroizing::new(number.to_string()))
    }

    /// A number in the text that sops gives it; what JSON has no number for becomes the text that YAML has for it.
    pub(crate) fn float(number: f64) -> Self {
        match number {
            f64::INFINITY => Self::text(".inf"),
            f64::NEG_INFINITY => Self::text("-.inf"),
            number if number.is_nan() => Self::text(".nan"),
            number => Self::Number(Zeroizing::new(float_text(number))),
        }
    }

    /// A text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(Zeroizing::new(text.into()))
    }

    /// The object that a provider hands out.
    pub(crate) fn into_secret(self) -> Secret {
        match self {
            Self::Bytes(bytes) => Secret::bytes(bytes.into()),
            tree => Secret::object(SecretObject::new(tree.into_json())),
        }
    }

    /// The same tree in the engine's words. Of a repeated key, which only JSON documents can have, the last value wins, as for every reader of
    /// what `sops decrypt` prints.
    fn into_json(self) -> Json {
        match self {
            Self::Bool(value) => Json::Bool(value),
            // Only at the top of a binary document, which is no tree.
            Self::Bytes(bytes) => Json::text(String::from_utf8_lossy(&bytes)),
            Self::List(items) => Json::Array(items.into_iter().map(Self::into_json).collect()),
            Self::Map(entries) => {
                Json::Object(entries.into_iter().map(|(key, value)| (key, value.into_json())).collect())
            }
            Self::Null => Json::Null,
            Self::Number(mut text) => {
                Json::parse(text.as_bytes()).unwrap_or_else(|_| Json::text(std::mem::take(&mut *text)))
            }
            Self::Text(mut text) => Json::text(std::mem::take(&mut *text)),
        }
    }
}

/// The sections of an INI document, those of the same name as one.
pub(crate) fn join_sections(sections: Vec<(String, Plain)>) -> Vec<(String, Plain)> {
    let mut joined: Vec<(String, Plain)> = Vec::with_capacity(sections.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(sections.len());
    for (name, section) in sections {
        let place = *places.entry(name.clone()).or_insert(joined.len());
        match (joined.get_mut(place), section) {
            (Some((_, Plain::Map(known))), Plain::Map(more)) => known.extend(more),
            (_, section) => joined.push((name, section)),
        }
    }
    joined
}
