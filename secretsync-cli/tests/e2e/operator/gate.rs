//! What stores tell of themselves, and those that the operator is told not to look after.

use serde_json::json;

use crate::operator::stage::{Stage, VAULT, app, secret, store, until, until_told};

#[test]
fn a_store_that_nobody_has_tried_is_not_ready_and_one_that_somebody_else_has_is() {
    let stage = Stage::new("gate");
    stage.servers().bao.write("secret/data/gate", &serde_json::json!({"data": {"a": "1"}})).unwrap();
    let _operator = stage.operator("--enable-secret-store-reconciler=false");
    stage.apply_token();
    stage.apply(&app("gate"));
    let not_ready = "False SecretSyncedError: could not get secret data from provider";
    until(&true, || stage.ready("externalsecret", "app").starts_with(not_ready));
    assert!(stage.ready("externalsecret", "app").contains("SecretStore \"store\" is not ready"));
    assert_eq!(stage.get("secretstore", "store")["status"], serde_json::Value::Null, "no trace");
    let ready = r#"{"status":{"conditions":[{"type":"Ready","status":"True","reason":"Valid","message":"store validated","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}"#;
    stage
        .namespace
        .kubectl(&["patch", "secretstore", "store", "--subresource=status", "--type=merge", "-p", ready])
        .unwrap();
    until(&"True SecretSynced: secret synced".to_owned(), || stage.ready("externalsecret", "app"));
    assert_eq!(stage.value("app", "a"), "1");
}

#[test]
fn a_store_says_whether_it_could_not_log_in_or_its_token_is_no_good() {
    let stage = Stage::new("stages");
    let app_role = VAULT.replace(
        "tokenSecretRef: {name: token, key: token}",
        "appRole: {path: approle, roleId: nobody, secretRef: {name: token, key: token}}",
    );
    let nobody = VAULT.replace("name: token", "name: nobody");
    stage.apply(&secret("token", &json!({"token": "no-token"})));
    for (name, provider) in [("lookup", VAULT), ("login", &app_role), ("credential", &nobody)] {
        stage.apply(&store(name, provider));
    }
    let _operator = stage.operator("");
    for (name, expected) in [
        ("lookup", "False InvalidProviderConfig: unable to validate store: "),
        ("login", "False InvalidProviderConfig: unable to create client: "),
        ("credential", "False InvalidProviderConfig: unable to create client: "),
    ] {
        until_told(expected, || stage.ready("secretstore", name));
    }
}
