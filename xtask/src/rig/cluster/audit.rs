//! The audit log of the API server: what clients really asked for, and when they had their answer.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::rig::process::Group;

/// One request as the API server's audit log tells it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ApiRequest {
    /// Who asked.
    pub user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch` or `delete`.
    pub verb: String,
    /// The resource as roles write it: `secrets`, `externalsecrets/status`.
    pub resource: String,
    /// The namespace; empty for what lies in none.
    pub namespace: String,
    /// The object's name; empty where the request is about many.
    pub name: String,
    /// The status of the answer.
    pub status: u16,
    /// When it was answered; for a watch, when it ended.
    pub at: Timestamp,
}

/// Everybody's requests but those of administrators: the controllers of the cluster are some.
pub(super) fn policy() -> String {
    let rules = json!([{"level": "None", "userGroups": ["system:masters"]}, {"level": "Metadata"}]);
    json!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived", "ResponseStarted"], "rules": rules})
        .to_string()
}

pub(super) fn log(group: &Group) -> PathBuf {
    group.logs().join("api-audit.jsonl")
}

/// Reads a log. The last line may be half written while the server runs; it is left out then.
pub(super) fn read(log: &Path) -> Result<Vec<ApiRequest>> {
    let text = fs::read_to_string(log).with_context(|| format!("failed to read the audit log {}", log.display()))?;
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(request_of).collect()
}

fn request_of(line: &str) -> Result<ApiRequest> {
    let entry: Value = serde_json::from_str(line).context("failed to parse a line of the audit log")?;
    let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (resource, part) = (text("/objectRef/resource"), text("/objectRef/subresource"));
    let status = entry.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default();
    Ok(ApiRequest {
        user: text("/user/username"),
        verb: text("/verb"),
        resource: if part.is_empty() { resource } else { format!("{resource}/{part}") },
        namespace: text("/objectRef/namespace"),
        name: text("/objectRef/name"),
        status: u16::try_from(status).unwrap_or_default(),
        at: text("/stageTimestamp").parse().context("a line of the audit log has no time")?,
    })
}
