//! A cluster of its own, an OpenBao, and the operator.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use xtask::rig::cluster::Cluster;
use xtask::rig::openbao::OpenBao;
use xtask::rig::process::free_port;

use super::broken::Broken;
use crate::hostile::{CANARY, external_secret};
use crate::kubernetes::{OPERATOR, operators_cluster};
use crate::operator::stage::{crds, open_kind, page};
use crate::sandbox::{Running, Sandbox, TOLD};

pub(super) const NAMESPACE: &str = "shop";

/// The kinds that have a condition.
const TELLERS: [&str; 4] = ["externalsecrets", "secretstores", "clustersecretstores", "clusterexternalsecrets"];

pub(super) struct Scene {
    cluster: Cluster,
    bao: OpenBao,
    sandbox: Sandbox,
    port: u16,
    operator: Option<Running>,
}

impl Scene {
    /// A good store, and all that the good objects need.
    pub(super) fn new() -> Self {
        let spread = open_kind("external-secrets.io", "v1", "ClusterExternalSecret", "Cluster");
        let (cluster, bao) = (operators_cluster(&(crds() + &spread)), OpenBao::start().unwrap());
        bao.write("secret/data/app", &json!({"data": {"user": CANARY, "n": {"a": CANARY, "b": "c"}}})).unwrap();
        cluster.kubectl(&["create", "namespace", NAMESPACE]).unwrap();
        let mut sandbox = Sandbox::new();
        sandbox.set("KUBECONFIG", &cluster.kubeconfig_of(OPERATOR).unwrap().display().to_string());
        let scene = Self { cluster, bao, sandbox, port: free_port().unwrap(), operator: None };
        let object = |kind: &str, name: &str, field: &str, content: Value| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, field: content});
        let texts = json!({"a": "x: '{{ .user }}'"});
        let token = json!({"tokenSecretRef": {"name": "token", "key": "token"}});
        scene.create(&[
            object("Secret", "token", "stringData", json!({"token": scene.token()})),
            object("Secret", "texts", "stringData", texts.clone()),
            object("ConfigMap", "texts", "data", texts),
            json!({
                "apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": "good", "namespace": NAMESPACE},
                "spec": {"provider": {"vault": {"server": scene.bao.address(), "path": "secret", "auth": token}}},
            }),
        ]);
        scene
    }

    pub(super) fn start(&mut self) {
        let flags = format!("--live-addr=127.0.0.1:{} --metrics-addr=0 --loglevel=info", self.port);
        self.operator = Some(self.sandbox.start_program(env!("CARGO_BIN_EXE_secretsync-operator"), &flags));
    }

    pub(super) fn token(&self) -> &str {
        self.bao.token()
    }

    /// Creates objects, several at once. What the API server refuses is not there then.
    pub(super) fn create(&self, objects: &[Value]) {
        let cluster = &self.cluster;
        std::thread::scope(|threads| {
            for (index, part) in objects.chunks(objects.len().div_ceil(4)).enumerate() {
                let name = format!("part-{index}.json");
                self.sandbox.file(&name, &json!({"apiVersion": "v1", "kind": "List", "items": part}).to_string());
                let path = self.sandbox.path(&name).display().to_string();
                threads.spawn(move || drop(cluster.kubectl(&["create", "--validate=false", "-f", &path])));
            }
        });
    }

    pub(super) fn replace(&self, object: &Value) {
        self.sandbox.file("one.json", &object.to_string());
        self.cluster.kubectl(&["replace", "-f", &self.sandbox.path("one.json").display().to_string()]).unwrap();
    }

    pub(super) fn delete(&self, kind: &str, name: &str) {
        // The good object asks for a finalizer on its Secret, which nobody takes off.
        let patch = r#"{"metadata":{"finalizers":null}}"#;
        self.cluster.kubectl(&["patch", kind, name, "-n", NAMESPACE, "--type=merge", "-p", patch]).unwrap();
        self.cluster.kubectl(&["delete", kind, name, "-n", NAMESPACE]).unwrap();
    }

    /// A value of a Secret; an empty text where there is none.
    pub(super) fn value(&self, secret: &str, key: &str) -> String {
        let path = format!("jsonpath={{.data.{key}}}");
        let encoded =
            self.cluster.kubectl(&["get", "secret", secret, "-n", NAMESPACE, "--ignore-not-found", "-o", &path]);
        String::from_utf8(STANDARD.decode(encoded.unwrap()).unwrap()).unwrap()
    }

    /// The statuses of all objects of a kind, by name. Their specs are too deep for a reader.
    fn statuses(&self, kind: &str) -> BTreeMap<String, Value> {
        let lines = "jsonpath={range .items[*]}{.metadata.name}{\"\\t\"}{.status}{\"\\n\"}{end}";
        let text = self.cluster.kubectl(&["get", kind, "-A", "-o", lines]).unwrap();
        let status = |line: &str| {
            let (name, status) = line.split_once('\t').unwrap();
            (name.to_owned(), serde_json::from_str(status).unwrap_or_default())
        };
        text.lines().map(status).collect()
    }

    /// The condition `Ready` of each object, by name; of a spread, with the reasons of its namespaces.
    pub(super) fn told(&self) -> BTreeMap<String, Value> {
        let ready = |(name, status): (String, Value)| {
            let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
            let mut ready = conditions.into_iter().find(|it| it["type"] == "Ready").unwrap_or_default();
            if let Some(reason) = status["failedNamespaces"][0]["reason"].as_str() {
                ready["message"] = format!("{}: {reason}", ready["message"].as_str().unwrap_or_default()).into();
            }
            (name, ready)
        };
        TELLERS.iter().flat_map(|kind| self.statuses(kind)).map(ready).collect()
    }

    /// The objects that are there and say nothing, but should.
    pub(super) fn untold(&self, broken: &[Broken]) -> Vec<String> {
        let silent: BTreeSet<_> = broken.iter().filter(|it| it.is_silent()).map(|it| it.name.clone()).collect();
        let untold = self.told().into_iter().filter(|(name, told)| told.is_null() && !silent.contains(name));
        untold.map(|(name, _)| name).collect()
    }

    /// The answer of `/healthz`: its first line.
    pub(super) fn health(&self) -> String {
        let answer = page(self.port, "/healthz");
        answer.lines().next().unwrap_or_default().to_owned()
    }

    /// All that anybody can read but Secrets and what the test itself wrote: statuses, events, the log.
    pub(super) fn everything_told(&self) -> String {
        let statuses: Vec<_> = TELLERS.iter().map(|kind| json!(self.statuses(kind)).to_string()).collect();
        let events = self.cluster.kubectl(&["get", "events", "-A", "-o", "json"]).unwrap();
        [statuses.concat(), events, self.sandbox.text(TOLD)].concat()
    }
}

/// A good ExternalSecret with every field.
pub(super) fn full(name: &str) -> Value {
    let text = external_secret().to_string().replace("app.yaml", "app").replace("\"docs\"", "\"good\"");
    let mut object: Value = serde_json::from_str(&text).unwrap();
    object["metadata"]["name"] = name.into();
    object
}
