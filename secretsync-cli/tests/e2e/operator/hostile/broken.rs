//! Broken objects: a good one of each kind, with one field after the other replaced by each hostile value.

use serde_json::{Value, json};

use super::scene::{NAMESPACE, full};
use crate::hostile::{aws_store, hostile_values, places, sops_store, vault_store};

/// A text that cannot be the name of anything, as somebody pastes it into the wrong field.
const PASTED: &str = "Pasted 7713/..";

/// One object with one field broken.
#[derive(Clone)]
pub(super) struct Broken {
    pub(super) name: String,
    /// The field, as a JSON pointer.
    pub(super) place: String,
    /// What it was replaced by, in short.
    pub(super) value: String,
    object: Value,
    /// What else it takes for the object to say something.
    beside: Option<Value>,
}

impl Broken {
    pub(super) fn objects(&self) -> Vec<Value> {
        [self.object.clone()].into_iter().chain(self.beside.clone()).collect()
    }

    /// Whether nobody says anything of it: it is suspended, or of another class.
    pub(super) fn is_silent(&self) -> bool {
        let text = self.value.starts_with('"') && self.value != "\"\"";
        self.place == "/spec/suspend" && self.value == "true" || self.place == "/spec/controller" && text
    }

    /// Whether a message leads to the field: it names the field or one around it, and says what to do where the manifest itself is at fault.
    pub(super) fn is_named_by(&self, text: &str) -> bool {
        let detail = text.split_once(": ").map_or(text, |(_, detail)| detail);
        let told_whole = ["nested too deeply", "exactly one backend specified", "already exists in namespace"];
        let whole = self.place == "/spec" || told_whole.iter().any(|known| detail.contains(known));
        let mut fields = self.place.split('/').skip(2).filter(|part| part.parse::<usize>().is_err());
        let runtime = !detail.contains("[manifest-invalid]") && !detail.contains("[store-invalid]");
        // What is refused at run time is told by what was tried; that it was the field's fault nobody can know.
        whole || runtime && text.ends_with(']') || fields.any(|field| detail.contains(field))
    }
}

fn values() -> Vec<Value> {
    let mut deep = json!(1);
    for _ in 0..300 {
        deep = json!([deep]);
    }
    let more = [
        deep,
        json!("often"),
        json!("-5m"),
        json!("99999999999h"),
        json!(0),
        json!(["a", "a"]),
        json!({"odd": PASTED}),
        json!(PASTED),
        json!("A".repeat(20_000)),
    ];
    hostile_values().into_iter().chain(more).collect()
}

/// The object once for each of its places below the spec and each value, or every second value, others at each place.
fn each(object: &Value, prefix: &str, step: usize, beside: impl Fn(&str) -> Option<Value>) -> Vec<Broken> {
    let values = values();
    let places = places(object).into_iter().filter(|place| place.starts_with("/spec")).enumerate();
    let pairs = places.flat_map(|(index, place)| {
        values.iter().skip(index % step).step_by(step).map(move |value| (place.clone(), value))
    });
    let broken = pairs.enumerate().map(|(index, (place, value))| {
        let mut object = object.clone();
        *object.pointer_mut(&place).unwrap() = value.clone();
        let name = format!("{prefix}-{index}");
        object["metadata"]["name"] = name.as_str().into();
        let value: String = value.to_string().chars().take(40).collect();
        Broken { beside: beside(&name), name, place, value, object }
    });
    broken.collect()
}

pub(super) fn syncs() -> Vec<Broken> {
    each(&full("es"), "es", 1, |_| None)
}

pub(super) fn stores() -> Vec<Broken> {
    [("ss", vault_store()), ("as", aws_store()), ("ps", sops_store())]
        .iter()
        .flat_map(|(prefix, store)| each(store, prefix, 2, |_| None))
        .collect()
}

/// Only what a store of the cluster has of its own.
pub(super) fn cluster_stores() -> Vec<Broken> {
    let mut object = vault_store();
    object["kind"] = "ClusterSecretStore".into();
    object["metadata"].as_object_mut().unwrap().remove("namespace");
    let token = json!({"tokenSecretRef": {"name": "gone", "key": "k", "namespace": NAMESPACE}});
    object["spec"]["conditions"][0]["keys"] = json!(["secret/{namespace}/**"]);
    object["spec"]["provider"] = json!({"vault": {"server": "http://127.0.0.1:1", "path": "kv", "auth": token}});
    each(&object, "css", 2, |_| None)
}

pub(super) fn cluster_external_secrets() -> Vec<Broken> {
    let selector =
        json!({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]});
    let object = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "metadata": {"name": "ces"},
        "spec": {
            "externalSecretSpec": {"dataFrom": []}, "externalSecretName": "made", "refreshTime": "1h",
            "externalSecretMetadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}},
            "namespaceSelectors": [selector], "namespaceSelector": selector, "namespaces": ["nowhere"],
        },
    });
    each(&object, "ces", 2, |_| None)
}

/// Generators have no status: the ExternalSecret that uses one says what is wrong.
pub(super) fn generators() -> Vec<Broken> {
    let token = json!({"tokenSecretRef": {"name": "gone", "key": "k"}});
    let object = json!({
        "apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "VaultDynamicSecret", "metadata": {"name": "vds", "namespace": NAMESPACE},
        "spec": {
            "controller": "", "method": "POST", "path": "pki/issue/app", "parameters": {"common_name": "a"}, "getParameters": {"a": ["b"]},
            "resultType": "Data", "allowEmptyResponse": false, "retrySettings": {"maxRetries": 0, "retryInterval": "1ms"},
            "provider": {"server": "http://127.0.0.1:1", "path": "kv", "version": "v2", "auth": token},
        },
    });
    each(&object, "vds", 2, |name| {
        let generator = json!({"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "VaultDynamicSecret", "name": name});
        Some(json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"dataFrom": [{"sourceRef": {"generatorRef": generator}}]},
        }))
    })
}
