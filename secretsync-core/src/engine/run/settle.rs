//! The last step of a sync: what was decided is done.

use std::time::Duration;

use super::{Failure, Ground, Mode, Run, deleting, writing};
use crate::engine::assemble::Assembled;
use crate::engine::decide::{Decision, immutable};
use crate::error::{Code, Error, ErrorKind, Hint, Retry};
use crate::secret::SecretMap;
use crate::store::{Applied, Desired, TargetMeta, Write};
use crate::sync::{Changes, MassDeletion, Outcome, Reason, Removal, SyncReport, SyncSpec};

impl Run<'_> {
    /// Does what was decided, or only says it. `None` where what was decided on is outdated.
    pub(super) async fn settle(
        &self,
        decision: Decision,
        desired: &Desired,
        assembled: &Assembled,
        ground: Ground,
    ) -> Result<Option<SyncReport>, Failure> {
        if ground == Ground::Recalled && matches!(decision, Decision::Mark { .. } | Decision::Remove { .. }) {
            return Ok(None);
        }
        let (outcome, reason, changes) = match decision {
            Decision::Leave { reason, changes } => {
                if reason == Reason::Synced {
                    self.admit(&self.write(desired, &[])).await?;
                }
                (Outcome::Unchanged, reason, changes)
            }
            Decision::Mark { refused: true } if !self.shared.store.marks() => {
                return Err(writing(immutable(self.spec)));
            }
            Decision::Mark { refused: false } if !self.shared.store.marks() => {
                (Outcome::Unchanged, Reason::Immutable, Changes::default())
            }
            Decision::Mark { refused } => {
                let mut meta = desired.meta.clone();
                if !refused {
                    meta = TargetMeta { immutable: true, ..TargetMeta::default() };
                }
                if self.writes() {
                    self.mark(meta).await?;
                }
                if refused {
                    return Err(writing(immutable(self.spec)));
                }
                (Outcome::Updated, Reason::Immutable, Changes { keys: Vec::new(), metadata: true })
            }
            Decision::Remove { changes } => self.remove(changes).await?,
            Decision::Apply { outcome, changes, remove } => {
                let write = self.write(desired, &remove);
                self.admit(&write).await?;
                if !self.writes() {
                    return Ok(Some(self.done(outcome, Reason::Synced, changes, assembled)));
                }
                let applied = self.shared.store.apply(&write).await;
                if applied.is_err() {
                    // It may have been written all the same.
                    self.shared.inputs.forget(&self.key());
                }
                if applied.as_ref().is_err_and(is_immutable) && self.shared.store.marks() {
                    // A store that sees no values learns only here that it is.
                    self.mark(desired.meta.clone()).await?;
                }
                let (outcome, changes) = match applied.map_err(writing)? {
                    Applied::Created => (Outcome::Created, changes),
                    Applied::Outdated => return Ok(None),
                    Applied::Unchanged => (Outcome::Unchanged, changes.into_unchanged()),
                    Applied::Updated => (Outcome::Updated, changes),
                };
                (outcome, Reason::Synced, changes)
            }
        };
        Ok(Some(self.done(outcome, reason, changes, assembled)))
    }

    /// Removes the target, if it may go now.
    async fn remove(&self, changes: Changes) -> Result<(Outcome, Reason, Changes), Failure> {
        match &self.spec.removal {
            Removal::Allowed if self.writes() => {
                self.shared.store.remove(&self.spec.target, &self.spec.owner).await.map_err(deleting)?;
                Ok((Outcome::Removed, Reason::Deleted, changes))
            }
            Removal::Allowed => Ok((Outcome::Removed, Reason::Deleted, changes)),
            Removal::Held => Ok((Outcome::Unchanged, Reason::DeletionHeld, Changes::default())),
            Removal::Paused(why) => Err(Failure(Reason::DeletionPaused, paused(self.spec, why))),
        }
    }

    /// Writes what marks the target, and leaves its data.
    async fn mark(&self, meta: TargetMeta) -> Result<(), Failure> {
        let marks = Desired::new(SecretMap::new(), meta);
        self.shared.store.mark(&self.write(&marks, &[])).await.map_err(writing)
    }

    /// Whether the store is told to write: also in a plan where it only stages, so that what later syncs see is the same.
    fn writes(&self) -> bool {
        self.mode == Mode::Sync || self.shared.store.stages()
    }

    fn write<'w>(&'w self, desired: &'w Desired, remove: &'w [crate::secret::SecretKey]) -> Write<'w> {
        Write::new(&self.spec.target, &self.spec.owner, desired).removing(remove).under(self.spec.creation)
    }

    async fn admit(&self, write: &Write<'_>) -> Result<(), Failure> {
        self.shared.store.admit(write).await.map_err(writing)
    }

    pub(super) fn done(&self, outcome: Outcome, reason: Reason, changes: Changes, assembled: &Assembled) -> SyncReport {
        let mut report = SyncReport::new(self.spec.owner.clone(), self.spec.target.clone(), outcome, reason);
        report.changes = changes;
        report.missing = assembled.missing.iter().map(|missing| missing.origin.to_string()).collect();
        let kept = assembled.missing.iter().filter(|missing| missing.kept);
        report.kept = kept.map(|missing| missing.origin.to_string()).collect();
        report.expires_at = assembled.expires_at;
        report
    }
}

fn is_immutable(error: &Error) -> bool {
    error.hint().is_some_and(|hint| hint.code() == Code::TargetImmutable)
}

fn paused(spec: &SyncSpec, why: &MassDeletion) -> Error {
    Error::new(ErrorKind::Unavailable, "delete")
        .on(format!("target `{}`", spec.target))
        .because(why.to_string())
        .with_retry(Retry::After(PAUSE))
        .with_hint(Hint::new(
            Code::DeletionPaused,
            "put back what the store has lost; if it is meant to be gone, allow it: `--allow-mass-deletion` on the command line, the annotation \
             `secretsync/allow-mass-deletion: \"true\"` on the store in a cluster",
        ))
}

/// How often what is paused looks whether its sources are back.
const PAUSE: Duration = Duration::from_mins(1);
