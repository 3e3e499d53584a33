//! What a sync did.

use std::time::{Duration, SystemTime};

use super::{Changes, ProviderKey, Reason};
use crate::error::{Error, Retry};
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
    /// Whether reading its sources mints something, or may do so: a failure that may have minted something is no reason to ask again at once.
    pub issues: bool,
    /// Whether the target was there already, as far as the sync looked.
    pub found: bool,
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
    /// When the login ends that it hangs on ([`Parent::ends_at`](crate::secret::Parent::ends_at)): no other process can extend that.
    pub bound_until: Option<SystemTime>,
}

impl Issued {
    /// Something that a provider issued, until when.
    pub fn new(provider: ProviderKey, object: impl Into<String>, lease: Option<Lease>, expires_at: SystemTime) -> Self {
        Self { provider, object: object.into(), lease, expires_at, bound_until: None }
    }

    /// The same, with the end of the login that it hangs on.
    #[must_use]
    pub fn with_bound(mut self, until: Option<SystemTime>) -> Self {
        self.bound_until = until;
        self
    }

    /// When it ends for a process that it was not issued to.
    pub fn ends_at(&self) -> SystemTime {
        self.bound_until.map_or(self.expires_at, |until| until.min(self.expires_at))
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
            issues: false,
            found: false,
        }
    }

    /// When its sources are to be looked at again because one of them ends; `None` where none ends.
    pub fn look_again_at(&self, now: SystemTime) -> Option<SystemTime> {
        Some(after_end(self.expires_at?, !self.issued.is_empty(), now))
    }

    /// The shortest pause before another try after a failure: what the other side asked for, and a while where something may have been issued whose
    /// answer was lost.
    pub fn shortest_pause(&self) -> Duration {
        let Some(error) = &self.error else { return Duration::ZERO };
        match error.retry() {
            Retry::After(asked) => asked,
            Retry::Never if self.issues => RESPITE,
            Retry::Never | Retry::Backoff => Duration::ZERO,
        }
    }

    /// A report of a failure.
    pub fn failed(owner: OwnerId, target: TargetRef, reason: Reason, error: Error) -> Self {
        Self { error: Some(error), ..Self::new(owner, target, Outcome::Failed, reason) }
    }
}

/// When a source that ends at `end` is to be looked at again: just after it. What was issued is looked after by the engine, which knows better when, so nobody else is hasty about
/// it.
pub fn after_end(end: SystemTime, issued: bool, now: SystemTime) -> SystemTime {
    end.max(now + if issued { RESPITE } else { SHORTEST_END }) + AFTER_END
}

/// How long after the end of a source it is looked at again.
const AFTER_END: Duration = Duration::from_secs(1);
/// How soon a source that has ended, or is about to, is looked at again.
const SHORTEST_END: Duration = Duration::from_secs(4);
/// The shortest pause before something is issued again.
const RESPITE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn failed(kind: ErrorKind, retry: Retry, issues: bool) -> SyncReport {
        let error = Error::new(kind, "read").with_retry(retry);
        let (owner, target) = (OwnerId::new("shop", "db"), TargetRef::new("shop", "db"));
        SyncReport { issues, ..SyncReport::failed(owner, target, Reason::SourceFailed, error) }
    }

    #[test]
    fn what_may_have_been_issued_is_not_asked_for_again_at_once() {
        let minute = Duration::from_mins(1);
        for (retry, issues, pause) in [
            (Retry::Never, true, minute),
            (Retry::Never, false, Duration::ZERO),
            (Retry::Backoff, true, Duration::ZERO),
            (Retry::After(minute * 3), true, minute * 3),
        ] {
            assert_eq!(failed(ErrorKind::Unavailable, retry, issues).shortest_pause(), pause, "{retry:?} {issues}");
        }
    }

    #[test]
    fn what_ends_is_looked_at_just_after_its_end_and_never_again_and_again() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(1);
        let seconds = |at: SystemTime| at.duration_since(now).unwrap_or_default().as_secs();
        let (past, future) = (SystemTime::UNIX_EPOCH, now + Duration::from_mins(10));
        assert_eq!((seconds(after_end(future, false, now)), seconds(after_end(future, true, now))), (601, 601));
        assert_eq!((seconds(after_end(past, false, now)), seconds(after_end(past, true, now))), (5, 61));
    }
}
