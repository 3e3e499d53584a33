//! One case under way: its namespace, its objects, and what is done to them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::case::Case;
use super::remote;
use super::servers::Servers;

/// One case under way.
pub(crate) struct Scene<'a> {
    pub(crate) case: &'a Case,
    pub(crate) servers: &'a Servers,
    pub(crate) namespace: String,
    tokens: Vec<(String, String)>,
    forced: usize,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(case: &'a Case, servers: &'a Servers) -> Self {
        let namespace = format!("p-{}", case.id);
        let mut tokens = servers.tokens.clone();
        tokens.extend([("@P@".to_owned(), case.id.clone()), ("@NS@".to_owned(), namespace.clone())]);
        Self { case, servers, namespace, tokens, forced: 0 }
    }

    /// Makes the namespace, the remote state, the stores and the ExternalSecrets.
    pub(crate) fn prepare(&self) {
        let labels = self.filled(self.case.get("nslabels"));
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": labels}});
        self.apply(namespace);
        for (kind, items) in members(self.case.get("remote")) {
            remote::put(self.servers, &self.case.id, kind, &self.filled(items));
        }
        self.apply(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bao-token"}, "stringData": {"token": self.text("@TOKEN@")},
        }));
        self.apply(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "aws-creds"}, "stringData": {"id": "AKIATEST", "key": "secret"},
        }));
        for store in self.case.stores() {
            self.apply(self.store(store));
        }
        for manifest in self.case.get("manifests").as_array().into_iter().flatten() {
            self.apply(self.filled(manifest));
        }
        self.external_secrets(&self.filled(self.case.get("es")));
    }

    /// Does one thing: a verb of the cases and what it works on.
    pub(crate) fn act(&mut self, act: &Value) {
        let (verb, what) = members(act).next().unwrap();
        let what = self.filled(what);
        match (verb, verb.split_once('_')) {
            ("apply", _) => what.as_array().unwrap().iter().for_each(|object| self.apply(object.clone())),
            ("es", _) => self.external_secrets(&what),
            ("sleep", _) => std::thread::sleep(Duration::from_secs(what.as_u64().unwrap())),
            ("label_ns", _) => {
                self.patch("/api/v1/namespaces", &self.namespace, &json!({"metadata": {"labels": what}}));
            }
            ("force", _) => {
                self.forced += 1;
                let patch = json!({"metadata": {"annotations": {"force-sync": format!("n{}", self.forced)}}});
                let folder = self.folder("ExternalSecret");
                what.as_array().unwrap().iter().for_each(|name| self.patch(&folder, name.as_str().unwrap(), &patch));
            }
            (_, Some(("patch", kind))) => {
                members(&what).for_each(|(name, patch)| self.patch(&self.folder(named(kind)), name, patch));
            }
            (_, Some(("delete", kind))) => {
                for name in what.as_array().unwrap() {
                    let path = format!("{}/{}", self.folder(named(kind)), name.as_str().unwrap());
                    self.servers.must("DELETE", &path, "application/json", &Value::Null);
                }
            }
            _ => remote::put(self.servers, &self.case.id, verb, &what),
        }
    }

    /// All objects of a kind in the namespace (of the cluster for kinds of the cluster).
    pub(crate) fn list(&self, kind: &str) -> Vec<Value> {
        let list = self.servers.must("GET", &self.folder(kind), "application/json", &Value::Null);
        let mut items = list["items"].as_array().cloned().unwrap_or_default();
        for item in &mut items {
            // Lists of built-in kinds leave out what they are.
            item["apiVersion"] = api_version(kind).into();
            item["kind"] = kind.into();
        }
        items
    }

    /// The Secrets as the goldens show them.
    pub(crate) fn secrets(&self) -> Map<String, Value> {
        let shown = |secret: &Value| (name(secret), shown(secret));
        self.list("Secret").iter().filter(|secret| !self.is_ours(secret)).map(shown).collect()
    }

    /// The version of each Secret and ExternalSecret.
    pub(crate) fn versions(&self) -> Map<String, Value> {
        let of = |kind: &str| -> Vec<_> {
            let objects = self.list(kind).into_iter().filter(|object| kind != "Secret" || !self.is_ours(object));
            objects
                .map(|object| (format!("{kind}/{}", name(&object)), object["metadata"]["resourceVersion"].clone()))
                .collect()
        };
        of("Secret").into_iter().chain(of("ExternalSecret")).collect()
    }

    /// Which of the objects have another version now.
    pub(crate) fn writes_since(&self, before: &Map<String, Value>) -> Value {
        let changed = |(name, version)| {
            let old = before.get(&name)?;
            Some((name, Value::Bool(*old != version)))
        };
        self.versions().into_iter().filter_map(changed).collect()
    }

    /// Whether a Secret is none of the case's.
    fn is_ours(&self, secret: &Value) -> bool {
        let name = name(secret);
        let ignored =
            self.case.get("ignore_secrets").as_array().is_some_and(|list| list.iter().any(|one| *one == *name));
        ["bao-token", "aws-creds"].contains(&&*name) || ignored
    }

    fn external_secrets(&self, specs: &Value) {
        members(specs).for_each(|(name, spec)| self.apply(external_secret(name, spec.clone(), self.case.interval())));
    }

    /// Creates or replaces an object.
    fn apply(&self, mut object: Value) {
        let kind = object["kind"].as_str().unwrap().to_owned();
        if object["apiVersion"].is_null() {
            object["apiVersion"] = api_version(&kind).into();
        }
        let folder = self.folder(&kind);
        let query = "?fieldManager=case";
        let (status, answer) = self.servers.call("POST", &format!("{folder}{query}"), "application/json", &object);
        if self.case.is_rejected(&format!("{kind}/{}", name(&object))) {
            assert_eq!(status, 422, "{kind} {}: {answer}", name(&object));
            return;
        }
        if status == 200 {
            // The schemas of the cluster take every manifest as it is.
            let lost = object.get("spec").map(|spec| crate::crd::lost(spec, &answer["spec"], ""));
            assert_eq!(lost.unwrap_or_default(), <[String; 0]>::default(), "{kind}");
            return;
        }
        assert_eq!(status, 409, "{kind} {}: {answer}", name(&object));
        let path = format!("{folder}/{}", name(&object));
        let current = self.servers.must("GET", &path, "application/json", &Value::Null);
        object["metadata"]["resourceVersion"] = current["metadata"]["resourceVersion"].clone();
        self.servers.must("PUT", &format!("{path}{query}"), "application/json", &object);
    }

    fn patch(&self, folder: &str, name: &str, changes: &Value) {
        let path = format!("{folder}/{name}?fieldManager=case");
        self.servers.must("PATCH", &path, "application/merge-patch+json", changes);
    }

    /// The path of a kind's objects.
    fn folder(&self, kind: &str) -> String {
        let version = api_version(kind);
        let group = if version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{version}") };
        let plural = format!("{}s", kind.to_lowercase());
        match kind {
            "Namespace" | "ClusterSecretStore" => format!("{group}/{plural}"),
            _ => format!("{group}/namespaces/{}/{plural}", self.namespace),
        }
    }

    /// A ready-made store.
    fn store(&self, name: &str) -> Value {
        let vault = |path: &str, version: &str| {
            let auth = json!({"tokenSecretRef": {"name": "bao-token", "key": "token"}});
            let server = self.servers.bao.address();
            json!({"vault": {"server": server, "path": path, "version": version, "auth": auth}})
        };
        let aws = |service: &str| {
            let keys = json!({
                "accessKeyIDSecretRef": {"name": "aws-creds", "key": "id"},
                "secretAccessKeySecretRef": {"name": "aws-creds", "key": "key"},
            });
            json!({"aws": {"service": service, "region": remote::REGION, "auth": {"secretRef": keys}}})
        };
        let provider = match name {
            "store" => vault("secret", "v2"),
            "kv1" => vault("kv1", "v1"),
            "team" => vault("team/kv", "v2"),
            "sm" => aws("SecretsManager"),
            "ssm" => aws("ParameterStore"),
            _ => panic!("there is no store {name}"),
        };
        json!({"kind": "SecretStore", "metadata": {"name": name}, "spec": {"provider": provider}})
    }

    /// Every token of a value, keys included, replaced by its text.
    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Array(list) => list.iter().map(|item| self.filled(item)).collect(),
            Value::Object(map) => map.iter().map(|(key, value)| (self.text(key), self.filled(value))).collect(),
            other => other.clone(),
        }
    }

    fn text(&self, text: &str) -> String {
        self.tokens.iter().fold(text.to_owned(), |text, (token, meaning)| text.replace(token, meaning))
    }
}

/// An ExternalSecret of a case: what is not said has the usual value.
fn external_secret(name: &str, spec: Value, interval: &str) -> Value {
    let Value::Object(mut spec) = spec else { panic!("the spec of {name} is no mapping") };
    let mut metadata = json!({ "name": name });
    for field in ["labels", "annotations"] {
        if let Some(texts) = spec.remove(&format!("${field}")) {
            metadata[field] = texts;
        }
    }
    spec.entry("refreshInterval").or_insert_with(|| interval.into());
    spec.entry("secretStoreRef").or_insert_with(|| json!({"name": "store", "kind": "SecretStore"}));
    let target = spec.entry("target").or_insert_with(|| json!({})).as_object_mut().unwrap();
    target.entry("name").or_insert_with(|| "target".into());
    target.retain(|_, value| value != "$none");
    spec.retain(|_, value| value != "$none");
    json!({"kind": "ExternalSecret", "metadata": metadata, "spec": spec})
}

fn api_version(kind: &str) -> &'static str {
    match kind {
        "ExternalSecret" | "SecretStore" | "ClusterSecretStore" => "external-secrets.io/v1",
        _ => "v1",
    }
}

/// The kind that a verb means.
fn named(short: &str) -> &'static str {
    match short {
        "es" => "ExternalSecret",
        "secret" => "Secret",
        "cm" => "ConfigMap",
        "store" => "SecretStore",
        "css" => "ClusterSecretStore",
        _ => panic!("unknown kind {short}"),
    }
}

/// The name of an object.
pub(crate) fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap().to_owned()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// A Secret as the goldens show it: texts decoded, the label that depends on the namespace replaced, no fields but those that a user sees.
fn shown(secret: &Value) -> Value {
    let metadata = &secret["metadata"];
    let texts = |field: &str| -> Map<String, Value> {
        let hashed = |key: &str| key == "reconcile.external-secrets.io/created-by";
        let shown =
            |(key, value): (&str, &Value)| (key.to_owned(), if hashed(key) { "<hash>".into() } else { value.clone() });
        members(&metadata[field]).map(shown).collect()
    };
    let owner = |owner: &Value| -> Map<String, Value> {
        let fields = ["apiVersion", "kind", "name", "controller", "blockOwnerDeletion"];
        fields.map(|field| (field.to_owned(), owner[field].clone())).into_iter().collect()
    };
    let owners: Vec<_> = metadata["ownerReferences"].as_array().into_iter().flatten().map(owner).collect();
    let data: Map<String, Value> =
        members(&secret["data"]).map(|(key, value)| (key.to_owned(), decoded(value))).collect();
    let mut shown = json!({
        "type": secret["type"], "data": data, "labels": texts("labels"), "annotations": texts("annotations"), "owners": owners,
    });
    if secret["immutable"] == true {
        shown["immutable"] = true.into();
    }
    if let Some(finalizers) = metadata.get("finalizers") {
        shown["finalizers"] = finalizers.clone();
    }
    shown
}

/// Text where the bytes are text, else base64 as it stands.
fn decoded(value: &Value) -> Value {
    let text = value.as_str().unwrap();
    String::from_utf8(STANDARD.decode(text).unwrap()).map_or_else(|_| json!({ "base64": text }), Value::from)
}
