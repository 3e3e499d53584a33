//! Where secrets are written to.

mod directory;
mod env_file;
mod file;
mod manifest;
mod observed;
mod pass;
mod share;

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

pub use directory::DirectoryStore;
pub use env_file::EnvFileStore;
pub use manifest::ManifestStore;
pub use observed::{Holder, KeyState, Observed, Present};
pub use pass::{Pass, Passes};

use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::secret::{Fingerprint, SecretKey, SecretMap};
use crate::sync::CreationPolicy;

/// A place secrets are written to.
///
/// # Contract
///
/// - [`observe`](Self::observe) and [`admit`](Self::admit) MUST change nothing outside this value.
/// - [`apply`](Self::apply) and [`remove`](Self::remove) MUST fail with [`ErrorKind::NotOwned`] rather than touch what belongs to somebody else,
///   and MUST leave the target whole, as it was or as it should be, wherever they are interrupted.
/// - A store that writes one document for many targets stages in `apply` and `remove`, and writes in [`flush`](Self::flush).
///
/// # Passes
///
/// Syncs that are due together make a pass, in which each sync sees what the earlier ones claim. It starts with [`begin`](Self::begin) and ends with
/// [`flush`](Self::flush), or with [`verify`](Self::verify) where it only plans. One that ends earlier leaves nothing to the next one.
///
/// # Secrets
///
/// What is observed holds key names and process-keyed fingerprints, never values; only [`own_values`](Self::own_values) gives an owner's values back.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The kind, for messages and labels: `directory`, `kubernetes`.
    fn kind(&self) -> &'static str;

    /// Begins a pass and forgets what an earlier one claimed or staged. A store that remembers such things waits until the earlier one is dropped.
    async fn begin(&self) -> Pass;

    /// Whether [`apply`](Self::apply) and [`remove`](Self::remove) only stage, so that a plan may call them.
    fn stages(&self) -> bool;

    /// What is there: who holds it, which keys, equal to what.
    async fn observe(&self, target: &TargetRef, owner: &OwnerId) -> Result<Observed>;

    /// What is known of a target without looking, from a watch for example; `None` where only [`observe`](Self::observe) can tell. It may be outdated: an
    /// [`apply`](Self::apply) on the ground of it must notice that, and answer [`Applied::Outdated`].
    async fn recall(&self, _target: &TargetRef, _owner: &OwnerId) -> Result<Option<Observed>> {
        Ok(None)
    }

    /// The values of the keys that this owner wrote and that can be read. They are asked for only where keys stay as they are: those of templates that give
    /// another result at each rendering, and those of missing entries with `onMissing: Keep`. A store without this method refuses both.
    async fn own_values(&self, target: &TargetRef, _owner: &OwnerId) -> Result<SecretMap> {
        Err(Error::new(ErrorKind::Unsupported, "keep the values")
            .on(format!("of target `{target}`"))
            .because(format!("a {} store does not give back what it holds", self.kind()))
            .with_hint(Hint::new(
                Code::Unsupported,
                "take random functions such as `randAlphaNum` and `now` out of the template, and `onMissing: Keep` out of the entries",
            )))
    }

    /// Whether `apply` would take this write, as far as can be told without writing. The claim is remembered for this pass, and replaces what the
    /// same owner wrote there earlier: a key that it no longer wants can go to another one.
    async fn admit(&self, write: &Write<'_>) -> Result<()>;

    /// Brings the target in line: owned fields only.
    async fn apply(&self, write: &Write<'_>) -> Result<Applied>;

    /// Whether [`mark`](Self::mark) can mark a target without writing its data.
    fn marks(&self) -> bool {
        false
    }

    /// Marks an existing target as the owner's, with the labels, the annotations and the immutability of `write`; its data and type stay. For targets
    /// whose data cannot or shall not be changed; asked for only where [`marks`](Self::marks) says so.
    async fn mark(&self, _write: &Write<'_>) -> Result<()> {
        Ok(())
    }

    /// Removes the target. Removing what is not there succeeds.
    async fn remove(&self, target: &TargetRef, owner: &OwnerId) -> Result<Removed>;

    /// Fails where [`flush`](Self::flush) would, as far as can be told without writing, and forgets what was staged.
    async fn verify(&self) -> Result<()>;

    /// Writes what was staged. Fails, and changes nothing, when an admitted write turned out to be in conflict with another.
    async fn flush(&self) -> Result<()>;
}

/// One target: a Secret, or what stands for one.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TargetRef {
    namespace: String,
    name: String,
}

impl TargetRef {
    /// A target by namespace and name.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for TargetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Who a target belongs to: the sync that writes it, an ExternalSecret for example.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OwnerId {
    namespace: String,
    name: String,
    uid: Option<String>,
}

impl OwnerId {
    /// An owner by namespace and name.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into(), uid: None }
    }

    /// Adds the uid of the object in its cluster.
    #[must_use]
    pub fn with_uid(mut self, uid: impl Into<String>) -> Self {
        self.uid = Some(uid.into());
        self
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its uid, where it is known.
    pub fn uid(&self) -> Option<&str> {
        self.uid.as_deref()
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What a target should be.
#[non_exhaustive]
#[derive(Debug, Default)]
pub struct Desired {
    /// Keys and values.
    pub data: SecretMap,
    /// Everything about it that is no secret.
    pub meta: TargetMeta,
    /// Keys whose value would be another one at each rendering, with what is as good for each.
    pub(crate) varied: BTreeMap<SecretKey, Fingerprint>,
}

impl Desired {
    /// Keys and values with metadata.
    pub fn new(data: SecretMap, meta: TargetMeta) -> Self {
        Self { data, meta, varied: BTreeMap::new() }
    }
}

/// Everything about a target that is no secret and that this sync decides.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TargetMeta {
    /// The Secret's `type`; `None` keeps what is there, and is `Opaque` for a new one.
    pub secret_type: Option<String>,
    /// Whether the Secret is made immutable.
    pub immutable: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Finalizers to add.
    pub finalizers: Vec<String>,
}

/// One write.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// What is written.
    pub target: &'a TargetRef,
    /// For whom.
    pub owner: &'a OwnerId,
    /// What it should be.
    pub desired: &'a Desired,
    /// Keys that go: ours that are no longer wanted, and foreign ones where the policy says so.
    pub remove: &'a [SecretKey],
    /// The policy that decides about ownership.
    pub creation: CreationPolicy,
}

impl<'a> Write<'a> {
    /// A write of `desired` to `target` for `owner`.
    pub fn new(target: &'a TargetRef, owner: &'a OwnerId, desired: &'a Desired) -> Self {
        Self { target, owner, desired, remove: &[], creation: CreationPolicy::Owner }
    }

    /// Names the keys that go.
    #[must_use]
    pub fn removing(mut self, keys: &'a [SecretKey]) -> Self {
        self.remove = keys;
        self
    }

    /// Sets the policy that decides about ownership.
    #[must_use]
    pub fn under(mut self, creation: CreationPolicy) -> Self {
        self.creation = creation;
        self
    }
}

/// What an apply did.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Applied {
    /// The target is new.
    Created,
    /// Nothing was written: it is not as it was [recalled](Store::recall).
    Outdated,
    /// It was as it should be.
    Unchanged,
    /// It was changed.
    Updated,
}

/// What a removal did.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Removed {
    /// There was nothing to remove.
    AlreadyAbsent,
    /// It is gone.
    Removed,
}

/// The error for a target that somebody else holds. `target` names its kind too: "Secret `shop/db`".
pub fn not_owned(target: impl fmt::Display, holder: &str, advice: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::NotOwned, "write")
        .on(target)
        .because(format!("it belongs to {holder}"))
        .with_hint(Hint::new(Code::NotOwned, advice))
}
