//! What becomes of keys, labels and metadata.

use serde_json::json;

use crate::support::{World, line, pairs};

const MANAGED: &str = "reconcile.external-secrets.io/managed";

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_created_left_alone_updated_and_loses_keys() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada", "tls.crt": "x", "empty": ""})));
    let manifest = world.manifest("db", &json!({}));

    assert_eq!(line(&world.plan(&manifest).await), "created synced [empty created, tls.crt created, user created]");
    assert!(world.get("db").is_none(), "a plan writes nothing");
    assert_eq!(line(&world.sync(&manifest).await), "created synced [empty created, tls.crt created, user created]");
    assert_eq!(world.data("db"), pairs(&[("empty", ""), ("tls.crt", "x"), ("user", "ada")]));
    let secret = world.get("db").unwrap();
    assert_eq!((&secret["type"], &secret["metadata"]["labels"][MANAGED]), (&json!("Opaque"), &json!("true")));
    let record = &secret["metadata"]["managedFields"];
    assert_eq!(record.as_array().unwrap().len(), 1);
    assert_eq!(
        (&record[0]["manager"], &record[0]["operation"]),
        (&json!("externalsecrets.external-secrets.io/db"), &json!("Apply"))
    );

    let version = world.version("db");
    assert_eq!(
        line(&world.sync(&manifest).await),
        "unchanged synced [empty unchanged, tls.crt unchanged, user unchanged]"
    );
    assert_eq!(world.version("db"), version);

    world.source(Some(json!({"user": "grace", "tls.crt": "x"})));
    assert_eq!(line(&world.sync(&manifest).await), "updated synced [empty removed, tls.crt unchanged, user updated]");
    assert_eq!(world.data("db"), pairs(&[("tls.crt", "x"), ("user", "grace")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unowned_secret_is_adopted_and_loses_foreign_keys_but_no_foreign_labels() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    let found = json!({"metadata": {"labels": {"theirs": "1"}, "annotations": {"theirs": "2"}}, "data": {"user": "YQ==", "extra": "Yg=="}});
    world.secret_of("helm", "db", &found);

    assert_eq!(
        line(&world.sync(&world.manifest("db", &json!({}))).await),
        "updated synced [extra removed, user updated]"
    );
    assert_eq!(world.data("db"), pairs(&[("user", "ada")]));
    let secret = world.get("db").unwrap();
    assert_eq!(
        (&secret["metadata"]["labels"]["theirs"], &secret["metadata"]["annotations"]["theirs"]),
        (&json!("1"), &json!("2"))
    );
    let version = world.version("db");
    assert_eq!(line(&world.sync(&world.manifest("db", &json!({}))).await), "unchanged synced [user unchanged]");
    assert_eq!(world.version("db"), version);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_keeps_what_others_wrote() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada", "password": "p"})));
    let manifest = world.manifest("db", &json!({"creationPolicy": "Merge"}));
    assert_eq!(line(&world.sync(&manifest).await), "unchanged target_missing []");
    assert!(world.get("db").is_none());

    world.secret_of("helm", "db", &json!({"data": {"user": "YQ==", "extra": "Yg=="}}));
    assert_eq!(line(&world.sync(&manifest).await), "updated synced [password created, user updated]");
    assert_eq!(world.data("db"), pairs(&[("extra", "b"), ("password", "p"), ("user", "ada")]));
    world.source(Some(json!({"user": "ada"})));
    assert_eq!(line(&world.sync(&manifest).await), "updated synced [password removed, user unchanged]");
    assert_eq!(world.data("db"), pairs(&[("extra", "b"), ("user", "ada")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changed_by_hand_is_put_right() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada", "password": "p"})));
    let manifest = world.manifest("db", &json!({}));
    world.sync(&manifest).await;

    world.patch("db", &json!({"data": {"password": "eA==", "added": "eA=="}}));
    assert_eq!(line(&world.sync(&manifest).await), "updated synced [added removed, password updated, user unchanged]");
    world.patch("db", &json!({"data": {"password": null}}));
    assert_eq!(line(&world.sync(&manifest).await), "updated synced [password created, user unchanged]");
    world.patch("db", &json!({"metadata": {"labels": {MANAGED: null}}}));
    let report = world.sync(&manifest).await;
    assert_eq!(line(&report), "updated synced [password unchanged, user unchanged]");
    assert!(report.changes.metadata);
    assert_eq!(world.get("db").unwrap()["metadata"]["labels"][MANAGED], "true");
    assert_eq!(world.data("db"), pairs(&[("password", "p"), ("user", "ada")]));

    world.source(Some(json!({"user": "ada"})));
    world.sync(&manifest).await;
    assert_eq!(world.data("db"), pairs(&[("user", "ada")]), "a key that was fought over goes all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_and_annotations_come_and_go_with_the_manifest() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    let mut manifest = world.manifest("db", &json!({}));
    manifest["metadata"]["labels"] = json!({"app": "web", "tier": "1"});
    manifest["metadata"]["annotations"] = json!({"note": "n"});
    world.sync(&manifest).await;
    world.patch("db", &json!({"metadata": {"labels": {"theirs": "1"}}}));

    manifest["metadata"]["labels"] = json!({"app": "shop"});
    manifest["metadata"]["annotations"] = json!({});
    let report = world.sync(&manifest).await;
    assert_eq!(line(&report), "updated synced [user unchanged]");
    let metadata = world.get("db").unwrap()["metadata"].clone();
    let labels = metadata["labels"].as_object().unwrap();
    assert_eq!(
        (labels.get("app"), labels.get("tier"), labels.get("theirs")),
        (Some(&json!("shop")), None, Some(&json!("1")))
    );
    assert_eq!(metadata.get("annotations"), None);
    let version = world.version("db");
    assert_eq!(line(&world.sync(&manifest).await), "unchanged synced [user unchanged]");
    assert_eq!(world.version("db"), version);
}

#[tokio::test(flavor = "multi_thread")]
async fn type_and_finalizers_stay_when_the_template_no_longer_names_them() {
    let world = World::new().await;
    world.source(Some(json!({"username": "ada", "password": "p"})));
    let template = json!({"type": "kubernetes.io/basic-auth", "metadata": {"finalizers": ["example.com/keep"], "labels": {"l": "{{ .username }}"}}});
    let manifest = world.manifest("db", &json!({ "template": template }));
    assert_eq!(line(&world.sync(&manifest).await), "created synced [password created, username created]");
    let secret = world.get("db").unwrap();
    assert_eq!(
        (&secret["type"], &secret["metadata"]["labels"]["l"]),
        (&json!("kubernetes.io/basic-auth"), &json!("ada"))
    );

    world.source(Some(json!({"username": "ada", "password": "q"})));
    let bare = world.manifest("db", &json!({}));
    assert_eq!(line(&world.sync(&bare).await), "updated synced [password updated, username unchanged]");
    let secret = world.get("db").unwrap();
    assert_eq!(secret["type"], "kubernetes.io/basic-auth");
    assert_eq!(secret["metadata"]["finalizers"], json!(["example.com/keep"]));
    assert_eq!(secret["metadata"]["labels"].get("l"), None);
    world.patch("db", &json!({"metadata": {"finalizers": null}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_immutable_secret_is_written_once() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    let manifest = world.manifest("db", &json!({"immutable": true}));
    assert_eq!(line(&world.sync(&manifest).await), "created synced [user created]");
    assert_eq!(world.get("db").unwrap()["immutable"], true);
    world.source(Some(json!({"user": "grace"})));
    assert_eq!(line(&world.sync(&manifest).await), "unchanged immutable []");

    let plain = world.manifest("db", &json!({}));
    assert_eq!(
        line(&world.sync(&plain).await),
        format!(
            "failed write_failed []: failed to update target `{}/db`: it is immutable and its data would change",
            world.namespace.name()
        )
    );
    world.source(Some(json!({"user": "ada"})));
    let mut labelled = plain.clone();
    labelled["metadata"]["labels"] = json!({"app": "web"});
    assert_eq!(
        line(&world.sync(&labelled).await),
        "updated synced [user unchanged]",
        "metadata of an immutable Secret is written"
    );
    assert_eq!(world.get("db").unwrap()["immutable"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_record_is_begun_again() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada", "old": "o"})));
    let manifest = world.manifest("db", &json!({}));
    world.sync(&manifest).await;
    world.patch("db", &json!({"metadata": {"managedFields": [{}]}}));
    assert_eq!(world.get("db").unwrap()["metadata"].get("managedFields"), None);

    world.source(Some(json!({"user": "ada"})));
    assert_eq!(line(&world.sync(&manifest).await), "updated synced [old removed, user unchanged]");
    assert_eq!(world.data("db"), pairs(&[("user", "ada")]));
    let secret = world.get("db").unwrap();
    let managers: Vec<_> =
        secret["metadata"]["managedFields"].as_array().unwrap().iter().map(|entry| entry["manager"].clone()).collect();
    assert_eq!(managers, [json!("externalsecrets.external-secrets.io/db")]);
    assert_eq!(line(&world.sync(&manifest).await), "unchanged synced [user unchanged]");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_external_secrets_operator_left_is_adopted_as_it_is_and_cleaned_with_the_first_change() {
    let world = World::new().await;
    let manager = "externalsecrets.external-secrets.io/db";
    world.source(Some(json!({"user": "ada", "old": "o"})));
    let mut manifest = world.manifest("db", &json!({}));
    manifest["metadata"]["labels"] = json!({"app": "web"});
    let owner = secretsync_core::store::OwnerId::new(world.namespace.name(), "db");
    let left = json!({
        "metadata": {
            "labels": {"app": "web", MANAGED: "true", "reconcile.external-secrets.io/created-by": secretsync_k8s::api::names::created_by(&owner)},
            "annotations": {"reconcile.external-secrets.io/data-hash": "0123", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
        "data": {"user": "YWRh", "old": "bw=="},
    });
    world.secret_of(manager, "db", &left);
    let version = world.version("db");
    let report = world.sync(&manifest).await;
    assert_eq!(line(&report), "unchanged synced [old unchanged, user unchanged]");
    assert_eq!(world.version("db"), version);

    world.source(Some(json!({"user": "ada"})));
    assert_eq!(line(&world.sync(&manifest).await), "updated synced [old removed, user unchanged]");
    assert_eq!(world.data("db"), pairs(&[("user", "ada")]));
    let metadata = world.get("db").unwrap()["metadata"].clone();
    assert_eq!(metadata.get("annotations"), None, "the digest of the values and kubectl's copy go");
    let record = metadata["managedFields"].as_array().unwrap();
    assert_eq!((record.len(), &record[0]["operation"]), (1, &json!("Apply")));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_plain_managers_are_taken_over_also_from_a_server_side_apply() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    let name = world.namespace.name();
    crate::support::CLUSTER
        .apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": name}, "data": {"user": "YQ=="}}).to_string())
        .unwrap();
    assert_eq!(line(&world.sync(&world.manifest("db", &json!({}))).await), "updated synced [user updated]");
    assert_eq!(world.data("db"), pairs(&[("user", "ada")]));
}
