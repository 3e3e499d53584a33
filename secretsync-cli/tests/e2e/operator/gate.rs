//! Stores that the operator is told not to look after.

use crate::operator::stage::{Stage, app, until};

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
