//! A structured payload.

use std::fmt;

use crate::json::Json;

/// A structured object: number text and key order are kept, its texts are wiped on drop, and `Debug` shows nothing of it.
pub struct SecretObject(Json);

impl SecretObject {
    /// Wraps a tree. Every kind of value is allowed; [`crate::engine`] reports what cannot be used.
    pub fn new(json: Json) -> Self {
        Self(json)
    }

    /// The tree. Like [`crate::secret::SecretValue::expose`]: call it only where its content leaves us or is transformed.
    pub fn expose(&self) -> &Json {
        &self.0
    }
}

impl fmt::Debug for SecretObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretObject(..)")
    }
}
