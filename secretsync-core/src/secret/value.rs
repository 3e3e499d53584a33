//! Secret bytes that cannot be printed by accident.

use std::fmt;

use secrecy::{ExposeSecret, SecretBox};
use zeroize::Zeroizing;

/// Secret bytes: wiped on drop, never printed, compared or serialised.
///
/// ```
/// use secretsync_core::secret::SecretValue;
///
/// let value = SecretValue::from("s3cr3t");
/// assert_eq!(format!("{value:?}"), "SecretValue(..)");
/// assert_eq!(value.expose(), b"s3cr3t");
/// ```
pub struct SecretValue(SecretBox<[u8]>);

impl SecretValue {
    /// Takes ownership of the bytes. A `Vec` that has more room than bytes is moved on the way, and its old place is not wiped: give a
    /// [`Zeroizing`] one, or one that fits.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(SecretBox::new(bytes.into()))
    }

    /// The bytes. Call it only where they leave us: a request, a file, a decoder.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The bytes as text, or `None` if they are not UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(self.expose()).ok()
    }

    /// A second copy, named so that copies are easy to find. Prefer an `Arc` where one will do.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self::new(Box::<[u8]>::from(self.expose()))
    }

    /// Whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

impl From<&str> for SecretValue {
    fn from(text: &str) -> Self {
        Self::new(Box::<[u8]>::from(text.as_bytes()))
    }
}

impl From<&[u8]> for SecretValue {
    fn from(bytes: &[u8]) -> Self {
        Self::new(Box::<[u8]>::from(bytes))
    }
}

impl From<Zeroizing<Vec<u8>>> for SecretValue {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        // Shrinking a vector in place may move it and leave the old bytes behind, so copy and let the source wipe itself.
        Self::new(Box::<[u8]>::from(bytes.as_slice()))
    }
}
