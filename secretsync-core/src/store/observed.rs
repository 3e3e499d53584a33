//! What a store sees of a target, without values.

use std::collections::BTreeMap;

use super::TargetMeta;
use crate::secret::{Fingerprint, SecretKey};

/// What is at a target.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum Observed {
    /// Nothing.
    Absent,
    /// Something.
    Present(Present),
}

/// A target that exists.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Present {
    /// Which sync holds it.
    pub holder: Holder,
    /// Its controller, where that is no sync, in words for a message: "Deployment `web`". Keys may be merged into it; it is never replaced as a whole, nor removed.
    pub controller: Option<String>,
    /// Its keys, as far as this store lets a sync decide about them.
    pub keys: BTreeMap<SecretKey, KeyState>,
    /// Type, labels and annotations that are there on behalf of this owner; `None` where the store keeps none.
    pub meta: Option<TargetMeta>,
    /// Whether everything else (ownership marks, modes) is as this owner's last apply left it.
    pub intact: bool,
    /// Whether its data cannot be changed any more.
    pub immutable: bool,
    /// Whether it is marked as this owner's alone (`creationPolicy: Owner`); `None` where the store keeps no such mark.
    pub sole: Option<bool>,
    /// Whether its creation was finished: a run that was killed half-way leaves one that is not.
    pub finished: bool,
}

impl Present {
    /// A target held by `holder`, without keys and metadata, otherwise intact.
    pub fn new(holder: Holder) -> Self {
        Self {
            holder,
            controller: None,
            keys: BTreeMap::new(),
            meta: None,
            intact: true,
            immutable: false,
            sole: None,
            finished: true,
        }
    }
}

/// Which sync holds a target.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Holder {
    /// Nobody that we know of: it may be adopted.
    Nobody,
    /// This owner, from an earlier run.
    Ours,
    /// Another sync, in words for a message: "ExternalSecret `shop/db`".
    Other(String),
}

/// One key of a target.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyState {
    /// Whether this owner wrote it.
    pub owned: bool,
    /// Whether it may go when it is not wanted and the policy replaces foreign keys.
    pub removable: bool,
    /// What it is equal to; `None` where the store does not look at values.
    pub fingerprint: Option<Fingerprint>,
}

impl KeyState {
    /// A key that this owner wrote.
    pub fn owned(fingerprint: Option<Fingerprint>) -> Self {
        Self { owned: true, removable: true, fingerprint }
    }

    /// A key that somebody else wrote.
    pub fn foreign(fingerprint: Option<Fingerprint>) -> Self {
        Self { owned: false, removable: true, fingerprint }
    }

    /// A key that somebody else put there and that stays unless it is written over: a file beside ours.
    pub fn bystander() -> Self {
        Self { owned: false, removable: false, fingerprint: None }
    }
}
