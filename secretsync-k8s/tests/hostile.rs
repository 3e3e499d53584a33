//! Manifests that are wrong in every place: nothing panics, nothing is quoted.

use secretsync_core::access::KeyAccess;
use secretsync_core::error::chain;
use secretsync_core::provider::StoreOrigin;
use secretsync_core::sync::ProviderKey;
use secretsync_k8s::api::{ClusterSecretStore, ExternalSecret, VaultDynamicSecret, parse};
use secretsync_k8s::convert::{self, StoreUse};
use serde_json::{Value, json};

/// A text that stands for a secret pasted into the wrong field.
const CANARY: &str = "Canary 7713/..";

fn external_secret() -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "db", "namespace": "shop", "labels": {"a": "b"}, "annotations": {"a": "b"}, "generation": 1, "uid": "u"},
        "spec": {
            "refreshPolicy": "Periodic", "refreshInterval": "1h", "suspend": false,
            "secretStoreRef": {"name": "vault", "kind": "SecretStore"},
            "syncWindows": {"kind": "allow", "windows": [{"schedule": "@daily", "duration": "1h"}]},
            "target": {
                "name": "db", "creationPolicy": "Owner", "deletionPolicy": "Retain", "immutable": false,
                "template": {
                    "type": "Opaque", "engineVersion": "v2", "mergePolicy": "Merge", "data": {"k": "v"},
                    "metadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}, "finalizers": ["example.com/f"]},
                    "templateFrom": [
                        {"configMap": {"name": "t", "items": [{"key": "a", "templateAs": "Values"}]}, "target": "Data"},
                        {"secret": {"name": "t", "items": [{"key": "a", "templateAs": "KeysAndValues"}]}, "valuesDecodingStrategy": "None"},
                        {"literal": "a: b", "target": "Annotations"},
                    ],
                },
            },
            "data": [{
                "secretKey": "k",
                "remoteRef": {
                    "key": "a", "property": "b", "version": "1", "metadataPolicy": "None", "conversionStrategy": "Default",
                    "decodingStrategy": "None", "nullBytePolicy": "Ignore",
                },
                "sourceRef": {"storeRef": {"name": "vault", "kind": "ClusterSecretStore"}},
            }],
            "dataFrom": [
                {"extract": {"key": "a"}, "onMissing": "Skip", "rewrite": [{"regexp": {"source": "a", "target": "b"}}, {"transform": {"template": "{{ .value }}"}}]},
                {"find": {"path": "a", "name": {"regexp": "b"}, "tags": {"t": "u"}},
                 "rewrite": [{"merge": {"conflictPolicy": "Ignore", "into": "m", "priority": ["a"], "priorityPolicy": "Strict", "strategy": "JSON"}}]},
                {"sourceRef": {"generatorRef": {"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "VaultDynamicSecret", "name": "g"}}},
            ],
        },
        "status": {"conditions": [{"type": "Ready"}]},
    })
}

fn store() -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ClusterSecretStore",
        "metadata": {"name": "main"},
        "spec": {
            "controller": "", "refreshInterval": 5, "retrySettings": {"maxRetries": 1, "retryInterval": "1s"},
            "provider": {"vault": {"server": "https://vault", "auth": {"tokenSecretRef": {"name": "t", "key": "k"}}}},
            "conditions": [{
                "namespaces": ["shop"], "namespaceRegexes": ["a"],
                "keys": ["kv/{namespace}/**"], "namespaceSelector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
            }],
        },
    })
}

fn generator() -> Value {
    json!({
        "apiVersion": "generators.external-secrets.io/v1alpha1",
        "kind": "VaultDynamicSecret",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {
            "controller": "", "retrySettings": {"maxRetries": 1, "retryInterval": "1s"}, "path": "a", "method": "GET", "parameters": {"a": "b"},
            "getParameters": {"a": ["b"]}, "resultType": "Data", "allowEmptyResponse": false, "provider": {"server": "https://vault"},
        },
    })
}

/// What reading and converting says about a manifest, if it says anything.
fn complaint(manifest: &Value) -> Option<String> {
    let key = |_: &StoreOrigin| Ok(StoreUse::new(ProviderKey::new("p"), KeyAccess::everything()));
    let outcome = if manifest["kind"] == "ClusterSecretStore" {
        parse::<ClusterSecretStore>(manifest.clone()).and_then(|store| convert::cluster_store(&store)).map(drop)
    } else if manifest["kind"] == "VaultDynamicSecret" {
        parse::<VaultDynamicSecret>(manifest.clone()).and_then(|object| convert::dynamic_secret(&object)).map(drop)
    } else {
        parse::<ExternalSecret>(manifest.clone()).and_then(|object| convert::sync_spec(&object, key)).map(drop)
    };
    outcome.err().map(|error| {
        assert!(error.hint().is_some(), "no hint: {error}");
        format!("{} {error:?} {}", chain(&error), error.hint().map(ToString::to_string).unwrap_or_default())
    })
}

/// Whether the text of External Secrets Operator itself repeats what stands there: where a template goes, and a pattern that does not compile.
fn is_repeated(place: &str) -> bool {
    place.contains("/templateFrom/") && place.ends_with("/target") || place.contains("/namespaceRegexes/")
}

/// The pointers of every value in a document.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| pointers(item, &format!("{at}/{index}"), all));
        }
        Value::Object(members) => {
            for (name, member) in members {
                pointers(member, &format!("{at}/{}", name.replace('/', "~1")), all);
            }
        }
        _ => {}
    }
}

#[test]
fn the_manifests_that_are_broken_below_are_good() {
    assert_eq!(complaint(&external_secret()), None);
    assert_eq!(complaint(&store()), None);
    assert_eq!(complaint(&generator()), None);
}

#[test]
fn no_value_in_a_wrong_place_panics_or_is_quoted() {
    let mut deep = json!(CANARY);
    for _ in 0..1_000 {
        deep = json!([deep]);
    }
    for good in [external_secret(), store(), generator()] {
        let mut places = Vec::new();
        pointers(&good, "", &mut places);
        assert!(places.len() > 15);
        for place in places {
            for bad in [
                json!(CANARY),
                json!([CANARY]),
                json!(7_713),
                json!(-77.13),
                json!(true),
                json!([[CANARY]]),
                Value::Null,
                json!({}),
                json!(""),
                json!({"odd": CANARY}),
                json!([CANARY, CANARY]),
                json!("-7713m"),
                json!("77137713771377137713h"),
                json!(format!("{CANARY}\u{0}\u{202e}\n\u{1f600}")),
                json!(CANARY.repeat(10_000)),
                deep.clone(),
            ] {
                let mut broken = good.clone();
                *broken.pointer_mut(&place).unwrap() = bad.clone();
                // The name of an object is part of every message about it.
                let named = place == "/metadata/name" || place == "/metadata/namespace" || is_repeated(&place);
                if let Some(text) = complaint(&broken)
                    && !named
                {
                    assert!(
                        !text.contains("7713") && !text.contains("77.13"),
                        "{place} = {:.60}: {text:.600}",
                        bad.to_string()
                    );
                }
            }
        }
    }
}

#[test]
fn a_required_field_that_is_missing_is_named() {
    for (good, place, field) in [
        (external_secret(), "/spec/data/0/remoteRef", "key"),
        (external_secret(), "/spec/data/0", "secretKey"),
        (external_secret(), "/spec/syncWindows", "windows"),
        (external_secret(), "/metadata", "name"),
        (external_secret(), "", "spec"),
        (store(), "/spec", "provider"),
        (store(), "/spec/conditions/0/namespaceSelector/matchExpressions/0", "operator"),
    ] {
        let mut broken = good;
        broken.pointer_mut(place).unwrap().as_object_mut().unwrap().remove(field);
        let text = complaint(&broken).unwrap();
        assert!(text.contains(&format!("missing field `{field}`")), "{place}: {text}");
    }
}
