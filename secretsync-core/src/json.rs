//! JSON as secrets need it: number text and key order kept, every value wiped when dropped.

use std::fmt;

use indexmap::IndexMap;
use thiserror::Error;
use zeroize::Zeroizing;

pub(crate) use self::buffer::{Buffer, Overflow};
pub(crate) use self::escape::{quote, unescape};

mod buffer;
mod escape;
mod read;
mod write;

/// How many arrays and objects may enclose a value in text read by [`Json::parse`].
pub const MAX_DEPTH: usize = 128;

/// A JSON value that keeps what a reader into floats and sorted maps would lose: the text of numbers and the order of keys.
///
/// Texts and numbers may be secrets: they are wiped when dropped, and `Debug` shows the shape of a value only.
/// There is no `Clone`, `PartialEq` or `Serialize`; bytes leave through [`to_bytes`](Self::to_bytes) and
/// [`compact`](Self::compact).
#[expect(clippy::exhaustive_enums, reason = "JSON has six kinds of values and will not get a seventh")]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number in the digits of its source.
    Number(NumberText),
    /// A text.
    String(Text),
    /// A list.
    Array(Vec<Self>),
    /// An object in the order of its source; boxed, since texts are many and objects few.
    Object(Box<IndexMap<String, Self>>),
}

impl Json {
    /// Reads one JSON value, which must be the whole of `text`.
    ///
    /// Of a repeated key the last value wins, at the place of the first. A lone surrogate escape becomes U+FFFD.
    ///
    /// # Errors
    ///
    /// The position of the first byte that is not JSON or not UTF-8, or that opens more than [`MAX_DEPTH`] levels.
    pub fn parse(text: &[u8]) -> Result<Self, JsonError> {
        read::value(text)
    }

    /// Makes a text value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::String(Text(Zeroizing::new(text.into())))
    }

    /// Makes an object.
    pub fn object(members: IndexMap<String, Self>) -> Self {
        Self::Object(Box::new(members))
    }

    /// Makes a number of its digits; what JSON has no number for becomes a text.
    pub fn number(digits: impl Into<String>) -> Self {
        let mut digits = Zeroizing::new(digits.into());
        Self::parse(digits.as_bytes())
            .ok()
            .filter(|json| matches!(json, Self::Number(_)))
            .unwrap_or_else(|| Self::text(std::mem::take(&mut *digits)))
    }

    /// Returns the member `key` if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }

    /// Returns the members if this is an object.
    pub fn as_object(&self) -> Option<&IndexMap<String, Self>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Gives up the members if this is an object, else the value unchanged.
    pub fn into_object(self) -> Result<IndexMap<String, Self>, Self> {
        match self {
            Self::Object(members) => Ok(*members),
            other => Err(other),
        }
    }

    /// Names the kind of value, for messages: `null`, `a boolean`, `a number`, `a text`, `a list` or `an object`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a text",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// Returns the bytes that this value has as the value of a Secret key.
    ///
    /// A text is its UTF-8 bytes, a number its digits as read, null is empty; lists and objects are
    /// [compact](Self::compact).
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        write::to_bytes(self)
    }

    /// Writes this value as Go's `encoding/json` writes it: no white space, keys sorted by bytes, and `<`, `>`, `&`,
    /// U+2028 and U+2029 escaped. Numbers keep their text.
    pub fn compact(&self) -> Zeroizing<Vec<u8>> {
        write::compact(self)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Array(items) => write!(f, "a list of {}", items.len()),
            Self::Object(members) => write!(f, "an object of {}", members.len()),
            other => f.write_str(other.kind()),
        }
    }
}

/// The content of a JSON string.
pub struct Text(Zeroizing<String>);

impl Text {
    /// Returns the text, which may be a secret.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }
}

/// A JSON number in the digits of its source.
pub struct NumberText(Zeroizing<String>);

impl NumberText {
    /// Returns the digits, which may be a secret.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for NumberText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }
}

/// Why a text was not read as JSON. Holds positions only: lines and columns count from 1, columns in bytes.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum JsonError {
    /// The text is JSON, but not an object.
    #[error("the JSON value is not an object")]
    NotAnObject,
    /// The text has a byte that is not UTF-8.
    #[error("not UTF-8 at line {line} column {column}")]
    NotUtf8 {
        /// Line of the byte.
        line: usize,
        /// Column of the byte.
        column: usize,
    },
    /// The text is not JSON.
    #[error("not valid JSON at line {line} column {column}")]
    Syntax {
        /// Line where reading stopped.
        line: usize,
        /// Column where reading stopped; 0 in an empty text.
        column: usize,
    },
    /// Arrays and objects enclose each other too often.
    #[error("JSON nested deeper than {MAX_DEPTH} levels at line {line} column {column}")]
    TooDeep {
        /// Line of the bracket that opens one level too many.
        line: usize,
        /// Column of that bracket.
        column: usize,
    },
}

/// Reads the members of a JSON object without rewriting their values: a text is unquoted, null is empty, anything
/// else keeps its source text (`1.0`, white space and key order included). Of a repeated key the last value wins.
///
/// This is what `extract` yields from a source that stores plain text.
///
/// # Errors
///
/// As [`Json::parse`], and [`JsonError::NotAnObject`].
pub fn raw_members(text: &[u8]) -> Result<IndexMap<String, Zeroizing<Vec<u8>>>, JsonError> {
    read::raw_members(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Json {
        Json::parse(text.as_bytes()).unwrap()
    }

    fn bytes(text: &str) -> String {
        String::from_utf8(parsed(text).to_bytes().to_vec()).unwrap()
    }

    #[test]
    fn values_become_the_bytes_that_users_expect_in_a_secret() {
        for (json, expected) in [
            (r#""plain""#, "plain"),
            (r#""a\"b\\c\n\u00e9\ud83d\ude00""#, "a\"b\\c\né😀"),
            (r#""""#, ""),
            ("null", ""),
            ("true", "true"),
            ("1.50", "1.50"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("-0.0", "-0.0"),
            ("1E+3", "1E+3"),
            (r#" { "b" : 1.0 , "a" : [ true , null ] } "#, r#"{"a":[true,null],"b":1.0}"#),
            (r#"{"é":1,"z":2,"Z":3}"#, r#"{"Z":3,"z":2,"é":1}"#),
            (r#"["<a href='x'>&\u2028\u2029"]"#, r#"["\u003ca href='x'\u003e\u0026\u2028\u2029"]"#),
            (
                r#"["\b\f\n\r\t\u000b\u0000\u001f\u007f\"\\\/"]"#,
                "[\"\\b\\f\\n\\r\\t\\u000b\\u0000\\u001f\u{7f}\\\"\\\\/\"]",
            ),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
        ] {
            assert_eq!(bytes(json), expected, "for {json}");
        }
    }

    #[test]
    fn a_text_in_compact_form_keeps_its_quotes() {
        assert_eq!(*parsed(r#""a<b""#).compact(), *br#""a\u003cb""#);
        assert_eq!(*parsed("null").compact(), *b"null");
    }

    #[test]
    fn keys_keep_their_order_and_the_last_of_equal_keys_wins() {
        let json = parsed(r#"{"z":1,"a":2,"z":3,"m":4}"#);
        let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["z", "a", "m"]);
        assert_eq!(*json.get("z").unwrap().to_bytes(), *b"3");
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        assert_eq!(bytes(r#""\ud800""#), "\u{fffd}");
        assert_eq!(bytes(r#""\ud800x\udc00\ud800\u0041""#), "\u{fffd}x\u{fffd}\u{fffd}A");
        assert_eq!(bytes(r#""\ud800\ud83d\ude00""#), "\u{fffd}😀");
    }

    #[test]
    fn errors_tell_the_place_and_nothing_else() {
        let cases: [(&[u8], &str); 10] = [
            (b"{\n  \"password\": hunter2\n}", "not valid JSON at line 2 column 15"),
            (b"", "not valid JSON at line 1 column 0"),
            (b"{\"a\":1} x", "not valid JSON at line 1 column 9"),
            (b"[1,]", "not valid JSON at line 1 column 4"),
            (b"{\"a\":01}", "not valid JSON at line 1 column 7"),
            (b"[NaN]", "not valid JSON at line 1 column 2"),
            (b"\"raw\nnewline\"", "not valid JSON at line 1 column 4"),
            (b"\"\\x\"", "not valid JSON at line 1 column 3"),
            (b"\n\"hunter2\xff\"", "not UTF-8 at line 2 column 9"),
            (b"\xef\xbb\xbf{}", "not valid JSON at line 1 column 1"),
        ];
        for (text, message) in cases {
            let error = Json::parse(text).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn nesting_is_read_to_the_limit_and_refused_beyond() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        let error = Json::parse(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err();
        assert_eq!(error, JsonError::TooDeep { line: 1, column: MAX_DEPTH + 1 });
        let open = vec![b'['; 1_000_000];
        assert!(matches!(Json::parse(&open), Err(JsonError::Syntax { .. })));
        let deep = nested(1_000_000);
        assert!(matches!(Json::parse(deep.as_bytes()), Err(JsonError::TooDeep { .. })));
    }

    #[test]
    fn debug_shows_shapes_only() {
        let json = parsed(r#"{"user":"hunter2","pin":4711,"list":["hunter2"]}"#);
        assert_eq!(format!("{json:?}"), "an object of 3");
        for (_, member) in json.as_object().unwrap() {
            let shown = format!("{member:?}");
            assert!(!shown.contains("hunter2") && !shown.contains("4711"), "{shown}");
        }
    }

    #[test]
    fn members_keep_their_source_text() {
        let text = br#"{"s":"a\nb","n":1.0,"o":{ "b":1, "a" : 2 },"z":null,"t":true,"s":"last\u00e9"}"#;
        let members = raw_members(text).unwrap();
        let found: Vec<_> =
            members.iter().map(|(key, value)| (key.as_str(), String::from_utf8(value.to_vec()).unwrap())).collect();
        let expected = [("s", "lasté"), ("n", "1.0"), ("o", r#"{ "b":1, "a" : 2 }"#), ("z", ""), ("t", "true")];
        assert_eq!(found, expected.map(|(key, value)| (key, value.to_owned())));
        assert_eq!(raw_members(b"[1]").unwrap_err(), JsonError::NotAnObject);
        assert!(matches!(raw_members(b"{"), Err(JsonError::Syntax { .. })));
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_read_is_written_so_that_it_reads_the_same(tokens in proptest::collection::vec(token(), 0..40)) {
            let text = tokens.concat();
            if let Ok(json) = Json::parse(text.as_bytes()) {
                let written = json.compact();
                let again = Json::parse(&written).unwrap();
                proptest::prop_assert_eq!(&*again.compact(), &*written);
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(text: Vec<u8>) {
            drop(Json::parse(&text));
            drop(raw_members(&text));
        }
    }

    fn token() -> impl proptest::strategy::Strategy<Value = &'static str> {
        proptest::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"a\"",
            "\"\\ud83d\\u0041\"",
            "\"\\\"\"",
            "1.50",
            "-0",
            "true",
            "null",
            " ",
            "\\",
            "{\"k\":",
            "[1,",
            "\"é<\u{2028}\"",
        ])
    }
}
