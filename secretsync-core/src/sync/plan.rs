//! What a sync would do.

use super::{Outcome, SyncReport};

/// What a sync would do: the report it would give, without having written anything. Never a value, a digest or a length of one.
#[derive(Clone, Debug)]
pub struct Plan(SyncReport);

impl From<SyncReport> for Plan {
    /// A plan is the report of a sync that wrote nothing.
    fn from(report: SyncReport) -> Self {
        Self(report)
    }
}

impl Plan {
    /// The report that a sync would give.
    pub fn report(&self) -> &SyncReport {
        &self.0
    }

    /// The same, owned.
    pub fn into_report(self) -> SyncReport {
        self.0
    }

    /// Whether a sync would change something.
    pub fn would_change(&self) -> bool {
        matches!(self.0.outcome, Outcome::Created | Outcome::Removed | Outcome::Updated)
    }
}
