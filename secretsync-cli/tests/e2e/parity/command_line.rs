//! The program as subject: one run over the manifests for each step, as a pipeline would do it.

use std::time::Duration;

use secretsync_core::sync::Reason;
use serde_json::{Map, Value, json};

use super::Subject;
use super::compare::Exception;
use super::scene::{Scene, name};
use crate::sandbox::Sandbox;

/// The program.
pub(crate) struct CommandLine;

impl Subject for CommandLine {
    fn work(&self, scene: &Scene<'_>) -> Map<String, Value> {
        let externals = scene.list("ExternalSecret");
        if externals.is_empty() {
            return Map::new();
        }
        let mut items = scene.list("Namespace");
        items.extend(scene.list("ClusterSecretStore"));
        items.retain(|object| name(object).contains(&scene.case.id));
        items.extend(scene.list("SecretStore"));
        items.extend(externals);
        let mut sandbox = Sandbox::new();
        sandbox.set("KUBECONFIG", &scene.servers.cluster.kubeconfig().display().to_string());
        scene.servers.lead_to_aws(&mut sandbox);
        sandbox.file("all.json", &json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
        let run = sandbox.run("sync -f all.json --to kubernetes --output json");
        let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("no report: {run:?}"));
        let targets: Vec<_> = scene.list("Secret").iter().map(name).collect();
        report["syncs"].as_array().unwrap().iter().map(|sync| said(sync, &targets)).collect()
    }

    fn expected(&self, mut golden: Value) -> Value {
        for (_, said) in golden["externalsecrets"].as_object_mut().into_iter().flatten() {
            if said["conditions"][0]["status"] == "False" {
                said["binding"] = "".into();
            }
        }
        golden
    }

    fn stays(&self) -> bool {
        false
    }

    fn patience(&self) -> Duration {
        Duration::ZERO
    }

    fn exceptions(&self) -> &'static [(&'static str, Exception<'static>)] {
        EXCEPTIONS
    }
}

/// What a one-shot run does not show; everything else must be as the goldens have it.
const EXCEPTIONS: &[(&str, Exception<'static>)] = &[
    ("*", Exception { at: "/externalsecrets/*/message", why: STATUS }),
    ("*", Exception { at: "/externalsecrets/*/refreshTime", why: STATUS }),
    ("*", Exception { at: "/externalsecrets/*/syncedResourceVersion", why: STATUS }),
    ("*", Exception { at: "/stores*", why: STATUS }),
    ("delete-one-then-all", Exception { at: "/externalsecrets/es/binding", why: BINDING }),
    (
        "interval-default",
        Exception { at: "/externalsecrets/es/spec", why: "defaults are written by the schema of the CRD" },
    ),
    ("param-deletion-policy", Exception { at: "/externalsecrets/es/binding", why: BINDING }),
    ("rename-target", Exception { at: "/secrets/*", why: "a one-shot run does not look for targets of earlier names" }),
    ("sm-deletion-policy", Exception { at: "/externalsecrets/es/binding", why: BINDING }),
    (
        "store-class-foreign",
        Exception { at: "*", why: "a one-shot run has no class: whoever gives it manifests means them" },
    ),
    ("sync-window-allow", Exception { at: "/secrets/inactive/data/a", why: WINDOW }),
    ("sync-window-deny", Exception { at: "/secrets/target/data/a", why: WINDOW }),
];

/// What External Secrets Operator says of a failure, and we too.
const TEXTS: &[(&str, &str)] = &[
    ("data-kv1-metadata", "cannot perform metadata fetch operations with kv version v1"),
    ("extract-key-too-long", "key has length 254 but max is 253: (following is truncated): kkk"),
    ("find-collision", "secret name collision during conversion: find-collision_a_b"),
    ("find-kv1", "cannot perform find by tag operations with kv version v1"),
    (
        "rewrite-bad-regexp",
        "failed rewrite operation[0]: regexp failed with failed to compile: error parsing regexp: missing closing ): `a(`",
    ),
    ("rewrite-merge-not-json", "failed rewrite operation[0]: merge failed with failed to unmarshal JSON: "),
    (
        "rewrite-transform-missing",
        "key has invalid character <, only alphanumeric, '-', '.' and '_' are allowed: x<no value>-key",
    ),
    ("tpl-configmap-late", "error fetching templateFrom data: configmaps \"tpl\" not found"),
    ("tpl-configmap-missing-item", "error fetching templateFrom data: error in configmap tpl: missing key "),
    ("tpl-error-keeps-secret", "executing \"k\" at <.nope>: map has no entry for key \"nope\""),
    ("tpl-forbidden-types", " is not allowed"),
    (
        "tpl-literal-bad-target",
        "templateFrom target=\"type\" is not allowed when targeting a Secret, must be one of \"Data\", \"Annotations\" or \"Labels\"",
    ),
];

const BINDING: &str = "it is kept in the status: a one-shot run shows the target of now";
const STATUS: &str = "a one-shot run writes no status";
const WINDOW: &str = "windows are kept by whoever starts a run";

/// What a report says, as the operator's status would say it. The binding is the target, where the sync succeeded and it is there.
fn said(report: &Value, targets: &[String]) -> (String, Value) {
    let reason = REASONS.iter().find(|reason| report["reason"] == reason.as_str()).unwrap();
    let failed = report["result"] == "failed";
    assert_eq!(failed, !report["error"].is_null(), "{report}");
    if let Some((_, text)) = TEXTS.iter().find(|(case, _)| report["namespace"] == format!("p-{case}") && failed) {
        let message = report["error"]["message"].as_str().unwrap();
        assert!(message.contains(text), "`{text}` is missing: {message}");
    }
    let target = report["target"]["name"].as_str().unwrap();
    let bound = !failed && targets.iter().any(|name| name == target);
    let name = report["name"].as_str().unwrap().to_owned();
    (name, json!({"conditions": [condition(*reason)], "binding": if bound { target } else { "" }}))
}

fn condition(reason: Reason) -> Value {
    let ready = if reason.condition_reason() == "SecretSyncedError" { "False" } else { "True" };
    json!({"type": "Ready", "status": ready, "reason": reason.condition_reason()})
}

const REASONS: &[Reason] = &[
    Reason::CreationPolicyNone,
    Reason::Deleted,
    Reason::DeletionFailed,
    Reason::Immutable,
    Reason::KeptOnce,
    Reason::NotOwned,
    Reason::Retained,
    Reason::SourceFailed,
    Reason::SpecInvalid,
    Reason::Suspended,
    Reason::Synced,
    Reason::TargetMissing,
    Reason::TemplateFailed,
    Reason::WriteFailed,
];
