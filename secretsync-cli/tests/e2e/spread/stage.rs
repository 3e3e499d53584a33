//! A ClusterExternalSecret in a cluster, and an operator there.

use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xtask::rig::cluster::Cluster;

use crate::kubernetes::{self, operators_cluster};
use crate::sandbox::{Running, Sandbox};

/// The cluster that tests share.
static SHARED: LazyLock<Cluster> = LazyLock::new(cluster);

/// The operator in it, as long as somebody needs it: one works on all ClusterExternalSecrets of a cluster.
static OPERATOR: Mutex<Weak<Operator>> = Mutex::new(Weak::new());

/// An operator at work.
pub(crate) struct Operator {
    _sandbox: Sandbox,
    _running: Mutex<Running>,
}

/// One test's part of a cluster.
pub(crate) struct Stage {
    name: String,
    cluster: Own,
    _operator: Option<Arc<Operator>>,
}

/// Whose a cluster is.
enum Own {
    Shared,
    Mine(Box<Cluster>),
}

fn cluster() -> Cluster {
    operators_cluster(&crate::crd::printed(""))
}

fn start(cluster: &Cluster) -> Operator {
    let mut sandbox = Sandbox::new();
    sandbox.set("KUBECONFIG", &cluster.kubeconfig_of(kubernetes::OPERATOR).unwrap().display().to_string());
    let flags = "--live-addr=0 --metrics-addr=0 --loglevel=error";
    let running = sandbox.start_program(env!("CARGO_BIN_EXE_secretsync-operator"), flags);
    Operator { _sandbox: sandbox, _running: Mutex::new(running) }
}

impl Stage {
    /// A part of the shared cluster, with the operator at work. `name` is that of the ClusterExternalSecret.
    pub(crate) fn new(name: &str) -> Self {
        let mut known = OPERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        let operator = known.upgrade().unwrap_or_else(|| Arc::new(start(&SHARED)));
        *known = Arc::downgrade(&operator);
        Self { name: name.to_owned(), cluster: Own::Shared, _operator: Some(operator) }
    }

    /// A cluster of its own, without an operator.
    pub(crate) fn alone(name: &str) -> Self {
        Self { name: name.to_owned(), cluster: Own::Mine(Box::new(cluster())), _operator: None }
    }

    /// An operator for a cluster of its own.
    pub(crate) fn operator(&self) -> Operator {
        start(self.cluster())
    }

    fn cluster(&self) -> &Cluster {
        match &self.cluster {
            Own::Shared => &SHARED,
            Own::Mine(cluster) => cluster,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The key of the label by which namespaces are selected.
    pub(crate) fn label(&self) -> String {
        format!("{}/team", self.name)
    }

    /// A new namespace of this test with this value of the label.
    pub(crate) fn namespace(&self, team: &str) -> String {
        let namespace = self.cluster().namespace(&self.name).unwrap();
        let name = namespace.name().to_owned();
        // It stays as long as the cluster.
        std::mem::forget(namespace);
        self.label_namespace(&name, team);
        name
    }

    pub(crate) fn label_namespace(&self, namespace: &str, team: &str) {
        let label = format!("{}={team}", self.label());
        self.kubectl(&["label", "namespace", namespace, "--overwrite", &label]);
    }

    /// Creates the ClusterExternalSecret. The ExternalSecrets use a store that is not there: only they themselves are of interest.
    pub(crate) fn create(&self, spec: &Value) {
        let made = json!({"secretStoreRef": {"name": "absent"}, "dataFrom": [{"extract": {"key": "x"}}]});
        let mut whole = json!({ "externalSecretSpec": made });
        for (name, value) in spec.as_object().unwrap() {
            whole[name] = value.clone();
        }
        self.apply(&json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "metadata": {"name": self.name}, "spec": whole,
        }));
    }

    /// The ClusterExternalSecret as it is.
    pub(crate) fn asked(&self) -> Value {
        self.get("ces", &self.name, "")
    }

    pub(crate) fn patch(&self, change: &Value) {
        self.kubectl(&["patch", "ces", &self.name, "--type=merge", "-p", &change.to_string()]);
    }

    pub(crate) fn apply(&self, object: &Value) {
        self.cluster().apply(&object.to_string()).unwrap();
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster().kubectl(arguments).unwrap()
    }

    pub(crate) fn delete(&self, kind: &str, name: &str) {
        self.kubectl(&["delete", kind, name, "--wait=false"]);
    }

    /// An object; `null` when it is gone.
    pub(crate) fn get(&self, kind: &str, name: &str, namespace: &str) -> Value {
        let place = if namespace.is_empty() { "default" } else { namespace };
        let text = self.kubectl(&[
            "get",
            kind,
            name,
            "-n",
            place,
            "-o",
            "json",
            "--show-managed-fields",
            "--ignore-not-found",
        ]);
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    /// Waits until these namespaces are provisioned, and these failed.
    pub(crate) fn until_settled(&self, provisioned: &[&str], failed: &Value) {
        let mut names = provisioned.to_vec();
        names.sort_unstable();
        let names = if names.is_empty() { Value::Null } else { json!(names) };
        self.until(&json!([names, failed, failed.is_null()]), || {
            let status = &self.asked()["status"];
            json!([
                status["provisionedNamespaces"],
                status["failedNamespaces"],
                status["conditions"][0]["status"] == "True"
            ])
        });
    }

    /// Waits until something is as it should be, a minute at most.
    pub(crate) fn until(&self, expected: &Value, look: impl Fn() -> Value) {
        let began = Instant::now();
        loop {
            let found = look();
            if found == *expected || began.elapsed() > Duration::from_mins(1) {
                assert_eq!(found, *expected, "{}", self.asked());
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
