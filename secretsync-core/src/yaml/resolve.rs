//! Scalars with their types, which `kubectl`'s YAML library gives them (YAML 1.1 with Go's number forms).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secretsync_template::yaml::{Resolved, float_text, resolve};
use serde_json::Value;

/// A scalar after typing.
pub(super) enum Scalar {
    Bool(bool),
    Float(f64),
    Int(i64),
    Null,
    Text(String),
    /// A whole number too large for [`Int`](Self::Int).
    Uint(u64),
}

impl Scalar {
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Float(value) => whole(*value).unwrap_or_else(|| Value::from(*value)),
            Self::Int(value) => Value::from(*value),
            Self::Null => Value::Null,
            Self::Text(value) => Value::from(value.as_str()),
            Self::Uint(value) => Value::from(*value),
        }
    }

    /// The text that stands for the scalar where a text is wanted; none for null.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Bool(value) => Some(value.to_string()),
            // The library rounds to single precision first, which would only lose digits.
            Self::Float(value) => Some(float_text(*value)),
            Self::Int(value) => Some(value.to_string()),
            Self::Null => None,
            Self::Text(value) => Some(value.clone()),
            Self::Uint(value) => Some(value.to_string()),
        }
    }
}

/// Go writes whole floats below 1e21 as plain digits, and readers of its JSON then see an integer if it fits one.
fn whole(value: f64) -> Option<Value> {
    if value.fract() != 0.0 || value.abs() >= 1e21 {
        return None;
    }
    let digits = value.to_string();
    digits
        .parse()
        .map(|value: i64| Value::from(value))
        .or_else(|_| digits.parse().map(|value: u64| Value::from(value)))
        .ok()
}

/// A tag that changes how a scalar is read.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Tag {
    Binary,
    Bool,
    Float,
    Int,
    Null,
    /// `!!str`, and every tag that means nothing here.
    Text,
}

/// Reads a scalar under a tag; none if it is none of that kind.
pub(super) fn tagged(tag: Tag, text: &str) -> Option<Scalar> {
    let scalar = match tag {
        Tag::Binary => {
            let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            return String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok().map(Scalar::Text);
        }
        Tag::Text => return Some(Scalar::Text(text.to_owned())),
        Tag::Bool | Tag::Float | Tag::Int | Tag::Null => plain(text),
    };
    match (tag, scalar) {
        #[expect(clippy::cast_precision_loss, reason = "the tag asks for it")]
        (Tag::Float, Scalar::Int(value)) => Some(Scalar::Float(value as f64)),
        (Tag::Bool, scalar @ Scalar::Bool(_))
        | (Tag::Float, scalar @ Scalar::Float(_))
        | (Tag::Int, scalar @ (Scalar::Int(_) | Scalar::Uint(_)))
        | (Tag::Null, scalar @ Scalar::Null) => Some(scalar),
        _ => None,
    }
}

/// Reads a scalar that is neither quoted nor tagged.
pub(super) fn plain(text: &str) -> Scalar {
    let integer =
        |value: i128| i64::try_from(value).map(Scalar::Int).or_else(|_| u64::try_from(value).map(Scalar::Uint)).ok();
    let scalar = match resolve(text) {
        Resolved::Bool(value) => Some(Scalar::Bool(value)),
        Resolved::Float(value) => Some(Scalar::Float(value)),
        Resolved::Integer(value) => integer(value),
        Resolved::Null => Some(Scalar::Null),
        _ => None,
    };
    scalar.unwrap_or_else(|| Scalar::Text(text.to_owned()))
}
