//! The one document that a store itself contains.

use std::fmt;

use zeroize::Zeroizing;

use super::Content;
use crate::document::Format;
use crate::error::Error;

/// What the document is called.
pub(crate) const NAME: &str = "inline";

/// A document in the store's manifest.
pub(crate) struct Inline(Zeroizing<String>);

impl Inline {
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub(crate) fn format(&self) -> Format {
        Format::guess(&self.0)
    }

    pub(crate) fn read(&self, name: &str) -> Result<Content, Error> {
        if name != NAME {
            return Err(Error::OtherName { only: NAME.to_owned() });
        }
        Ok(Zeroizing::new(self.0.as_bytes().to_vec()))
    }
}

impl fmt::Debug for Inline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inline(..)")
    }
}
