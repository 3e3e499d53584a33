//! Whose a Secret is, and what becomes of it when its owner or its sources go.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{World, line, pairs};

const CREATED_BY: &str = "reconcile.external-secrets.io/created-by";

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_another_controller_takes_keys_beside_its_own_and_nothing_else() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    world.namespace.kubectl(&["create", "configmap", "web"]).unwrap();
    let uid = world.namespace.kubectl(&["get", "configmap", "web", "-o", "jsonpath={.metadata.uid}"]).unwrap();
    let owners = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "web", "uid": uid, "controller": true}]);
    world.secret_of("helm", "db", &json!({"metadata": {"ownerReferences": owners}, "data": {"user": "YQ=="}}));
    let version = world.version("db");
    for creation in ["Owner", "Orphan"] {
        let manifest = world.manifest("db", &json!({"creationPolicy": creation}));
        let expected = format!(
            "failed not_owned []: failed to write target `{}/db`: it belongs to ConfigMap `web`",
            world.namespace.name()
        );
        assert_eq!(line(&world.plan(&manifest).await), expected);
        assert_eq!(line(&world.sync(&manifest).await), expected);
    }
    assert_eq!(world.version("db"), version);

    // Keys beside those of the controller take nothing away from it.
    assert_eq!(
        line(&world.sync(&world.manifest("db", &json!({"creationPolicy": "Merge"}))).await),
        "updated synced [user updated]"
    );
    let metadata = &world.get("db").unwrap()["metadata"];
    assert_eq!((&metadata["ownerReferences"], metadata["labels"].get(CREATED_BY)), (&owners, None));
}

/// After a restore from a backup, for example. The collector of garbage leaves references to a version that is not served.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_an_earlier_external_secret_of_the_name_is_adopted() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    let earlier = json!([{"apiVersion": "external-secrets.io/v1beta1", "kind": "ExternalSecret", "name": "db", "uid": "11111111-2222-3333-4444-555555555555",
        "controller": true, "blockOwnerDeletion": true}]);
    let uid = world.create(&world.manifest("db", &json!({})));
    for (manager, immutable, expected) in [
        ("velero", false, "updated synced [user updated]"),
        ("velero", true, "updated immutable []"),
        ("externalsecrets.external-secrets.io/db", false, "updated synced [user updated]"),
        ("externalsecrets.external-secrets.io/db", true, "updated immutable []"),
    ] {
        let manifest = world.manifest("db", &json!({"immutable": immutable}));
        let value = if immutable { "YWRh" } else { "b2xk" };
        let more = json!({"metadata": {"ownerReferences": earlier}, "immutable": immutable, "data": {"user": value}});
        world.secret_of(manager, "db", &more);
        assert_eq!(line(&world.sync(&manifest).await), expected, "{manager}");
        let secret = world.get("db").unwrap();
        let owners = secret["metadata"]["ownerReferences"].as_array().unwrap();
        assert_eq!((owners.len(), &owners[0]["uid"]), (1, &json!(uid)), "{manager} {immutable}: {owners:?}");
        assert_eq!(world.data("db"), pairs(&[("user", "ada")]));
        assert_eq!(line(&world.sync(&manifest).await).split(' ').next(), Some("unchanged"));
        world.namespace.kubectl(&["delete", "secret", "db"]).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_another_external_secret_is_refused() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    let (first, second) =
        (world.manifest("first", &json!({"name": "db"})), world.manifest("second", &json!({"name": "db"})));
    world.sync(&first).await;
    let version = world.version("db");
    let namespace = world.namespace.name();
    assert_eq!(
        line(&world.sync(&second).await),
        format!(
            "failed not_owned []: failed to write target `{namespace}/db`: it belongs to ExternalSecret `{namespace}/first`"
        )
    );
    assert_eq!(world.version("db"), version);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_syncs_of_one_run_that_want_one_target_are_told_apart_before_anything_is_written() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    let engine = world.engine();
    let specs: Vec<_> = ["first", "second"]
        .into_iter()
        .map(|name| crate::support::spec(&world.manifest(name, &json!({"name": "db"}))))
        .collect();
    let reports: Vec<_> = engine.plan_all(specs.clone()).await.iter().map(|plan| line(plan.report())).collect();
    let namespace = world.namespace.name();
    assert_eq!(reports[0], "created synced [user created]");
    assert_eq!(
        reports[1],
        format!(
            "failed not_owned []: failed to write Secret `{namespace}/db`: it belongs to ExternalSecret `{namespace}/first`"
        )
    );
    let alone = engine.plan_all(specs[1..].to_vec()).await;
    assert_eq!(line(alone[0].report()), reports[0], "what one run claims binds no later one");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_merges_share_a_secret_and_neither_takes_a_key_of_the_other() {
    let world = World::new().await;
    world.source(Some(json!({"a": "1", "b": "2"})));
    world.secret_of("helm", "db", &json!({"data": {"theirs": "eA=="}}));
    let merge = json!({"name": "db", "creationPolicy": "Merge"});
    let (first, second) = (world.single("first", &merge, "a"), world.single("second", &merge, "b"));
    assert_eq!(line(&world.sync(&first).await), "updated synced [a created]");
    assert_eq!(line(&world.sync(&second).await), "updated synced [b created]");
    assert_eq!(world.data("db"), pairs(&[("a", "1"), ("b", "2"), ("theirs", "x")]));
    assert_eq!(line(&world.sync(&first).await), "unchanged synced [a unchanged]");

    let greedy = world.manifest("third", &merge);
    let namespace = world.namespace.name();
    assert_eq!(
        line(&world.sync(&greedy).await),
        format!(
            "failed not_owned []: failed to write key `a` of Secret `{namespace}/db`: ExternalSecret `{namespace}/first` and \
             ExternalSecret `{namespace}/third` both want it"
        )
    );

    world.source(Some(json!({"a": "3", "b": "2"})));
    assert_eq!(line(&world.sync(&first).await), "updated synced [a updated]");
    assert_eq!(world.data("db"), pairs(&[("a", "3"), ("b", "2"), ("theirs", "x")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_free_when_the_one_who_merged_it_has_another_target() {
    let world = World::new().await;
    world.source(Some(json!({"a": "1"})));
    world.secret_of("helm", "db", &json!({}));
    let merge = |target: &str| json!({"name": target, "creationPolicy": "Merge"});
    let (first, second) = (world.single("first", &merge("db"), "a"), world.single("second", &merge("db"), "a"));
    world.create(&first);
    world.create(&second);
    world.sync(&first).await;
    assert_eq!(world.sync(&second).await.reason.as_str(), "not_owned");

    world.create(&world.single("first", &merge("elsewhere"), "a"));
    world.source(Some(json!({"a": "2"})));
    assert_eq!(line(&world.sync(&second).await), "updated synced [a updated]");
    assert_eq!(world.data("db"), pairs(&[("a", "2")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_leaves_the_keys_of_a_living_sync_and_removes_those_of_one_that_is_gone() {
    let world = World::new().await;
    world.source(Some(json!({"a": "1", "b": "2"})));
    let owner = world.single("first", &json!({"name": "db"}), "a");
    let other = world.single("second", &json!({"name": "db", "creationPolicy": "CreateOrMerge"}), "b");
    world.create(&owner);
    world.create(&other);
    world.sync(&other).await;
    assert_eq!(line(&world.sync(&owner).await), "updated synced [a created]");
    assert_eq!(world.data("db"), pairs(&[("a", "1"), ("b", "2")]));

    world.namespace.kubectl(&["delete", "externalsecret", "second"]).unwrap();
    assert_eq!(line(&world.sync(&owner).await), "updated synced [a unchanged, b removed]");
    assert_eq!(world.data("db"), pairs(&[("a", "1")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owned_secret_goes_with_its_external_secret_and_an_orphan_stays() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    let owned = world.manifest("owned", &json!({}));
    let orphan = world.manifest("orphan", &json!({"creationPolicy": "Orphan"}));
    let uid = world.create(&owned);
    world.create(&orphan);
    world.sync(&owned).await;
    world.sync(&orphan).await;
    let metadata = world.get("owned").unwrap()["metadata"].clone();
    let expected = json!([{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "owned", "uid": uid,
        "controller": true, "blockOwnerDeletion": true}]);
    assert_eq!(metadata["ownerReferences"], expected);
    assert!(metadata["labels"].get(CREATED_BY).is_some());
    let metadata = world.get("orphan").unwrap()["metadata"].clone();
    assert_eq!((metadata.get("ownerReferences"), metadata["labels"].get(CREATED_BY)), (None, None));

    world.namespace.kubectl(&["delete", "externalsecret", "owned", "orphan"]).unwrap();
    for _ in 0..300 {
        if world.get("owned").is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(world.get("owned").is_none());
    assert!(world.get("orphan").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uid_from_another_cluster_becomes_no_owner_reference() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    let mut exported = world.manifest("db", &json!({}));
    exported["metadata"]["uid"] = json!("00000000-0000-0000-0000-000000000001");
    assert_eq!(line(&world.sync(&exported).await), "created synced [user created]");
    assert_eq!(world.get("db").unwrap()["metadata"].get("ownerReferences"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrapped_secret_gets_its_owner_once_the_external_secret_is_there() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    let manifest = world.manifest("db", &json!({}));
    world.sync(&manifest).await;
    assert_eq!(line(&world.sync(&manifest).await), "unchanged synced [user unchanged]");
    let uid = world.create(&manifest);
    assert_eq!(line(&world.sync(&manifest).await), "updated synced [user unchanged]");
    assert_eq!(world.get("db").unwrap()["metadata"]["ownerReferences"][0]["uid"], json!(uid));
    assert_eq!(line(&world.sync(&manifest).await), "unchanged synced [user unchanged]");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_reference_goes_with_the_next_write_under_another_policy() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    let owned = world.manifest("db", &json!({}));
    world.create(&owned);
    world.sync(&owned).await;
    world.source(Some(json!({"user": "grace"})));
    world.sync(&world.manifest("db", &json!({"creationPolicy": "Orphan"}))).await;
    let metadata = world.get("db").unwrap()["metadata"].clone();
    assert_eq!((metadata.get("ownerReferences"), metadata["labels"].get(CREATED_BY)), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_an_external_secret_that_is_gone_can_be_taken_over() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    let (old, new) = (world.manifest("old", &json!({"name": "db"})), world.manifest("new", &json!({"name": "db"})));
    world.create(&old);
    world.sync(&old).await;
    world.create(&new);
    let namespace = world.namespace.name();
    assert_eq!(
        line(&world.sync(&new).await),
        format!("failed not_owned []: failed to write target `{namespace}/db`: it belongs to ExternalSecret `old`")
    );

    world.namespace.kubectl(&["delete", "externalsecret", "old", "--cascade=orphan"]).unwrap();
    world.source(Some(json!({"user": "grace"})));
    assert_eq!(line(&world.sync(&new).await), "updated synced [user updated]");
    let metadata = world.get("db").unwrap()["metadata"].clone();
    assert_eq!(metadata["ownerReferences"][0]["name"], "new");
    assert_eq!(line(&world.sync(&new).await), "unchanged synced [user unchanged]");
}

fn deleting(world: &World, name: &str, creation: &str) -> Value {
    world.manifest(name, &json!({"name": "db", "creationPolicy": creation, "deletionPolicy": "Delete"}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_goes_with_its_sources_only_where_it_is_ours() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    world.sync(&deleting(&world, "db", "Owner")).await;
    world.source(None);
    assert_eq!(line(&world.sync(&deleting(&world, "db", "Owner")).await), "removed deleted [user removed]");
    assert!(world.get("db").is_none());
    assert_eq!(line(&world.sync(&deleting(&world, "db", "Owner")).await), "unchanged deleted []");

    world.secret_of("helm", "db", &json!({"data": {"user": "YQ=="}}));
    let report = world.sync(&deleting(&world, "db", "Owner")).await;
    assert_eq!(report.error.unwrap().kind(), secretsync_core::ErrorKind::NotOwned);
    assert_eq!(world.data("db"), pairs(&[("user", "a")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_is_not_deleted() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    world.sync(&deleting(&world, "db", "Orphan")).await;
    world.source(None);
    let report = world.sync(&deleting(&world, "db", "Orphan")).await;
    assert_eq!(report.error.unwrap().kind(), secretsync_core::ErrorKind::InvalidConfig);
    assert!(world.get("db").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_name_has_the_hashed_manager() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    let name = "a".repeat(28);
    assert_eq!(line(&world.sync(&world.manifest(&name, &json!({}))).await), "created synced [user created]");
    let manager = world.get(&name).unwrap()["metadata"]["managedFields"][0]["manager"].as_str().unwrap().to_owned();
    assert_eq!(manager, secretsync_k8s::api::names::field_manager(&name));
    assert_eq!(line(&world.sync(&world.manifest(&name, &json!({}))).await), "unchanged synced [user unchanged]");
}
