//! Decrypts a document: the MAC is verified before any value leaves.

mod aad;
mod json;
mod limits;
mod mac;
mod metadata;
mod plain;
mod selector;
mod time;
mod tree;
mod value;
mod yaml;

use zeroize::Zeroizing;

use self::aad::Place;
pub(crate) use self::limits::MAX_BYTES;
use self::mac::Mac;
pub(crate) use self::metadata::{KeyKind, Metadata};
pub(crate) use self::plain::Plain;
use self::tree::{Item, Leaf, Node};
pub(crate) use self::value::DataKey;
use self::value::{Cipher, Clear, Refusal, bool_text, float_text};
use crate::error::Error;

/// The notation of a document.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Format {
    Json,
    Yaml,
}

impl Format {
    /// The format that a document's name tells, as sops has it.
    pub(crate) fn of(name: &str) -> Result<Self, Error> {
        let refused = |format: &str| {
            Err(Error::unsupported(
                format!("documents in {format} format are not read"),
                "keep the values in a .yaml or .json document",
            ))
        };
        match name.rsplit('/').next().and_then(|file| file.rsplit_once('.')).map_or("", |(_, extension)| extension) {
            "json" => Ok(Self::Json),
            "yaml" | "yml" => Ok(Self::Yaml),
            "env" => refused("dotenv"),
            "ini" => refused("INI"),
            _ => refused("binary"),
        }
    }

    /// The format of a document without a name.
    pub(crate) fn guess(text: &str) -> Self {
        if text.trim_start().starts_with('{') { Self::Json } else { Self::Yaml }
    }
}

/// A parsed document, still encrypted.
pub(crate) struct Document<'a> {
    format: Format,
    items: Vec<Item<'a>>,
    metadata: Metadata,
}

impl<'a> Document<'a> {
    /// Parses a document within the limits.
    pub(crate) fn parse(format: Format, bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_BYTES {
            return Err(Error::TooLarge { what: format!("it has more than {MAX_BYTES} bytes") });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Error::malformed("it is no UTF-8 text"))?;
        let items = match format {
            Format::Json => json::parse(text)?,
            Format::Yaml => yaml::parse(text)?,
        };
        let (block, items): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|item| matches!(item, Item::Entry { key, .. } if key == "sops"));
        let metadata = match block.as_slice() {
            [] => return Err(Error::NotEncrypted),
            [Item::Entry { value, .. }] => Metadata::read(value)?,
            _ => return Err(Error::malformed("it has more than one `sops` block")),
        };
        Ok(Self { format, items, metadata })
    }

    /// Who can open it, and how it was encrypted.
    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The document in the clear, without its `sops` block, once every tag and the MAC have been verified.
    pub(crate) fn decrypt(&self, key: &DataKey) -> Result<Plain, Error> {
        let cipher = Cipher::new(key);
        let stored = self.stored_mac(&cipher)?;
        let integers = Integers::Exact;
        let (plain, mac, large) = self.walk(&cipher, integers)?;
        if mac.matches(stored.as_bytes()) {
            return Ok(plain);
        }
        // Until 3.13.2 sops read every number of a JSON document as a float, so larger ones were hashed rounded. What is handed out then is
        // what was hashed.
        if large && self.format == Format::Json && !self.metadata.exact_integers {
            let (plain, mac, _) = self.walk(&cipher, Integers::Rounded)?;
            if mac.matches(stored.as_bytes()) {
                return Ok(plain);
            }
        }
        Err(Error::MacMismatch)
    }

    fn stored_mac(&self, cipher: &Cipher) -> Result<Zeroizing<String>, Error> {
        if self.metadata.mac.is_empty() {
            return Err(Error::MacMissing);
        }
        match cipher.decrypt(&self.metadata.mac, self.metadata.modified.as_bytes()) {
            Ok(Clear::Text(text)) => Ok(text),
            Err(Refusal::Forged) => Err(Error::MacMismatch),
            _ => Err(Error::metadata("has a `mac` that is no encrypted text")),
        }
    }

    fn walk(&self, cipher: &Cipher, integers: Integers) -> Result<(Plain, Mac, bool), Error> {
        let mut walk = Walk {
            cipher,
            metadata: &self.metadata,
            integers,
            mac: Mac::new(self.metadata.mac_only_encrypted),
            place: Place::default(),
            large: false,
        };
        let plain = walk.map(&self.items, false)?;
        Ok((plain, walk.mac, walk.large))
    }
}

/// How whole numbers that are not encrypted are read.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Integers {
    Exact,
    Rounded,
}

/// Beyond it not every whole number is a float.
const EXACT_FLOATS: u64 = 1 << 53;

/// One pass over the values in document order: decrypts, and collects the MAC.
struct Walk<'t> {
    cipher: &'t Cipher,
    metadata: &'t Metadata,
    integers: Integers,
    mac: Mac,
    place: Place<'t>,
    /// Whether a plain whole number was met that a float cannot hold.
    large: bool,
}

impl<'t> Walk<'t> {
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
            Node::Leaf(Leaf::Null) => Ok(Some(Plain::Null)),
            Node::Leaf(leaf) if self.metadata.selector.encrypts(matched) => self.encrypted(leaf),
            Node::Leaf(leaf) => Ok(Some(self.plain(leaf))),
            Node::List(items) => self.list(items, matched).map(Some),
            Node::Map(items) => self.map(items, matched).map(Some),
        }
    }

    fn encrypted(&mut self, leaf: &Leaf<'_>) -> Result<Option<Plain>, Error> {
        let Leaf::Text(text) = leaf else { return Err(self.refused(NOT_ENCRYPTED)) };
        if text.is_empty() {
            return Ok(Some(Plain::text("")));
        }
        let clear = self.cipher.decrypt(text, self.place.aad()).map_err(|refusal| match refusal {
            Refusal::Forged => Error::Forged { path: self.place.to_string() },
            Refusal::Malformed => self.refused("is damaged"),
            Refusal::NotEncrypted => self.refused(NOT_ENCRYPTED),
            Refusal::NotText => self.refused("holds bytes that are no UTF-8 text"),
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
                self.mac.add(text.as_bytes(), true);
                Some(Plain::Text(text))
            }
            Clear::Time(text) => {
                self.mac.add(text.as_bytes(), true);
                Some(Plain::text(text))
            }
        })
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
