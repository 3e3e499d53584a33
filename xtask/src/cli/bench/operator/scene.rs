//! Cluster, OpenBao and objects, and the client that an operator is compared with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::api::{Server, share};
use crate::cli::root;
use crate::rig::cluster::{ADMIN, ApiRequest, Cluster};
use crate::rig::openbao::OpenBao;

/// The user that the operator and the bare client are. Bound to the role of `deploy/`.
const USER: &str = "operator";
/// As many syncs as the operator runs at once.
const CONCURRENT: usize = 64;
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const JSON: &str = "application/json";
const PATIENCE: Duration = Duration::from_mins(5);

pub(super) struct Scene {
    pub(super) objects: usize,
    cluster: Cluster,
    bao: OpenBao,
    admin: Server,
    user: Server,
    vault: Server,
    folder: TempDir,
}

impl Scene {
    pub(super) fn start(objects: usize) -> Result<Self> {
        let (cluster, bao) = std::thread::scope(|scope| {
            let bao = scope.spawn(OpenBao::start);
            let builder = Cluster::builder().with_user(USER, &[]).with_crds(&crds()).with_audit();
            let bao = bao.join().unwrap_or_else(|_| bail!("OpenBao did not start"));
            anyhow::Ok((builder.start()?, bao?))
        })?;
        let server = |user: &str| -> Result<Server> {
            let authority = cluster.certificate_authority();
            Ok(Server {
                address: cluster.address().to_owned(),
                header: ("authorization", format!("Bearer {}", cluster.user(user)?.token)),
                authority: std::fs::read(&authority)
                    .with_context(|| format!("failed to read {}", authority.display()))?,
            })
        };
        let vault = Server {
            address: bao.address().to_owned(),
            header: ("x-vault-token", bao.token().to_owned()),
            authority: Vec::new(),
        };
        let (admin, user) = (server(ADMIN)?, server(USER)?);
        let folder = tempfile::tempdir().context("failed to make a folder for logs")?;
        let scene = Self { objects, cluster, bao, admin, user, vault, folder };
        scene.set_up()?;
        Ok(scene)
    }

    fn set_up(&self) -> Result<()> {
        let role =
            std::fs::read_to_string(root().join("deploy/rbac.yaml")).context("failed to read deploy/rbac.yaml")?;
        self.cluster.apply(&role)?;
        self.cluster.kubectl(&[
            "create",
            "clusterrolebinding",
            "bench",
            "--clusterrole=secretsync-operator",
            "--user=operator",
        ])?;
        self.cluster.kubectl(&["create", "serviceaccount", "app"])?;
        self.cluster.kubectl(&["create", "serviceaccount", "reviewer"])?;
        self.cluster.kubectl(&[
            "create",
            "clusterrolebinding",
            "reviewer",
            "--clusterrole=system:auth-delegator",
            "--serviceaccount=default:reviewer",
        ])?;
        let reviewer = self.cluster.kubectl(&["create", "token", "reviewer", "--duration=24h"])?;
        let authority =
            std::fs::read_to_string(self.cluster.certificate_authority()).context("failed to read a certificate")?;
        let write = |path: &str, body: Value| self.bao.write(path, &body).map(drop);
        write("sys/policies/acl/app", json!({"policy": "path \"secret/*\" { capabilities = [\"read\", \"list\"] }"}))?;
        write("sys/auth/kubernetes", json!({"type": "kubernetes"}))?;
        write(
            "auth/kubernetes/config",
            json!({"kubernetes_host": self.cluster.address(), "kubernetes_ca_cert": authority, "token_reviewer_jwt": reviewer.trim()}),
        )?;
        write(
            "auth/kubernetes/role/app",
            json!({"bound_service_account_names": ["app"], "bound_service_account_namespaces": ["default"], "policies": ["app"], "ttl": "1h"}),
        )?;
        share(8, self.objects, || {
            let vault = self.vault.connect();
            move |n| {
                let body = json!({"data": {"user": format!("user-{n}"), "password": format!("password {n}")}});
                vault.send("POST", &format!("/v1/secret/data/many/{n}"), JSON, &body).map(drop)
            }
        })?;
        let auth = json!({"kubernetes": {"mountPath": "kubernetes", "role": "app", "serviceAccountRef": {"name": "app", "namespace": "default"}}});
        let vault = json!({"server": self.bao.address(), "path": "secret", "version": "v2", "auth": auth});
        let store = json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": "bao"}, "spec": {"provider": {"vault": vault}},
        });
        self.cluster.apply(&store.to_string()).map(drop)
    }

    /// One ExternalSecret for each object, in a namespace of their own; those of earlier namespaces go.
    pub(super) fn fill(&self, namespace: &str) -> Result<()> {
        let admin = self.admin.connect();
        let listed: Value = serde_json::from_str(&admin.send(
            "GET",
            "/apis/external-secrets.io/v1/externalsecrets",
            JSON,
            &Value::Null,
        )?)?;
        let mut used: Vec<_> = listed["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| item["metadata"]["namespace"].as_str())
            .collect();
        used.dedup();
        for namespace in used {
            for folder in [
                format!("/apis/external-secrets.io/v1/namespaces/{namespace}/externalsecrets"),
                format!("/api/v1/namespaces/{namespace}/secrets"),
            ] {
                admin.send("DELETE", &folder, JSON, &Value::Null)?;
            }
        }
        self.cluster.kubectl(&["create", "namespace", namespace])?;
        share(16, self.objects, || {
            let admin = self.admin.connect();
            move |n| admin.send("POST", &folder(namespace), JSON, &manifest(&format!("s{n}"), n)).map(drop)
        })
    }

    /// One more ExternalSecret.
    pub(super) fn add(&self, namespace: &str, name: &str) -> Result<()> {
        self.admin.connect().send("POST", &folder(namespace), JSON, &manifest(name, 0)).map(drop)
    }

    /// How long a client takes that does nothing but read each object and apply its Secret, and where that is asked for, write its status; in seconds.
    pub(super) fn bare(&self, namespace: &str, told: bool) -> Result<f64> {
        self.fill(namespace)?;
        let started = Instant::now();
        share(CONCURRENT, self.objects, || {
            let (vault, api) = (self.vault.connect(), self.user.connect());
            move |n| {
                let name = format!("s{n}");
                let read: Value = serde_json::from_str(&vault.send(
                    "GET",
                    &format!("/v1/secret/data/many/{n}"),
                    JSON,
                    &Value::Null,
                )?)?;
                let secret = secret(&name, &read["data"]["data"]);
                let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}?fieldManager=bare&force=false");
                api.send("PATCH", &path, APPLY, &secret)?;
                if told {
                    api.send("PATCH", &format!("{}/{name}/status", folder(namespace)), MERGE, &status(&name))?;
                }
                Ok(())
            }
        })?;
        Ok(started.elapsed().as_secs_f64())
    }

    /// What the operator has asked of the API server since a moment.
    pub(super) fn calls_since(&self, began: Timestamp) -> Result<Vec<ApiRequest>> {
        let mut requests = self.cluster.api_requests()?;
        requests.retain(|request| request.at >= began && request.user == USER);
        Ok(requests)
    }

    /// How many objects were read from OpenBao so far, and how many logins there were.
    pub(super) fn provider_calls(&self) -> Result<(usize, usize)> {
        let requests = self.bao.audit_requests()?;
        let reads =
            requests.iter().filter(|request| request.operation == "read" && request.path.starts_with("secret/data/"));
        let logins = requests.iter().filter(|request| request.path == "auth/kubernetes/login");
        Ok((reads.count(), logins.count()))
    }

    /// The version of each Secret that is managed: it changes with each write that changes something.
    pub(super) fn versions(&self) -> Result<BTreeSet<(String, String)>> {
        let path = "/api/v1/secrets?labelSelector=reconcile.external-secrets.io/managed%3Dtrue";
        let list: Value = serde_json::from_str(&self.admin.connect().send("GET", path, JSON, &Value::Null)?)?;
        let text = |metadata: &Value, name: &str| metadata[name].as_str().unwrap_or_default().to_owned();
        let secrets = list["items"].as_array().into_iter().flatten().map(|secret| &secret["metadata"]);
        Ok(secrets.map(|metadata| (text(metadata, "uid"), text(metadata, "resourceVersion"))).collect())
    }

    /// Looks now and then until something is there. Seldom, because looking costs time that is measured.
    pub(super) fn wait<T>(&self, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        let started = Instant::now();
        loop {
            std::thread::sleep(Duration::from_secs(1));
            if let Some(found) = look()? {
                return Ok(found);
            }
            if started.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(self.folder().join("operator.log")).unwrap_or_default();
                bail!("the operator did not finish; it said: {}", log.chars().take(2000).collect::<String>());
            }
        }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn operator_kubeconfig(&self) -> Result<PathBuf> {
        self.cluster.kubeconfig_of(USER)
    }
}

fn folder(namespace: &str) -> String {
    format!("/apis/external-secrets.io/v1/namespaces/{namespace}/externalsecrets")
}

fn manifest(name: &str, n: usize) -> Value {
    let data = |key: &str| json!({"secretKey": key, "remoteRef": {"key": format!("many/{n}"), "property": key}});
    json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": name},
        "spec": {
            "refreshInterval": "30s",
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": "bao"},
            "target": {"name": name},
            "data": [data("user"), data("password")],
        },
    })
}

/// A Secret of the size that the operator writes.
fn secret(name: &str, data: &Value) -> Value {
    let labels = json!({"reconcile.external-secrets.io/managed": "true", "reconcile.external-secrets.io/created-by": "a".repeat(56)});
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": labels}, "stringData": data})
}

/// A status of the size that the operator writes.
fn status(name: &str) -> Value {
    let ready = json!({
        "type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced", "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    json!({"status": {
        "conditions": [ready], "refreshTime": "2026-01-01T00:00:00Z", "syncedResourceVersion": format!("1-{}", "b".repeat(56)), "binding": {"name": name},
    }})
}

/// The kinds with every field open.
fn crds() -> String {
    let kinds = [("ExternalSecret", "Namespaced"), ("SecretStore", "Namespaced"), ("ClusterSecretStore", "Cluster")];
    let crds = kinds.map(|(kind, scope)| {
        let singular = kind.to_lowercase();
        let version = json!({
            "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
        });
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("{singular}s.external-secrets.io")},
            "spec": {
                "group": "external-secrets.io", "scope": scope, "versions": [version],
                "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": format!("{singular}s"), "singular": singular},
            },
        })
    });
    crds.map(|crd| format!("---\n{crd}\n")).concat()
}
