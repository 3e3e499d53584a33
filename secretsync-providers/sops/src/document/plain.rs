//! A decrypted document.

use indexmap::IndexMap;
use secretsync_core::float;
use secretsync_core::json::Json;
use zeroize::Zeroizing;

/// Where a binary document has its content.
pub(super) const CONTENT: &str = "data";

/// What a document holds; its texts are wiped when dropped.
#[derive(Default)]
pub(super) struct Plain {
    pub(super) members: IndexMap<String, Json>,
    /// The content of a binary document.
    pub(super) content: Option<Zeroizing<Vec<u8>>>,
}

/// A number in the text that sops gives it; what JSON has no number for becomes the text that YAML has for it.
pub(super) fn float(number: f64) -> Json {
    match number {
        f64::INFINITY => Json::text(".inf"),
        f64::NEG_INFINITY => Json::text("-.inf"),
        number if number.is_nan() => Json::text(".nan"),
        number => Json::number(float::plain(number)),
    }
}

/// Whether the MAC of a document shows that a value is there: it joins texts and numbers, without what holds them.
pub(super) fn is_hashed(value: &Json) -> bool {
    match value {
        Json::Bool(_) | Json::Number(_) => true,
        Json::String(text) => !text.expose().is_empty(),
        Json::Array(_) | Json::Null | Json::Object(_) => false,
    }
}
