//! The values of a document, as anybody can see them.

use crate::document::{Item, Leaf, Node, Place, Selector};

/// Paths of values that are plain.
#[derive(Default)]
pub(super) struct Plain {
    /// Those that the document's own rule encrypts.
    pub(super) leaked: Vec<String>,
    /// Those that only another rule encrypts.
    pub(super) unruly: Vec<String>,
    /// Those that no rule encrypts.
    pub(super) allowed: Vec<String>,
}

/// The plain values of a document, by its own rule and perhaps another one. Empty ones are never encrypted.
pub(super) fn plain(items: &[Item<'_>], own: &Selector, other: Option<&Selector>) -> Plain {
    let mut look = Look { own, other, place: Place::default(), found: Plain::default() };
    look.map(items, Matched::default());
    look.found
}

/// Whether anything matched on the way: for the document's rule, and for the other one.
#[derive(Clone, Copy, Default)]
struct Matched {
    own: bool,
    other: bool,
}

struct Look<'t> {
    own: &'t Selector,
    other: Option<&'t Selector>,
    place: Place<'t>,
    found: Plain,
}

impl<'t> Look<'t> {
    fn map(&mut self, items: &'t [Item<'_>], matched: Matched) {
        let mut marked = matched;
        for item in items {
            match item {
                Item::Comment(text) => marked = self.after_comment(marked, text),
                Item::Entry { key, value } => {
                    let matched_here = Matched {
                        own: marked.own || self.own.matches_key(key),
                        other: marked.other || self.other.is_some_and(|other| other.matches_key(key)),
                    };
                    self.place.enter_key(key);
                    self.node(value, matched_here);
                    self.place.leave();
                    marked = matched;
                }
            }
        }
    }

    fn list(&mut self, items: &'t [Node<'_>], matched: Matched) {
        let mut marked = matched;
        for (index, item) in items.iter().enumerate() {
            if let Node::Comment(text) = item {
                marked = self.after_comment(marked, text);
                continue;
            }
            self.place.enter_index(index);
            self.node(item, marked);
            self.place.leave();
            marked = matched;
        }
    }

    fn after_comment(&self, marked: Matched, text: &str) -> Matched {
        Matched {
            own: marked.own || self.own.matches_comment(text),
            other: marked.other || self.other.is_some_and(|other| other.matches_comment(text)),
        }
    }

    fn node(&mut self, node: &'t Node<'_>, matched: Matched) {
        match node {
            Node::List(items) => self.list(items, matched),
            Node::Map(items) => self.map(items, matched),
            Node::Comment(_) | Node::Leaf(Leaf::Null) => {}
            Node::Leaf(Leaf::Text(text)) if text.is_empty() || text.starts_with("ENC[AES256_GCM,data:") => {}
            Node::Leaf(_) => {
                let path = self.place.to_string();
                if self.own.encrypts(matched.own) {
                    self.found.leaked.push(path);
                } else if self.other.is_some_and(|other| other.encrypts(matched.other)) {
                    self.found.unruly.push(path);
                } else {
                    self.found.allowed.push(path);
                }
            }
        }
    }
}
