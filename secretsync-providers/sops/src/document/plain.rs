//! A decrypted document.

use secretsync_core::json::Json;
use zeroize::Zeroizing;

use super::value::float_text;

/// A value in the clear; its texts are wiped when dropped.
pub(crate) enum Plain {
    Bool(bool),
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

    /// The same tree in the engine's words. Of a repeated key, which only JSON documents can have, the last value wins, as for every reader of
    /// what `sops decrypt` prints.
    pub(crate) fn into_json(self) -> Json {
        match self {
            Self::Bool(value) => Json::Bool(value),
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
