//! JSON documents: text to tree, with number text, key order and repeated keys as they are written.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::limits::MAX_DEPTH;
use super::tree::{Budget, Item, Leaf, Node, Parsed};
use crate::error::Error;

/// The object that the text holds.
pub(crate) fn parse(text: &str) -> Result<Parsed<'_>, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Members are split without building them, level by level: no recursion in the parser, and numbers keep their text. Its error texts may
    // quote the document, so only places are taken.
    let whole: &RawValue =
        serde_json::from_str(text).map_err(|error| Error::syntax(complaint(&error), error.line(), error.column()))?;
    let mut reader = Reader { text, budget: Budget::default() };
    match reader.node(whole, 0)? {
        Node::Map(items) => Ok(Parsed::nested(items)),
        _ => Err(Error::syntax("its top level is no object", 1, 1)),
    }
}

fn complaint(error: &serde_json::Error) -> &'static str {
    if error.is_eof() { "it is JSON that was cut short" } else { "it is not valid JSON" }
}

struct Reader<'a> {
    text: &'a str,
    budget: Budget,
}

impl<'a> Reader<'a> {
    fn node(&mut self, raw: &'a RawValue, depth: usize) -> Result<Node<'a>, Error> {
        self.budget.take(1)?;
        let text = raw.get();
        let first = text.as_bytes().first();
        if depth == MAX_DEPTH && matches!(first, Some(b'{' | b'[')) {
            return Err(self.at(text, format!("it nests deeper than {MAX_DEPTH} levels")));
        }
        match first {
            Some(b'{') => {
                let Members(members) = self.read(text)?;
                let items = members
                    .into_iter()
                    .map(|(Text(key), value)| Ok(Item::Entry { key, value: self.node(value, depth + 1)? }));
                items.collect::<Result<_, Error>>().map(Node::Map)
            }
            Some(b'[') => {
                let elements: Vec<&RawValue> = self.read(text)?;
                elements
                    .into_iter()
                    .map(|element| self.node(element, depth + 1))
                    .collect::<Result<_, _>>()
                    .map(Node::List)
            }
            Some(b'"') => self.read(text).map(|Text(text)| Node::Leaf(Leaf::Text(text))),
            Some(b't') => Ok(Node::Leaf(Leaf::Bool(true))),
            Some(b'f') => Ok(Node::Leaf(Leaf::Bool(false))),
            Some(b'n') => Ok(Node::Leaf(Leaf::Null)),
            _ => number(text).map(Node::Leaf).ok_or_else(|| self.at(text, "a number is too large")),
        }
    }

    fn read<T: Deserialize<'a>>(&self, text: &'a str) -> Result<T, Error> {
        serde_json::from_str(text).map_err(|_| self.at(text, "a text or key that begins here is not valid JSON"))
    }

    fn at(&self, part: &str, what: impl Into<Cow<'static, str>>) -> Error {
        let offset = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let before = self.text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Error::syntax(what, before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// A whole number within 64 bits is one, everything else a float.
fn number(text: &str) -> Option<Leaf<'static>> {
    if let Ok(number) = text.parse() {
        return Some(Leaf::Int(number));
    }
    text.parse().ok().filter(|number: &f64| number.is_finite()).map(Leaf::Float)
}

/// An object's members as they are written, repeated keys included.
struct Members<'a>(Vec<(Text<'a>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// A text, borrowed where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        parse(text).err().expect("it is refused").to_string()
    }

    #[test]
    fn order_repeated_keys_and_kinds_are_kept() {
        let parsed = parse(r#"{"b": 1, "a": [true, null, "x\n"], "b": {"c": 1.50}, "sops": {}}"#).unwrap();
        let keys: Vec<_> = parsed
            .items
            .iter()
            .map(|item| match item {
                Item::Entry { key, .. } => key.as_ref(),
                Item::Comment(_) => "#",
            })
            .collect();
        assert_eq!((keys, parsed.blocks.len()), (vec!["b", "a", "b"], 1));
    }

    #[test]
    fn numbers_are_whole_within_64_bits_and_floats_beyond() {
        for (text, expected) in [
            ("0", Leaf::Int(0)),
            ("-0", Leaf::Int(0)),
            ("9223372036854775807", Leaf::Int(i64::MAX)),
            ("9223372036854775808", Leaf::Float(9_223_372_036_854_775_808.0)),
            ("1.0", Leaf::Float(1.0)),
            ("1e3", Leaf::Float(1000.0)),
            ("0.1", Leaf::Float(0.1)),
        ] {
            assert_eq!(number(text), Some(expected), "{text}");
        }
        assert_eq!(number("1e999"), None);
    }

    #[test]
    fn complaints_say_where() {
        assert_eq!(complaint("{\"a\": 1,\n \"b\": }"), "it is not valid JSON at line 2, column 7");
        assert_eq!(
            complaint("{\"a\": \"\\ud800\"}"),
            "a text or key that begins here is not valid JSON at line 1, column 7"
        );
        assert_eq!(complaint("{\"a\": 1e999}"), "a number is too large at line 1, column 7");
        assert_eq!(complaint("[1]"), "its top level is no object at line 1, column 1");
        assert!(complaint("{\"a\": 1} x").contains("not valid JSON"));
        assert_eq!(complaint("{\"a\": [1"), "it is JSON that was cut short at line 1, column 8");
    }

    #[test]
    fn deep_and_wide_documents_are_refused() {
        let nested = |levels: usize| format!("{{\"a\": {}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(&nested(MAX_DEPTH - 1)).is_ok());
        assert!(complaint(&nested(MAX_DEPTH)).contains("deeper than 64 levels at line 1"));
        assert!(complaint(&nested(100_000)).contains("deeper than 64 levels"));
        assert!(complaint(&format!("{{\"a\": [{}1]}}", "1,".repeat(300_000))).contains("more than 250000 values"));
    }
}
