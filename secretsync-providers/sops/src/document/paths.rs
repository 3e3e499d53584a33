//! Values that sops cannot tell from each other by their paths.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry, RandomState};
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use indexmap::IndexMap;
use secretsync_core::json::Json;

use super::plain::is_hashed;

/// The keys to a value that has the same path for sops as another one, if the MAC does not see one of the two (sections 3 and 6 of the format).
///
/// `db` with a member `password` and `db:password` are such: whoever can write the document, but not encrypt, could move the value from one to the other and
/// leave an empty one in its place.
pub(super) fn ambiguous(members: &IndexMap<String, Json>) -> Option<String> {
    let mut look = Look { seen: HashMap::new(), keys: Vec::new() };
    let state = RandomState::new();
    let way = Way { path: state.build_hasher(), keys: state.build_hasher() };
    look.map(members, &way).then(|| look.keys.join("."))
}

/// Digests of the way to a value: paths may be long and many, so they are not kept.
#[derive(Clone)]
struct Way {
    /// Of the path as sops has it: keys, each with a colon behind it.
    path: DefaultHasher,
    /// Of the keys one by one.
    keys: DefaultHasher,
}

struct Look<'t> {
    /// By its path: the keys to a value, and whether the MAC sees it.
    seen: HashMap<u64, (u64, bool)>,
    /// The keys to the value at hand.
    keys: Vec<&'t str>,
}

impl<'t> Look<'t> {
    /// Stops at the first one.
    fn map(&mut self, members: &'t IndexMap<String, Json>, way: &Way) -> bool {
        members.iter().any(|(key, value)| {
            let mut way = way.clone();
            way.path.write(key.as_bytes());
            way.path.write(b":");
            key.hash(&mut way.keys);
            self.keys.push(key);
            let found = self.value(value, &way);
            if !found {
                self.keys.pop();
            }
            found
        })
    }

    fn value(&mut self, value: &'t Json, way: &Way) -> bool {
        match value {
            Json::Array(elements) if !elements.is_empty() => elements.iter().any(|element| self.value(element, way)),
            Json::Object(members) if !members.is_empty() => self.map(members, way),
            leaf => self.leaf(is_hashed(leaf), way),
        }
    }

    fn leaf(&mut self, hashed: bool, way: &Way) -> bool {
        let keys = way.keys.finish();
        match self.seen.entry(way.path.finish()) {
            Entry::Vacant(place) => {
                place.insert((keys, hashed));
                false
            }
            Entry::Occupied(mut place) => {
                let (known, all_hashed) = place.get_mut();
                *all_hashed &= hashed;
                *known != keys && !*all_hashed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its keys; an empty text where nothing is ambiguous.
    fn found(text: &str) -> String {
        ambiguous(Json::parse(text.as_bytes()).unwrap().as_object().unwrap()).unwrap_or_default()
    }

    #[test]
    fn a_path_with_two_sets_of_keys_and_an_empty_value_is_ambiguous() {
        for (text, expected) in [
            (r#"{"db:pw": "x", "db": {"pw": ""}}"#, "db.pw"),
            (r#"{"db": {"pw": null}, "db:pw": "x"}"#, "db:pw"),
            (r#"{"db": {"pw": {}}, "db:pw": "x"}"#, "db:pw"),
            (r#"{"db": [{"pw": "x"}, {"pw": ""}], "db:pw": "x"}"#, "db:pw"),
            (r#"{"a:b": {"c": ""}, "a": {"b:c": "x"}}"#, "a.b:c"),
            (r#"{"a": {"b": {"c": ""}}, "a:b": {"c": "x"}}"#, "a:b.c"),
            (r#"{"v:": "x", "v": {"": ""}}"#, "v."),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn what_the_mac_tells_apart_or_nothing_can_be_moved_to_is_not() {
        for text in [
            "{}",
            r#"{"db:pw": "x", "db": {"pw": "y"}}"#,
            r#"{"db:pw": "x", "db": {"user": ""}}"#,
            r#"{"v": [], "v:": ""}"#,
            r#"{"a": [{"b": ""}, {"b": "x"}], "c:d": ""}"#,
            r#"{"ab": "", "a": {"b": "x"}}"#,
        ] {
            assert_eq!(found(text), "", "{text}");
        }
    }
}
