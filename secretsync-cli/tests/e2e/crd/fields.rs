//! Field by field: what is stored, what is refused, and which defaults are written.

use std::path::Path;

use serde_json::{Value, json};

use super::lost;
use super::objects::{refusals, stored};

pub(super) fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "external-secrets.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// An ExternalSecret with every field.
fn every_field() -> Value {
    let reference = json!({
        "key": "a", "property": "b", "version": "1", "conversionStrategy": "Unicode", "decodingStrategy": "Auto",
        "metadataPolicy": "Fetch", "nullBytePolicy": "Fail",
    });
    let store = json!({"storeRef": {"name": "other", "kind": "SecretStore"}});
    let generator = json!({"generatorRef": {"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "name": "pw"}});
    let merge = json!({"conflictPolicy": "Ignore", "into": "all", "priority": ["a"], "priorityPolicy": "IgnoreNotFound", "strategy": "JSON"});
    let items = json!({"name": "texts", "items": [{"key": "a.txt", "templateAs": "KeysAndValues"}]});
    json!({
        "secretStoreRef": {"name": "vault", "kind": "ClusterSecretStore"},
        "refreshInterval": "1h", "refreshPolicy": "Periodic", "suspend": true,
        "syncWindows": {"kind": "deny", "windows": [{"schedule": "0 22 * * 1-5", "duration": "8h"}]},
        "data": [{"secretKey": "k", "remoteRef": reference, "sourceRef": store, "onMissing": "Skip"}],
        "dataFrom": [
            {"extract": reference, "sourceRef": store, "onMissing": "Keep",
             "rewrite": [{"merge": merge}, {"regexp": {"source": "a", "target": "b"}}, {"transform": {"template": "{{ .value }}"}}]},
            {"find": {"conversionStrategy": "Default", "decodingStrategy": "Base64URL", "name": {"regexp": "x"}, "nullBytePolicy": "Ignore",
                      "path": "p", "tags": {"a": "b"}}},
            {"sourceRef": generator},
        ],
        "target": {
            "name": "target", "creationPolicy": "Owner", "deletionPolicy": "Delete", "immutable": true,
            "manifest": {"apiVersion": "v1", "kind": "Secret"},
            "keepPrevious": {"for": "1h"}, "restart": [{"kind": "Deployment"}],
            "template": {
                "type": "Opaque", "engineVersion": "v2", "mergePolicy": "Merge", "data": {"k": "{{ .k }}"},
                "metadata": {"annotations": {"a": "b"}, "finalizers": ["a/b"], "labels": {"a": "b"}},
                "templateFrom": [
                    {"configMap": items, "target": "Data", "valuesDecodingStrategy": "None"},
                    {"secret": items, "target": "annotations"},
                    {"literal": "a: b", "target": "Labels"},
                ],
            },
        },
    })
}

/// Every one of the objects that come from changing one field of a spec.
pub(super) fn changed(kind: &str, spec: &Value, changes: &[(&str, Value)]) -> Vec<Value> {
    let change = |(index, (pointer, value)): (usize, &(&str, Value))| {
        let mut spec = spec.clone();
        *spec.pointer_mut(pointer).unwrap_or_else(|| panic!("no field {pointer}")) = value.clone();
        object(kind, &format!("case-{index:03}"), &spec)
    };
    changes.iter().enumerate().map(change).collect()
}

pub(super) fn assert_all_stored(objects: &[Value]) {
    for (sent, stored) in objects.iter().zip(stored(objects)) {
        assert_eq!(lost(&sent["spec"], &stored["spec"], ""), <[String; 0]>::default(), "{sent}");
    }
}

pub(super) fn assert_all_refused(kind: &str, spec: &Value, changes: &[(&str, Value)]) {
    let objects = changed(kind, spec, changes);
    let accepted: Vec<_> = refusals(&objects)
        .iter()
        .zip(changes)
        .filter(|(told, _)| told.is_empty())
        .map(|(_, change)| change.clone())
        .collect();
    assert!(accepted.is_empty(), "accepted: {accepted:?}");
}

#[test]
fn every_field_of_an_external_secret_takes_every_value_of_its_table() {
    let mut changes = vec![("/suspend", json!(false))];
    let mut each =
        |pointer: &'static str, values: &[&str]| changes.extend(values.iter().map(|value| (pointer, json!(value))));
    for pointer in ["/data/0/remoteRef/conversionStrategy", "/dataFrom/1/find/conversionStrategy"] {
        each(pointer, &["Default", "Unicode"]);
    }
    for pointer in [
        "/data/0/remoteRef/decodingStrategy",
        "/dataFrom/0/extract/decodingStrategy",
        "/target/template/templateFrom/0/valuesDecodingStrategy",
    ] {
        each(pointer, &["Auto", "Base64", "Base64URL", "None"]);
    }
    each("/data/0/remoteRef/metadataPolicy", &["None", "Fetch"]);
    each("/data/0/remoteRef/nullBytePolicy", &["Ignore", "Fail"]);
    each("/data/0/onMissing", &["Fail", "Skip", "Keep"]);
    each("/data/0/secretKey", &["a", "A.b_c-1", &"k".repeat(253)]);
    each("/data/0/sourceRef/storeRef/kind", &["SecretStore", "ClusterSecretStore"]);
    each("/dataFrom/0/rewrite/0/merge/conflictPolicy", &["Error", "Ignore"]);
    each("/dataFrom/0/rewrite/0/merge/priorityPolicy", &["Strict", "IgnoreNotFound"]);
    each("/dataFrom/0/rewrite/0/merge/strategy", &["Extract", "JSON"]);
    each("/dataFrom/2/sourceRef/generatorRef/kind", GENERATORS);
    each("/refreshInterval", &["0", "1h30m", "15s", "1h0m0s"]);
    each("/refreshPolicy", &["CreatedOnce", "Periodic", "OnChange"]);
    each("/secretStoreRef/name", &["a", "a.b-c", &"s".repeat(253)]);
    each("/syncWindows/kind", &["allow", "deny"]);
    let schedules =
        ["* * * * *", "@daily", "@every 1h", "@yearly", "@annually", "@monthly", "@weekly", "@midnight", "@hourly"];
    each("/syncWindows/windows/0/schedule", &schedules);
    each("/target/creationPolicy", &["Owner", "Orphan"]);
    each("/target/deletionPolicy", &["Delete", "Merge", "Retain"]);
    each("/target/template/mergePolicy", &["Replace", "Merge"]);
    each("/target/template/type", &["", "kubernetes.io/tls", "kubernetes.io/dockerconfigjson"]);
    each("/target/template/templateFrom/0/target", &["Data", "ANNOTATIONS", "labels", "spec.config"]);
    each("/target/template/templateFrom/0/configMap/items/0/templateAs", &["Values", "KeysAndValues"]);
    assert_all_stored(&changed("ExternalSecret", &every_field(), &changes));
    let mut spec = every_field();
    spec["target"]["deletionPolicy"] = "Retain".into();
    let policies = ["Merge", "None", "CreateOrMerge"].map(|policy| ("/target/creationPolicy", json!(policy)));
    assert_all_stored(&changed("ExternalSecret", &spec, &policies));
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is one table")]
fn every_field_of_an_external_secret_refuses_what_its_table_excludes() {
    let mut changes = Vec::new();
    let mut each =
        |pointer: &'static str, values: &[Value]| changes.extend(values.iter().map(|value| (pointer, value.clone())));
    let words = [json!("other"), json!(""), json!(1)];
    for pointer in [
        "/data/0/remoteRef/conversionStrategy",
        "/data/0/remoteRef/decodingStrategy",
        "/data/0/remoteRef/metadataPolicy",
        "/data/0/remoteRef/nullBytePolicy",
        "/data/0/onMissing",
        "/data/0/sourceRef/storeRef/kind",
        "/dataFrom/0/extract/conversionStrategy",
        "/dataFrom/0/extract/decodingStrategy",
        "/dataFrom/0/extract/metadataPolicy",
        "/dataFrom/0/extract/nullBytePolicy",
        "/dataFrom/0/onMissing",
        "/dataFrom/1/find/conversionStrategy",
        "/dataFrom/1/find/decodingStrategy",
        "/dataFrom/1/find/nullBytePolicy",
        "/dataFrom/0/rewrite/0/merge/conflictPolicy",
        "/dataFrom/0/rewrite/0/merge/priorityPolicy",
        "/dataFrom/0/rewrite/0/merge/strategy",
        "/dataFrom/2/sourceRef/generatorRef/kind",
        "/refreshPolicy",
        "/secretStoreRef/kind",
        "/syncWindows/kind",
        "/target/creationPolicy",
        "/target/deletionPolicy",
        "/target/template/engineVersion",
        "/target/template/mergePolicy",
        "/target/template/templateFrom/0/configMap/items/0/templateAs",
        "/target/template/templateFrom/0/valuesDecodingStrategy",
        "/syncWindows/windows/0/schedule",
    ] {
        each(pointer, &words);
    }
    let names = [json!(""), json!("A"), json!("a/b"), json!("-a"), json!("a..b"), json!("n".repeat(254))];
    for pointer in [
        "/secretStoreRef/name",
        "/data/0/sourceRef/storeRef/name",
        "/dataFrom/2/sourceRef/generatorRef/name",
        "/target/name",
        "/target/template/templateFrom/0/configMap/name",
        "/target/template/templateFrom/1/secret/name",
    ] {
        each(pointer, &names);
    }
    let keys = [json!(""), json!("a/b"), json!("ä"), json!("k".repeat(254))];
    for pointer in [
        "/data/0/secretKey",
        "/target/template/templateFrom/0/configMap/items/0/key",
        "/target/template/templateFrom/1/secret/items/0/key",
    ] {
        each(pointer, &keys);
    }
    each(
        "/data/0/sourceRef",
        &[json!({}), json!({"storeRef": {"name": "a"}, "generatorRef": {"kind": "UUID", "name": "a"}})],
    );
    each(
        "/dataFrom/0/rewrite/0",
        &[json!({}), json!({"regexp": {"source": "a", "target": "b"}, "transform": {"template": "a"}})],
    );
    each("/dataFrom/0/rewrite/1/regexp", &[json!({"source": "a"}), json!({"target": "a"})]);
    each("/dataFrom/0/rewrite/2/transform", &[json!({})]);
    each("/data/0/remoteRef", &[json!({"property": "a"}), json!("a")]);
    each("/data/0", &[json!({"secretKey": "a"}), json!({"remoteRef": {"key": "a"}})]);
    each("/dataFrom/2/sourceRef/generatorRef", &[json!({"kind": "UUID"}), json!({"name": "a"})]);
    each(
        "/syncWindows",
        &[
            json!({"kind": "allow"}),
            json!({"kind": "allow", "windows": []}),
            json!({"windows": [{"schedule": "@daily", "duration": "1h"}]}),
        ],
    );
    each("/syncWindows/windows/0", &[json!({"schedule": "@daily"}), json!({"duration": "1h"})]);
    each(
        "/target/manifest",
        &[
            json!({"apiVersion": "v1"}),
            json!({"apiVersion": "", "kind": "Secret"}),
            json!({"apiVersion": "v1", "kind": ""}),
        ],
    );
    each("/target/template/templateFrom/0/configMap", &[json!({"name": "a"}), json!({"items": []})]);
    each("/refreshInterval", &[json!(5)]);
    each("/suspend", &[json!("yes")]);
    assert_all_refused("ExternalSecret", &every_field(), &changes);
}

#[test]
fn what_external_secrets_operator_leaves_to_its_webhook_is_stored() {
    let one = json!([{"extract": {"key": "a"}}]);
    let target = |target: Value| json!({"dataFrom": one, "target": target});
    let from = |entry: Value| json!({ "dataFrom": [entry] });
    let generator = json!({"generatorRef": {"kind": "UUID", "name": "a"}});
    let entry = json!({"secretKey": "a", "remoteRef": {"key": "a"}});
    let specs = [
        json!({}),
        json!({"data": [], "dataFrom": []}),
        json!({"data": [entry, entry]}),
        from(json!({})),
        from(json!({"extract": {"key": "a"}, "find": {}})),
        from(json!({"extract": {"key": "a"}, "sourceRef": generator})),
        from(json!({"find": {}, "sourceRef": generator})),
        target(json!({"deletionPolicy": "Merge", "creationPolicy": "None"})),
        target(json!({"deletionPolicy": "Delete", "creationPolicy": "Merge"})),
        target(json!({"template": {"type": "kubernetes.io/service-account-token"}})),
        target(json!({"template": {"templateFrom": [{"target": "spec.a", "literal": "a: b"}]}})),
    ];
    let objects = specs.iter().enumerate().flat_map(|(index, spec)| {
        let name = format!("case-{index:03}");
        let cluster = object("ClusterExternalSecret", &name, &json!({ "externalSecretSpec": spec }));
        [object("ExternalSecret", &name, spec), cluster]
    });
    assert_all_stored(&objects.collect::<Vec<_>>());
}

#[test]
fn defaults_are_external_secrets_operators_and_strategies_have_none() {
    let spec = json!({
        "data": [{"secretKey": "a", "remoteRef": {"key": "a"}}],
        "dataFrom": [{"extract": {"key": "a"}, "rewrite": [{"merge": {}}]}, {"find": {}}, {"sourceRef": {"generatorRef": {"kind": "UUID", "name": "a"}}}],
    });
    let mut expected = spec.clone();
    expected["refreshInterval"] = "1h0m0s".into();
    expected["target"] = json!({"creationPolicy": "Owner", "deletionPolicy": "Retain"});
    expected["dataFrom"][0]["rewrite"][0]["merge"] =
        json!({"conflictPolicy": "Error", "into": "", "priorityPolicy": "Strict", "strategy": "Extract"});
    expected["dataFrom"][2]["sourceRef"]["generatorRef"]["apiVersion"] =
        "generators.external-secrets.io/v1alpha1".into();
    assert_eq!(stored(&[object("ExternalSecret", "a", &spec)])[0]["spec"], expected);
    let spec = json!({
        "data": [{"secretKey": "a", "remoteRef": {"key": "a"}}],
        "refreshInterval": "0",
        "target": {"template": {"templateFrom": [{"configMap": {"name": "a", "items": [{"key": "a"}]}}]}},
    });
    let mut expected = spec.clone();
    expected["target"]["creationPolicy"] = "Owner".into();
    expected["target"]["deletionPolicy"] = "Retain".into();
    expected["target"]["template"]["engineVersion"] = "v2".into();
    expected["target"]["template"]["mergePolicy"] = "Replace".into();
    expected["target"]["template"]["templateFrom"][0]["target"] = "Data".into();
    expected["target"]["template"]["templateFrom"][0]["configMap"]["items"][0]["templateAs"] = "Values".into();
    assert_eq!(stored(&[object("ExternalSecret", "a", &spec)])[0]["spec"], expected);
}

#[test]
fn cluster_external_secrets_follow_their_table() {
    let spec = json!({
        "externalSecretSpec": every_field(), "externalSecretName": "db", "refreshTime": "1m",
        "externalSecretMetadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}},
        "namespaceSelectors": [{"matchLabels": {"a": "b"}}, {"matchExpressions": [{"key": "a", "operator": "Exists"}]}],
        "namespaceSelector": {"matchLabels": {"a": "b"}}, "namespaces": ["shop"],
    });
    assert_all_stored(&[object("ClusterExternalSecret", "a", &spec)]);
    let changes = [
        ("/externalSecretName", json!("A")),
        ("/externalSecretName", json!("")),
        ("/namespaces/0", json!("a.b")),
        ("/namespaces/0", json!("n".repeat(64))),
        ("/namespaceSelectors/0", json!("a")),
        ("/namespaceSelectors/1/matchExpressions/0", json!({"key": "a"})),
        ("/externalSecretSpec/target/creationPolicy", json!("other")),
        ("/refreshTime", json!(60)),
    ];
    assert_all_refused("ClusterExternalSecret", &spec, &changes);
    // Two, because kubectl words the refusal of a single object in another way.
    let without = ["a", "b"].map(|name| object("ClusterExternalSecret", name, &json!({"namespaces": ["shop"]})));
    assert!(refusals(&without).iter().all(|told| told.contains("spec.externalSecretSpec: Required value")));
}

#[test]
fn the_manifests_of_docs_and_examples_come_back_as_they_were_sent() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut objects = Vec::new();
    for (text, is_manifest) in ["docs", "examples", "README.md"].iter().flat_map(|name| texts(&root.join(name))) {
        let parts: Vec<_> = if is_manifest { vec![text.as_str()] } else { fenced(&text) };
        for document in parts.iter().flat_map(|part| part.split("\n---")) {
            let Ok(object) = serde_yaml::from_str::<Value>(document.trim_start_matches("---")) else { continue };
            let ours = object["apiVersion"].as_str().is_some_and(|version| version.contains("external-secrets.io/"));
            if ours && !objects.contains(&object) {
                objects.push(object);
            }
        }
    }
    assert!(objects.len() > 5, "{objects:?}");
    for (index, object) in objects.iter_mut().enumerate() {
        object["metadata"] = json!({"name": format!("case-{index:03}")});
    }
    assert_all_stored(&objects);
}

/// Manifests, and pages that may have some in them, below a path.
fn texts(path: &Path) -> Vec<(String, bool)> {
    if path.is_dir() {
        return std::fs::read_dir(path).unwrap().flat_map(|entry| texts(&entry.unwrap().path())).collect();
    }
    let ending = path.extension().and_then(|ending| ending.to_str());
    match ending {
        Some("yaml") => vec![(std::fs::read_to_string(path).unwrap(), true)],
        Some("md") => vec![(std::fs::read_to_string(path).unwrap(), false)],
        _ => Vec::new(),
    }
}

fn fenced(page: &str) -> Vec<&str> {
    page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

const GENERATORS: &[&str] = &[
    "ACRAccessToken",
    "BeyondtrustWorkloadCredentialsDynamicSecret",
    "CloudsmithAccessToken",
    "ClusterGenerator",
    "ECRAuthorizationToken",
    "Fake",
    "GCRAccessToken",
    "GithubAccessToken",
    "GitlabDeployToken",
    "Grafana",
    "MFA",
    "Password",
    "QuayAccessToken",
    "SSHKey",
    "STSSessionToken",
    "UUID",
    "VaultDynamicSecret",
    "Webhook",
];
