use serde_json::{Value, json};

use super::*;

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

/// A ClusterExternalSecret `app` for namespaces of the team red.
fn spreads() -> Spreads {
    let mut spreads = Spreads::default();
    assert!(spreads.put(asked(&json!({}))));
    spreads
}

fn asked(status: &Value) -> SpreadObject {
    SpreadObject::read(&object(json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "metadata": {"name": "app", "uid": "u", "generation": 1},
        "spec": {"externalSecretSpec": {"refreshInterval": "1h"}, "namespaceSelectors": [{"matchLabels": {"team": "red"}}]},
        "status": status,
    })))
}

/// The ExternalSecret of a namespace, with this interval and controller.
fn made(interval: &str, owner: &str) -> DynamicObject {
    let owner =
        json!({"apiVersion": "external-secrets.io/v1", "kind": owner, "name": "app", "uid": "u", "controller": true});
    object(json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": "app", "namespace": "shop", "uid": "e", "ownerReferences": [owner]}, "spec": {"refreshInterval": interval},
    }))
}

fn labels(team: &str) -> BTreeMap<String, String> {
    [("team".to_owned(), team.to_owned())].into()
}

fn app() -> Vec<String> {
    vec!["app".to_owned()]
}

#[test]
fn only_what_somebody_else_did_to_an_object_counts() {
    let mut spreads = spreads();
    let app = "app".to_owned();
    assert_eq!(spreads.put_produced(&made("1h", "Deployment")), Touched::No, "it is nobody's of ours");
    for (interval, owner, expected) in [
        ("1h", "ClusterExternalSecret", Touched::Moved(app.clone())),
        ("1h", "ClusterExternalSecret", Touched::No),
        ("2h", "ClusterExternalSecret", Touched::Changed(app.clone())),
        ("2h", "ClusterExternalSecret", Touched::No),
        // Our own write comes back.
        ("1h", "ClusterExternalSecret", Touched::No),
        ("1h", "Deployment", Touched::Moved(app)),
    ] {
        assert_eq!(spreads.put_produced(&made(interval, owner)), expected, "{interval} {owner}");
    }
}

#[test]
fn whoever_made_an_object_or_waits_for_its_name_learns_that_it_is_gone() {
    let mut spreads = spreads();
    let id = |name: &str| Id { namespace: "shop".to_owned(), name: name.to_owned() };
    assert_eq!(spreads.remove_produced(&id("app")), app(), "somebody else's was in the way");
    assert_eq!(spreads.remove_produced(&id("other")), <[String; 0]>::default());
    spreads.put_produced(&made("1h", "ClusterExternalSecret"));
    assert_eq!(spreads.remove_produced(&id("app")), app());
}

#[test]
fn a_namespace_concerns_those_who_select_it_or_did() {
    let mut spreads = spreads();
    let (red, blue, nobody) = (labels("red"), labels("blue"), Vec::<String>::new());
    for (now, before, deleting, expected) in [
        (&red, None, false, app()),
        (&red, Some(&red), false, nobody.clone()),
        (&blue, Some(&red), false, app()),
        (&blue, Some(&blue), false, nobody.clone()),
        (&red, Some(&blue), false, app()),
        (&red, Some(&red), true, app()),
        (&red, Some(&red), true, nobody.clone()),
    ] {
        assert_eq!(spreads.put_namespace("shop", now, before, deleting), expected, "{now:?} {before:?} {deleting}");
    }
    assert_eq!(spreads.remove_namespace("shop"), nobody, "it was never provisioned");
    assert!(!spreads.put(asked(&json!({"provisionedNamespaces": ["shop"]}))), "only the status is another");
    assert_eq!(spreads.remove_namespace("shop"), app());
}
