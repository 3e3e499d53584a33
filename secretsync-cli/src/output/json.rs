//! The report for programs.

use std::time::{SystemTime, UNIX_EPOCH};

use secretsync_core::error::{Error, Hint, TemplateFailure, chain};
use secretsync_core::secret::Lease;
use secretsync_core::sync::{Change, Issued, SyncReport};
use serde_json::{Map, Value, json};

use super::{Outcome, Told};
use crate::diagnose;
use crate::manifests::Located;

/// One object: `syncs` in the order of the manifests, and `summary`.
pub(super) fn render(outcome: &Outcome) -> String {
    let mut summary: Map<String, Value> = diagnose::counts(&outcome.reports)
        .into_iter()
        .map(|(result, count)| (result.as_str().to_owned(), count.into()))
        .collect();
    summary.insert("skipped_documents".to_owned(), outcome.skipped.into());
    let whole = json!({
        "command": match outcome.told {
            Told::Plan => "plan",
            Told::Render => "render",
            Told::Sync => "sync",
        },
        "summary": summary,
        "syncs": outcome.reports.iter().zip(&outcome.places).map(|(report, located)| sync(report, Some(located))).collect::<Vec<_>>(),
    });
    format!("{whole:#}\n")
}

/// Why nothing was tried.
pub(super) fn refusal(refused: &Error) -> String {
    format!("{:#}\n", json!({ "error": error(refused) }))
}

/// One report of a watch, on one line.
pub(super) fn line(report: &SyncReport, time: &str) -> String {
    let mut line = sync(report, None);
    line["time"] = time.into();
    format!("{line}\n")
}

/// `located` is where the manifest stands, so that a template's failure can be told with its place.
fn sync(report: &SyncReport, located: Option<&Located>) -> Value {
    let keys = |change: Change| report.changes.of(change).map(ToString::to_string).collect::<Vec<_>>();
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
        "kept": report.kept,
        "expires_at": report.expires_at.map(seconds),
        "issued": report.issued.iter().map(issued).collect::<Vec<_>>(),
        "error": report.error.as_ref().map(|failed| match located {
            Some(located) => with_template(error(failed), failed, located),
            None => error(failed),
        }),
    })
}

fn issued(issued: &Issued) -> Value {
    json!({
        "store": issued.provider.as_str(),
        "object": issued.object,
        "lease": issued.lease.as_ref().map(Lease::id),
        "renewable": issued.lease.as_ref().is_some_and(Lease::renewable),
        "expires_at": seconds(issued.expires_at),
    })
}

/// Seconds since 1970.
fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A failure and what to do about it.
pub(crate) fn error(error: &Error) -> Value {
    json!({
        "kind": error.kind().as_str(),
        "message": chain(error),
        "code": error.hint().map(|hint| hint.code().as_str()),
        "hint": error.hint().map(Hint::advice),
    })
}

/// Adds which template failed, and where.
fn with_template(mut told: Value, failed: &Error, located: &Located) -> Value {
    if let Some(failure) = TemplateFailure::of(failed) {
        told["template"] = json!({
            "manifest": located.place_of(failure.place().path()).to_string(),
            "field": failure.place().to_string(),
            "name": failure.name(),
            "line": failure.line(),
            "column": failure.column(),
        });
    }
    told
}
