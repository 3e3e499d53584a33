//! Templates from objects of the cluster, and values that are made once.

use serde_json::json;

use crate::support::{World, line, pairs};

#[tokio::test(flavor = "multi_thread")]
async fn texts_come_from_objects_of_the_namespace() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    world.namespace.kubectl(&["create", "configmap", "tpl", "--from-literal=app.conf=user={{ .user }}"]).unwrap();
    world.secret_of("kubectl", "tpl", &json!({"stringData": {"pairs": "a: {{ .user }}\nport: 5432"}}));
    let from = json!([
        {"configMap": {"name": "tpl", "items": [{"key": "app.conf"}]}},
        {"secret": {"name": "tpl", "items": [{"key": "pairs", "templateAs": "KeysAndValues"}]}},
        {"target": "Annotations", "literal": "made-for: {{ .user }}"},
    ]);
    let manifest = world.manifest("db", &json!({"template": {"templateFrom": from}}));
    assert_eq!(line(&world.sync(&manifest).await), "created synced [a created, app.conf created, port created]");
    assert_eq!(world.data("db"), pairs(&[("a", "ada"), ("app.conf", "user=ada"), ("port", "5432")]));
    assert_eq!(world.get("db").unwrap()["metadata"]["annotations"]["made-for"], "ada");

    world.namespace.kubectl(&["delete", "configmap", "tpl"]).unwrap();
    let failed = line(&world.sync(&manifest).await);
    assert!(failed.starts_with("failed template_failed"), "{failed}");
    assert!(failed.ends_with("error fetching templateFrom data: configmaps \"tpl\" not found"), "{failed}");
    assert_eq!(world.data("db").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_random_value_survives_every_apply_until_it_is_gone_or_taken() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    let template = json!({
        "mergePolicy": "Merge", "data": {"token": "{{ randAlphaNum 24 }}"}, "metadata": {"labels": {"run": "r{{ randNumeric 8 }}"}},
    });
    let manifest = world.manifest("db", &json!({ "template": template }));
    world.sync(&manifest).await;
    let (first, version) = (world.data("db")["token"].clone(), world.version("db"));
    assert_eq!(first.len(), 24);
    assert_eq!(line(&world.plan(&manifest).await), "unchanged synced [token unchanged, user unchanged]");
    assert_eq!(line(&world.sync(&manifest).await), "unchanged synced [token unchanged, user unchanged]");
    assert_eq!(world.version("db"), version);

    world.source(Some(json!({"user": "grace"})));
    assert_eq!(line(&world.sync(&manifest).await), "updated synced [token unchanged, user updated]");
    assert_eq!(
        world.data("db"),
        pairs(&[("token", &*first), ("user", "grace")]),
        "an apply without the key would remove it"
    );

    world.patch("db", &json!({"data": {"token": "dGFrZW4="}}));
    assert_eq!(line(&world.sync(&manifest).await), "updated synced [token updated, user unchanged]");
    let second = world.data("db")["token"].clone();
    assert!(second.len() == 24 && second != first, "what somebody else wrote is not kept");
}
