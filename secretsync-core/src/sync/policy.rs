//! The choices of a manifest, as closed sets. Names and defaults are External Secrets Operator's.

/// What may be done to the target (`target.creationPolicy`).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CreationPolicy {
    /// Created or updated; keys of others stay; not owned.
    CreateOrMerge,
    /// Updated where it exists, never created; keys of others stay.
    Merge,
    /// Left alone.
    None,
    /// Created or updated; keys of others go; not owned, so it survives its ExternalSecret.
    Orphan,
    /// Created or updated; keys of others go; owned, so it goes with its ExternalSecret.
    #[default]
    Owner,
}

impl CreationPolicy {
    /// Whether the target may be created.
    pub fn creates(self) -> bool {
        matches!(self, Self::CreateOrMerge | Self::Orphan | Self::Owner)
    }

    /// Whether keys that this sync did not write go.
    pub fn replaces_foreign_keys(self) -> bool {
        matches!(self, Self::Orphan | Self::Owner)
    }
}

/// What happens when the sources are gone (`target.deletionPolicy`).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DeletionPolicy {
    /// Missing keys go; when all are missing, the target goes.
    Delete,
    /// Missing keys go; the target stays.
    Merge,
    /// Nothing goes: a missing object is an error.
    #[default]
    Retain,
}

/// What a missing object means for one entry (`onMissing`), whatever the deletion policy says. An addition to External Secrets Operator's API.
///
/// An object is missing when the provider says that there is none. With `Skip` and `Keep`, so is one that is there but lacks the property that the entry
/// names; otherwise that is an error. A search is missing when it finds nothing.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnMissing {
    /// The sync fails.
    Fail,
    /// What the target has of the entry stays as it is; a target without it is made without it. Refused where the target does not tell what that is: for
    /// searches, and where templates make keys.
    Keep,
    /// The entry is left out, and what it made goes.
    Skip,
}

/// When a target is written again (`refreshPolicy`).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RefreshPolicy {
    /// Once; an existing target is left alone.
    CreatedOnce,
    /// When the manifest changes.
    OnChange,
    /// Whenever the interval has passed.
    #[default]
    Periodic,
}

/// How a remote value is decoded (`decodingStrategy`).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DecodingStrategy {
    /// Standard base64, else the URL alphabet, else unchanged.
    Auto,
    /// Standard base64 with padding.
    Base64,
    /// Base64 with the URL alphabet and padding.
    Base64Url,
    /// Unchanged.
    #[default]
    None,
}

/// How a remote name becomes a key (`conversionStrategy`).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum KeyConversion {
    /// Each character that a key cannot have becomes `_`.
    #[default]
    Default,
    /// Each such character becomes `_U` and its code point in hexadecimal, and `_`.
    Unicode,
}

/// What happens to a value that contains a NUL byte (`nullBytePolicy`).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum NullBytePolicy {
    /// It is an error.
    Fail,
    /// It is a value like any other.
    #[default]
    Ignore,
}
