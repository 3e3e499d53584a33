//! The namespace that a document says it is for.

use subtle::ConstantTimeEq as _;

use super::plain::Plain;
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
    Sealed(Plain),
    /// There more than once.
    Several,
}

impl Binding {
    /// Takes note of a value at the place of the binding.
    pub(super) fn note(&mut self, value: &Plain, encrypted: bool) {
        *self = match (&self, value) {
            (Self::Missing, Plain::Text(text) | Plain::Number(text)) if encrypted && !text.is_empty() => {
                Self::Sealed(Plain::Text(text.clone()))
            }
            (Self::Missing, _) => Self::Plain,
            _ => Self::Several,
        };
    }

    /// Fails unless the document is bound to this namespace.
    pub(super) fn check(&self, namespace: &str) -> Result<(), Error> {
        let refused = |what| Err(Error::Binding { what, namespace: namespace.to_owned() });
        match self {
            Self::Missing => refused("does not say at `secretsync.namespace` which namespace it is for"),
            Self::Plain => refused("names its namespace in a value that is not encrypted, which anybody can forge"),
            Self::Sealed(Plain::Text(text)) if text.as_bytes().ct_eq(namespace.as_bytes()).into() => Ok(()),
            Self::Sealed(_) => refused("is for another namespace"),
            Self::Several => refused("has `secretsync.namespace` more than once"),
        }
    }
}
