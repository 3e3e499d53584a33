//! ClusterExternalSecrets on a real API server: one operator, with the rights of `deploy/rbac.yaml` and no others.

#[path = "spread/stage.rs"]
mod stage;

use serde_json::{Value, json};

use stage::Stage;

fn labels(stage: &Stage, team: &str) -> Value {
    json!({"matchLabels": {stage.label(): team}})
}

#[test]
fn namespaces_are_selected_by_any_selector_or_by_name_and_get_what_is_asked_for() {
    let stage = Stage::new("select");
    let [red, blue, named, other] = ["red", "blue", "", "grey"].map(|team| stage.namespace(team));
    let spec = json!({
        "namespaceSelectors": [labels(&stage, "red"), labels(&stage, "blue")], "namespaces": [named, "nowhere"],
        "externalSecretMetadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}, "externalSecretName": "made",
    });
    stage.create(&spec);
    stage.until_settled(&[&red, &blue, &named], &Value::Null);
    for namespace in [&red, &blue, &named] {
        let made = stage.get("es", "made", namespace);
        assert_eq!(made["spec"], stage.asked()["spec"]["externalSecretSpec"]);
        assert_eq!(made["metadata"]["labels"], json!({"a": "b"}));
        assert_eq!(made["metadata"]["annotations"], json!({"c": "d"}));
        let owner = json!([{
            "apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "name": stage.name(), "uid": stage.asked()["metadata"]["uid"],
            "controller": true, "blockOwnerDeletion": true,
        }]);
        assert_eq!(made["metadata"]["ownerReferences"], owner);
    }
    assert_eq!(stage.get("es", "made", &other), Value::Null);
    let asked = stage.asked();
    assert_eq!(asked["status"]["externalSecretName"], "made");
    assert_eq!(asked["status"]["conditions"], json!([{"type": "Ready", "status": "True"}]));
    assert_eq!(asked["metadata"]["finalizers"], Value::Null);
}

#[test]
fn nothing_that_matches_is_ready_and_a_new_namespace_or_label_wakes_it() {
    let stage = Stage::new("wake");
    let later = stage.namespace("grey");
    stage.create(&json!({"namespaceSelectors": [labels(&stage, "red")]}));
    stage.until_settled(&[], &Value::Null);
    let new = stage.namespace("red");
    stage.until_settled(&[&new], &Value::Null);
    stage.label_namespace(&later, "red");
    stage.until_settled(&[&new, &later], &Value::Null);
    stage.label_namespace(&new, "grey");
    stage.until_settled(&[&later], &Value::Null);
    assert_eq!(stage.get("es", stage.name(), &new), Value::Null);
    stage.delete("namespace", &later);
    stage.until_settled(&[], &Value::Null);
}

#[test]
fn somebody_elses_object_stays_untouched_until_it_is_gone() {
    let stage = Stage::new("foreign");
    let [mine, theirs] = ["red", "red"].map(|team| stage.namespace(team));
    let foreign = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": stage.name(), "namespace": theirs},
        "spec": {"dataFrom": [{"extract": {"key": "theirs"}}], "secretStoreRef": {"name": "absent"}},
    });
    stage.apply(&foreign);
    stage.create(&json!({"namespaceSelectors": [labels(&stage, "red")]}));
    let failed = json!([{"namespace": theirs, "reason": "external secret already exists in namespace"}]);
    stage.until_settled(&[&mine], &failed);
    let condition = json!([{"type": "Ready", "status": "False", "message": "one or more namespaces failed"}]);
    assert_eq!(stage.asked()["status"]["conditions"], condition);
    assert_eq!(stage.get("es", stage.name(), &theirs)["spec"]["dataFrom"], foreign["spec"]["dataFrom"]);
    stage.kubectl(&["delete", "es", stage.name(), "-n", &theirs]);
    stage.until_settled(&[&mine, &theirs], &Value::Null);
}

#[test]
fn what_changes_is_brought_to_each_namespace_and_what_others_change_is_put_right() {
    let stage = Stage::new("change");
    let namespace = stage.namespace("red");
    stage.create(&json!({"namespaces": [namespace]}));
    stage.until_settled(&[&namespace], &Value::Null);
    let made = || stage.get("es", stage.name(), &namespace);
    let forced = || made()["metadata"]["annotations"]["external-secrets.io/force-sync"].clone();
    stage.kubectl(&["annotate", "ces", stage.name(), "external-secrets.io/force-sync=1"]);
    stage.until(&json!("1"), forced);
    stage.kubectl(&["annotate", "ces", stage.name(), "external-secrets.io/force-sync-"]);
    stage.until(&Value::Null, forced);
    stage.kubectl(&["label", "es", stage.name(), "-n", &namespace, "by=hand"]);
    stage.until(&Value::Null, || made()["metadata"]["labels"].clone());
    let patch = json!({"spec": {"refreshInterval": "7h"}}).to_string();
    stage.kubectl(&["patch", "es", stage.name(), "-n", &namespace, "--type=merge", "-p", &patch]);
    stage.until(&json!("1h0m0s"), || made()["spec"]["refreshInterval"].clone());
    stage.patch(&json!({"spec": {"externalSecretSpec": {"refreshInterval": "9h"}}}));
    stage.until(&json!("9h"), || made()["spec"]["refreshInterval"].clone());
    stage.kubectl(&["delete", "es", stage.name(), "-n", &namespace]);
    stage.until(&json!("9h"), || made()["spec"]["refreshInterval"].clone());
}

#[test]
fn another_name_takes_the_place_of_the_old_one() {
    let stage = Stage::new("rename");
    let namespaces = ["red", "red"].map(|team| stage.namespace(team));
    stage.create(&json!({"namespaceSelectors": [labels(&stage, "red")]}));
    let expected: Vec<_> = namespaces.iter().map(String::as_str).collect();
    stage.until_settled(&expected, &Value::Null);
    stage.patch(&json!({"spec": {"externalSecretName": "new"}}));
    stage.until(&json!("new"), || stage.asked()["status"]["externalSecretName"].clone());
    for namespace in &namespaces {
        stage.until(&Value::Null, || stage.get("es", stage.name(), namespace));
        assert_ne!(stage.get("es", "new", namespace), Value::Null);
    }
}

#[test]
fn a_selector_that_means_nothing_is_told_and_nothing_goes() {
    let stage = Stage::new("broken");
    let namespace = stage.namespace("red");
    stage.create(&json!({"namespaceSelectors": [labels(&stage, "red")]}));
    stage.until_settled(&[&namespace], &Value::Null);
    let broken = json!([{"matchExpressions": [{"key": "a", "operator": "Near"}]}]);
    stage.patch(&json!({"spec": {"namespaceSelectors": broken}}));
    stage.until(&json!("unknown"), || stage.asked()["status"]["failedNamespaces"][0]["namespace"].clone());
    assert_eq!(stage.asked()["status"]["provisionedNamespaces"], json!([namespace]));
    assert_ne!(stage.get("es", stage.name(), &namespace), Value::Null);
}

#[test]
fn after_a_take_over_nothing_is_written_twice_and_nothing_hangs() {
    let stage = Stage::alone("take");
    let [kept, gone] = ["red", "red"].map(|team| stage.namespace(team));
    stage.create(&json!({"namespaceSelectors": [labels(&stage, "red")]}));
    let uid = stage.asked()["metadata"]["uid"].clone();
    // As External Secrets Operator leaves it.
    stage.patch(
        &json!({"metadata": {"finalizers": ["externalsecrets.external-secrets.io/clusterexternalsecret-cleanup"]}}),
    );
    for namespace in [&kept, &gone] {
        let owner = json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "name": stage.name(), "uid": uid, "controller": true, "blockOwnerDeletion": true});
        stage.apply(&json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": stage.name(), "namespace": namespace, "ownerReferences": [owner], "finalizers": ["externalsecrets.external-secrets.io/externalsecret-cleanup"]},
            "spec": stage.asked()["spec"]["externalSecretSpec"],
        }));
        let finalizer = format!("externalsecrets.external-secrets.io/ces-{}", stage.name());
        let patch = json!({"metadata": {"finalizers": [finalizer]}}).to_string();
        stage.kubectl(&["patch", "namespace", namespace, "--type=merge", "-p", &patch]);
    }
    let before = stage.get("es", stage.name(), &kept)["metadata"]["generation"].clone();
    let operator = stage.operator();
    stage.until_settled(&[&kept, &gone], &Value::Null);
    stage.until(&Value::Null, || stage.asked()["metadata"]["finalizers"].clone());
    let made = stage.get("es", stage.name(), &kept);
    let writes = |entry: &&Value| entry["subresource"] != "status";
    let managers: Vec<_> = made["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .filter(writes)
        .map(|entry| entry["manager"].clone())
        .collect();
    assert_eq!(
        (&made["metadata"]["generation"], managers),
        (&before, vec![json!("kubectl")]),
        "it was as it should be"
    );
    stage.delete("namespace", &gone);
    stage.until_settled(&[&kept], &Value::Null);
    stage.until(&Value::Null, || stage.get("namespace", &gone, ""));
    stage.kubectl(&["delete", "ces", stage.name()]);
    stage.until(&Value::Null, || stage.get("es", stage.name(), &kept));
    stage.until(&Value::Null, || stage.get("namespace", &kept, "")["metadata"]["finalizers"].clone());
    drop(operator);
}
