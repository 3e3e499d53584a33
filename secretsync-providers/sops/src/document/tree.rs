//! A document as it was parsed, before anything is decrypted.

use std::borrow::Cow;
use std::collections::HashSet;

use super::limits::MAX_NODES;
use crate::error::Error;

/// What a parser found: the values in document order, and every `sops` block.
pub(crate) struct Parsed<'a> {
    pub(crate) items: Vec<Item<'a>>,
    pub(crate) blocks: Vec<Node<'a>>,
}

impl<'a> Parsed<'a> {
    /// Takes the `sops` block out of the top level, where YAML and JSON documents have it.
    pub(crate) fn nested(items: Vec<Item<'a>>) -> Self {
        let mut parsed = Self { items: Vec::with_capacity(items.len()), blocks: Vec::new() };
        for item in items {
            match item {
                Item::Entry { key, value } if key == "sops" => parsed.blocks.push(value),
                item => parsed.items.push(item),
            }
        }
        parsed
    }
}

/// A value: texts are borrowed from the document where it holds them as they are.
#[derive(Clone)]
pub(crate) enum Node<'a> {
    /// A comment between the elements of a list.
    Comment(Cow<'a, str>),
    Leaf(Leaf<'a>),
    List(Vec<Self>),
    Map(Vec<Item<'a>>),
}

/// What stands in a map, in document order: the order decides the MAC, and a comment can decide whether the next entry is encrypted.
#[derive(Clone)]
pub(crate) enum Item<'a> {
    Comment(Cow<'a, str>),
    Entry { key: Cow<'a, str>, value: Node<'a> },
}

/// A scalar with the type that sops gives it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Leaf<'a> {
    Bool(bool),
    Float(f64),
    Int(i64),
    Null,
    Text(Cow<'a, str>),
    /// RFC 3339, as sops prints it.
    Time(String),
}

/// How much of a document has been built: aliases make a short text into a large tree.
#[derive(Default)]
pub(crate) struct Budget {
    nodes: usize,
}

impl Budget {
    /// Counts nodes; fails when the document has too many.
    pub(crate) fn take(&mut self, nodes: usize) -> Result<(), Error> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(Error::TooLarge { what: format!("it has more than {MAX_NODES} values") });
        }
        Ok(())
    }
}

/// The first key that occurs twice.
pub(crate) fn repeated<'t>(items: &'t [Item<'_>]) -> Option<&'t str> {
    let mut seen = HashSet::with_capacity(items.len());
    items.iter().find_map(|item| match item {
        Item::Entry { key, .. } if !seen.insert(key.as_ref()) => Some(key.as_ref()),
        _ => None,
    })
}
