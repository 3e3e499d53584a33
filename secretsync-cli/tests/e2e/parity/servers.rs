//! The servers that all cases share.

use std::time::Duration;

use http::Request;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use xtask::rig::cluster::Cluster;
use xtask::rig::moto::Moto;
use xtask::rig::openbao::OpenBao;

use super::case;
use crate::sandbox::Sandbox;

/// Whose kinds a cluster knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kinds {
    /// Ours, as the program prints them.
    Ours,
    /// External Secrets Operator's, as its specification has them.
    Theirs,
}

/// A cluster, an OpenBao whose logins know it, and AWS.
pub(crate) struct Servers {
    pub(crate) cluster: Cluster,
    pub(crate) bao: OpenBao,
    pub(crate) moto: Moto,
    pub(crate) kinds: Kinds,
    runtime: Runtime,
    client: kube::Client,
    /// Texts that stand for tokens in every case.
    pub(crate) tokens: Vec<(String, String)>,
}

impl Servers {
    pub(crate) fn start(kinds: Kinds) -> Self {
        let crds = match kinds {
            Kinds::Ours => crate::crd::printed(""),
            Kinds::Theirs => case::crds(),
        };
        let (cluster, bao, moto) = std::thread::scope(|threads| {
            let bao = threads.spawn(|| OpenBao::start().unwrap());
            let moto = threads.spawn(|| Moto::start().unwrap());
            (Cluster::builder().with_crds(&crds).start().unwrap(), bao.join().unwrap(), moto.join().unwrap())
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = runtime.block_on(async {
            drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
            let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
            let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
            kube::Client::try_from(config).unwrap()
        });
        let mut servers = Self { cluster, bao, moto, kinds, runtime, client, tokens: case::fixtures() };
        servers.set_up();
        servers
    }

    /// One call of the API server: the status and what came with it.
    pub(crate) fn call(&self, method: &str, path: &str, content: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request::builder().method(method).uri(path).header("content-type", content).body(body).unwrap();
        let patience = Duration::from_mins(1);
        let answer = self
            .runtime
            .block_on(async { tokio::time::timeout(patience, self.client.request::<Value>(request)).await.unwrap() });
        match answer {
            Ok(answer) => (200, answer),
            Err(kube::Error::Api(status)) => (status.code, status.message.into()),
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }

    /// Leads a subject's calls to AWS here, by the variables that External Secrets Operator has.
    pub(crate) fn lead_to_aws(&self, sandbox: &mut Sandbox) {
        for service in ["SECRETSMANAGER", "SSM", "STS"] {
            sandbox.set(&format!("AWS_{service}_ENDPOINT"), self.moto.address());
        }
    }

    /// A call that must succeed.
    pub(crate) fn must(&self, method: &str, path: &str, content: &str, body: &Value) -> Value {
        let (status, answer) = self.call(method, path, content, body);
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    /// Mounts, policies and logins as they were when the goldens were recorded.
    fn set_up(&mut self) {
        let write = |path: &str, body: Value| self.bao.write(path, &body).unwrap();
        write("sys/mounts/team/kv", json!({"type": "kv", "options": {"version": "2"}}));
        let read = |path: &str| format!("path \"{path}/*\" {{ capabilities = [\"read\", \"list\"] }}\n");
        let rules = ["secret", "kv1", "team/kv"].map(read).concat();
        let denied = "path \"secret/data/denied/*\" { capabilities = [\"deny\"] }";
        write("sys/policies/acl/app", json!({ "policy": rules + denied }));
        write("sys/policies/acl/none", json!({"policy": "path \"nothing/*\" { capabilities = [\"read\"] }"}));
        write("secret/data/denied/x", json!({"data": {"a": "b"}}));
        let token = |policy: &str| {
            let answer = write("auth/token/create", json!({"policies": [policy], "ttl": "24h", "no_parent": true}));
            answer["auth"]["client_token"].as_str().unwrap().to_owned()
        };
        write("sys/auth/kubernetes", json!({"type": "kubernetes"}));
        let authority = std::fs::read_to_string(self.cluster.certificate_authority()).unwrap();
        let login = json!({
            "kubernetes_host": self.cluster.address(), "kubernetes_ca_cert": authority, "token_reviewer_jwt": self.reviewer(),
        });
        write("auth/kubernetes/config", login);
        let bound = json!({
            "bound_service_account_names": ["app"], "bound_service_account_namespaces": ["*"], "policies": ["app"], "ttl": "1h",
        });
        write("auth/kubernetes/role/app", bound);
        write("sys/auth/approle", json!({"type": "approle"}));
        write("auth/approle/role/app", json!({"policies": ["app"], "token_ttl": "1h", "token_num_uses": 10}));
        write("sys/auth/userpass", json!({"type": "userpass"}));
        write("auth/userpass/users/eso", json!({"password": "let me in", "token_policies": ["app"]}));
        let role = self.bao.read("auth/approle/role/app/role-id").unwrap();
        let tokens = [
            ("@K253@", "k".repeat(253)),
            ("@K254@", "k".repeat(254)),
            ("@BAO@", self.bao.address().to_owned()),
            ("@TOKEN@", token("app")),
            ("@NOPOLICYTOKEN@", token("none")),
            ("@ROLEID@", role["data"]["role_id"].as_str().unwrap().to_owned()),
        ];
        self.tokens.extend(tokens.map(|(token, text)| (token.to_owned(), text)));
    }

    /// A token of an account that may review tokens.
    fn reviewer(&self) -> String {
        let binding = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: reviewer, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reviewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'system:auth-delegator'}
subjects: [{kind: ServiceAccount, name: reviewer, namespace: default}]
";
        self.cluster.apply(binding).unwrap();
        self.cluster.kubectl(&["create", "token", "reviewer", "-n", "default", "--duration=24h"]).unwrap()
    }
}
