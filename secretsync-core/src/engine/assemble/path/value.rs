//! A value on its way through a property path.

use secretsync_template::float;
use zeroize::Zeroizing;

use super::scan;
use crate::json::unescape;

#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Kind {
    Null,
    False,
    Number,
    String,
    True,
    /// A list or an object.
    Json,
}

/// JSON text: part of the text that was asked, or made by a modifier or a query.
pub(super) enum Text<'a> {
    Source(&'a [u8]),
    Made(Zeroizing<Vec<u8>>),
}

impl Text<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Source(bytes) => bytes,
            Self::Made(bytes) => bytes,
        }
    }
}

/// A value as JSON text; no value at all is [`Kind::Null`] without text.
pub(super) struct Value<'a> {
    pub(super) kind: Kind,
    pub(super) raw: Text<'a>,
}

impl<'a> Value<'a> {
    pub(super) const MISSING: Self = Self { kind: Kind::Null, raw: Text::Source(b"") };

    pub(super) fn source(kind: Kind, raw: &'a [u8]) -> Self {
        Self { kind, raw: Text::Source(raw) }
    }

    pub(super) fn made(kind: Kind, raw: Zeroizing<Vec<u8>>) -> Self {
        Self { kind, raw: Text::Made(raw) }
    }

    /// Reads a whole text as one value.
    pub(super) fn parse(text: Text<'a>) -> Self {
        let Some((kind, range)) = scan::top(text.bytes()) else { return Self::MISSING };
        match text {
            Text::Source(bytes) => Self::source(kind, &bytes[range]),
            Text::Made(bytes) if range.len() == bytes.len() => Self::made(kind, bytes),
            Text::Made(bytes) => Self::made(kind, Zeroizing::new(bytes[range].to_vec())),
        }
    }

    /// Cuts the tie to the text that the value was found in.
    pub(super) fn detach(self) -> Value<'static> {
        match self.raw {
            Text::Source(bytes) => Value::made(self.kind, Zeroizing::new(bytes.to_vec())),
            Text::Made(bytes) => Value::made(self.kind, bytes),
        }
    }

    pub(super) fn exists(&self) -> bool {
        self.kind != Kind::Null || !self.raw.bytes().is_empty()
    }

    pub(super) fn is_list(&self) -> bool {
        self.kind == Kind::Json && self.raw.bytes().first() == Some(&b'[')
    }

    pub(super) fn is_object(&self) -> bool {
        self.kind == Kind::Json && self.raw.bytes().first() == Some(&b'{')
    }

    /// The value as users want it in a Secret: texts unquoted, null empty, lists and objects as they stand,
    /// integers as they stand, other numbers in the shortest digits without exponent.
    pub(super) fn text(&self) -> Zeroizing<Vec<u8>> {
        let raw = self.raw.bytes();
        match self.kind {
            Kind::Null => Zeroizing::default(),
            Kind::False => Zeroizing::new(b"false".to_vec()),
            Kind::True => Zeroizing::new(b"true".to_vec()),
            Kind::String => unquote(raw),
            Kind::Json => Zeroizing::new(raw.to_vec()),
            Kind::Number if raw.strip_prefix(b"-").unwrap_or(raw).iter().all(u8::is_ascii_digit) => {
                Zeroizing::new(raw.to_vec())
            }
            Kind::Number => Zeroizing::new(float::plain(self.number()).into_bytes()),
        }
    }

    /// The number; 0 for what is none.
    pub(super) fn number(&self) -> f64 {
        number(self.raw.bytes())
    }

    /// Whether an option with this value is switched on.
    pub(super) fn is_on(&self) -> bool {
        match self.kind {
            Kind::True => true,
            Kind::String => boolean(&unquote(self.raw.bytes())) == Some(true),
            Kind::Number => self.number() != 0.0,
            Kind::False | Kind::Json | Kind::Null => false,
        }
    }
}

/// Reads a number; 0 for what is none.
pub(super) fn number(text: &[u8]) -> f64 {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

/// Reads the words that Go takes for a truth value.
pub(super) fn boolean(text: &[u8]) -> Option<bool> {
    match text.to_ascii_lowercase().as_slice() {
        b"1" | b"t" | b"true" => Some(true),
        b"0" | b"f" | b"false" => Some(false),
        _ => None,
    }
}

/// Takes the quotes and escapes from a string.
pub(super) fn unquote(raw: &[u8]) -> Zeroizing<Vec<u8>> {
    let inner = raw.strip_prefix(b"\"").unwrap_or(raw);
    unescape(inner.strip_suffix(b"\"").unwrap_or(inner))
}
