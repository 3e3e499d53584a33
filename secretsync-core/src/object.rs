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
    known_as: Option<String>,
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
        let (part, read) = (Part::Value, Read::Repeatable);
        Self { container: None, name: name.into(), version: None, part, read, known_as: None }
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

    /// Says which name access rules look at, where the object's own name says more than that: the name inside an ARN.
    #[must_use]
    pub fn known_as(mut self, name: impl Into<String>) -> Self {
        self.known_as = Some(name.into());
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

    /// The name that access rules look at ([`crate::access`]): container and name, whichever version or part is meant.
    pub fn access_key(&self) -> String {
        self.access_segments().collect::<Vec<_>>().join("/")
    }

    /// The segments of [`access_key`](Self::access_key). A folder without a name has those of its container only.
    pub(crate) fn access_segments(&self) -> impl Iterator<Item = &str> {
        let name = self.known_as.as_deref().unwrap_or(&self.name);
        let parts = [self.container.as_deref(), Some(name).filter(|name| !name.is_empty())];
        parts.into_iter().flatten().flat_map(|part| part.split('/'))
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
