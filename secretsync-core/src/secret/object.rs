//! A structured payload.

use std::fmt;
use std::sync::OnceLock;

use zeroize::Zeroizing;

use crate::json::Json;

/// A structured object: number text and key order are kept, its texts are wiped on drop, and `Debug` shows nothing of it.
pub struct SecretObject {
    json: Json,
    compact: OnceLock<Zeroizing<Vec<u8>>>,
}

impl SecretObject {
    /// Wraps a tree. Every kind of value is allowed; [`crate::engine`] reports what cannot be used.
    pub fn new(json: Json) -> Self {
        Self { json, compact: OnceLock::new() }
    }

    /// The tree. Like [`crate::secret::SecretValue::expose`]: call it only where its content leaves us or is transformed.
    pub fn expose(&self) -> &Json {
        &self.json
    }

    /// The tree as compact JSON text, made once: property paths are followed in it, many times for a large document.
    pub(crate) fn compact(&self) -> &[u8] {
        self.compact.get_or_init(|| self.json.compact())
    }
}

impl fmt::Debug for SecretObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretObject(..)")
    }
}
