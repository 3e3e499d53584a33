//! From reports and errors to what a person reads and a script tests.

use std::collections::BTreeMap;

use secretsync_core::error::{Error, one_line};
use secretsync_core::sync::{Change, Changes, Outcome, SyncReport};

/// What the process says to its caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// Everything is done, or nothing is to do.
    Done = 0,
    /// At least one sync failed; the others ran.
    Failed = 1,
    /// Nothing was tried.
    Refused = 2,
    /// A plan found something to change, and nothing failed.
    Drift = 3,
}

/// The exit code of a run.
pub(crate) fn exit(reports: &[SyncReport], planned: bool) -> Exit {
    if reports.iter().any(|report| report.outcome == Outcome::Failed) {
        return Exit::Failed;
    }
    let changes = reports.iter().any(|report| report.outcome != Outcome::Unchanged);
    if planned && changes { Exit::Drift } else { Exit::Done }
}

/// Why a sync ended as it did, in one line.
pub(crate) fn why(report: &SyncReport) -> String {
    if let Some(error) = &report.error {
        return one_line(error);
    }
    let mut parts = changed(&report.changes);
    if parts.is_empty() || report.outcome == Outcome::Unchanged {
        parts = vec![report.reason.to_string()];
    }
    let left_out: Vec<_> =
        report.missing.iter().filter(|entry| !report.kept.contains(entry)).map(String::as_str).collect();
    if !left_out.is_empty() {
        parts.push(format!("missing at the provider: {}", left_out.join(", ")));
    }
    if !report.kept.is_empty() {
        parts.push(format!("missing at the provider and kept as it was: {}", report.kept.join(", ")));
    }
    parts.join("; ")
}

/// The keys that something happens to, one part for each kind of change.
fn changed(changes: &Changes) -> Vec<String> {
    let of = |change: Change| {
        let keys: Vec<_> = changes.of(change).map(ToString::to_string).collect();
        (!keys.is_empty()).then(|| format!("{} {}", change.as_str(), keys.join(", ")))
    };
    let mut parts: Vec<_> = [Change::Created, Change::Updated, Change::Removed].into_iter().filter_map(of).collect();
    if changes.metadata {
        parts.push("metadata".to_owned());
    }
    parts
}

/// What to do, each advice once, with the syncs that it concerns.
pub(crate) fn hints(reports: &[SyncReport]) -> Vec<(String, String, Vec<String>)> {
    let mut order = Vec::new();
    let mut concerned: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for report in reports {
        let Some(hint) = report.error.as_ref().and_then(Error::hint) else { continue };
        let key = (hint.code().to_string(), hint.advice().to_owned());
        if !concerned.contains_key(&key) {
            order.push(key.clone());
        }
        concerned.entry(key).or_default().push(report.owner.to_string());
    }
    order.into_iter().map(|key| (key.0.clone(), key.1.clone(), concerned.remove(&key).unwrap_or_default())).collect()
}

/// How many syncs ended in each way, in the order in which they are told.
pub(crate) fn counts(reports: &[SyncReport]) -> Vec<(Outcome, usize)> {
    [Outcome::Created, Outcome::Updated, Outcome::Removed, Outcome::Unchanged, Outcome::Failed]
        .into_iter()
        .map(|outcome| (outcome, reports.iter().filter(|report| report.outcome == outcome).count()))
        .collect()
}

#[cfg(test)]
mod tests {
    use secretsync_core::error::ErrorKind;
    use secretsync_core::store::{OwnerId, TargetRef};
    use secretsync_core::sync::Reason;

    use super::*;

    fn report(outcome: Outcome) -> SyncReport {
        SyncReport::new(OwnerId::new("n", "s"), TargetRef::new("n", "s"), outcome, Reason::Synced)
    }

    #[test]
    fn a_failure_outweighs_drift_and_only_a_plan_knows_drift() {
        let failed = || {
            SyncReport::failed(
                OwnerId::new("n", "s"),
                TargetRef::new("n", "s"),
                Reason::SourceFailed,
                Error::new(ErrorKind::Internal, "x"),
            )
        };
        for (reports, sync, plan) in [
            (vec![], Exit::Done, Exit::Done),
            (vec![report(Outcome::Unchanged)], Exit::Done, Exit::Done),
            (vec![report(Outcome::Created)], Exit::Done, Exit::Drift),
            (vec![report(Outcome::Removed), failed()], Exit::Failed, Exit::Failed),
        ] {
            assert_eq!((exit(&reports, false), exit(&reports, true)), (sync, plan));
        }
    }
}
