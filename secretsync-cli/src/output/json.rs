//! The report for programs.

use std::time::UNIX_EPOCH;

use secretsync_core::error::{Error, Hint, chain};
use secretsync_core::sync::{Change, SyncReport};
use serde_json::{Map, Value, json};

use super::Outcome;
use crate::diagnose;

/// One object: `syncs` in the order of the manifests, and `summary`.
pub(super) fn render(outcome: &Outcome) -> String {
    let mut summary: Map<String, Value> = diagnose::counts(&outcome.reports)
        .into_iter()
        .map(|(result, count)| (result.as_str().to_owned(), count.into()))
        .collect();
    summary.insert("skipped_documents".to_owned(), outcome.skipped.into());
    let whole = json!({
        "command": if outcome.planned { "plan" } else { "sync" },
        "summary": summary,
        "syncs": outcome.reports.iter().map(sync).collect::<Vec<_>>(),
    });
    format!("{whole:#}\n")
}

/// Why nothing was tried.
pub(super) fn refusal(refused: &Error) -> String {
    format!("{:#}\n", json!({ "error": error(refused) }))
}

/// One report of a watch, on one line.
pub(super) fn line(report: &SyncReport, time: &str) -> String {
    let mut line = sync(report);
    line["time"] = time.into();
    format!("{line}\n")
}

fn sync(report: &SyncReport) -> Value {
    let keys = |change: Change| report.changes.of(change).map(ToString::to_string).collect::<Vec<_>>();
    let expires_at = report.expires_at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map(|since| since.as_secs());
    json!({
        "namespace": report.owner.namespace(),
        "name": report.owner.name(),
        "target": { "namespace": report.target.namespace(), "name": report.target.name() },
        "result": report.outcome.as_str(),
        "reason": report.reason.as_str(),
        "why": diagnose::why(report),
        "keys": {
            "created": keys(Change::Created),
            "updated": keys(Change::Updated),
            "unchanged": keys(Change::Unchanged),
            "removed": keys(Change::Removed),
        },
        "metadata_changed": report.changes.metadata,
        "missing": report.missing,
        "expires_at": expires_at,
        "error": report.error.as_ref().map(error),
    })
}

fn error(error: &Error) -> Value {
    json!({
        "kind": error.kind().as_str(),
        "message": chain(error),
        "code": error.hint().map(|hint| hint.code().as_str()),
        "hint": error.hint().map(Hint::advice),
    })
}
