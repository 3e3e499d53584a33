//! What a provider hands out and a store takes in.

mod fingerprint;
mod map;
mod object;
mod value;

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

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

/// A lease that an issuing read handed out.
#[derive(Clone, Debug)]
pub struct Lease {
    id: String,
    renewable: bool,
    hold: Option<Arc<dyn Hold>>,
}

/// Anything that is kept alive.
trait Hold: Any + Send + Sync {}

impl<T: Any + Send + Sync> Hold for T {}

impl fmt::Debug for dyn Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold(..)")
    }
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

    fn new(payload: Payload) -> Self {
        Self { payload: Arc::new(payload), version: None, expires_at: None, rotates: false, lease: None }
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
        Self { id: id.into(), renewable, hold: None }
    }

    /// Keeps something alive as long as anybody has the lease: the login that it ends with, for example.
    #[must_use]
    pub fn holding(mut self, what: impl Send + Sync + 'static) -> Self {
        self.hold = Some(Arc::new(what));
        self
    }

    /// The provider's id of it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it can be extended.
    pub fn renewable(&self) -> bool {
        self.renewable
    }
}
