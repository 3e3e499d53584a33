use std::collections::hash_map::RandomState;

use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::*;
use crate::operator::spread::object::SpreadObject;

/// A cluster as far as a ClusterExternalSecret `app` sees it.
struct Scene {
    hasher: RandomState,
    object: SpreadObject,
    namespaces: Vec<(String, BTreeMap<String, String>)>,
    produced: Vec<(Id, Produced)>,
    foreign: Vec<Id>,
}

fn id(namespace: &str, name: &str) -> Id {
    Id { namespace: namespace.to_owned(), name: name.to_owned() }
}

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl Scene {
    /// Namespaces `a` (team red), `b` (team blue), `c`.
    fn new(spec: &Value) -> Self {
        Self::with(spec, &json!({}), &json!({}))
    }

    fn with(spec: &Value, annotations: &Value, status: &Value) -> Self {
        let mut whole = json!({"externalSecretSpec": {"dataFrom": [{"extract": {"key": "x"}}]}});
        for (name, value) in spec.as_object().unwrap() {
            whole[name] = value.clone();
        }
        let object = object(json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret",
            "metadata": {"name": "app", "uid": "u-app", "annotations": annotations}, "spec": whole, "status": status,
        }));
        let labels = |team: &str| [("team".to_owned(), team.to_owned())].into();
        Self {
            hasher: RandomState::new(),
            object: SpreadObject::read(&object),
            namespaces: vec![("a".into(), labels("red")), ("b".into(), labels("blue")), ("c".into(), BTreeMap::new())],
            produced: Vec::new(),
            foreign: Vec::new(),
        }
    }

    /// An ExternalSecret of `app` with this spec.
    fn made(mut self, id: Id, spec: &Value, metadata: &Value) -> Self {
        let owner = json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "name": "app", "uid": "u-app", "controller": true});
        let mut whole = json!({"name": id.name, "namespace": id.namespace, "uid": format!("u-{}", id.namespace), "resourceVersion": "7", "ownerReferences": [owner]});
        for (name, value) in metadata.as_object().unwrap() {
            whole[name] = value.clone();
        }
        let object = object(
            json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": whole, "spec": spec}),
        );
        self.produced.push((id, Produced::read(&object, &self.hasher).unwrap()));
        self
    }

    /// One as it should be.
    fn fine(self, namespace: &str) -> Self {
        self.made(id(namespace, "app"), &json!({"dataFrom": [{"extract": {"key": "x"}}]}), &json!({}))
    }

    fn plan(&self) -> Plan {
        let digest = self.object.wish.as_ref().map_or(0, |wish| wish.content.digest(&self.hasher));
        let view = View {
            namespaces: &mut self.namespaces.iter().map(|(name, labels)| (name.as_str(), labels)),
            produced: self.produced.iter().map(|(id, produced)| (id, produced)).collect(),
            is_foreign: &|id| self.foreign.contains(id),
            digest,
        };
        Plan::new("u-app", &self.object.wish, &self.object.status, view)
    }
}

fn labels(team: &str) -> Value {
    json!({"matchLabels": {"team": team}})
}

#[test]
fn a_namespace_is_selected_by_any_selector_or_by_name() {
    for (spec, expected) in [
        (json!({"namespaceSelectors": [labels("red")]}), &["a"][..]),
        (json!({"namespaceSelectors": [labels("red"), labels("blue")]}), &["a", "b"]),
        (json!({"namespaceSelector": labels("red"), "namespaceSelectors": [labels("blue")]}), &["a", "b"]),
        (json!({"namespaceSelector": labels("red"), "namespaces": ["c", "gone"]}), &["a", "c"]),
        (json!({"namespaceSelectors": [{}]}), &["a", "b", "c"]),
        (json!({"namespaceSelectors": [{"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}]}), &["c"]),
        (json!({"namespaceSelectors": [{"matchLabels": {"kubernetes.io/metadata.name": "b"}}]}), &["b"]),
        (json!({"namespaceSelectors": [labels("green")]}), &[]),
        (json!({"namespaces": ["gone"]}), &[]),
        (json!({}), &[]),
    ] {
        let plan = Scene::new(&spec).plan();
        assert_eq!(plan.create, names(expected), "{spec}");
        assert!(plan.failed.is_empty(), "what matches nothing is no failure: {spec}");
    }
}

#[test]
fn what_is_as_it_should_be_is_left_alone() {
    let scene = Scene::new(&json!({"namespaces": ["a", "b"]})).fine("a").fine("b");
    let plan = scene.plan();
    assert!(plan.is_done());
    assert_eq!(
        plan.status(),
        SpreadStatus::after("app".to_owned(), names(&["a", "b"]).into_iter().collect(), BTreeMap::new())
    );
}

#[test]
fn spec_labels_and_annotations_are_all_put_right() {
    let spec = json!({"dataFrom": [{"extract": {"key": "x"}}]});
    for (changed, metadata) in [
        (json!({"dataFrom": [{"extract": {"key": "y"}}]}), json!({})),
        (spec.clone(), json!({"labels": {"by": "hand"}})),
        (spec.clone(), json!({"annotations": {"by": "hand"}})),
        // Its owner was made anew under the same name.
        (
            spec,
            json!({"ownerReferences": [{"apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "name": "app", "uid": "old", "controller": true}]}),
        ),
    ] {
        let plan = Scene::new(&json!({"namespaces": ["a"]})).made(id("a", "app"), &changed, &metadata).plan();
        let [(namespace, known)] = &plan.update[..] else { panic!("{plan:?}") };
        assert_eq!((namespace.as_str(), known.version.as_str()), ("a", "7"), "{changed} {metadata}");
        assert!(plan.create.is_empty() && plan.remove.is_empty());
    }
}

#[test]
fn the_mark_of_a_forced_sync_is_mirrored_and_goes_again() {
    let spec = json!({"namespaces": ["a"], "externalSecretMetadata": {"annotations": {"note": "n", "external-secrets.io/force-sync": "old"}}});
    let key = "external-secrets.io/force-sync";
    let annotations = |scene: &Scene| scene.object.wish.as_ref().unwrap().content.annotations.clone();
    let forced = Scene::with(&spec, &json!({ key: "1" }), &json!({}));
    assert_eq!(annotations(&forced).get(key).map(String::as_str), Some("1"));
    let plain = Scene::new(&spec);
    assert_eq!(annotations(&plain).keys().collect::<Vec<_>>(), ["note"]);
}

#[test]
fn somebody_elses_object_is_a_failure_of_its_namespace_and_never_touched() {
    let mut scene = Scene::new(&json!({"namespaces": ["a", "b"]})).fine("b");
    scene.foreign.push(id("a", "app"));
    let plan = scene.plan();
    assert!(plan.is_done());
    assert_eq!(plan.failed, [("a".to_owned(), EXISTS.to_owned())].into());
    assert_eq!((plan.settled.len(), plan.status().ready), (1, Some(false)));
}

#[test]
fn a_namespace_that_is_not_selected_any_more_loses_its_own() {
    let scene = Scene::new(&json!({"namespaceSelectors": [labels("red")]})).fine("a").fine("b");
    let plan = scene.plan();
    assert_eq!(plan.remove, [(id("b", "app"), "u-b".to_owned())]);
    assert_eq!(plan.settled, names(&["a"]).into_iter().collect());
}

#[test]
fn another_name_removes_those_of_the_old_one_and_makes_new_ones() {
    let scene = Scene::new(&json!({"namespaces": ["a"], "externalSecretName": "new"})).fine("a");
    let plan = scene.plan();
    assert_eq!((plan.name.as_str(), &plan.create), ("new", &names(&["a"])));
    assert_eq!(plan.remove, [(id("a", "app"), "u-a".to_owned())]);
}

#[test]
fn what_is_being_deleted_is_waited_for() {
    let leaving = json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"]});
    let scene = Scene::new(&json!({"namespaces": ["a"]})).made(id("a", "app"), &json!({}), &leaving).made(
        id("b", "app"),
        &json!({}),
        &leaving,
    );
    assert!(scene.plan().is_done());
}

#[test]
fn a_selector_that_means_nothing_leaves_everything_as_it_is() {
    let status = json!({"externalSecretName": "app", "provisionedNamespaces": ["a"]});
    for spec in [
        json!({"namespaceSelectors": [labels("red"), {"matchExpressions": [{"key": "team", "operator": "Near"}]}]}),
        json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In"}]}}),
        json!({"namespaces": ["b"], "refreshTime": "often"}),
    ] {
        let plan = Scene::with(&spec, &json!({}), &status).fine("a").plan();
        assert!(plan.is_done(), "{spec}");
        assert_eq!(plan.failed.keys().collect::<Vec<_>>(), ["unknown"]);
        assert_eq!((plan.settled.len(), plan.name.as_str()), (1, "app"));
    }
}
