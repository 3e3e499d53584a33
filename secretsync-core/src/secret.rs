//! What a provider hands out and a store takes in.

mod fingerprint;
mod map;
mod object;
mod value;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;

pub use fingerprint::Fingerprint;
pub use map::{InvalidKey, SecretKey, SecretMap};
pub use object::SecretObject;
pub use value::SecretValue;

/// One remote object as it was read: a cheap handle, so that one read serves many syncs.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Secret {
    /// The content.
    pub payload: Arc<Payload>,
    /// The provider's version of it, where it has versions.
    pub version: Option<Version>,
    /// When it ends, if it ends.
    pub expires_at: Option<SystemTime>,
    /// Whether its successor exists only from that moment on, as a password that the other side rotates by itself. Everything else that ends can be
    /// replaced before.
    pub rotates: bool,
    /// The lease it is bound to, if it was issued.
    pub lease: Option<Lease>,
    /// What it ends with before its own end, if it was issued.
    pub parent: Option<Arc<dyn Parent>>,
}

/// What something that was issued ends with: the login that asked for it. It is kept alive as long as anybody has this.
#[async_trait]
pub trait Parent: fmt::Debug + Send + Sync {
    /// When it ends unless this process extends it; `None` where it has no end, or others extend it, too.
    fn ends_at(&self) -> Option<SystemTime>;

    /// Waits until it is certain that it will be extended no more, and gives its end: for ever where that never comes. Dropping the future changes nothing.
    async fn last_end(&self) -> SystemTime;

    /// Says that what hangs on it stays in use although nobody will look after it any more, as at the end of a process: then it is not given back with
    /// its last user.
    fn leave(&self) {}
}

/// The content of an object. Each kind has one property rule, in [`crate::engine`].
#[non_exhaustive]
#[derive(Debug)]
pub enum Payload {
    /// Raw bytes, kept as they are (AWS, SOPS binary): a property is a path in the JSON text, escaped dots first.
    Bytes(SecretValue),
    /// A structured object (Vault, SOPS): a property is an exact key first, then a path.
    Object(SecretObject),
}

/// The provider's version of an object, opaque to everybody else.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Version(String);

/// A lease that an issuing read handed out. `Debug` shows its [name](Self::name).
#[derive(Clone)]
pub struct Lease {
    id: Box<str>,
    /// What people see instead of the id.
    name: Option<Box<str>>,
    renewable: bool,
}

impl Secret {
    /// An object that is just bytes.
    pub fn bytes(value: SecretValue) -> Self {
        Self::new(Payload::Bytes(value))
    }

    /// A structured object.
    pub fn object(object: SecretObject) -> Self {
        Self::new(Payload::Object(object))
    }

    /// Adds the provider's version.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(Version(version.into()));
        self
    }

    /// Adds the moment at which it ends.
    #[must_use]
    pub fn with_expiry(mut self, at: SystemTime) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// Adds the moment at which the other side puts something else in its place.
    #[must_use]
    pub fn with_rotation(mut self, at: SystemTime) -> Self {
        self.rotates = true;
        self.with_expiry(at)
    }

    /// Adds the lease it is bound to.
    #[must_use]
    pub fn with_lease(mut self, lease: Lease) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Adds what it ends with.
    #[must_use]
    pub fn with_parent(mut self, parent: impl Parent + 'static) -> Self {
        self.parent = Some(Arc::new(parent));
        self
    }

    fn new(payload: Payload) -> Self {
        Self { payload: Arc::new(payload), version: None, expires_at: None, rotates: false, lease: None, parent: None }
    }
}

impl Version {
    /// The provider's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Lease {
    /// A lease by its id; `renewable` says whether the provider lets it be extended.
    pub fn new(id: impl Into<String>, renewable: bool) -> Self {
        Self { id: id.into().into(), name: None, renewable }
    }

    /// Hides the id behind a name: it is among the values that came with the lease, which nobody but the target may see.
    #[must_use]
    pub fn hidden_as(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into().into());
        self
    }

    /// The provider's id of it. It is for the provider only where it [is hidden](Self::is_hidden): then keep it in memory, and out of whatever is
    /// written.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is called in messages, logs and reports: its id, or the name that hides the id.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }

    /// Whether the id is a value of the target.
    pub fn is_hidden(&self) -> bool {
        self.name.is_some()
    }

    /// Whether it can be extended.
    pub fn renewable(&self) -> bool {
        self.renewable
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("name", &self.name()).field("renewable", &self.renewable).finish_non_exhaustive()
    }
}
