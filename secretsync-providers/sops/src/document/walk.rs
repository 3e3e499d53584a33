//! One pass over the values of a document: decrypts them and collects the MAC.

use indexmap::IndexMap;
use indexmap::map::Entry;
use secretsync_core::float;
use secretsync_core::json::Json;
use zeroize::Zeroizing;

use super::aad::Place;
use super::binding::{self, Binding};
use super::format::Format;
use super::mac::Mac;
use super::metadata::Metadata;
use super::paths::ambiguous;
use super::plain::{self, Plain};
use super::tree::{Item, Leaf, Node};
use super::value::{Cipher, Clear, Refusal, bool_text};
use crate::error::{Error, quoted};

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
    pub(super) cipher: &'t Cipher,
    pub(super) metadata: &'t Metadata,
    pub(super) format: Format,
    pub(super) integers: Integers,
}

impl Walk<'_> {
    /// Goes over a whole document.
    pub(super) fn over(&self, items: &[Item<'_>]) -> Result<Pass, Error> {
        let pass = Pass {
            plain: Plain::default(),
            mac: Mac::new(self.metadata.mac_only_encrypted),
            binding: Binding::default(),
            large: false,
        };
        let mut walker = Walker { walk: self, place: Place::default(), pass, colons: false };
        walker.pass.plain.members = walker.map(items, false)?;
        if walker.colons
            && let Some(path) = ambiguous(&walker.pass.plain.members)
        {
            return Err(Error::Value { path: quoted(&path), what: AMBIGUOUS });
        }
        Ok(walker.pass)
    }
}

/// Somebody on the way through a document.
struct Walker<'t> {
    walk: &'t Walk<'t>,
    place: Place<'t>,
    pass: Pass,
    /// Whether a key has a colon in it.
    colons: bool,
}

impl<'t> Walker<'t> {
    fn map(&mut self, items: &'t [Item<'_>], matched: bool) -> Result<IndexMap<String, Json>, Error> {
        let selector = &self.walk.metadata.selector;
        let mut members = IndexMap::with_capacity(items.len());
        let mut marked = false;
        for item in items {
            match item {
                Item::Comment(text) => marked |= selector.matches_comment(text),
                Item::Entry { key, value } => {
                    self.colons |= key.contains(':');
                    self.place.enter_key(key);
                    let value = self.node(value, matched || marked || selector.matches_key(key))?;
                    let value = value.ok_or_else(|| self.refused("is a comment where a value belongs"))?;
                    self.add(&mut members, key.as_ref().to_owned(), value)?;
                    self.place.leave();
                    marked = false;
                }
            }
        }
        Ok(members)
    }

    /// Adds the member whose place this is.
    fn add(&self, members: &mut IndexMap<String, Json>, key: String, value: Json) -> Result<(), Error> {
        match (members.entry(key), value) {
            // Sections of the same name become one, which only INI documents have.
            (Entry::Occupied(mut place), Json::Object(more)) if self.walk.format == Format::Ini => {
                let Json::Object(known) = place.get_mut() else { return Err(self.refused(TWICE)) };
                let mut more = (*more).into_iter();
                more.try_for_each(|(key, value)| self.put(known.entry(key), value, |key| self.place.path_to(key)))
            }
            (entry, value) => self.put(entry, value, |_| self.place.to_string()),
        }
    }

    /// Puts a value where no other is, or of a key that stands twice the last one. dotenv and INI documents have neither maps nor lists below a key, so what stands
    /// there was there when the document was encrypted, in this order, if the MAC has it.
    fn put(&self, entry: Entry<'_, String, Json>, value: Json, path: impl FnOnce(&str) -> String) -> Result<(), Error> {
        let Entry::Occupied(mut place) = entry else {
            entry.or_insert(value);
            return Ok(());
        };
        let flat = matches!(self.walk.format, Format::Dotenv | Format::Ini) && !self.walk.metadata.mac_only_encrypted;
        if !flat || !plain::is_hashed(place.get()) || !plain::is_hashed(&value) {
            return Err(Error::Value { path: path(place.key()), what: TWICE });
        }
        place.insert(value);
        Ok(())
    }

    fn list(&mut self, items: &'t [Node<'_>], matched: bool) -> Result<Json, Error> {
        let mut elements = Vec::with_capacity(items.len());
        let mut marked = false;
        for (index, item) in items.iter().enumerate() {
            if let Node::Comment(text) = item {
                marked |= self.walk.metadata.selector.matches_comment(text);
                continue;
            }
            self.place.enter_index(index);
            elements.extend(self.node(item, matched || marked)?);
            self.place.leave();
            marked = false;
        }
        Ok(Json::Array(elements))
    }

    /// The value in the clear; nothing for a comment, which sops keeps in lists as an encrypted text.
    fn node(&mut self, node: &'t Node<'_>, matched: bool) -> Result<Option<Json>, Error> {
        match node {
            Node::Comment(_) => Ok(None),
            Node::Leaf(leaf) => {
                let encrypted = self.walk.metadata.selector.encrypts(matched);
                let value = if encrypted { self.encrypted(leaf)? } else { Some(self.plain(leaf)?) };
                if let Some(value) = &value
                    && self.place.is([binding::KEY, binding::NAMESPACE])
                {
                    self.pass.binding.note(value, encrypted);
                }
                Ok(value)
            }
            Node::List(items) => self.list(items, matched).map(Some),
            Node::Map(items) => self.map(items, matched).map(|members| Some(Json::object(members))),
        }
    }

    fn encrypted(&mut self, leaf: &Leaf<'_>) -> Result<Option<Json>, Error> {
        let text = match leaf {
            Leaf::Null => return Ok(Some(Json::Null)),
            Leaf::Text(text) if text.is_empty() => return self.text(Zeroizing::default()).map(Some),
            Leaf::Text(text) => text,
            _ => return Err(self.refused(NOT_ENCRYPTED)),
        };
        let clear = self.walk.cipher.decrypt(text, self.place.aad()).map_err(|refusal| match refusal {
            Refusal::Forged => Error::Forged { path: self.place.to_string() },
            Refusal::Malformed => self.refused("is damaged"),
            Refusal::Nonce => self.refused("has a nonce that is not 12, 16 or 32 bytes long"),
            Refusal::NotEncrypted => self.refused(NOT_ENCRYPTED),
        })?;
        let mac = &mut self.pass.mac;
        Ok(match clear {
            Clear::Bool(value) => {
                mac.add(bool_text(value).as_bytes(), true);
                Some(Json::Bool(value))
            }
            Clear::Comment => None,
            Clear::Float(number) => {
                mac.add(Zeroizing::new(float::plain(number)).as_bytes(), true);
                Some(plain::float(number))
            }
            Clear::Int(number) => {
                let digits = Zeroizing::new(number.to_string());
                mac.add(digits.as_bytes(), true);
                Some(Json::number(digits.as_str()))
            }
            Clear::Text(text) => {
                mac.add(&text, true);
                Some(self.text(text)?)
            }
            Clear::Time(text) => {
                mac.add(text.as_bytes(), true);
                Some(Json::text(text))
            }
        })
    }

    /// The text of an encrypted value; in a binary document any bytes.
    fn text(&mut self, mut bytes: Zeroizing<Vec<u8>>) -> Result<Json, Error> {
        if self.walk.format == Format::Binary {
            return self.content(bytes);
        }
        match String::from_utf8(std::mem::take(&mut *bytes)) {
            Ok(text) => Ok(Json::text(text)),
            Err(error) => {
                drop(Zeroizing::new(error.into_bytes()));
                Err(Error::unsupported(
                    format!("the value at `{}` holds bytes that are no UTF-8 text", self.place),
                    "encrypt it as a document of its own, with `sops encrypt --input-type binary`",
                ))
            }
        }
    }

    /// Keeps a text of a binary document where it is the content; nothing else of it is handed out.
    fn content(&mut self, bytes: Zeroizing<Vec<u8>>) -> Result<Json, Error> {
        if self.place.is([plain::CONTENT]) && self.pass.plain.content.replace(bytes).is_some() {
            return Err(self.refused(TWICE));
        }
        Ok(Json::Null)
    }

    fn plain(&mut self, leaf: &Leaf<'_>) -> Result<Json, Error> {
        let mac = &mut self.pass.mac;
        Ok(match leaf {
            Leaf::Bool(value) => {
                mac.add(bool_text(*value).as_bytes(), false);
                Json::Bool(*value)
            }
            Leaf::Float(number) => self.plain_float(*number),
            Leaf::Int(number) => {
                self.pass.large |= number.unsigned_abs() > EXACT_FLOATS;
                #[expect(clippy::cast_precision_loss, reason = "losing it is what old versions of sops did")]
                if self.walk.integers == Integers::Rounded {
                    return Ok(self.plain_float(*number as f64));
                }
                mac.add(number.to_string().as_bytes(), false);
                Json::number(number.to_string())
            }
            Leaf::Null => Json::Null,
            Leaf::Text(text) => {
                mac.add(text.as_bytes(), false);
                if self.walk.format == Format::Binary {
                    return self.content(Zeroizing::new(text.as_bytes().to_vec()));
                }
                Json::text(text.as_ref())
            }
            Leaf::Time(text) => {
                mac.add(text.as_bytes(), false);
                Json::text(text.as_str())
            }
        })
    }

    fn plain_float(&mut self, number: f64) -> Json {
        self.pass.mac.add(float::plain(number).as_bytes(), false);
        plain::float(number)
    }

    fn refused(&self, what: &'static str) -> Error {
        Error::Value { path: self.place.to_string(), what }
    }
}

const NOT_ENCRYPTED: &str = "is not encrypted, although the document's rule says so";
const TWICE: &str = "stands there twice: one of them may have been added unnoticed";
const AMBIGUOUS: &str =
    "has the same path for sops as another one, and the MAC does not see both: one of them may have been moved";
