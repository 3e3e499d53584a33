//! A namespace of the cluster, a provider in memory, and runs of the real engine over both.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use secretsync_core::access::KeyAccess;
use secretsync_core::engine::Engine;
use secretsync_core::json::Json;
use secretsync_core::memory::MemoryProvider;
use secretsync_core::provider::ProviderRegistry;
use secretsync_core::secret::{Secret, SecretObject};
use secretsync_core::sync::{ProviderKey, Sync as _, SyncReport, SyncSpec};
use secretsync_k8s::api::{ExternalSecret, parse};
use secretsync_k8s::convert::{self, StoreUse};
use secretsync_k8s::crd::definitions;
use secretsync_k8s::{KubeStore, KubeTemplates};
use serde_json::{Value, json};
use xtask::rig::cluster::{Cluster, Namespace};

pub(crate) static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| Cluster::builder().with_crds(&crds()).start().unwrap());

/// One namespace, one object `app` at the provider.
pub(crate) struct World {
    pub(crate) namespace: Namespace<'static>,
    pub(crate) client: Client,
    provider: Arc<MemoryProvider>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let namespace = CLUSTER.namespace("k8s").unwrap();
        Self { namespace, client: client("admin").await, provider: Arc::new(MemoryProvider::new("memory")) }
    }

    /// Replaces the object at the provider, or takes it away.
    pub(crate) fn source(&self, object: Option<Value>) {
        let secret =
            |object: Value| Secret::object(SecretObject::new(Json::parse(object.to_string().as_bytes()).unwrap()));
        self.provider.set("app", object.map(secret));
    }

    /// An ExternalSecret that takes all members of the object.
    pub(crate) fn manifest(&self, name: &str, target: &Value) -> Value {
        json!({
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": {"name": name, "namespace": self.namespace.name()},
            "spec": {"secretStoreRef": {"name": "memory"}, "target": target, "dataFrom": [{"extract": {"key": "app"}}]},
        })
    }

    /// An ExternalSecret that takes one member of the object.
    pub(crate) fn single(&self, name: &str, target: &Value, member: &str) -> Value {
        let mut manifest = self.manifest(name, target);
        manifest["spec"].as_object_mut().unwrap().remove("dataFrom");
        manifest["spec"]["data"] = json!([{"secretKey": member, "remoteRef": {"key": "app", "property": member}}]);
        manifest
    }

    /// One run of the engine, as a new process would do it.
    pub(crate) async fn sync(&self, manifest: &Value) -> SyncReport {
        self.engine().sync(&spec(manifest)).await
    }

    /// What a run would do.
    pub(crate) async fn plan(&self, manifest: &Value) -> SyncReport {
        self.engine().plan(&spec(manifest)).await.into_report()
    }

    pub(crate) fn engine(&self) -> Engine {
        let store = Arc::new(KubeStore::new(self.client.clone()));
        let provider: Arc<dyn secretsync_core::provider::Provider> = Arc::clone(&self.provider) as _;
        let templates = Arc::new(KubeTemplates::new(self.client.clone()));
        Engine::builder(store).provider(ProviderKey::new("memory"), provider).template_source(templates).build()
    }

    /// Applies a Secret as `manager`, by an ordinary write as most tools do.
    pub(crate) fn secret_of(&self, manager: &str, name: &str, extra: &Value) {
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
        merge(&mut secret, extra);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, secret.to_string()).unwrap();
        let path = file.path().to_str().unwrap();
        self.namespace.kubectl(&["create", "-f", path, "--field-manager", manager]).unwrap();
    }

    /// A merge patch of a Secret as another manager.
    pub(crate) fn patch(&self, name: &str, patch: &Value) {
        self.namespace
            .kubectl(&["patch", "secret", name, "--type=merge", "-p", &patch.to_string(), "--field-manager=somebody"])
            .unwrap();
    }

    /// A Secret as it is, with the record of its managers; `None` when it is gone.
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        let text = self
            .namespace
            .kubectl(&["get", "secret", name, "-o", "json", "--show-managed-fields", "--ignore-not-found"])
            .unwrap();
        (!text.is_empty()).then(|| serde_json::from_str(&text).unwrap())
    }

    /// The version of a Secret.
    pub(crate) fn version(&self, name: &str) -> String {
        self.get(name).unwrap()["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
    }

    /// Keys and values of a Secret.
    pub(crate) fn data(&self, name: &str) -> BTreeMap<String, String> {
        use base64::Engine as _;
        let decode = |value: &Value| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let secret = self.get(name).unwrap();
        let data = secret["data"].as_object().cloned().unwrap_or_default();
        data.iter().map(|(key, value)| (key.clone(), decode(value))).collect()
    }

    /// Creates an ExternalSecret in the cluster and gives its uid.
    pub(crate) fn create(&self, manifest: &Value) -> String {
        CLUSTER.apply(&manifest.to_string()).unwrap();
        let name = manifest["metadata"]["name"].as_str().unwrap();
        self.namespace.kubectl(&["get", "externalsecret", name, "-o", "jsonpath={.metadata.uid}"]).unwrap()
    }
}

pub(crate) async fn client(user: &str) -> Client {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let kubeconfig = Kubeconfig::read_from(CLUSTER.kubeconfig_of(user).unwrap()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

pub(crate) fn spec(manifest: &Value) -> SyncSpec {
    let object = parse::<ExternalSecret>(manifest.clone()).unwrap();
    let everything = StoreUse::new(ProviderKey::new("memory"), KeyAccess::everything());
    convert::sync_spec(&object, |_| Ok(everything.clone())).unwrap()
}

/// Pairs as [`World::data`] gives them.
pub(crate) fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A report in one line: outcome, reason, changed keys, error.
pub(crate) fn line(report: &SyncReport) -> String {
    let keys: Vec<_> = report.changes.keys.iter().map(|(key, change)| format!("{key} {}", change.as_str())).collect();
    let mut line = format!("{} {} [{}]", report.outcome.as_str(), report.reason.as_str(), keys.join(", "));
    if let Some(error) = &report.error {
        line.push_str(": ");
        line.push_str(&secretsync_core::error::chain(error));
    }
    line
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// Our own kinds, as JSON documents.
fn crds() -> String {
    let documents = definitions(&ProviderRegistry::new());
    let texts: Vec<_> = documents.iter().map(|definition| format!("---\n{}\n", definition.manifest())).collect();
    texts.concat()
}
