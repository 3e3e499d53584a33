//! JSON values that keep number text and key order.

use std::fmt;

use indexmap::IndexMap;
use zeroize::Zeroizing;

/// A JSON value: numbers keep their text, objects their order.
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it was written.
    Number(Zeroizing<String>),
    /// A text.
    String(Zeroizing<String>),
    /// A list.
    Array(Vec<Self>),
    /// An object in its order.
    Object(IndexMap<String, Self>),
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json(..)")
    }
}
