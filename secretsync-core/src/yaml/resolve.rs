//! Types of scalars, as `kubectl`'s YAML library gives them (YAML 1.1 with Go's number forms).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
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

/// Go's shortest form, with an exponent below -4 and from 6 on. `kubectl`'s library rounds to single precision first;
/// that would only lose digits.
fn float_text(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
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
    let scalar = match text {
        "" | "~" | "null" | "Null" | "NULL" => Some(Scalar::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(Scalar::Bool(true)),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some(Scalar::Bool(false))
        }
        ".nan" | ".NaN" | ".NAN" => Some(Scalar::Float(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(Scalar::Float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => Some(Scalar::Float(f64::NEG_INFINITY)),
        _ => match text.as_bytes()[0] {
            b'+' | b'-' | b'0'..=b'9' => {
                let text = text.replace('_', "");
                integer(&text).or_else(|| float(&text))
            }
            b'.' => without_separators(text).and_then(|text| float(&text)),
            _ => None,
        },
    };
    scalar.unwrap_or_else(|| Scalar::Text(text.to_owned()))
}

/// Go's integer literals: `0x`, `0o`, `0b`, and octal by a leading zero.
fn integer(text: &str) -> Option<Scalar> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' | b'-' => text.split_at(1),
        _ => ("", text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    // The parsers below would take a second sign.
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    if let Ok(value) = i64::from_str_radix(&format!("{sign}{digits}"), radix) {
        return Some(Scalar::Int(value));
    }
    if !sign.is_empty() {
        return None;
    }
    u64::from_str_radix(digits, radix).ok().map(Scalar::Uint)
}

/// Decimal floats only, and only those that a double can hold.
fn float(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => (unsigned, "0"),
    };
    let (before, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if before.len() + behind.len() == 0 || exponent.is_empty() || ![before, behind, exponent].into_iter().all(digits) {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite()).map(Scalar::Float)
}

/// Takes `_` away where it stands between digits; none if it stands elsewhere.
fn without_separators(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let separates = |at: usize| bytes[at] != b'_' || digit(at.checked_sub(1)) && digit(Some(at + 1));
    (0..bytes.len()).all(separates).then(|| text.replace('_', ""))
}
