//! Secrets of a real API server.

use std::sync::OnceLock;

use serde_json::{Value, json};
use xtask::rig::cluster::Cluster;
use xtask::rig::openbao::OpenBao;

use crate::sandbox::{Sandbox, data, external_secret, store};
use crate::sops;

/// One cluster for many tests; each has a namespace of its own.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start().unwrap())
}

/// A user of [`operators_cluster`] who has the operator's role.
pub(crate) const OPERATOR: &str = "operator";

/// A cluster with these definitions of the kinds, where the operator may do what `deploy/rbac.yaml` grants, and nothing else.
pub(crate) fn operators_cluster(crds: &str) -> Cluster {
    let cluster = Cluster::builder().with_user(OPERATOR, &[]).with_crds(crds).start().unwrap();
    cluster.apply(include_str!("../../../deploy/rbac.yaml")).unwrap();
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": OPERATOR},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "secretsync-operator"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": OPERATOR}],
    });
    cluster.apply(&binding.to_string()).unwrap();
    cluster
}

/// A sandbox whose manifests are in `namespace` and whose kubeconfig is the cluster's.
fn setup(namespace: &str, plain: &str, manifests: &str) -> (Sandbox, String) {
    let (recipient, secret) = sops::key();
    let mut sandbox = Sandbox::new();
    sandbox.set("KUBECONFIG", &cluster().kubeconfig().display().to_string());
    let all = format!("{}{manifests}", store("docs", sops::STORE))
        .replace("namespace: shop", &format!("namespace: {namespace}"));
    sandbox.file("age.key", &secret).file("docs/app.yaml", &sops::encrypt(plain, &recipient)).file("all.yaml", &all);
    (sandbox, recipient)
}

pub(crate) fn secret(namespace: &str, name: &str) -> Value {
    let text =
        cluster().kubectl(&["get", "secret", name, "-n", namespace, "-o", "json", "--show-managed-fields"]).unwrap();
    serde_json::from_str(&text).unwrap()
}

const SYNC: &str = "sync -f all.yaml --credential age/key.txt=file:age.key --to kubernetes";
const PLAN: &str = "plan -f all.yaml --credential age/key.txt=file:age.key --to kubernetes";

fn entries() -> String {
    data(&[("a", "app.yaml", "a"), ("b", "app.yaml", "b")])
}

#[test]
fn a_secret_is_created_kept_and_changed() {
    let namespace = cluster().namespace("cli").unwrap();
    let (sandbox, recipient) = setup(namespace.name(), "a: one\nb: two\n", &external_secret("app", "docs", &entries()));
    assert_eq!(sandbox.run(PLAN).code, 3);
    let run = sandbox.run(SYNC);
    assert_eq!(run.code, 0, "{run:?}");
    let created = secret(namespace.name(), "app");
    assert_eq!(created["data"]["a"], "b25l");
    assert_eq!(created["metadata"]["labels"]["reconcile.external-secrets.io/managed"], "true");
    assert_eq!(created["metadata"]["managedFields"][0]["manager"], "externalsecrets.external-secrets.io/app");
    assert_eq!(created["metadata"]["managedFields"][0]["operation"], "Apply");

    let again = sandbox.run(SYNC);
    assert_eq!(again.rows()[0].0, "unchanged", "{again:?}");
    assert_eq!(secret(namespace.name(), "app")["metadata"]["resourceVersion"], created["metadata"]["resourceVersion"]);
    assert_eq!(sandbox.run(PLAN).code, 0);

    sandbox.file("docs/app.yaml", &sops::encrypt("a: one\nb: changed\n", &recipient));
    let run = sandbox.run(SYNC);
    assert!(run.rows()[0].0 == "updated" && run.stdout.contains("updated b"), "{run:?}");
    assert_eq!(secret(namespace.name(), "app")["data"]["b"], "Y2hhbmdlZA==");
}

#[test]
fn an_unowned_secret_is_adopted_and_a_foreign_one_is_refused() {
    let namespace = cluster().namespace("cli").unwrap();
    let (sandbox, _) = setup(namespace.name(), "a: one\nb: two\n", &external_secret("app", "docs", &entries()));
    namespace
        .kubectl(&["create", "secret", "generic", "app", "--from-literal=mine=1", "--from-literal=a=old"])
        .unwrap();
    let run = sandbox.run(SYNC);
    assert_eq!(run.code, 0, "{run:?}");
    let data = secret(namespace.name(), "app")["data"].clone();
    assert_eq!(
        data,
        serde_json::json!({"a": "b25l", "b": "dHdv"}),
        "Owner replaces the data, as External Secrets Operator does"
    );

    namespace.kubectl(&["create", "configmap", "owner"]).unwrap();
    let uid = namespace.kubectl(&["get", "configmap", "owner", "-o", "jsonpath={.metadata.uid}"]).unwrap();
    let owner = format!(
        r#"{{"metadata":{{"ownerReferences":[{{"apiVersion":"v1","kind":"ConfigMap","name":"owner","uid":"{uid}","controller":true}}]}}}}"#
    );
    namespace.kubectl(&["patch", "secret", "app", "-p", &owner]).unwrap();
    let run = sandbox.run(SYNC);
    assert!(
        run.code == 1 && run.stderr.contains("hint[target-controlled]") && run.stdout.contains("ConfigMap"),
        "{run:?}"
    );
    assert_eq!(sandbox.run(PLAN).code, 1);
}

#[test]
fn two_syncs_merge_into_one_secret_and_a_removed_key_goes() {
    let namespace = cluster().namespace("cli").unwrap();
    let merge = "  target: {name: shared, creationPolicy: CreateOrMerge}\n";
    let one =
        external_secret("one", "docs", &format!("{merge}{}", data(&[("a", "app.yaml", "a"), ("c", "app.yaml", "b")])));
    let two = external_secret("two", "docs", &format!("{merge}{}", data(&[("b", "app.yaml", "b")])));
    let (sandbox, _) = setup(namespace.name(), "a: one\nb: two\n", &format!("{one}{two}"));
    assert_eq!(sandbox.run(SYNC).code, 0);
    assert_eq!(secret(namespace.name(), "shared")["data"].as_object().unwrap().len(), 3);
    let less = sandbox
        .text("all.yaml")
        .replace("    - secretKey: c\n      remoteRef:\n        key: app.yaml\n        property: b\n", "");
    sandbox.file("all.yaml", &less);
    let run = sandbox.run(SYNC);
    assert!(run.stdout.contains("removed c"), "{run:?}");
    let keys: Vec<_> = secret(namespace.name(), "shared")["data"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["a", "b"]);
}

#[test]
fn an_api_server_that_is_not_there_fails_the_syncs_and_an_unknown_context_stops_everything() {
    let namespace = cluster().namespace("cli").unwrap();
    let (mut sandbox, _) = setup(namespace.name(), "a: one\nb: two\n", &external_secret("app", "docs", &entries()));
    let run = sandbox.run(&format!("{SYNC}=nope"));
    assert!(run.code == 2 && run.stderr.contains("kubeconfig"), "{run:?}");
    let config = std::fs::read_to_string(cluster().kubeconfig()).unwrap();
    let nowhere = config.replace(cluster().address(), "https://127.0.0.1:1");
    sandbox.file("kubeconfig", &nowhere);
    let path = sandbox.path("kubeconfig").display().to_string();
    sandbox.set("KUBECONFIG", &path);
    let run = sandbox.run(SYNC);
    assert!(run.code == 1 && run.stderr.contains("hint[kubernetes-unavailable]"), "{run:?}");
}

#[test]
fn a_service_account_of_the_cluster_logs_in_to_openbao_and_its_secret_arrives() {
    let namespace = cluster().namespace("cli").unwrap();
    namespace.kubectl(&["create", "serviceaccount", "app"]).unwrap();
    let bao = OpenBao::start().unwrap();
    bao.write("secret/data/app", &json!({"data": {"a": "from vault"}})).unwrap();
    let policy = r#"path "secret/data/*" { capabilities = ["read"] }"#;
    bao.write("sys/policies/acl/reader", &json!({ "policy": policy })).unwrap();
    bao.write("sys/auth/kubernetes", &json!({"type": "kubernetes"})).unwrap();
    let reviewer = json!({
        "kubernetes_host": cluster().address(),
        "kubernetes_ca_cert": std::fs::read_to_string(cluster().certificate_authority()).unwrap(),
        "token_reviewer_jwt": cluster().user(xtask::rig::cluster::ADMIN).unwrap().token,
    });
    bao.write("auth/kubernetes/config", &reviewer).unwrap();
    let role = json!({"bound_service_account_names": "app", "bound_service_account_namespaces": namespace.name(),
        "audience": "vault", "token_policies": "reader"});
    bao.write("auth/kubernetes/role/app", &role).unwrap();

    let vault = format!(
        "    vault:\n      server: {}\n      path: secret\n      auth:\n        kubernetes:\n          mountPath: kubernetes\n          role: app\n          \
         serviceAccountRef: {{name: app, audiences: [vault]}}",
        bao.address()
    );
    let manifests = store("bao", &vault) + &external_secret("app", "bao", &data(&[("a", "app", "a")]));
    let (sandbox, _) = setup(namespace.name(), "a: b\n", &format!("---\n{manifests}"));
    let run = sandbox.run(SYNC);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(secret(namespace.name(), "app")["data"]["a"], "ZnJvbSB2YXVsdA==");
    let audit = bao.audit_requests().unwrap();
    let asked: Vec<_> = audit.iter().rev().take(3).rev().map(|request| request.path.as_str()).collect();
    assert_eq!(asked, ["auth/kubernetes/login", "secret/data/app", "auth/token/revoke-self"], "and nothing else");
}
