//! Credentials that are issued, over the life and death of the operator.

use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::stage::{Stage, any_path, secret, store, until, until_told};

/// A user of the database.
const SYNC: &str = "
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: db, namespace: '@NS@'}
spec:
  refreshInterval: 1s
  secretStoreRef: {name: vault}
  dataFrom: [{extract: {key: 'database/creds/@ROLE@'}}]
";

/// A stage, and the name of a database role whose users live as long as given: at first, and in all.
fn setup(ttl: &str, longest: &str) -> (Stage, String) {
    setup_on(Stage::new("leases"), ttl, longest)
}

fn setup_on(stage: Stage, ttl: &str, longest: &str) -> (Stage, String) {
    let name = stage.namespace.name();
    // Names of users have the first letters of the role.
    let role = format!("r{}", &name[name.len() - 7..]);
    stage.servers().postgres.add_role(&stage.servers().bao, &role, ttl, longest).unwrap();
    (stage, role)
}

/// Applies a store of any path and a sync.
fn apply(stage: &Stage, role: &str, sync: &str) {
    stage.apply_token();
    stage.apply(&(store("vault", &any_path()) + &sync.replace("@ROLE@", role)));
}

/// What the status says of what was issued.
fn issued(stage: &Stage) -> Value {
    let status = stage.get("externalsecret", "db")["status"].clone();
    let found = status["conditions"].as_array().into_iter().flatten().find(|it| it["type"] == "Issued");
    let message = found.and_then(|it| it["message"].as_str()).unwrap_or("[]");
    serde_json::from_str::<Value>(message).unwrap()[0].clone()
}

fn works(stage: &Stage) -> bool {
    let (user, password) = (stage.value("db", "username"), stage.value("db", "password"));
    !user.is_empty() && stage.servers().postgres.accepts(&user, &password).unwrap()
}

#[test]
fn a_lease_outlives_its_operator_and_is_renewed_by_the_next_one() {
    let (stage, role) = setup("12s", "24h");
    let creds = format!("database/creds/{role}");
    apply(&stage, &role, SYNC);
    let first = stage.operator("");
    until(&true, || works(&stage));
    until_told(&format!("{creds}/"), || issued(&stage).to_string());
    let (told, user) = (issued(&stage), stage.value("db", "username"));
    assert_eq!(
        (&told["provider"], &told["renewable"]),
        (&json!(format!("SecretStore/{}/vault", stage.namespace.name())), &json!(true))
    );
    let object = stage.get("externalsecret", "db").to_string();
    assert!(!object.contains(&stage.value("db", "password")) && !object.contains(&user), "{object}");
    // As a crash ends it.
    drop(first);
    let second = stage.operator("");
    let lease = told["lease"].as_str().unwrap();
    stage.until_renewed(lease);
    stage.until_renewed(lease);
    assert_eq!((stage.asked(&creds), stage.value("db", "username")), (1, user));
    assert!(works(&stage));
    // As a rollout ends it.
    assert_eq!(second.stop(Signal::TERM).0, 0);
    let _third = stage.operator("");
    stage.until_renewed(lease);
    assert_eq!((stage.asked(&creds), works(&stage)), (1, true));
}

#[test]
fn what_nears_its_last_end_is_replaced_and_told_also_after_a_restart() {
    let (stage, role) = setup("9s", "9s");
    apply(&stage, &role, &SYNC.replace("refreshInterval: 1s", "refreshInterval: '0'"));
    let first = stage.operator("");
    until(&true, || works(&stage));
    let one = stage.value("db", "username");
    until(&true, || stage.value("db", "username") != one && works(&stage));
    let two = stage.value("db", "username");
    let lease = || issued(&stage)["lease"].as_str().unwrap_or_default().to_owned();
    let before = lease();
    until(&true, || lease() != before);
    drop(first);
    let _second = stage.operator("");
    until(&true, || stage.value("db", "username") != two && works(&stage));
    assert_eq!(stage.ready("externalsecret", "db"), "True SecretSynced: secret synced");
    let events = stage.namespace.kubectl(&["get", "events", "-o", "jsonpath={.items[*].reason}"]).unwrap();
    assert!(events.contains("Updated"), "{events}");
}

#[test]
fn the_end_of_an_external_secret_is_the_end_of_its_lease() {
    let (stage, role) = setup("1h", "24h");
    apply(&stage, &role, SYNC);
    let first = stage.operator("");
    until(&1, || stage.database_users(&role));
    until_told("externalsecret-cleanup", || stage.get("externalsecret", "db")["metadata"]["finalizers"].to_string());
    stage.namespace.kubectl(&["delete", "externalsecret", "db", "--timeout=50s"]).unwrap();
    until(&0, || stage.database_users(&role));
    until(&Value::Null, || stage.get("secret", "db"));

    apply(&stage, &role, SYNC);
    until_told("externalsecret-cleanup", || stage.get("externalsecret", "db")["metadata"]["finalizers"].to_string());
    until(&1, || stage.database_users(&role));
    drop(first);
    stage.namespace.kubectl(&["delete", "externalsecret", "db", "--wait=false"]).unwrap();
    sleep(Duration::from_secs(1));
    assert_eq!(stage.database_users(&role), 1, "it waits for an operator");
    let _second = stage.operator("");
    until(&Value::Null, || stage.get("externalsecret", "db"));
    until(&0, || stage.database_users(&role));
}

#[test]
fn schemas_that_drop_what_they_do_not_know_keep_what_a_restart_needs() {
    for stage in [Stage::on_our_kinds("leases"), Stage::on_their_kinds("leases")] {
        let (stage, role) = setup_on(stage, "12s", "24h");
        apply(&stage, &role, SYNC);
        let first = stage.operator("");
        until(&true, || works(&stage));
        until_told(&format!("database/creds/{role}/"), || issued(&stage).to_string());
        let (told, user) = (issued(&stage), stage.value("db", "username"));
        drop(first);
        let _second = stage.operator("");
        stage.until_renewed(told["lease"].as_str().unwrap());
        assert_eq!((stage.asked(&format!("database/creds/{role}")), stage.value("db", "username")), (1, user));
        assert_eq!(stage.ready("externalsecret", "db"), "True SecretSynced: secret synced");
        assert!(works(&stage));
    }
}

#[test]
fn an_external_secret_whose_leases_are_gone_is_held_no_longer() {
    let (stage, role) = setup("1h", "24h");
    let finalizers = |name: &str| stage.get("externalsecret", name)["metadata"]["finalizers"].to_string();
    apply(&stage, &role, SYNC);
    // Somebody else's finalizer, and one that External Secrets Operator put there itself: both stay.
    let cleanup = "externalsecrets.external-secrets.io/externalsecret-cleanup";
    let other = SYNC.replace("metadata: {name: db,", &format!("metadata: {{name: theirs, finalizers: ['{cleanup}'],"));
    apply(&stage, &role, &other);
    let _operator = stage.operator("");
    until(&2, || stage.database_users(&role));
    until_told(cleanup, || finalizers("db"));
    let key = format!("static-{}", stage.namespace.name());
    stage.servers().bao.write(&format!("secret/data/{key}"), &json!({"data": {"username": "static"}})).unwrap();
    let patch = json!({"spec": {"dataFrom": [{"extract": {"key": format!("secret/data/{key}"), "property": "data"}}]}});
    for name in ["db", "theirs"] {
        stage.namespace.kubectl(&["patch", "externalsecret", name, "--type=merge", "-p", &patch.to_string()]).unwrap();
        until(&"static".to_owned(), || stage.value(name, "username"));
    }
    until(&"null".to_owned(), || finalizers("db"));
    assert_eq!(issued(&stage), Value::Null);
    assert!(finalizers("theirs").contains(cleanup), "who put it there takes it off, or the deletion does");
}

#[test]
fn another_target_is_issued_its_own_and_the_lease_of_the_first_is_given_back() {
    let (stage, role) = setup("1h", "24h");
    apply(&stage, &role, SYNC);
    let _operator = stage.operator("");
    until(&1, || stage.database_users(&role));
    let one = stage.value("db", "username");
    let patch = json!({"spec": {"target": {"name": "other"}}}).to_string();
    stage.namespace.kubectl(&["patch", "externalsecret", "db", "--type=merge", "-p", &patch]).unwrap();
    until(&true, || !stage.value("other", "username").is_empty());
    until(&false, || stage.servers().postgres.has_role(&one).unwrap());
    assert_eq!(stage.database_users(&role), 1);
}

#[test]
fn what_hangs_on_a_login_is_replaced_after_a_restart_before_that_login_ends() {
    let (stage, role) = setup("1h", "24h");
    let (bao, name) = (&stage.servers().bao, stage.namespace.name());
    let paths = [format!("database/creds/{role}"), "sys/leases/renew".to_owned(), "sys/leases/revoke".to_owned()];
    let rules = paths.map(|path| format!("path \"{path}\" {{ capabilities = [\"read\", \"update\"] }}\n")).concat();
    bao.write(&format!("sys/policies/acl/{name}"), &json!({ "policy": rules })).unwrap();
    bao.write(&format!("sys/auth/{name}"), &json!({"type": "userpass"})).unwrap();
    let user = json!({"password": "let me in", "token_policies": [name], "token_ttl": "30s", "token_max_ttl": "24h"});
    bao.write(&format!("auth/{name}/users/app"), &user).unwrap();
    let login = "{userPass: {path: '@NS@', username: app, secretRef: {name: user, key: password}}}";
    let provider = any_path().replace("{tokenSecretRef: {name: token, key: token}}", login);
    stage.apply(&secret("user", &json!({"password": "let me in"})));
    stage.apply(&(store("vault", &provider) + &SYNC.replace("@ROLE@", &role)));
    let first = stage.operator("");
    until_told("loginEndsAt", || issued(&stage).to_string());
    let one = stage.value("db", "username");
    assert!(works(&stage));
    drop(first);
    let _second = stage.operator("");
    until(&true, || stage.value("db", "username") != one);
    assert!(stage.servers().postgres.has_role(&one).unwrap(), "the first one still works");
    assert!(works(&stage));
}
