//! Secrets that somebody else has a hand in.

use serde_json::json;

use super::stage::{Stage, VAULT, store, until, until_told};

/// A stage with a store, and with `user: right` in OpenBao at the namespace's name.
fn setup() -> Stage {
    let stage = Stage::new("rivals");
    let bao = &stage.servers().bao;
    bao.write(&format!("secret/data/{}", stage.namespace.name()), &json!({"data": {"user": "right"}})).unwrap();
    stage.apply_token();
    stage.apply(&store("vault", VAULT));
    stage
}

fn sync(name: &str, creation: &str) -> String {
    format!(
        "
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {{name: {name}, namespace: '@NS@'}}
spec:
  refreshInterval: 1h
  secretStoreRef: {{name: vault}}
  target: {{creationPolicy: {creation}}}
  dataFrom: [{{extract: {{key: '@NS@'}}}}]
"
    )
}

#[test]
fn a_secret_that_somebody_made_by_hand_is_taken_over_as_the_creation_policy_says() {
    let stage = setup();
    // Owner and label of the sync, and whether foreign keys stay.
    let policies =
        [("Owner", true, false), ("Orphan", false, false), ("Merge", false, true), ("CreateOrMerge", false, true)];
    let by_hand = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "example.com/own",
            "metadata": {"name": name, "namespace": stage.namespace.name(), "labels": {"mine": "1"}, "annotations": {"mine": "2"}},
            "stringData": {"user": "wrong", "mine": "3"},
        })
    };
    let names = ["owner", "orphan", "merge", "createormerge", "none"];
    for name in names {
        stage.apply(&by_hand(name).to_string());
    }
    let untouched = stage.get("secret", "none");
    for (policy, ..) in policies {
        stage.apply(&sync(&policy.to_lowercase(), policy));
    }
    stage.apply(&sync("none", "None"));
    let _operator = stage.operator("");
    for (policy, owns, keeps) in policies {
        let name = policy.to_lowercase();
        until(&"right".to_owned(), || stage.value(&name, "user"));
        until(&"True SecretSynced: secret synced".to_owned(), || stage.ready("externalsecret", &name));
        assert_eq!(stage.value(&name, "mine"), if keeps { "3" } else { "" }, "{policy}");
        let secret = stage.get("secret", &name);
        let metadata = &secret["metadata"];
        let (labels, owners) = (&metadata["labels"], metadata["ownerReferences"].as_array().map_or(0, Vec::len));
        assert_eq!((&labels["mine"], &metadata["annotations"]["mine"]), (&json!("1"), &json!("2")), "{policy}");
        assert_eq!(labels["reconcile.external-secrets.io/managed"], "true", "{policy}");
        let marked = !labels["reconcile.external-secrets.io/created-by"].is_null();
        assert_eq!((owners, marked), (usize::from(owns), owns), "{policy}");
        assert_eq!(secret["type"], "example.com/own", "{policy}");
    }
    until(&"True SecretSynced: secret synced".to_owned(), || stage.ready("externalsecret", "none"));
    assert_eq!(stage.get("secret", "none"), untouched);
}

#[test]
fn who_changes_a_value_again_and_again_is_named_from_the_third_repair_on() {
    let stage = setup();
    stage.apply(&sync("db", "Owner"));
    let _operator = stage.operator("");
    let ready = || stage.ready("externalsecret", "db");
    until(&"True SecretSynced: secret synced".to_owned(), ready);
    let patch = json!({"stringData": {"user": "wrong"}}).to_string();
    for repair in 1..=3 {
        let rival = ["patch", "secret", "db", "--type=merge", "--field-manager=rival", "-p", &patch];
        stage.namespace.kubectl(&rival).unwrap();
        until(&"right".to_owned(), || stage.value("db", "user"));
        if repair < 3 {
            assert_eq!(ready(), "True SecretSynced: secret synced", "repair {repair}");
        }
    }
    until_told("; it is changed again and again by field manager `rival`", ready);
}

#[test]
fn a_secret_of_another_controller_takes_keys_beside_its_own_and_nothing_else() {
    let stage = setup();
    stage.namespace.kubectl(&["create", "configmap", "web"]).unwrap();
    let uid = &stage.get("configmap", "web")["metadata"]["uid"];
    let owners = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "web", "uid": uid, "controller": true}]);
    for name in ["owner", "orphan", "merge", "createormerge"] {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": {"mine": "3"},
            "metadata": {"name": name, "namespace": stage.namespace.name(), "ownerReferences": owners},
        });
        stage.apply(&secret.to_string());
    }
    let _operator = stage.operator("");
    for policy in ["Merge", "CreateOrMerge"] {
        let name = policy.to_lowercase();
        stage.apply(&sync(&name, policy));
        until(&"right".to_owned(), || stage.value(&name, "user"));
        until(&"True SecretSynced: secret synced".to_owned(), || stage.ready("externalsecret", &name));
        let patch = json!({"stringData": {"user": "wrong"}}).to_string();
        stage.namespace.kubectl(&["patch", "secret", &name, "--type=merge", "-p", &patch]).unwrap();
        until(&"right".to_owned(), || stage.value(&name, "user"));
        assert_eq!(stage.value(&name, "mine"), "3", "{policy}");
        assert_eq!(stage.get("secret", &name)["metadata"]["ownerReferences"], owners, "{policy}");
    }
    for policy in ["Owner", "Orphan"] {
        let name = policy.to_lowercase();
        stage.apply(&sync(&name, policy));
        until_told("failed to take ownership of target secret", || stage.ready("externalsecret", &name));
        assert_eq!(
            (stage.value(&name, "mine"), stage.value(&name, "user")),
            ("3".to_owned(), String::new()),
            "{policy}"
        );
    }
}

#[test]
fn a_key_that_two_want_is_the_others_when_the_first_one_goes_or_has_another_target() {
    let stage = setup();
    stage.apply(
        &json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shared", "namespace": stage.namespace.name()},
        })
        .to_string(),
    );
    let merging =
        |name: &str, target: &str| sync(name, "Merge").replace("target: {", &format!("target: {{name: {target}, "));
    let shared = |name: &str| merging(name, "shared");
    let ready = |name: &str| stage.ready("externalsecret", name);
    let _operator = stage.operator("");
    stage.apply(&shared("first"));
    until(&"True SecretSynced: secret synced".to_owned(), || ready("first"));
    stage.apply(&shared("second"));
    until_told("target is owned by another ExternalSecret", || ready("second"));
    stage.namespace.kubectl(&["delete", "externalsecret", "first"]).unwrap();
    until(&"True SecretSynced: secret synced".to_owned(), || ready("second"));
    assert_eq!(stage.value("shared", "user"), "right");

    stage.apply(&shared("third"));
    until_told("target is owned by another ExternalSecret", || ready("third"));
    stage.apply(&merging("second", "elsewhere"));
    until(&"True SecretSynced: secret synced".to_owned(), || ready("third"));
}
