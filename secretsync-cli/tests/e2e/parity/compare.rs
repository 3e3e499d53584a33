//! Differences of two states.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

/// A place where a difference does not count: a glob on paths (`*` stands for any text, slashes too).
pub(crate) struct Exception<'a> {
    pub(crate) at: &'a str,
    /// For those who read the list.
    #[expect(dead_code, reason = "the reason is the point of the list")]
    pub(crate) why: &'a str,
}

/// One place where two states differ.
pub(crate) struct Difference {
    path: String,
    expected: Option<Value>,
    found: Option<Value>,
}

impl Difference {
    pub(crate) fn is_at(&self, glob: &str) -> bool {
        matches(glob, &self.path)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        writeln!(f, "    {}: expected {}, found {}", self.path, text(&self.expected), text(&self.found))
    }
}

/// Every place where the states differ. The annotation `data-hash` is left out: we write no digest of a value.
pub(crate) fn differences(expected: &Value, found: &Value) -> Vec<Difference> {
    let mut list = Vec::new();
    descend(String::new(), Some(expected), Some(found), &mut list);
    list.retain(|difference| !difference.path.ends_with("/reconcile.external-secrets.io/data-hash"));
    list
}

/// The parts that are not as expected: see [`Expected::Parts`](super::case::Expected::Parts).
pub(crate) fn different_parts(parts: &Value, found: &Value) -> Vec<Difference> {
    let part = |path: &str| {
        let mut names = path.splitn(3, '/');
        let found = match names.next()? {
            "ready" => found["externalsecrets"].get(names.next()?)?.pointer("/conditions/0/reason"),
            kind => found[kind].get(names.next()?.replace("~1", "/")),
        };
        match names.next() {
            Some(field) => found?.get(field),
            None => found,
        }
    };
    let parts = parts.as_object().into_iter().flatten();
    let differ = |(path, expected): (&String, &Value)| {
        let (expected, found) = (Some(expected).filter(|value| !value.is_null()), part(path));
        let difference = || Difference { path: format!("/{path}"), expected: expected.cloned(), found: found.cloned() };
        (expected != found).then(difference)
    };
    parts.filter_map(differ).collect()
}

fn descend(path: String, expected: Option<&Value>, found: Option<&Value>, list: &mut Vec<Difference>) {
    if expected == found {
        return;
    }
    let (Some(Value::Object(one)), Some(Value::Object(other))) = (expected, found) else {
        list.push(Difference { path, expected: expected.cloned(), found: found.cloned() });
        return;
    };
    let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    for key in keys {
        descend(format!("{path}/{key}"), one.get(key), other.get(key), list);
    }
}

fn matches(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn a_glob_stands_for_any_text() {
    for (glob, text, expected) in [
        ("/a", "/a", true),
        ("/a", "/a/b", false),
        ("/a*", "/a/b/c", true),
        ("/a/*/c", "/a/x/b/c", true),
        ("/a/*/c", "/a/x/b", false),
        ("*", "", true),
    ] {
        assert_eq!(matches(glob, text), expected, "{glob} {text}");
    }
}
