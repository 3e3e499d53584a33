//! Values as Go has them: the types a template can tell apart.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

mod bytes;
mod container;
mod object;

pub use bytes::{Buffer, Bytes};
pub use container::{ElementType, List, Map};
#[cfg(feature = "crypto")]
pub(crate) use object::Issued;
pub(crate) use object::Kind;
pub use object::Object;

/// A value of a template. `Debug` shows types and sizes, never text.
///
/// Go's types are kept apart because templates see them: `int` is not `int64` for a function's parameter, and a `map[string]string` is no
/// `dict`.
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// nil
    #[default]
    Nil,
    /// `bool`
    Bool(bool),
    /// `int`: literals, `len`, `int`, `atoi`
    Int(i64),
    /// `int64`: the result of integer functions
    Int64(i64),
    /// `uint8`: one byte of a text, by `index`
    Byte(u8),
    /// `uint64`
    Uint(u64),
    /// `float64`: all JSON and YAML numbers
    Float(f64),
    /// `complex128`: only by a literal such as `2i`
    Complex(f64, f64),
    /// `string`: any bytes
    Bytes(Bytes),
    /// a slice
    List(List),
    /// `map[string]interface {}`
    Map(Map),
    /// `map[string]string`: the root of a rendering, and the result of `split`
    StringMap(Arc<BTreeMap<Bytes, Bytes>>),
    /// a struct with methods
    Object(Object),
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<Buffer>) -> Self {
        Self::Bytes(Bytes::from(text.into()))
    }

    /// The root of a rendering: Go's `map[string]string`, whose values are any bytes.
    ///
    /// ```
    /// use secretsync_template::{Template, Value};
    ///
    /// let data = Value::string_map([("user".to_owned(), b"app".to_vec())]);
    /// assert_eq!(Template::parse("key", "{{ .user }}")?.render(&data)?, b"app");
    /// # Ok::<(), secretsync_template::Error>(())
    /// ```
    pub fn string_map(entries: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (Bytes::from(key), Bytes::from(value)));
        Self::StringMap(Arc::new(entries.collect()))
    }

    /// Go's name of the type, as `printf "%T"` gives it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Byte(_) => "uint8",
            Self::Uint(_) => "uint64",
            Self::Float(_) => "float64",
            Self::Complex(..) => "complex128",
            Self::Bytes(_) => "string",
            Self::List(list) => match list.element() {
                ElementType::Any => "[]interface {}",
                ElementType::Int => "[]int",
                ElementType::List => "[][]interface {}",
                ElementType::Text => "[]string",
            },
            Self::Map(_) => "map[string]interface {}",
            Self::StringMap(_) => "map[string]string",
            Self::Object(object) => object.type_name(),
        }
    }

    /// Whether `if` takes it as true: not the zero value, not empty.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) | Self::Int64(value) => *value != 0,
            Self::Byte(value) => *value != 0,
            Self::Uint(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Self::Bytes(text) => !text.is_empty(),
            Self::List(list) => !list.items().is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::StringMap(map) => !map.is_empty(),
            Self::Object(_) => true,
        }
    }

    /// The value as a signed integer, if it is an integer of any size.
    pub(crate) fn as_integer(&self) -> Option<i128> {
        match self {
            Self::Int(value) | Self::Int64(value) => Some(i128::from(*value)),
            Self::Byte(value) => Some(i128::from(*value)),
            Self::Uint(value) => Some(i128::from(*value)),
            _ => None,
        }
    }

    /// A struct without a text of its own as the map that JSON makes of it; anything else as it is.
    pub(crate) fn without_structs(&self) -> Cow<'_, Self> {
        match self {
            Self::Object(object) if !object.prints_text() => Cow::Owned(Self::Map(Map::new(
                object.fields().into_iter().map(|(name, value)| (Bytes::from(name), value)),
            ))),
            _ => Cow::Borrowed(self),
        }
    }

    /// Steps that reading it once costs, roughly.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Bytes(text) => text.len() / 256,
            Self::List(list) => list.items().len() / 16,
            Self::Map(map) => map.len() / 16,
            Self::StringMap(map) => map.len() / 16,
            _ => 0,
        }
    }
}

impl From<Buffer> for Value {
    fn from(text: Buffer) -> Self {
        Self::Bytes(Bytes::from(text))
    }
}
