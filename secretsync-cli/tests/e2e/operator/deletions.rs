//! A store that has lost its secrets does not take the Secrets with it.

use std::fmt::Write as _;

use serde_json::json;

use super::stage::{Stage, VAULT, store, until, until_told};

/// More than ten, or there could be no mass deletion.
const SYNCS: usize = 14;

fn manifests() -> String {
    let mut manifests = store("vault", VAULT);
    for sync in 0..SYNCS {
        write!(
            manifests,
            "
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {{name: sync-{sync}, namespace: '@NS@'}}
spec:
  refreshInterval: 5s
  secretStoreRef: {{name: vault}}
  target: {{deletionPolicy: Delete}}
  data: [{{secretKey: a, remoteRef: {{key: '@NS@/{sync}', property: a}}}}]
"
        )
        .unwrap();
    }
    manifests
}

/// Puts secrets into OpenBao, or marks them as deleted there.
fn set(stage: &Stage, secrets: impl IntoIterator<Item = usize>, there: bool) {
    let namespace = stage.namespace.name();
    for secret in secrets {
        let (path, body) = if there {
            (format!("secret/data/{namespace}/{secret}"), json!({"data": {"a": "b"}}))
        } else {
            (format!("secret/delete/{namespace}/{secret}"), json!({"versions": [1, 2]}))
        };
        stage.servers().bao.write(&path, &body).unwrap();
    }
}

fn targets(stage: &Stage) -> usize {
    let label = "reconcile.external-secrets.io/managed=true";
    stage.namespace.kubectl(&["get", "secrets", "-l", label, "-o", "name"]).unwrap().lines().count()
}

/// What the store says about deletions.
fn paused(stage: &Stage) -> String {
    let store = stage.get("secretstore", "vault");
    let conditions = store["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let paused = conditions.into_iter().find(|condition| condition["type"] == "DeletionPaused").unwrap_or_default();
    format!("{} {}", paused["status"].as_str().unwrap_or("-"), paused["message"].as_str().unwrap_or_default())
}

#[test]
fn one_secret_goes_after_the_others_were_asked_and_many_go_only_if_somebody_allows_it() {
    let stage = Stage::new("deletions");
    set(&stage, 0..SYNCS, true);
    stage.apply_token();
    stage.apply(&manifests());
    let operator = stage.operator("");
    until(&SYNCS, || targets(&stage));

    set(&stage, 0..1, false);
    until(&(SYNCS - 1), || targets(&stage));
    until_told("True SecretDeleted", || stage.ready("externalsecret", "sync-0"));
    assert_eq!(paused(&stage), "- ");

    set(&stage, 1..SYNCS, false);
    until_told("True 11 of ", || paused(&stage));
    for sync in 1..SYNCS {
        until_told("[deletion-paused]", || stage.ready("externalsecret", &format!("sync-{sync}")));
    }
    assert_eq!(targets(&stage), SYNCS - 1, "none of them is deleted");

    drop(operator);
    let _operator = stage.operator("");
    set(&stage, 1..4, true);
    for sync in 1..4 {
        until_told("True SecretSynced", || stage.ready("externalsecret", &format!("sync-{sync}")));
    }
    assert!(paused(&stage).starts_with("True "), "a restart forgets no pause, and ten may be on their way back, too");
    assert_eq!(targets(&stage), SYNCS - 1);

    stage.namespace.kubectl(&["annotate", "secretstore", "vault", "secretsync/allow-mass-deletion=true"]).unwrap();
    until(&3, || targets(&stage));
    until(&"- ".to_owned(), || paused(&stage));
}
