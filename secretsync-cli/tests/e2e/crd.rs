//! The CRDs that the program prints, on a real API server.

#[path = "crd/fields.rs"]
mod fields;
#[path = "crd/objects.rs"]
mod objects;
#[path = "crd/stores.rs"]
mod stores;
#[path = "crd/superset.rs"]
mod superset;

use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Value, json};
use xtask::rig::cluster::Cluster;

use crate::sandbox::Sandbox;

/// A cluster that knows our kinds, and nothing else does anything about them.
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| Cluster::builder().with_crds(&printed("")).start().unwrap());

/// What `secretsync crd` prints.
pub(crate) fn printed(kinds: &str) -> String {
    let run = Sandbox::new().run(&format!("crd {kinds}"));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    run.stdout
}

fn documents() -> Vec<Value> {
    let texts = printed("");
    let texts: Vec<_> = texts.split("---\n").filter(|text| !text.is_empty()).collect();
    texts.iter().map(|text| serde_yaml::from_str(text).unwrap()).collect()
}

fn get(arguments: &[&str]) -> Value {
    serde_json::from_str(&CLUSTER.kubectl(&[&["get", "-o", "json"], arguments].concat()).unwrap()).unwrap()
}

#[test]
fn every_definition_is_established_and_structural() {
    let items = get(&["crd"])["items"].as_array().unwrap().clone();
    let mut names: Vec<_> = items.iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    let printed = documents();
    let expected: Vec<_> = printed.iter().map(|document| document["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, expected);
    for item in &items {
        let name = &item["metadata"]["name"];
        let conditions = item["status"]["conditions"].as_array().unwrap();
        let holding = conditions.iter().filter(|condition| condition["status"] == "True");
        let mut holding: Vec<_> = holding.map(|condition| condition["type"].as_str().unwrap()).collect();
        holding.sort_unstable();
        assert_eq!(holding, ["Established", "NamesAccepted"], "{name}: {conditions:?}");
    }
}

#[test]
fn nothing_of_a_definition_is_lost_on_the_way_into_the_cluster() {
    for document in documents() {
        let name = document["metadata"]["name"].as_str().unwrap();
        let stored = get(&["crd", name]);
        assert_eq!(lost(&document["spec"], &stored["spec"], ""), <[String; 0]>::default(), "{name}");
    }
}

#[test]
fn each_definition_is_small_and_can_be_printed_alone() {
    for kind in documents() {
        let plural = kind["spec"]["names"]["plural"].as_str().unwrap();
        let alone = printed(plural);
        assert!(alone.len() < 200_000, "{plural}: {} bytes", alone.len());
        assert_eq!(serde_yaml::from_str::<Value>(&alone).unwrap(), kind);
    }
    assert_eq!(printed("es SecretStore es").matches("\n---\n").count(), 1);
}

#[test]
fn the_files_for_an_installation_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/crds");
    let mut expected: Vec<_> = Vec::new();
    for kind in documents() {
        let plural = kind["spec"]["names"]["plural"].as_str().unwrap();
        let file = folder.join(format!("{plural}.yaml"));
        let current = std::fs::read_to_string(&file).unwrap_or_default() == printed(plural);
        assert!(current, "{} is old: write it with `secretsync crd {plural}`", file.display());
        expected.push(file);
    }
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files, expected);
}

#[test]
fn an_old_version_is_listed_and_not_served() {
    let versions = |name: &str| -> Vec<(String, bool)> {
        let versions = get(&["crd", name])["spec"]["versions"].as_array().unwrap().clone();
        versions.iter().map(|it| (it["name"].as_str().unwrap().to_owned(), it["served"] == true)).collect()
    };
    let expected = [("v1".to_owned(), true), ("v1beta1".to_owned(), false)];
    for plural in ["clusterexternalsecrets", "clustersecretstores", "externalsecrets", "secretstores"] {
        assert_eq!(versions(&format!("{plural}.external-secrets.io")), expected);
    }
}

#[test]
fn columns_show_the_status_that_was_written() {
    let namespace = CLUSTER.namespace("columns").unwrap();
    let conditions = json!([{
        "type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]);
    let status = json!({
        "refreshTime": "2026-01-01T00:00:00Z", "syncedResourceVersion": "1-abc", "binding": {"name": "db"}, "conditions": conditions,
    });
    let place = |kind: &str| json!({"apiVersion": "external-secrets.io/v1", "kind": kind, "metadata": {"name": "db", "namespace": namespace.name()}});
    let mut sync = place("ExternalSecret");
    sync["spec"] =
        json!({"secretStoreRef": {"name": "vault", "kind": "SecretStore"}, "dataFrom": [{"extract": {"key": "a"}}]});
    let mut store = place("SecretStore");
    store["spec"] = json!({"provider": {"fake": {"data": [{"key": "a", "value": "b"}]}}});
    for object in [&sync, &store] {
        CLUSTER.apply(&object.to_string()).unwrap();
    }
    let write = |kind: &str, status: &Value| {
        let patch = json!({ "status": status }).to_string();
        namespace.kubectl(&["patch", kind, "db", "--subresource=status", "--type=merge", "-p", &patch]).unwrap();
        let text = namespace.kubectl(&["get", kind, "db", "-o", "jsonpath={.status}"]).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), *status, "{kind}");
    };
    write("es", &status);
    write("ss", &json!({"capabilities": "ReadOnly", "conditions": conditions}));
    // A write of the object leaves its status alone.
    sync["status"] = json!({"refreshTime": null, "binding": {"name": "other"}});
    sync["spec"]["refreshInterval"] = "5m".into();
    CLUSTER.apply(&sync.to_string()).unwrap();
    let shown = |kind: &str| -> Vec<Vec<String>> {
        let table = namespace.kubectl(&["get", kind]).unwrap();
        table
            .lines()
            .map(|line| line.split("  ").map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect())
            .collect()
    };
    let table = shown("es");
    assert_eq!(table[0], ["NAME", "STORETYPE", "STORE", "REFRESH INTERVAL", "STATUS", "READY", "LAST SYNC"]);
    assert_eq!(table[1][..6], ["db", "SecretStore", "vault", "5m", "SecretSynced", "True"]);
    let table = shown("ss");
    assert_eq!(table[0], ["NAME", "AGE", "STATUS", "CAPABILITIES", "READY"]);
    assert_eq!(table[1][2..], ["SecretSynced", "ReadOnly", "True"]);
    for selected in
        ["spec.secretStoreRef.name=vault", "spec.secretStoreRef.kind=SecretStore", "spec.refreshInterval=5m"]
    {
        let found = namespace.kubectl(&["get", "es", "--field-selector", selected, "-o", "name"]).unwrap();
        assert_eq!(found, "externalsecret.external-secrets.io/db\n", "{selected}");
    }
    let all = namespace.kubectl(&["get", "external-secrets", "-o", "name"]).unwrap();
    assert_eq!(all.lines().count(), 2, "{all}");
}

/// Paths of what was sent and did not come back as it was. More may come back: defaults.
pub(crate) fn lost(sent: &Value, stored: &Value, path: &str) -> Vec<String> {
    match (sent, stored) {
        (Value::Object(sent), Value::Object(stored)) => {
            let inside = |(name, value): (&String, &Value)| {
                lost(value, stored.get(name).unwrap_or(&Value::Null), &format!("{path}.{name}"))
            };
            sent.iter().flat_map(inside).collect()
        }
        (Value::Array(sent), Value::Array(stored)) if sent.len() == stored.len() => {
            let pairs = sent.iter().zip(stored).enumerate();
            pairs.flat_map(|(index, (sent, stored))| lost(sent, stored, &format!("{path}[{index}]"))).collect()
        }
        _ if sent == stored => Vec::new(),
        _ => vec![path.to_owned()],
    }
}
