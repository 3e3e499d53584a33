//! The statuses: External Secrets Operator's fields (`eso-compat.md` 1.3 to 1.5). What else a controller writes is kept.

use serde_json::{Value, json};

pub(super) fn external_secret() -> Value {
    status(json!({
        "binding": {"type": "object", "properties": {"name": {"type": "string"}}},
        "conditions": conditions(),
        "refreshTime": {"type": "string", "format": "date-time", "nullable": true},
        "syncedResourceVersion": {"type": "string"},
    }))
}

pub(super) fn store() -> Value {
    status(json!({"capabilities": {"type": "string"}, "conditions": conditions()}))
}

/// Nothing is known of it; whatever somebody writes is kept.
pub(super) fn generator() -> Value {
    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

pub(super) fn cluster_external_secret() -> Value {
    let failed = json!({
        "type": "object",
        "required": ["namespace"],
        "properties": {"namespace": {"type": "string"}, "reason": {"type": "string"}},
    });
    status(json!({
        "conditions": conditions(),
        "externalSecretName": {"type": "string"},
        "failedNamespaces": {"type": "array", "items": failed},
        "provisionedNamespaces": {"type": "array", "items": {"type": "string"}},
    }))
}

fn status(properties: Value) -> Value {
    let mut status = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    status["properties"] = properties;
    status
}

fn conditions() -> Value {
    json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["status", "type"],
            "properties": {
                "lastTransitionTime": {"type": "string", "format": "date-time"},
                "message": {"type": "string"},
                "reason": {"type": "string"},
                "status": {"type": "string"},
                "type": {"type": "string"},
            },
        },
    })
}
