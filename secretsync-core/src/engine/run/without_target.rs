//! `creationPolicy: None`: its sources are read to tell whether they can be, and nothing is written (`eso-compat.md` 2.4).

use super::{Assembled, Changes, Failure, Outcome, Reason, Run, keep, settle, sourcing};
use crate::sync::{DeletionPolicy, SyncReport};

impl Run<'_> {
    /// Whether there is a target does not matter. Nothing is issued that nobody would get.
    pub(super) async fn without_target(&mut self) -> Result<SyncReport, Failure> {
        self.remember().await;
        if self.spec.suspended {
            return Ok(self.left(Reason::Suspended, &Assembled::default()));
        }
        keep::check(self.spec).map_err(|error| Failure(Reason::SpecInvalid, error))?;
        let mut reads = self.reads().await.map_err(sourcing)?;
        let doubts = settle(self.spec, &mut reads, self.shared).await;
        if doubts.is_empty() && reads.issuing().next().is_some() {
            return Ok(self.left(Reason::CreationPolicyNone, &Assembled::default()));
        }
        let (assembled, _) = self.gather(reads, doubts).await.map_err(sourcing)?.unwrap_or_default();
        let retained = assembled.data.is_empty() && self.spec.deletion == DeletionPolicy::Retain;
        Ok(self.left(if retained { Reason::Retained } else { Reason::CreationPolicyNone }, &assembled))
    }

    fn left(&self, reason: Reason, assembled: &Assembled) -> SyncReport {
        self.done(Outcome::Unchanged, reason, Changes::default(), assembled)
    }
}
