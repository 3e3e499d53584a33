//! Manifests that are wrong in every place: nothing panics, nothing is quoted.

use secretsync_core::access::KeyAccess;
use secretsync_core::error::chain;
use secretsync_core::provider::StoreOrigin;
use secretsync_core::sync::ProviderKey;
use secretsync_k8s::api::{ClusterSecretStore, ExternalSecret, parse};
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
            "dataFrom": [{"extract": {"key": "a"}}, {"find": {"path": "a", "name": {"regexp": "b"}, "tags": {"t": "u"}}}],
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

/// What reading and converting says about a manifest, if it says anything.
fn complaint(manifest: &Value) -> Option<String> {
    let key = |_: &StoreOrigin| Ok(StoreUse::new(ProviderKey::new("p"), KeyAccess::everything()));
    let outcome = if manifest["kind"] == "ClusterSecretStore" {
        parse::<ClusterSecretStore>(manifest.clone()).and_then(|store| convert::cluster_store(&store)).map(drop)
    } else {
        parse::<ExternalSecret>(manifest.clone()).and_then(|object| convert::sync_spec(&object, key)).map(drop)
    };
    outcome.err().map(|error| {
        assert!(error.hint().is_some(), "no hint: {error}");
        format!("{} {error:?} {}", chain(&error), error.hint().map(ToString::to_string).unwrap_or_default())
    })
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
}

#[test]
fn no_value_in_a_wrong_place_panics_or_is_quoted() {
    for good in [external_secret(), store()] {
        let mut places = Vec::new();
        pointers(&good, "", &mut places);
        assert!(places.len() > 20);
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
            ] {
                let mut broken = good.clone();
                *broken.pointer_mut(&place).unwrap() = bad.clone();
                // The name of an object is part of every message about it.
                let named = place == "/metadata/name" || place == "/metadata/namespace";
                if let Some(text) = complaint(&broken)
                    && !named
                {
                    assert!(!text.contains("7713") && !text.contains("77.13"), "{place} = {bad}: {text}");
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
