//! The namespace that a document says it is for.

use secretsync_core::json::Json;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::error::Error;

/// The key of the binding at the top of a document.
pub(crate) const KEY: &str = "secretsync";

/// The member of it that names the namespace.
pub(crate) const NAMESPACE: &str = "namespace";

/// What a document says at `secretsync.namespace`.
///
/// Only an encrypted value counts: its path is authenticated together with it, while whoever can write the file can make a plain one out of the
/// digits of its neighbours.
#[derive(Default)]
pub(crate) enum Binding {
    #[default]
    Missing,
    /// There, and not encrypted.
    Plain,
    /// Encrypted, and the only one.
    Sealed(Zeroizing<String>),
    /// There more than once.
    Several,
}

impl Binding {
    /// Takes note of a value at the place of the binding.
    pub(super) fn note(&mut self, value: &Json, encrypted: bool) {
        let text = match value {
            Json::String(text) => text.expose(),
            Json::Number(number) => number.expose(),
            _ => "",
        };
        let noted = if encrypted && !text.is_empty() { Self::Sealed(text.to_owned().into()) } else { Self::Plain };
        *self = std::mem::take(self).and(noted);
    }

    /// What a document says whose parts say this.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Missing, one) | (one, Self::Missing) => one,
            _ => Self::Several,
        }
    }

    /// Fails unless the document is bound to this namespace.
    pub(super) fn check(&self, namespace: &str) -> Result<(), Error> {
        let refused = |what| Err(Error::Binding { what, namespace: namespace.to_owned() });
        match self {
            Self::Missing => refused("does not say at `secretsync.namespace` which namespace it is for"),
            Self::Plain => refused("names its namespace in a value that is not encrypted, which anybody can forge"),
            Self::Sealed(text) if text.as_bytes().ct_eq(namespace.as_bytes()).into() => Ok(()),
            Self::Sealed(_) => refused("is for another namespace"),
            Self::Several => refused("has `secretsync.namespace` more than once"),
        }
    }
}
