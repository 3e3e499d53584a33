//! The one name of a remote object.

use std::fmt;

/// The canonical name of one remote object: every alias that a manifest may write gives the same `ObjectRef`.
///
/// Reads, coalescing, the reverse index and access rules use this name only. It is made by [`crate::provider::Provider::address`].
///
/// ```
/// use secretsync_core::object::ObjectRef;
///
/// let object = ObjectRef::new("app/db").within("kv").with_version("3");
/// assert_eq!(object.to_string(), "kv/app/db (version 3)");
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ObjectRef {
    container: Option<String>,
    name: String,
    version: Option<String>,
    part: Part,
    read: Read,
}

/// Which side of an object is meant.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Part {
    /// Its value.
    #[default]
    Value,
    /// Its metadata: tags, custom metadata.
    Metadata,
}

/// What reading an object does at the provider.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Read {
    /// Reading twice gives the same: it may be shared, batched and retried.
    #[default]
    Repeatable,
    /// Each read mints something (a lease, a certificate), or may do so: never shared, never sent twice, never sent by a plan.
    Issuing,
}

impl ObjectRef {
    /// The newest version of the value called `name`, read repeatably.
    pub fn new(name: impl Into<String>) -> Self {
        Self { container: None, name: name.into(), version: None, part: Part::Value, read: Read::Repeatable }
    }

    /// Names what the object lies in, where its own name does not say so: a Vault mount.
    #[must_use]
    pub fn within(mut self, container: impl Into<String>) -> Self {
        self.container = Some(container.into());
        self
    }

    /// Pins a version, in the provider's own words.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Selects value or metadata.
    #[must_use]
    pub fn with_part(mut self, part: Part) -> Self {
        self.part = part;
        self
    }

    /// Says what reading it does.
    #[must_use]
    pub fn with_read(mut self, read: Read) -> Self {
        self.read = read;
        self
    }

    /// What the object lies in, if its name alone does not say so.
    pub fn container(&self) -> Option<&str> {
        self.container.as_deref()
    }

    /// Its name inside the container.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The pinned version, or `None` for the newest.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Value or metadata.
    pub fn part(&self) -> Part {
        self.part
    }

    /// What reading it does.
    pub fn read(&self) -> Read {
        self.read
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(container) = &self.container {
            write!(f, "{container}/")?;
        }
        f.write_str(&self.name)?;
        if self.part == Part::Metadata {
            f.write_str(" (metadata)")?;
        }
        match &self.version {
            Some(version) => write!(f, " (version {version})"),
            None => Ok(()),
        }
    }
}
