//! Decrypts a document: the MAC is verified before any value leaves.

mod aad;
mod binding;
mod dotenv;
mod flat;
mod format;
mod ini;
mod json;
mod limits;
mod mac;
mod metadata;
mod paths;
mod plain;
mod selector;
mod shamir;
mod time;
mod tree;
mod value;
mod walk;
mod yaml;

use secretsync_core::json::Json;
use secretsync_core::secret::{Secret, SecretObject};
use zeroize::Zeroizing;

pub(crate) use self::aad::Place;
use self::binding::Binding;
pub(crate) use self::format::Format;
pub(crate) use self::limits::MAX_BYTES;
pub(crate) use self::metadata::{Identity, KeyGroups, KeyKind, MasterKey, Metadata};
use self::plain::Plain;
pub(crate) use self::selector::Selector;
pub(crate) use self::shamir::{PART, combine};
use self::tree::Parsed;
pub(crate) use self::tree::{Item, Leaf, Node};
pub(crate) use self::value::DataKey;
use self::value::{Cipher, Clear, Refusal};
use self::walk::{Integers, Walk};
pub(crate) use self::yaml::{Comments, parse as parse_yaml};
use crate::error::Error;

/// A parsed document, still encrypted.
pub(crate) struct Document<'a> {
    format: Format,
    items: Vec<Item<'a>>,
    metadata: Metadata,
}

/// A document in the clear, without its `sops` block: every tag and the MAC have been verified.
pub(crate) struct Verified {
    plain: Plain,
    binding: Binding,
}

impl<'a> Document<'a> {
    /// Parses a document within the limits. Comments of YAML are kept only where its own rule asks for them.
    pub(crate) fn parse(format: Format, bytes: &'a [u8]) -> Result<Self, Error> {
        Self::read(format, bytes, Comments::WhereRuled)
    }

    /// Parses a document with all its comments, for rules of others.
    pub(crate) fn with_comments(format: Format, bytes: &'a [u8]) -> Result<Self, Error> {
        Self::read(format, bytes, Comments::All)
    }

    fn read(format: Format, bytes: &'a [u8], comments: Comments) -> Result<Self, Error> {
        if bytes.len() > MAX_BYTES {
            return Err(Error::TooLarge { what: format!("it has more than {MAX_BYTES} bytes") });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Error::malformed("it is no UTF-8 text"))?;
        let Parsed { items, blocks } = match format {
            Format::Binary | Format::Json => json::parse(text)?,
            Format::Dotenv => dotenv::parse(text)?,
            Format::Ini => ini::parse(text)?,
            Format::Yaml => yaml::parse(text, comments)?,
        };
        let metadata = match blocks.as_slice() {
            [] if text.contains("ENC[AES256_GCM,") => {
                return Err(Error::malformed(
                    "it has encrypted values and no `sops` block: it was cut short, or the block was removed",
                ));
            }
            [] => return Err(Error::NotEncrypted),
            [block] => Metadata::read(block)?,
            _ => return Err(Error::malformed("it has more than one `sops` block")),
        };
        Ok(Self { format, items, metadata })
    }

    /// Who can open it, and how it was encrypted.
    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// How it is written.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// The values as the document has them.
    pub(crate) fn items(&self) -> &[Item<'a>] {
        &self.items
    }

    /// The document in the clear.
    pub(crate) fn decrypt(&self, key: &DataKey) -> Result<Verified, Error> {
        let cipher = Cipher::new(key);
        let stored = self.stored_mac(&cipher)?;
        let walk = |integers| {
            Walk { cipher: &cipher, metadata: &self.metadata, format: self.format, integers }.over(&self.items)
        };
        let first = walk(Integers::Exact)?;
        if first.mac.matches(&stored) {
            return Ok(Verified { plain: first.plain, binding: first.binding });
        }
        // Until 3.13.2 sops read every number of a JSON document as a float, so larger ones were hashed rounded. What is handed out then is
        // what was hashed.
        if first.large && self.format == Format::Json && !self.metadata.exact_integers {
            let second = walk(Integers::Rounded)?;
            if second.mac.matches(&stored) {
                return Ok(Verified { plain: second.plain, binding: second.binding });
            }
        }
        Err(Error::MacMismatch)
    }

    fn stored_mac(&self, cipher: &Cipher) -> Result<Zeroizing<Vec<u8>>, Error> {
        if self.metadata.mac.is_empty() {
            return Err(Error::MacMissing);
        }
        match cipher.decrypt(&self.metadata.mac, self.metadata.modified.as_bytes()) {
            Ok(Clear::Text(text)) => Ok(text),
            Err(Refusal::Forged) => Err(Error::MacMismatch),
            _ => Err(Error::metadata("has a `mac` that is no encrypted text")),
        }
    }
}

impl Verified {
    /// Fails unless the document says in an encrypted value that it is for `namespace`.
    pub(crate) fn check_binding(&self, namespace: &str) -> Result<(), Error> {
        self.binding.check(namespace)
    }

    /// The object that a provider hands out: the values, or of a binary document its content. The binding's own key is not among them.
    pub(crate) fn into_secret(self, format: Format) -> Result<Secret, Error> {
        let Plain { mut members, content } = self.plain;
        if format != Format::Binary {
            members.shift_remove(binding::KEY);
            return Ok(Secret::object(SecretObject::new(Json::object(members))));
        }
        content.map(|bytes| Secret::bytes(bytes.into())).ok_or_else(|| {
            Error::malformed(
                "it has no text under `data`, where a binary document has its content; documents of other formats have a name that ends in .yaml, \
                 .yml, .json, .env or .ini",
            )
        })
    }
}
