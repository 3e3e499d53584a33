//! Reads a manifest into its type: all unknown fields at once, the path of whatever does not fit, never a value.
//!
//! This is a deserializer of its own, instead of serde's with wrappers around it, because the errors of those quote the input (a token pasted
//! into the wrong field would be printed), and because only here the known fields of an object are at hand to suggest one.

use std::cell::RefCell;
use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::{Map, Value};

use super::suggest::closest;
use crate::problems::plain;

/// Reads `value`; the complaints name each unknown field and the first value that does not fit.
pub(crate) fn read<T: DeserializeOwned>(value: Value) -> Result<T, Vec<String>> {
    let unknown = RefCell::default();
    let outcome = T::deserialize(Reader { value, path: Path::Root, depth: 0, unknown: &unknown });
    let mut complaints = unknown.into_inner();
    match outcome {
        Ok(object) if complaints.is_empty() => Ok(object),
        Ok(_) => Err(complaints),
        Err(complaint) => {
            complaints.push(complaint.text);
            Err(complaints)
        }
    }
}

/// Where in the manifest the reader is.
#[derive(Clone, Copy)]
enum Path<'p> {
    Root,
    Field(&'p Self, &'p str),
    Index(&'p Self, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Path::Root, name) => f.write_str(&plain(name)),
            Self::Field(parent, name) => write!(f, "{parent}.{}", plain(name)),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// What does not fit. It is built from what is expected and never from what was found.
#[derive(Debug)]
struct Complaint {
    text: String,
    located: bool,
}

impl Complaint {
    fn new(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), located: false }
    }

    fn at(self, path: Path<'_>) -> Self {
        if self.located {
            return self;
        }
        let text = if matches!(path, Path::Root) { self.text } else { format!("`{path}`: {}", self.text) };
        Self { text, located: true }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Complaint {}

impl de::Error for Complaint {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::new(text)
    }

    fn invalid_type(_found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format_args!("expected {expected}"))
    }

    fn invalid_value(_found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format_args!("expected {expected}"))
    }

    fn invalid_length(_length: usize, expected: &dyn Expected) -> Self {
        Self::new(format_args!("expected {expected}"))
    }

    fn unknown_variant(_variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format_args!("expected one of `{}`", expected.join("`, `")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format_args!("missing field `{field}`"))
    }
}

/// A value of the manifest and where it is.
struct Reader<'p> {
    value: Value,
    path: Path<'p>,
    depth: u8,
    unknown: &'p RefCell<Vec<String>>,
}

impl Reader<'_> {
    fn members<'de, V: Visitor<'de>>(&self, members: Map<String, Value>, visitor: V) -> Result<V::Value, Complaint> {
        let members = Members {
            entries: members.into_iter(),
            pending: None,
            path: &self.path,
            depth: self.deeper()?,
            unknown: self.unknown,
        };
        visitor.visit_map(members).map_err(|complaint| complaint.at(self.path))
    }

    fn items<'de, V: Visitor<'de>>(&self, items: Vec<Value>, visitor: V) -> Result<V::Value, Complaint> {
        let items = Items {
            entries: items.into_iter().enumerate(),
            path: &self.path,
            depth: self.deeper()?,
            unknown: self.unknown,
        };
        visitor.visit_seq(items).map_err(|complaint| complaint.at(self.path))
    }

    fn deeper(&self) -> Result<u8, Complaint> {
        if self.depth == DEEPEST {
            return Err(Complaint::new("the manifest is nested too deeply").at(self.path));
        }
        Ok(self.depth + 1)
    }

    fn expected<T>(&self, what: &str) -> Result<T, Complaint> {
        Err(Complaint::new(format_args!("expected {what}")).at(self.path))
    }

    fn note_unknown(&self, members: &Map<String, Value>, fields: &'static [&'static str]) {
        for name in members.keys().filter(|name| !fields.contains(&name.as_str())) {
            let path = Path::Field(&self.path, name);
            let known = fields.iter().copied().filter(|field| !members.contains_key(*field));
            self.unknown.borrow_mut().push(match closest(name, known) {
                Some(near) => format!("unknown field `{path}` (did you mean `{near}`?)"),
                None => format!("unknown field `{path}`"),
            });
        }
    }
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = Complaint;

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Complaint> {
        match self.value.take() {
            Value::Array(items) => self.items(items, visitor),
            Value::Bool(flag) => visitor.visit_bool(flag),
            Value::Null => visitor.visit_unit(),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::Object(members) => self.members(members, visitor),
            Value::String(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match self.value {
            Value::Bool(flag) => visitor.visit_bool(flag),
            _ => self.expected("`true` or `false`"),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match self.value.as_i64() {
            Some(number) => visitor.visit_i64(number),
            None => self.expected("a whole number"),
        }
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match self.value {
            Value::String(text) => visitor.visit_string(text),
            Value::Bool(_) | Value::Number(_) => self.expected("a string, so put quotes around it"),
            _ => self.expected("a string"),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Complaint> {
        match self.value.take() {
            Value::Array(items) => self.items(items, visitor),
            _ => self.expected("a list"),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Complaint> {
        match self.value.take() {
            Value::Object(members) => self.members(members, visitor),
            _ => self.expected("an object"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        let Value::Object(members) = self.value.take() else { return self.expected("an object") };
        self.note_unknown(&members, fields);
        self.members(members, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        let Value::String(text) = self.value else {
            return self.expected(&format!("one of `{}`", variants.join("`, `")));
        };
        let text: StringDeserializer<Complaint> = text.into_deserializer();
        visitor.visit_enum(text).map_err(|complaint| complaint.at(self.path))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

/// The members of an object. Those that are `null` are left out, as the API server prunes them.
struct Members<'p> {
    entries: serde_json::map::IntoIter,
    pending: Option<(String, Value)>,
    path: &'p Path<'p>,
    depth: u8,
    unknown: &'p RefCell<Vec<String>>,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Complaint;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Complaint> {
        let Some((name, value)) = self.entries.find(|(_, value)| !value.is_null()) else { return Ok(None) };
        let key = seed.deserialize(IntoDeserializer::<Complaint>::into_deserializer(name.as_str()))?;
        self.pending = Some((name, value));
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Complaint> {
        let Some((name, value)) = self.pending.take() else { return Err(Complaint::new("a member without a name")) };
        let path = Path::Field(self.path, &name);
        seed.deserialize(Reader { value, path, depth: self.depth, unknown: self.unknown })
            .map_err(|complaint| complaint.at(path))
    }
}

/// The items of a list.
struct Items<'p> {
    entries: std::iter::Enumerate<std::vec::IntoIter<Value>>,
    path: &'p Path<'p>,
    depth: u8,
    unknown: &'p RefCell<Vec<String>>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Complaint;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Complaint> {
        let Some((index, value)) = self.entries.next() else { return Ok(None) };
        let path = Path::Index(self.path, index);
        let item = Reader { value, path, depth: self.depth, unknown: self.unknown };
        seed.deserialize(item).map(Some).map_err(|complaint| complaint.at(path))
    }
}

/// Deep enough for every configuration, and far from the end of the stack.
const DEEPEST: u8 = 64;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase")]
    struct Outer {
        secret_key: Option<String>,
        #[serde(default)]
        list: Vec<Inner>,
        #[serde(default)]
        labels: BTreeMap<String, String>,
        raw: Option<Value>,
        policy: Option<Policy>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Inner {
        name: String,
        count: Option<i32>,
        flag: Option<bool>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    enum Policy {
        Merge,
        Owner,
    }

    fn complaints(value: Value) -> Vec<String> {
        read::<Outer>(value).unwrap_err()
    }

    #[test]
    fn every_unknown_field_is_named_with_the_field_it_resembles() {
        let value = json!({"secretKye": "a", "list": [{"name": "x"}, {"name": "y", "Flag": true, "zzz": {"deep": 1}}]});
        assert_eq!(
            complaints(value),
            [
                "unknown field `secretKye` (did you mean `secretKey`?)",
                "unknown field `list[1].Flag` (did you mean `flag`?)",
                "unknown field `list[1].zzz`",
            ]
        );
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_path_and_never_shown() {
        for (value, expected) in [
            (json!({"list": [{"name": 5_551}]}), "`list[0].name`: expected a string, so put quotes around it"),
            (json!({"list": [{"name": ["5551"]}]}), "`list[0].name`: expected a string"),
            (json!({"list": [{"name": "a", "count": "5551"}]}), "`list[0].count`: expected a whole number"),
            (json!({"list": [{"name": "a", "count": 5551.5}]}), "`list[0].count`: expected a whole number"),
            (json!({"list": [{"name": "a", "count": 55_515_551_555_i64}]}), "`list[0].count`: expected i32"),
            (json!({"list": [{"name": "a", "flag": "5551"}]}), "`list[0].flag`: expected `true` or `false`"),
            (json!({"list": ["5551"]}), "`list[0]`: expected an object"),
            (json!({"list": "5551"}), "`list`: expected a list"),
            (json!({"labels": "5551"}), "`labels`: expected an object"),
            (json!({"labels": {"a": 5551}}), "`labels.a`: expected a string, so put quotes around it"),
            (json!({"policy": "5551"}), "`policy`: expected one of `Merge`, `Owner`"),
            (json!({"policy": 5551}), "`policy`: expected one of `Merge`, `Owner`"),
            (json!({"list": [{"count": 1}]}), "`list[0]`: missing field `name`"),
        ] {
            let complaints = complaints(value);
            assert_eq!(complaints, [expected]);
            assert!(!complaints[0].contains("5551"));
        }
    }

    #[test]
    fn null_is_the_same_as_absent() {
        let read: Outer =
            read(json!({"secretKey": null, "list": null, "labels": {"a": null}, "raw": {"b": null, "c": 1}})).unwrap();
        assert_eq!(
            read,
            Outer { secret_key: None, list: vec![], labels: BTreeMap::new(), raw: Some(json!({"c": 1})), policy: None }
        );
    }

    #[test]
    fn deep_nesting_is_refused_before_the_stack_ends() {
        let mut value = json!(1);
        for _ in 0..1_000 {
            value = json!([value]);
        }
        let complaint = complaints(json!({ "raw": value })).remove(0);
        assert!(complaint.ends_with("the manifest is nested too deeply"), "{complaint}");
    }
}
