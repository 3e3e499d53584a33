//! One pass over the values of a document: decrypts them and collects the MAC.

use zeroize::Zeroizing;

use super::aad::Place;
use super::binding::{self, Binding};
use super::format::Format;
use super::mac::Mac;
use super::metadata::Metadata;
use super::plain::Plain;
use super::tree::{Item, Leaf, Node};
use super::value::{Cipher, Clear, Refusal, bool_text, float_text};
use crate::error::Error;

/// How whole numbers that are not encrypted are read.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Integers {
    Exact,
    Rounded,
}

/// Beyond it not every whole number is a float.
const EXACT_FLOATS: u64 = 1 << 53;

/// What a pass found: nothing of it may be used before the MAC fits.
pub(super) struct Pass {
    pub(super) plain: Plain,
    pub(super) mac: Mac,
    pub(super) binding: Binding,
    /// Whether a plain whole number was met that a float cannot hold.
    pub(super) large: bool,
}

/// One pass over the values in document order.
pub(super) struct Walk<'t> {
    cipher: &'t Cipher,
    metadata: &'t Metadata,
    format: Format,
    integers: Integers,
    mac: Mac,
    binding: Binding,
    place: Place<'t>,
    /// Whether a plain whole number was met that a float cannot hold.
    large: bool,
}

impl<'t> Walk<'t> {
    /// Goes over a whole document.
    pub(super) fn over(
        items: &'t [Item<'_>],
        cipher: &'t Cipher,
        metadata: &'t Metadata,
        format: Format,
        integers: Integers,
    ) -> Result<Pass, Error> {
        let mut walk = Self {
            cipher,
            metadata,
            format,
            integers,
            mac: Mac::new(metadata.mac_only_encrypted),
            binding: Binding::default(),
            place: Place::default(),
            large: false,
        };
        let plain = walk.map(items, false)?;
        Ok(Pass { plain, mac: walk.mac, binding: walk.binding, large: walk.large })
    }

    fn map(&mut self, items: &'t [Item<'_>], matched: bool) -> Result<Plain, Error> {
        let selector = &self.metadata.selector;
        let mut entries = Vec::with_capacity(items.len());
        let mut marked = false;
        for item in items {
            match item {
                Item::Comment(text) => marked |= selector.matches_comment(text),
                Item::Entry { key, value } => {
                    self.place.enter_key(key);
                    let plain = self.node(value, matched || marked || selector.matches_key(key))?;
                    let plain = plain.ok_or_else(|| self.refused("is a comment where a value belongs"))?;
                    self.place.leave();
                    entries.push((key.as_ref().to_owned(), plain));
                    marked = false;
                }
            }
        }
        Ok(Plain::Map(entries))
    }

    fn list(&mut self, items: &'t [Node<'_>], matched: bool) -> Result<Plain, Error> {
        let mut elements = Vec::with_capacity(items.len());
        let mut marked = false;
        for (index, item) in items.iter().enumerate() {
            if let Node::Comment(text) = item {
                marked |= self.metadata.selector.matches_comment(text);
                continue;
            }
            self.place.enter_index(index);
            elements.extend(self.node(item, matched || marked)?);
            self.place.leave();
            marked = false;
        }
        Ok(Plain::List(elements))
    }

    /// The value in the clear; nothing for a comment, which sops keeps in lists as an encrypted text.
    fn node(&mut self, node: &'t Node<'_>, matched: bool) -> Result<Option<Plain>, Error> {
        match node {
            Node::Comment(_) => Ok(None),
            Node::Leaf(leaf) => {
                let encrypted = self.metadata.selector.encrypts(matched);
                let plain = if encrypted { self.encrypted(leaf)? } else { Some(self.plain(leaf)) };
                if let Some(plain) = &plain
                    && self.place.is([binding::KEY, binding::NAMESPACE])
                {
                    self.binding.note(plain, encrypted);
                }
                Ok(plain)
            }
            Node::List(items) => self.list(items, matched).map(Some),
            Node::Map(items) => self.map(items, matched).map(Some),
        }
    }

    fn encrypted(&mut self, leaf: &Leaf<'_>) -> Result<Option<Plain>, Error> {
        let text = match leaf {
            Leaf::Null => return Ok(Some(Plain::Null)),
            Leaf::Text(text) if text.is_empty() => return self.text(Zeroizing::default()).map(Some),
            Leaf::Text(text) => text,
            _ => return Err(self.refused(NOT_ENCRYPTED)),
        };
        let clear = self.cipher.decrypt(text, self.place.aad()).map_err(|refusal| match refusal {
            Refusal::Forged => Error::Forged { path: self.place.to_string() },
            Refusal::Malformed => self.refused("is damaged"),
            Refusal::NotEncrypted => self.refused(NOT_ENCRYPTED),
        })?;
        Ok(match clear {
            Clear::Bool(value) => {
                self.mac.add(bool_text(value).as_bytes(), true);
                Some(Plain::Bool(value))
            }
            Clear::Comment => None,
            Clear::Float(number) => {
                self.mac.add(Zeroizing::new(float_text(number)).as_bytes(), true);
                Some(Plain::float(number))
            }
            Clear::Int(number) => {
                self.mac.add(Zeroizing::new(number.to_string()).as_bytes(), true);
                Some(Plain::int(number))
            }
            Clear::Text(text) => {
                self.mac.add(&text, true);
                Some(self.text(text)?)
            }
            Clear::Time(text) => {
                self.mac.add(text.as_bytes(), true);
                Some(Plain::text(text))
            }
        })
    }

    /// The text of an encrypted value; in a binary document any bytes.
    fn text(&self, mut bytes: Zeroizing<Vec<u8>>) -> Result<Plain, Error> {
        if self.format == Format::Binary {
            return Ok(Plain::Bytes(bytes));
        }
        match String::from_utf8(std::mem::take(&mut *bytes)) {
            Ok(text) => Ok(Plain::Text(Zeroizing::new(text))),
            Err(error) => {
                drop(Zeroizing::new(error.into_bytes()));
                Err(self.refused("holds bytes that are no UTF-8 text"))
            }
        }
    }

    fn plain(&mut self, leaf: &Leaf<'_>) -> Plain {
        match leaf {
            Leaf::Bool(value) => {
                self.mac.add(bool_text(*value).as_bytes(), false);
                Plain::Bool(*value)
            }
            Leaf::Float(number) => self.plain_float(*number),
            Leaf::Int(number) => {
                self.large |= number.unsigned_abs() > EXACT_FLOATS;
                #[expect(clippy::cast_precision_loss, reason = "losing it is what old versions of sops did")]
                if self.integers == Integers::Rounded {
                    return self.plain_float(*number as f64);
                }
                self.mac.add(number.to_string().as_bytes(), false);
                Plain::int(*number)
            }
            Leaf::Null => Plain::Null,
            Leaf::Text(text) => {
                self.mac.add(text.as_bytes(), false);
                if self.format == Format::Binary {
                    return Plain::Bytes(Zeroizing::new(text.as_bytes().to_vec()));
                }
                Plain::text(text.as_ref())
            }
            Leaf::Time(text) => {
                self.mac.add(text.as_bytes(), false);
                Plain::text(text.as_str())
            }
        }
    }

    fn plain_float(&mut self, number: f64) -> Plain {
        self.mac.add(float_text(number).as_bytes(), false);
        Plain::float(number)
    }

    fn refused(&self, what: &'static str) -> Error {
        Error::Value { path: self.place.to_string(), what }
    }
}

const NOT_ENCRYPTED: &str = "is not encrypted, although the document's rule says so";
