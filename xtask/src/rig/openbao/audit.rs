//! The audit log: what clients really asked for.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// One request as the server's audit log tells it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AuditRequest {
    /// `read`, `list`, `create`, `update` or `delete`.
    pub operation: String,
    /// The API path without `/v1/`, such as `secret/data/app`.
    pub path: String,
    /// The namespace's path, empty for the root.
    pub namespace: String,
    /// Who asked: `root`, `token`, or the name that the login gave.
    pub display_name: String,
}

/// Reads the requests of a log, in order. The last line may be half written while the server runs; it is left out then.
pub(super) fn read(log: &Path) -> Result<Vec<AuditRequest>> {
    let text = fs::read_to_string(log).with_context(|| format!("failed to read the audit log {}", log.display()))?;
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let mut requests = Vec::new();
    for line in whole.lines() {
        let entry: Value = serde_json::from_str(line).context("failed to parse a line of the audit log")?;
        if entry["type"] == "request" {
            requests.push(request_of(&entry));
        }
    }
    Ok(requests)
}

fn request_of(entry: &Value) -> AuditRequest {
    let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    AuditRequest {
        operation: text("/request/operation"),
        path: text("/request/path"),
        namespace: text("/request/namespace/path"),
        display_name: text("/auth/display_name"),
    }
}
