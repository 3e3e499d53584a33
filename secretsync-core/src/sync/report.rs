//! What a sync did.

use std::time::SystemTime;

use super::{Changes, ProviderKey, Reason};
use crate::error::Error;
use crate::secret::Lease;
use crate::store::{OwnerId, TargetRef};

/// What became of a target.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Outcome {
    /// It is new.
    Created,
    /// Something failed; the target is as it was.
    Failed,
    /// It is gone.
    Removed,
    /// It was as it should be, or is left alone on purpose.
    Unchanged,
    /// It was changed.
    Updated,
}

impl Outcome {
    /// The word that people and scripts read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Failed => "failed",
            Self::Removed => "removed",
            Self::Unchanged => "unchanged",
            Self::Updated => "updated",
        }
    }
}

/// What a sync did: status, condition, event, metric and CLI row are derived from it.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct SyncReport {
    /// Whose sync it was.
    pub owner: OwnerId,
    /// Its target.
    pub target: TargetRef,
    /// What became of the target.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// What happened to the keys; empty after a failure.
    pub changes: Changes,
    /// Entries that were missing and may be, by the deletion policy or `onMissing`, as `spec.data[0] (key: app/db)`.
    pub missing: Vec<String>,
    /// Those of them whose keys stay as they are (`onMissing: Keep`); those of the others are left out.
    pub kept: Vec<String>,
    /// The failure, if it failed.
    pub error: Option<Error>,
    /// When the first of its sources ends, if one ends: it is due again before that.
    pub expires_at: Option<SystemTime>,
    /// What was issued for it and is in its target, without values.
    pub issued: Vec<Issued>,
}

/// Something that was issued for a sync, without its value: enough for a status, so that it is replaced in time after a restart too. See
/// [`crate::engine::Engine::adopt`].
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Issued {
    /// The provider that issued it.
    pub provider: ProviderKey,
    /// The object, as messages name it.
    pub object: String,
    /// Its lease, if it has one: a certificate has none.
    pub lease: Option<Lease>,
    /// When it ends.
    pub expires_at: SystemTime,
}

impl Issued {
    /// Something that a provider issued, until when.
    pub fn new(provider: ProviderKey, object: impl Into<String>, lease: Option<Lease>, expires_at: SystemTime) -> Self {
        Self { provider, object: object.into(), lease, expires_at }
    }
}

impl SyncReport {
    /// A report of a sync that did nothing yet.
    pub fn new(owner: OwnerId, target: TargetRef, outcome: Outcome, reason: Reason) -> Self {
        Self {
            owner,
            target,
            outcome,
            reason,
            changes: Changes::default(),
            missing: Vec::new(),
            kept: Vec::new(),
            error: None,
            expires_at: None,
            issued: Vec::new(),
        }
    }

    /// A report of a failure.
    pub fn failed(owner: OwnerId, target: TargetRef, reason: Reason, error: Error) -> Self {
        Self { error: Some(error), ..Self::new(owner, target, Outcome::Failed, reason) }
    }
}
