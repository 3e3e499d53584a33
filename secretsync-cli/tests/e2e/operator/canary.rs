//! Marked values go through the whole operator; nothing but the targets shows them.

use rustix::process::Signal;
use serde_json::json;
use xtask::rig::process::free_port;

use super::stage::{Stage, VAULT, any_path, page, secret, store, until, until_told};
use crate::sandbox::TOLD;
use crate::sops;

const CANARY: &str = "canary-7c41";

/// Good stores, and one whose login is refused.
fn stores() -> String {
    let docs = "sops: {source: {configMapRef: {name: docs}}, keys: [{age: {secretRef: {name: keys, key: age}}}]}";
    let login = "auth: {userPass: {username: app, secretRef: {name: keys, key: password}}}";
    let refused = VAULT.replace("auth: {tokenSecretRef: {name: token, key: token}}", login);
    [store("vault", VAULT), store("issuer", &any_path()), store("docs", docs), store("refused", &refused)].concat()
}

fn sync(name: &str, store: &str, rest: &str) -> String {
    format!(
        "
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {{name: {name}, namespace: '@NS@'}}
spec: {{refreshInterval: 1s, secretStoreRef: {{name: {store}}}, {rest}}}
"
    )
}

/// Has OpenBao hand out a value.
fn write(stage: &Stage, value: &str) {
    let body = json!({"data": {"a": value, "n": {"x": value}, "json": format!("[\"{value}\"]")}});
    stage.servers().bao.write(&format!("secret/data/{}", stage.namespace.name()), &body).unwrap();
}

/// Stores and syncs, good ones and such as fail with a value in hand. Gives the key of the documents.
fn set_the_stage(stage: &Stage) -> String {
    let (bao, namespace) = (&stage.servers().bao, stage.namespace.name());
    write(stage, CANARY);
    let role = format!("c{}", &namespace[namespace.len() - 7..]);
    stage.servers().postgres.add_role(bao, &role, "1h", "24h").unwrap();
    let (recipient, age) = sops::key();
    let docs = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "docs", "namespace": "@NS@"},
        "data": {"app.yaml": sops::encrypt(&format!("a: {CANARY}\n"), &recipient)},
    });
    let issue = format!("dataFrom: [{{extract: {{key: 'database/creds/{role}'}}}}]");
    let syncs = [
        sync("all", "vault", "dataFrom: [{extract: {key: '@NS@'}}]"),
        sync("doc", "docs", "data: [{secretKey: a, remoteRef: {key: app.yaml, property: a}}]"),
        sync("user", "issuer", &issue),
        sync("deep", "vault", "data: [{secretKey: a, remoteRef: {key: '@NS@', property: a.b}}]"),
        sync("members", "vault", "dataFrom: [{extract: {key: '@NS@', property: json}}]"),
        sync(
            "decode",
            "vault",
            "data: [{secretKey: a, remoteRef: {key: '@NS@', property: a, decodingStrategy: Base64}}]",
        ),
        sync(
            "template",
            "vault",
            "target: {template: {data: {t: '{{ fail .a }}'}}}, dataFrom: [{extract: {key: '@NS@'}}]",
        ),
        sync(
            "label",
            "vault",
            "target: {template: {metadata: {labels: {l: '{{ .json }}'}}}}, dataFrom: [{extract: {key: '@NS@'}}]",
        ),
        sync("refused", "refused", "dataFrom: [{extract: {key: '@NS@'}}]"),
    ];
    stage.apply_token();
    stage.apply(&secret("keys", &json!({"age": age, "password": "pass-7c41"})));
    stage.apply(&docs.to_string());
    stage.apply(&(stores() + &syncs.concat()));
    age
}

#[test]
fn marked_values_are_in_targets_and_in_nothing_that_the_operator_tells() {
    let stage = Stage::new("canary");
    let age = set_the_stage(&stage);
    let port = free_port().unwrap();
    let flags = format!("--metrics-addr=127.0.0.1:{port} --loglevel=trace");
    let operator = stage.operator(&flags);
    for name in ["all", "doc"] {
        until(&CANARY.to_owned(), || stage.value(name, "a"));
    }
    until_told("True", || stage.ready("externalsecret", "user"));
    for name in ["deep", "members", "decode", "template", "label", "refused"] {
        until_told("False SecretSyncedError", || stage.ready("externalsecret", name));
    }
    let password = stage.value("user", "password");
    // A value changes, somebody meddles, and another process takes over.
    write(&stage, "changed-7c41");
    until(&"changed-7c41".to_owned(), || stage.value("all", "a"));
    stage.namespace.kubectl(&["delete", "secret", "doc"]).unwrap();
    until(&CANARY.to_owned(), || stage.value("doc", "a"));
    let figures = page(port, "/metrics");
    let mut told = stage.sandbox().text(TOLD);
    assert_eq!(operator.stop(Signal::TERM).0, 0);
    told += &stage.sandbox().text(TOLD);
    let second = stage.operator(&flags);
    write(&stage, "again-7c41");
    until(&"again-7c41".to_owned(), || stage.value("all", "a"));
    assert_eq!(second.stop(Signal::TERM).0, 0);
    told += &stage.sandbox().text(TOLD);
    assert!(told.contains("TRACE") && figures.contains("externalsecret_sync_calls_total"), "everything was told");
    for kind in ["externalsecrets", "secretstores", "events"] {
        told += &stage.namespace.kubectl(&["get", kind, "-o", "json"]).unwrap();
    }
    told += &figures;
    // What everybody sees of a Secret who may not read its data.
    let metadata = ["get", "secrets", "-o", "jsonpath={.items[*].metadata}", "--show-managed-fields"];
    told += &stage.namespace.kubectl(&metadata).unwrap();
    let encoded = ["Y2FuYXJ5LTdjNDE", "Y2hhbmdlZC03YzQx", "YWdhaW4tN2M0MQ"];
    let secrets = [CANARY, "changed-7c41", "again-7c41", "pass-7c41", &password, stage.servers().bao.token(), &age];
    for secret in secrets.into_iter().chain(encoded) {
        let place = told.find(secret).map(|at| told[..at].chars().rev().take(300).collect::<String>());
        assert_eq!(place.map(|text| text.chars().rev().collect::<String>()), None, "a secret was told after this text");
    }
}
