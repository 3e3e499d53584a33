//! `onMissing`: what becomes of keys whose source is missing, and who owns them.

use serde_json::{Value, json};

use crate::support::{World, line, pairs};

/// The managers of a key.
fn managers(secret: &Value, key: &str) -> Vec<String> {
    let record = secret["metadata"]["managedFields"].as_array().unwrap();
    let owns = |entry: &&Value| !entry["fieldsV1"]["f:data"][format!("f:{key}")].is_null();
    record.iter().filter(owns).map(|entry| entry["manager"].as_str().unwrap().to_owned()).collect()
}

const OURS: &str = "externalsecrets.external-secrets.io/db";

/// Each entry with its own answer to a missing source.
fn entries(world: &World, deletion: &str) -> Value {
    let mut manifest = world.manifest("db", &json!({"deletionPolicy": deletion}));
    let entry = |key: &str, on_missing: Value| json!({"secretKey": key, "remoteRef": {"key": "app", "property": key}, "onMissing": on_missing});
    manifest["spec"].as_object_mut().unwrap().remove("dataFrom");
    manifest["spec"]["data"] =
        json!([entry("user", Value::Null), entry("pin", json!("Keep")), entry("note", json!("Skip"))]);
    manifest
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_key_stays_and_stays_ours_and_a_skipped_one_goes() {
    for deletion in ["Retain", "Delete"] {
        let world = World::new().await;
        let manifest = entries(&world, deletion);
        world.source(Some(json!({"user": "ada", "pin": "1", "note": "n"})));
        world.sync(&manifest).await;

        world.source(Some(json!({"user": "grace"})));
        let expected = "updated synced [note removed, pin unchanged, user updated]";
        assert_eq!(line(&world.plan(&manifest).await), expected, "{deletion}");
        let report = world.sync(&manifest).await;
        assert_eq!(line(&report), expected, "{deletion}");
        assert_eq!(report.missing, ["spec.data[1] (key: app)", "spec.data[2] (key: app)"]);
        assert_eq!(report.kept, ["spec.data[1] (key: app)"]);
        assert_eq!(world.data("db"), pairs(&[("pin", "1"), ("user", "grace")]));
        assert_eq!(managers(&world.get("db").unwrap(), "pin"), [OURS]);

        let version = world.version("db");
        assert_eq!(line(&world.sync(&manifest).await), "unchanged synced [pin unchanged, user unchanged]");
        assert_eq!(world.version("db"), version);
        world.source(Some(json!({"user": "grace", "pin": "2", "note": "n"})));
        world.sync(&manifest).await;
        assert_eq!(world.data("db"), pairs(&[("note", "n"), ("pin", "2"), ("user", "grace")]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_object_under_keep_leaves_the_secret_alone_and_never_deletes_it() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada", "pin": "1"})));
    let mut manifest = world.manifest("db", &json!({"deletionPolicy": "Delete"}));
    manifest["spec"]["dataFrom"][0]["onMissing"] = json!("Keep");
    world.sync(&manifest).await;
    let version = world.version("db");

    world.source(None);
    let report = world.sync(&manifest).await;
    assert_eq!(line(&report), "unchanged synced [pin unchanged, user unchanged]");
    assert_eq!(report.kept, ["spec.dataFrom[0].extract (key: app)"]);
    assert_eq!(world.version("db"), version);

    manifest["spec"]["dataFrom"][0]["onMissing"] = json!("Skip");
    assert_eq!(line(&world.sync(&manifest).await), "removed deleted [pin removed, user removed]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_key_that_was_changed_by_hand_stays_until_its_source_is_back() {
    let world = World::new().await;
    let manifest = entries(&world, "Retain");
    world.source(Some(json!({"user": "ada", "pin": "1"})));
    world.sync(&manifest).await;

    world.patch("db", &json!({"data": {"pin": "aGFuZA=="}}));
    world.source(Some(json!({"user": "grace"})));
    assert_eq!(line(&world.sync(&manifest).await), "updated synced [user updated]");
    assert_eq!(world.data("db"), pairs(&[("pin", "hand"), ("user", "grace")]));
    world.source(Some(json!({"user": "grace", "pin": "1"})));
    assert_eq!(line(&world.sync(&manifest).await), "updated synced [pin updated, user unchanged]");
    assert_eq!(world.data("db"), pairs(&[("pin", "1"), ("user", "grace")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_made_without_what_is_missing_and_not_at_all_without_anything() {
    let world = World::new().await;
    let manifest = entries(&world, "Delete");
    world.source(Some(json!({"user": "ada"})));
    assert_eq!(line(&world.sync(&manifest).await), "created synced [user created]");

    let other = World::new().await;
    let mut manifest = other.manifest("db", &json!({"deletionPolicy": "Delete"}));
    manifest["spec"]["dataFrom"][0]["onMissing"] = json!("Keep");
    assert_eq!(line(&other.sync(&manifest).await), "unchanged kept []");
    assert!(other.get("db").is_none());
}
