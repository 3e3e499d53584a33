//! A map of the metadata.

use std::borrow::Cow;
use std::collections::BTreeMap;

use secretsync_core::float;

use crate::document::tree::{Item, Leaf, Node};
use crate::document::value::boolean;
use crate::error::Error;

/// A map read as sops reads its metadata: names in any case, scalars in any type.
pub(super) struct Block<'t, 'a>(&'t [Item<'a>]);

impl<'t, 'a> Block<'t, 'a> {
    pub(super) fn of(node: &'t Node<'a>) -> Option<Self> {
        match node {
            Node::Map(items) => Some(Self(items)),
            _ => None,
        }
    }

    fn member(&self, name: &str) -> Option<&'t Node<'a>> {
        self.0.iter().find_map(|item| match item {
            Item::Entry { key, value } if key.eq_ignore_ascii_case(name) => Some(value),
            _ => None,
        })
    }

    /// The text of a scalar; nothing for null and for an empty text.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'t, str>> {
        scalar(self.member(name)?).filter(|text| !text.is_empty())
    }

    /// The texts of a map of scalars by their exact names. Nulls are left out, as sops does.
    pub(super) fn texts(&self, name: &str) -> BTreeMap<String, String> {
        let Some(inner) = self.member(name).and_then(Block::of) else { return BTreeMap::new() };
        let member = |item: &Item<'_>| match item {
            Item::Entry { key, value } => Some((key.to_string(), scalar(value)?.into_owned())),
            Item::Comment(_) => None,
        };
        inner.0.iter().filter_map(member).collect()
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Error> {
        let Some(text) = self.text(name) else { return Ok(false) };
        boolean(&text).ok_or_else(|| Error::metadata(format!("has a `{name}` that is neither true nor false")))
    }

    pub(super) fn list(&self, name: &str) -> Vec<&'t Node<'a>> {
        match self.member(name) {
            Some(Node::List(items)) => items.iter().filter(|item| !matches!(item, Node::Comment(_))).collect(),
            _ => Vec::new(),
        }
    }
}

/// The text of a scalar; nothing for null, and for what holds other values.
fn scalar<'t>(node: &'t Node<'_>) -> Option<Cow<'t, str>> {
    let Node::Leaf(leaf) = node else { return None };
    Some(match leaf {
        Leaf::Bool(value) => Cow::from(value.to_string()),
        Leaf::Float(number) => float::plain(*number).into(),
        Leaf::Int(number) => number.to_string().into(),
        Leaf::Null => return None,
        Leaf::Text(text) => Cow::from(text.as_ref()),
        Leaf::Time(text) => Cow::from(text.as_str()),
    })
}
