//! Logging in: each method, the life of a login, and the transit keys that use one.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod documented;
mod methods;
mod scripted;
mod sessions;
mod transit;

#[path = "../support/store.rs"]
mod store;

use serde_json::{Value, json};
use xtask::rig::openbao::OpenBao;

/// Enables an auth method at a mount.
fn enable(bao: &OpenBao, mount: &str, kind: &str) {
    bao.write(&format!("sys/auth/{mount}"), &json!({ "type": kind })).unwrap();
}

/// A server with the object `secret/app`, and the policy `reader` that may read below `secret/`.
fn server() -> OpenBao {
    let bao = OpenBao::start().unwrap();
    furnish(&bao);
    bao
}

fn furnish(bao: &OpenBao) {
    let policy = r#"path "secret/data/*" { capabilities = ["read"] }"#;
    bao.write("sys/policies/acl/reader", &json!({ "policy": policy })).unwrap();
    bao.write("secret/data/app", &json!({"data": {"a": "b"}})).unwrap();
}

/// A role of `AppRole` at `approle/`; the text of `role/id` and `secret/id`.
fn app_role(bao: &OpenBao, options: &Value) -> (String, String) {
    enable(bao, "approle", "approle");
    let mut role = json!({"token_policies": "reader"});
    role.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    bao.write("auth/approle/role/app", &role).unwrap();
    let id = bao.read("auth/approle/role/app/role-id").unwrap()["data"]["role_id"].as_str().unwrap().to_owned();
    (id, secret_id(bao))
}

fn secret_id(bao: &OpenBao) -> String {
    let made = bao.write("auth/approle/role/app/secret-id", &json!({})).unwrap();
    made["data"]["secret_id"].as_str().unwrap().to_owned()
}

/// A store with `appRole`.
fn app_role_store(bao: &OpenBao, role: &str) -> Value {
    let auth = json!({"appRole": {"path": "approle", "roleId": role, "secretRef": {"name": "app", "key": "id"}}});
    json!({"server": bao.address(), "path": "secret", "auth": auth})
}

/// How often a path was asked for, by the audit log.
fn count(bao: &OpenBao, path: &str) -> usize {
    bao.audit_requests().unwrap().iter().filter(|request| request.path == path).count()
}
