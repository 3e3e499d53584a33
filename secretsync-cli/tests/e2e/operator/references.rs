//! What stores refer to is watched: nobody waits for an interval of an hour.

use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use super::stage::{Stage, VAULT, secret, store, until, until_told};
use crate::sops;

/// An ExternalSecret that would read again in an hour.
const SYNC: &str = "
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: app, namespace: '@NS@'}
spec:
  refreshInterval: 1h
  secretStoreRef: {name: vault}
  data: [{secretKey: a, remoteRef: {key: '@NS@', property: a}}]
";

fn manifests() -> String {
    store("vault", VAULT) + SYNC
}

/// The same with a store of documents.
fn manifests_of_documents(provider: &str) -> String {
    store("vault", provider) + &SYNC.replace("{key: '@NS@', property: a}", "{key: app.yaml, property: a}")
}

fn token(stage: &Stage, token: &str) {
    stage.apply(&secret("token", &json!({ "token": token })));
}

fn write(stage: &Stage, value: &str) {
    let path = format!("secret/data/{}", stage.namespace.name());
    stage.servers().bao.write(&path, &json!({"data": {"a": value}})).unwrap();
}

#[test]
fn a_token_that_is_replaced_is_used_at_once_and_a_bad_one_is_told_at_once() {
    let stage = Stage::new("refs");
    write(&stage, "one");
    token(&stage, stage.servers().bao.token());
    stage.apply(&manifests());
    let _operator = stage.operator("");
    until(&"one".to_owned(), || stage.value("app", "a"));
    until_told("True Valid", || stage.ready("secretstore", "vault"));

    write(&stage, "two");
    let path = format!("secret/data/{}", stage.namespace.name());
    let asked = stage.asked(&path);
    stage.apply(&secret("foreign", &json!({"a": "b"})));
    stage.apply(&secret("foreign", &json!({"a": "c"})));
    let limited = format!("path \"{path}\" {{ capabilities = [\"read\"] }}");
    token(&stage, &stage.servers().bao.token_with_policy(stage.namespace.name(), &limited).unwrap());
    until(&"two".to_owned(), || stage.value("app", "a"));
    assert_eq!(stage.asked(&path), asked + 1, "others' Secrets wake nobody");

    token(&stage, "wrong");
    until_told("False InvalidProviderConfig", || stage.ready("secretstore", "vault"));
    assert_eq!(stage.value("app", "a"), "two");
    write(&stage, "three");
    stage.namespace.kubectl(&["delete", "secret", "token"]).unwrap();
    until_told("cannot get Kubernetes secret", || stage.ready("secretstore", "vault"));
    token(&stage, stage.servers().bao.token());
    until(&"three".to_owned(), || stage.value("app", "a"));
    until_told("True Valid", || stage.ready("secretstore", "vault"));
}

#[test]
fn documents_in_a_config_map_are_read_when_they_change_and_a_key_when_it_comes() {
    let stage = Stage::new("refs");
    let (recipient, key) = sops::key();
    let documents = |text: &str| {
        let document = sops::encrypt(text, &recipient);
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "documents", "namespace": "@NS@"}, "data": {"app.yaml": document}});
        stage.apply(&map.to_string());
    };
    documents("a: one\n");
    let source =
        "sops: {source: {configMapRef: {name: documents}}, keys: [{age: {secretRef: {name: age, key: key.txt}}}]}";
    stage.apply(&manifests_of_documents(source));
    let _operator = stage.operator("");
    until_told("False InvalidProviderConfig", || stage.ready("secretstore", "vault"));
    stage.apply(&secret("age", &json!({ "key.txt": key })));
    until(&"one".to_owned(), || stage.value("app", "a"));
    documents("a: two\n");
    until(&"two".to_owned(), || stage.value("app", "a"));
}

#[test]
fn a_store_of_the_cluster_is_renewed_for_the_namespace_whose_credential_changed() {
    let (stage, other) = (Stage::new("refs"), Stage::new("refs"));
    let class = stage.namespace.name();
    let manifests = manifests()
        .replace("kind: SecretStore\n", "kind: ClusterSecretStore\n")
        .replace("{name: vault, namespace: '@NS@'}", &format!("{{name: {class}}}"))
        .replace("controller: '@NS@'", &format!("controller: {class}"))
        .replace(
            "secretStoreRef: {name: vault}",
            &format!("secretStoreRef: {{name: {class}, kind: ClusterSecretStore}}"),
        );
    let root = stage.servers().bao.token();
    for stage in [&stage, &other] {
        write(stage, "one");
        token(stage, root);
        stage.apply(&manifests);
    }
    let _operator = stage.operator("");
    for stage in [&stage, &other] {
        until(&"one".to_owned(), || stage.value("app", "a"));
        write(stage, "two");
    }
    let policy = "path \"secret/*\" { capabilities = [\"read\"] }";
    token(&other, &stage.servers().bao.token_with_policy(other.namespace.name(), policy).unwrap());
    until(&"two".to_owned(), || other.value("app", "a"));
    assert_eq!(stage.value("app", "a"), "one", "nothing of this namespace has changed");
    stage.cluster().kubectl(&["delete", "clustersecretstore", class]).unwrap();
}

#[test]
fn a_credential_that_is_a_target_itself_is_followed_too() {
    let stage = Stage::new("refs");
    write(&stage, "one");
    let chained = "
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: token, namespace: '@NS@'}
spec:
  refreshInterval: 1s
  secretStoreRef: {name: first}
  data: [{secretKey: token, remoteRef: {key: '@NS@-token', property: token}}]
";
    let first = store("first", &VAULT.replace("name: token", "name: root"));
    let tokens = format!("secret/data/{}-token", stage.namespace.name());
    let bao = &stage.servers().bao;
    bao.write(&tokens, &json!({"data": {"token": bao.token()}})).unwrap();
    stage.apply(&secret("root", &json!({"token": bao.token()})));
    stage.apply(&(manifests() + &first + chained));
    let _operator = stage.operator("");
    until(&"one".to_owned(), || stage.value("app", "a"));
    write(&stage, "two");
    let policy = "path \"secret/*\" { capabilities = [\"read\"] }";
    let token = bao.token_with_policy(stage.namespace.name(), policy).unwrap();
    bao.write(&tokens, &json!({"data": {"token": token}})).unwrap();
    until(&"two".to_owned(), || stage.value("app", "a"));
}

/// Puts a document where a mounted ConfigMap has it: behind a link to a folder that is exchanged as a whole.
fn mount(folder: &Path, version: &str, document: &str) {
    std::fs::create_dir_all(folder.join(version)).unwrap();
    std::fs::write(folder.join(version).join("app.yaml"), document).unwrap();
    symlink(version, folder.join("..data_tmp")).unwrap();
    std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    if !folder.join("app.yaml").exists() {
        symlink("..data/app.yaml", folder.join("app.yaml")).unwrap();
    }
}

#[test]
fn a_folder_of_documents_is_followed_like_a_mounted_config_map_and_nothing_is_read_outside_of_it() {
    let stage = Stage::new("refs");
    let (recipient, key) = sops::key();
    let folder = stage.sandbox().path("root/docs");
    let document = |text: &str| sops::encrypt(text, &recipient);
    mount(&folder, "..1", &document("a: one\n"));
    stage.sandbox().file("outside/app.yaml", &document("a: secret\n"));
    symlink("../../outside", folder.join("link")).unwrap();
    stage.apply(&secret("age", &json!({ "key.txt": key })));
    let manifests = |path: &str| {
        let key = "{age: {secretRef: {name: age, key: key.txt}}}";
        manifests_of_documents(&format!("sops: {{source: {{path: {path}}}, keys: [{key}]}}"))
    };
    stage.apply(&manifests("docs"));
    for (name, path) in [("up", "../outside"), ("absolute", "/etc"), ("linked", "docs/link")] {
        stage.apply(
            &manifests(path)
                .replace("name: vault", &format!("name: {name}"))
                .replace("name: app,", &format!("name: {name},")),
        );
    }
    let operator = stage.operator("--sops-root=root");
    until(&"one".to_owned(), || stage.value("app", "a"));
    mount(&folder, "..2", &document("a: two\n"));
    until(&"two".to_owned(), || stage.value("app", "a"));
    for name in ["up", "absolute", "linked"] {
        until_told("sops-path-refused", || stage.ready("secretstore", name));
        assert_eq!(stage.value(name, "a"), "");
    }
    drop(operator);
    let _rootless = stage.operator("");
    stage.namespace.kubectl(&["delete", "secretstore", "vault"]).unwrap();
    stage.apply(&manifests("docs"));
    until_told("this program reads no files for stores", || stage.ready("secretstore", "vault"));
}
