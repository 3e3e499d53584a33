//! An operator that may work in one namespace and see nothing beside it.

use crate::operator::stage::{Stage, app, until};

/// What External Secrets Operator's chart gives such an operator, as far as it is used here.
const RIGHTS: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: scoped, namespace: "@NS@"}
rules:
  - {apiGroups: [external-secrets.io], resources: [externalsecrets, secretstores], verbs: [get, list, watch]}
  - {apiGroups: [external-secrets.io], resources: [externalsecrets/status, secretstores/status, externalsecrets/finalizers], verbs: [get, update, patch]}
  - {apiGroups: [""], resources: [secrets], verbs: [get, list, watch, create, update, patch, delete]}
  - {apiGroups: [""], resources: [configmaps], verbs: [get, list, watch]}
  - {apiGroups: [""], resources: [events], verbs: [create, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: scoped, namespace: "@NS@"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: scoped}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: guest-3}]
"#;

#[test]
fn an_operator_without_any_right_beyond_its_namespace_works_there() {
    let mut stage = Stage::new("scoped");
    let kubeconfig = stage.cluster().kubeconfig_of("guest-3").unwrap();
    stage.set("KUBECONFIG", &kubeconfig.display().to_string());
    stage.servers().bao.write("secret/data/scoped", &serde_json::json!({"data": {"a": "1"}})).unwrap();
    stage.apply(RIGHTS);
    stage.apply_token();
    stage.apply(&app("scoped"));
    for cluster_stores in [false, true] {
        let flags =
            format!("--namespace={} --enable-cluster-store-reconciler={cluster_stores}", stage.namespace.name());
        let operator = stage.operator(&flags);
        until(&"1".to_owned(), || stage.value("app", "a"));
        until(&"True SecretSynced: secret synced".to_owned(), || stage.ready("externalsecret", "app"));
        drop(operator);
        stage.namespace.kubectl(&["delete", "secret", "app"]).unwrap();
    }
}

#[test]
fn events_tell_their_source() {
    let stage = Stage::new("source");
    let _operator = stage.operator("");
    stage.servers().bao.write("secret/data/scoped", &serde_json::json!({"data": {"a": "1"}})).unwrap();
    stage.apply_token();
    stage.apply(&app("scoped"));
    let source = |kind: &str| {
        let selector = format!("involvedObject.kind={kind}");
        let path = "jsonpath={range .items[*]}{.source.component} {.reason}{end}";
        stage.namespace.kubectl(&["get", "events", "--field-selector", &selector, "-o", path]).unwrap()
    };
    until(&"external-secrets Created".to_owned(), || source("ExternalSecret"));
    until(&"secret-store Valid".to_owned(), || source("SecretStore"));
}
