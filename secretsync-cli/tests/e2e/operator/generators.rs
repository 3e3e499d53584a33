//! `VaultDynamicSecret` in the cluster.

use serde_json::json;

use super::stage::{Stage, until, until_told};

/// A generator that asks OpenBao for random bytes, so that each request gives something else.
fn generator(path: &str) -> String {
    format!(
        "
apiVersion: generators.external-secrets.io/v1alpha1
kind: VaultDynamicSecret
metadata: {{name: dice, namespace: @NS@}}
spec:
  controller: '@NS@'
  path: {path}
  method: POST
  parameters: {{format: hex}}
  provider:
    server: '@BAO@'
    auth: {{tokenSecretRef: {{name: token, key: token}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: token, namespace: @NS@}}
stringData: {{token: '@TOKEN@'}}
"
    )
}

const SYNC: &str = "
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: thrown, namespace: @NS@}
spec:
  refreshInterval: 1h
  dataFrom:
    - sourceRef: {generatorRef: {apiVersion: generators.external-secrets.io/v1alpha1, kind: VaultDynamicSecret, name: dice}}
      rewrite: [{regexp: {source: '^', target: made_}}]
";

#[test]
fn a_generator_gives_the_keys_and_a_changed_one_gives_others_at_once() {
    let stage = Stage::new("generator");
    let generator = |path: &str| generator(path).replace("@TOKEN@", stage.servers().bao.token());
    let _operator = stage.operator("");
    stage.apply(SYNC);
    until_told("there is no such generator", || stage.ready("externalsecret", "thrown"));
    stage.apply(&generator("sys/tools/random/8"));
    until(&16, || stage.value("thrown", "made_random_bytes").len());
    // The status comes after the Secret, and events after the status.
    until_told("True SecretSynced: secret synced", || stage.ready("externalsecret", "thrown"));
    let events = || stage.namespace.kubectl(&["get", "events", "-o", "jsonpath={.items[*].reason}"]).unwrap();
    until_told("Created", events);
    assert!(events().contains("UpdateFailed"), "{}", events());

    stage.apply(&generator("sys/tools/random/16"));
    until(&32, || stage.value("thrown", "made_random_bytes").len());
    stage.namespace.kubectl(&["delete", "vaultdynamicsecret", "dice"]).unwrap();
    let patch = json!({"spec": {"refreshInterval": "1h1m"}}).to_string();
    stage.namespace.kubectl(&["patch", "externalsecret", "thrown", "--type=merge", "-p", &patch]).unwrap();
    until_told("there is no such generator", || stage.ready("externalsecret", "thrown"));
    assert_eq!(stage.value("thrown", "made_random_bytes").len(), 32, "a failure takes nothing away");
}

#[test]
fn a_generator_of_another_class_leaves_no_trace_and_a_broken_one_stops_nobody() {
    let stage = Stage::new("generator");
    let generator = |path: &str| generator(path).replace("@TOKEN@", stage.servers().bao.token());
    stage.apply(&generator("sys/tools/random/8").replace("controller: '@NS@'", "controller: another"));
    stage.apply(SYNC);
    let broken = generator("sys/tools/random/8").replace("name: dice", "name: broken").replace("path:", "paths:");
    stage.apply(&broken);
    stage.apply(&generator("sys/tools/random/4").replace("name: dice", "name: good"));
    for name in ["broken", "good"] {
        stage.apply(
            &SYNC.replace("name: thrown", &format!("name: {name}")).replace("name: dice", &format!("name: {name}")),
        );
    }
    let _operator = stage.operator("");
    until(&8, || stage.value("good", "made_random_bytes").len());
    until_told("False SecretSyncedError", || stage.ready("externalsecret", "broken"));
    assert_eq!(stage.get("externalsecret", "thrown")["status"], json!(null));
}
