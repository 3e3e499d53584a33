//! A namespace with an operator of its own: it leaves alone what bears another class.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use xtask::rig::cluster::{Cluster, Namespace};
use xtask::rig::openbao::OpenBao;
use xtask::rig::postgres::Postgres;

use crate::kubernetes::{OPERATOR, operators_cluster};
use crate::sandbox::{Running, Sandbox};

/// Servers for all tests: an OpenBao with KV at `secret/` and a database engine over `PostgreSQL`.
pub(crate) struct Servers {
    pub(crate) bao: OpenBao,
    pub(crate) postgres: Postgres,
}

static SERVERS: LazyLock<Servers> = LazyLock::new(|| {
    let (bao, postgres) = (OpenBao::start().unwrap(), Postgres::start().unwrap());
    postgres.connect(&bao).unwrap();
    Servers { bao, postgres }
});

/// The cluster with every field open.
static OPEN: LazyLock<Cluster> = LazyLock::new(|| operators_cluster(&crds()));
/// Clusters whose schemas drop what they do not know.
static OURS: LazyLock<Cluster> = LazyLock::new(|| operators_cluster(&crate::crd::printed("")));
static THEIRS: LazyLock<Cluster> = LazyLock::new(|| operators_cluster(&crate::parity::crds()));

/// What one test has of its own.
pub(crate) struct Stage {
    pub(crate) namespace: Namespace<'static>,
    cluster: &'static Cluster,
    servers: &'static Servers,
    sandbox: Sandbox,
}

impl Stage {
    pub(crate) fn new(prefix: &str) -> Self {
        Self::on(&OPEN, prefix)
    }

    /// On the definitions that our program prints.
    pub(crate) fn on_our_kinds(prefix: &str) -> Self {
        Self::on(&OURS, prefix)
    }

    /// On External Secrets Operator's definitions.
    pub(crate) fn on_their_kinds(prefix: &str) -> Self {
        Self::on(&THEIRS, prefix)
    }

    fn on(cluster: &'static Cluster, prefix: &str) -> Self {
        let namespace = cluster.namespace(prefix).unwrap();
        let mut sandbox = Sandbox::new();
        sandbox.set("KUBECONFIG", &cluster.kubeconfig_of(OPERATOR).unwrap().display().to_string());
        Self { namespace, cluster, servers: &SERVERS, sandbox }
    }

    pub(crate) fn cluster(&self) -> &'static Cluster {
        self.cluster
    }

    /// Sets a variable of the operators that start from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.sandbox.set(name, value);
    }

    pub(crate) fn servers(&self) -> &'static Servers {
        self.servers
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Starts an operator of the class that is called as the namespace. It serves no pages and tells little unless the flags say otherwise.
    pub(crate) fn operator(&self, flags: &str) -> Running {
        let class = format!("--controller-class={}", self.namespace.name());
        let usual = ["--live-addr=0", "--metrics-addr=0", "--loglevel=error"];
        let usual = usual.into_iter().filter(|flag| !flags.contains(flag.split('=').next().unwrap()));
        let flags = usual.chain([class.as_str(), flags]).collect::<Vec<_>>().join(" ");
        self.sandbox.start_program(env!("CARGO_BIN_EXE_secretsync-operator"), &flags)
    }

    /// Applies manifests. `@NS@` stands for the namespace and the class, `@BAO@` for the address of OpenBao.
    pub(crate) fn apply(&self, yaml: &str) {
        let yaml = yaml.replace("@NS@", self.namespace.name()).replace("@BAO@", self.servers.bao.address());
        self.cluster.apply(&yaml).unwrap();
    }

    /// Applies the Secret with the token of [`VAULT`], which may do everything.
    pub(crate) fn apply_token(&self) {
        self.apply(&secret("token", &json!({"token": self.servers.bao.token()})));
    }

    /// An object of the namespace; `null` when it is gone.
    pub(crate) fn get(&self, kind: &str, name: &str) -> Value {
        let text = self.namespace.kubectl(&["get", kind, name, "-o", "json", "--ignore-not-found"]).unwrap();
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    /// A value of a Secret, as text; an empty one where there is none.
    pub(crate) fn value(&self, secret: &str, key: &str) -> String {
        let encoded = self.get("secret", secret)["data"][key].as_str().unwrap_or_default().to_owned();
        String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
    }

    /// The condition `Ready` of an object, as `True SecretSynced: secret synced`.
    pub(crate) fn ready(&self, kind: &str, name: &str) -> String {
        let object = self.get(kind, name);
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.into_iter().find(|condition| condition["type"] == "Ready").unwrap_or_default();
        let text = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
        format!("{} {}: {}", text("status"), text("reason"), text("message"))
    }

    /// Users that the database engine made for a role.
    pub(crate) fn database_users(&self, role: &str) -> usize {
        let statement = format!("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%-{role}-%'");
        self.servers.postgres.query(&statement).unwrap().len()
    }

    /// Waits until a lease is renewed.
    pub(crate) fn until_renewed(&self, lease: &str) {
        let before = self.last_renewal(lease);
        until(&true, || self.last_renewal(lease) != before);
    }

    fn last_renewal(&self, lease: &str) -> String {
        let body = json!({ "lease_id": lease });
        let found = self.servers.bao.write("sys/leases/lookup", &body).unwrap();
        found["data"]["last_renewal"].as_str().unwrap_or_default().to_owned()
    }

    /// How often something was asked of OpenBao.
    pub(crate) fn asked(&self, path: &str) -> usize {
        let requests = self.servers.bao.audit_requests().unwrap();
        requests.iter().filter(|request| request.path == path).count()
    }
}

/// The provider of a store that reads what is below `secret/` of OpenBao, with the token of the Secret `token`.
pub(crate) const VAULT: &str =
    "vault: {server: '@BAO@', path: secret, version: v2, auth: {tokenSecretRef: {name: token, key: token}}}";

/// The provider of a store that reads any path, with the same token.
pub(crate) fn any_path() -> String {
    VAULT.replace("path: secret, version: v2", "version: v1")
}

/// A SecretStore with this provider, in one line. It is tried again when something changes, not before an hour has passed.
pub(crate) fn store(name: &str, provider: &str) -> String {
    format!(
        "
---
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {{name: {name}, namespace: '@NS@'}}
spec:
  controller: '@NS@'
  refreshInterval: 3600
  provider:
    {provider}
"
    )
}

/// The store `store` on [`VAULT`], and the ExternalSecret `app` with everything at a key of it.
pub(crate) fn app(key: &str) -> String {
    format!(
        "{}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {{name: app, namespace: '@NS@'}}
spec:
  secretStoreRef: {{name: store}}
  dataFrom: [{{extract: {{key: {key}}}}}]
",
        store("store", VAULT)
    )
}

/// A Secret.
pub(crate) fn secret(name: &str, data: &Value) -> String {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "@NS@"}, "stringData": data})
        .to_string()
}

/// What a page of an operator on this machine says, with its headers; an empty text where nobody answers.
pub(crate) fn page(port: u16, path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return String::new() };
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Waits until something is as it should be.
pub(crate) fn until<T: PartialEq + std::fmt::Debug>(expected: &T, look: impl Fn() -> T) {
    let found = wait(look, |found| found == expected);
    assert_eq!(found, *expected);
}

/// Waits until a text has a part.
pub(crate) fn until_told(part: &str, look: impl Fn() -> String) {
    let found = wait(look, |found| found.contains(part));
    assert!(found.contains(part), "{part} in {found}");
}

/// Looks again and again, a minute at most.
fn wait<T>(look: impl Fn() -> T, good: impl Fn(&T) -> bool) -> T {
    let began = Instant::now();
    loop {
        let found = look();
        if good(&found) || began.elapsed() > Duration::from_mins(1) {
            return found;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The kinds with every field open: here `convert` enforces the rules.
pub(crate) fn crds() -> String {
    let (group, namespaced) = ("external-secrets.io", "Namespaced");
    [
        open_kind(group, "v1", "ExternalSecret", namespaced),
        open_kind(group, "v1", "SecretStore", namespaced),
        open_kind(group, "v1", "ClusterSecretStore", "Cluster"),
        open_kind("generators.external-secrets.io", "v1alpha1", "VaultDynamicSecret", namespaced),
    ]
    .concat()
}

/// The definition of a kind that takes everything.
pub(crate) fn open_kind(group: &str, version: &str, kind: &str, scope: &str) -> String {
    let singular = kind.to_lowercase();
    format!(
        "---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {singular}s.{group}}}
spec:
  group: {group}
  names: {{kind: {kind}, listKind: {kind}List, plural: {singular}s, singular: {singular}}}
  scope: {scope}
  versions:
    - name: {version}
      served: true
      storage: true
      subresources: {{status: {{}}}}
      schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"
    )
}
