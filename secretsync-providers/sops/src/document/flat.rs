//! Metadata as dotenv and INI documents carry it: one flat name for each scalar.
//!
//! A step into a map is written `__map_<key>`, a step into a list `__list_<index>` (section 7.1 of the format): `age__list_0__map_enc`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::limits::{MAX_DEPTH, MAX_KEYS};
use super::tree::{Item, Leaf, Node};
use crate::error::{Error, quoted};

/// The block that flat names and their texts stand for. Of a repeated name the last text counts, as for sops.
pub(crate) fn unflatten<'a>(pairs: impl IntoIterator<Item = (&'a str, Cow<'a, str>)>) -> Result<Node<'static>, Error> {
    let mut root = Tree::Map(BTreeMap::new());
    for (name, text) in pairs {
        let steps = steps(name)?;
        let leaf = steps.into_iter().try_fold(&mut root, Tree::enter).ok_or_else(|| contradiction(name))?;
        if !leaf.is_empty() {
            return Err(contradiction(name));
        }
        *leaf = Tree::Text(text);
    }
    root.into_node()
}

enum Tree<'a> {
    List(BTreeMap<usize, Self>),
    Map(BTreeMap<&'a str, Self>),
    New,
    Text(Cow<'a, str>),
}

enum Step<'a> {
    Index(usize),
    Key(&'a str),
}

impl<'a> Tree<'a> {
    /// Goes down one step, making what is not there. Nothing if something of another kind is there.
    fn enter(&mut self, step: Step<'a>) -> Option<&mut Self> {
        if matches!(self, Self::New) {
            *self = match step {
                Step::Index(_) => Self::List(BTreeMap::new()),
                Step::Key(_) => Self::Map(BTreeMap::new()),
            };
        }
        match (self, step) {
            (Self::List(items), Step::Index(index)) => Some(items.entry(index).or_insert(Self::New)),
            (Self::Map(members), Step::Key(key)) => Some(members.entry(key).or_insert(Self::New)),
            _ => None,
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::New | Self::Text(_))
    }

    fn into_node(self) -> Result<Node<'static>, Error> {
        Ok(match self {
            Self::List(items) => {
                if items.keys().copied().ne(0..items.len()) {
                    return Err(Error::metadata("has a list with a gap"));
                }
                Node::List(items.into_values().map(Self::into_node).collect::<Result<_, _>>()?)
            }
            Self::Map(members) => {
                let entry = |(key, value): (&'a str, Self)| {
                    Ok::<_, Error>(Item::Entry { key: key.to_owned().into(), value: value.into_node()? })
                };
                Node::Map(members.into_iter().map(entry).collect::<Result<_, _>>()?)
            }
            Self::New => Node::Leaf(Leaf::Null),
            Self::Text(text) => Node::Leaf(Leaf::Text(text.into_owned().into())),
        })
    }
}

const MAP: &str = "__map_";
const LIST: &str = "__list_";

fn steps(name: &str) -> Result<Vec<Step<'_>>, Error> {
    let mut steps = Vec::new();
    let mut rest = name;
    let mut list = false;
    loop {
        let next = [MAP, LIST].into_iter().filter_map(|separator| Some((rest.find(separator)?, separator))).min();
        let word = next.map_or(rest, |(at, _)| &rest[..at]);
        steps.push(if list {
            // Keys and their lists are bounded, so a larger index only costs time.
            let index = word.parse().ok().filter(|index| *index < MAX_KEYS);
            Step::Index(index.ok_or_else(|| Error::metadata(format!("has the unusable name `{}`", quoted(name))))?)
        } else {
            Step::Key(word)
        });
        if steps.len() > MAX_DEPTH {
            return Err(Error::metadata(format!("nests deeper than {MAX_DEPTH} levels")));
        }
        let Some((at, separator)) = next else { return Ok(steps) };
        list = separator == LIST;
        rest = &rest[at + separator.len()..];
    }
}

fn contradiction(name: &str) -> Error {
    Error::metadata(format!("has `{}` as a value and as something that holds values", quoted(name)))
}

/// A text in which line breaks are written as `\n`.
pub(crate) fn with_line_breaks(text: &str) -> Cow<'_, str> {
    if text.contains("\\n") { text.replace("\\n", "\n").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(names: &[&str]) -> Result<String, String> {
        fn show(node: &Node<'_>) -> String {
            match node {
                Node::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" ")),
                Node::Map(items) => {
                    let members = items.iter().map(|item| match item {
                        Item::Entry { key, value } => format!("{key}={}", show(value)),
                        Item::Comment(_) => String::new(),
                    });
                    format!("{{{}}}", members.collect::<Vec<_>>().join(" "))
                }
                Node::Leaf(Leaf::Text(text)) => text.to_string(),
                _ => "?".to_owned(),
            }
        }
        let pairs = names.iter().map(|name| (*name, Cow::from("x")));
        unflatten(pairs).map(|node| show(&node)).map_err(|error| error.to_string())
    }

    #[test]
    fn names_become_maps_and_lists() {
        assert_eq!(
            read(&["mac", "age__list_1__map_enc", "age__list_0__map_enc", "kms__list_0__map_context__map_Env"])
                .unwrap(),
            "{age=[{enc=x} {enc=x}] kms=[{context={Env=x}}] mac=x}"
        );
        assert_eq!(read(&["a__list_0__list_1", "a__list_0__list_0"]).unwrap(), "{a=[[x x]]}");
        assert_eq!(read(&["mac", "mac"]).unwrap(), "{mac=x}");
    }

    #[test]
    fn gaps_contradictions_and_absurd_names_are_refused() {
        for (names, expected) in [
            (&["age__list_1__map_enc"][..], "a list with a gap"),
            (&["age", "age__list_0"], "`age__list_0` as a value and"),
            (&["age__list_0", "age"], "`age` as a value and"),
            (&["age__list_0", "age__map_x"], "`age__map_x` as a value and"),
            (&["age__list_x"], "unusable name"),
            (&["age__list_99999999999999999999"], "unusable name"),
            (&["age__list_256"], "unusable name"),
        ] {
            let complaint = read(names).unwrap_err();
            assert!(complaint.contains(expected), "{names:?}: {complaint}");
        }
        assert!(read(&[&format!("a{}", "__map_a".repeat(100_000))]).unwrap_err().contains("deeper than 64"));
    }
}
