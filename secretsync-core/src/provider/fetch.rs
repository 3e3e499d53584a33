//! Questions to a provider and its answers.

use std::time::Duration;

use crate::secret::Secret;

/// A reference as a manifest writes it (`remoteRef`), before it has an address.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RemoteRef {
    /// The object's key.
    pub key: String,
    /// The version to pin, in the provider's words; `None` for the newest.
    pub version: Option<String>,
    /// Whether the object's metadata is meant instead of its value (`metadataPolicy: Fetch`).
    pub metadata: bool,
}

impl RemoteRef {
    /// The newest value under a key.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    /// Pins a version.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Asks for metadata instead of the value.
    #[must_use]
    pub fn with_metadata(mut self) -> Self {
        self.metadata = true;
        self
    }
}

/// The answer for one object.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum Fetched {
    /// The other side positively said that there is no such object. Never used for a failure: only this can lead to a deletion.
    Absent(Absence),
    /// The object.
    Found(Secret),
}

/// Why there is no object, for whoever needs it: one that is missing is told otherwise than one that can be brought back.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Absence {
    /// What the other side said of the object, without values.
    pub reason: &'static str,
    /// What to do about it.
    pub advice: &'static str,
}

impl Absence {
    /// An absence with more to say of it.
    pub const fn new(reason: &'static str, advice: &'static str) -> Self {
        Self { reason, advice }
    }
}

impl Default for Absence {
    /// There is no such object.
    fn default() -> Self {
        Self::new("it does not exist", "create it or correct the key")
    }
}

/// How to fetch.
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub struct FetchOptions {
    /// The bound of one attempt; `None` leaves it to the provider.
    pub timeout: Option<Duration>,
}
