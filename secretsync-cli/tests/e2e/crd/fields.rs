//! Field by field: what is stored, what is refused, and which defaults are written.

use std::path::Path;

use serde_json::{Value, json};

use super::lost;
use super::objects::{refusals, stored};

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "external-secrets.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// An ExternalSecret with every field.
fn every_field() -> Value {
    let reference = json!({
        "key": "a", "property": "b", "version": "1", "conversionStrategy": "Unicode", "decodingStrategy": "Auto",
        "metadataPolicy": "Fetch", "nullBytePolicy": "Fail",
    });
    let store = json!({"storeRef": {"name": "other", "kind": "SecretStore"}});
    let generator = json!({"generatorRef": {"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "name": "pw"}});
    let merge = json!({"conflictPolicy": "Ignore", "into": "all", "priority": ["a"], "priorityPolicy": "IgnoreNotFound", "strategy": "JSON"});
    let items = json!({"name": "texts", "items": [{"key": "a.txt", "templateAs": "KeysAndValues"}]});
    json!({
        "secretStoreRef": {"name": "vault", "kind": "ClusterSecretStore"},
        "refreshInterval": "1h", "refreshPolicy": "Periodic", "suspend": true,
        "syncWindows": {"kind": "deny", "windows": [{"schedule": "0 22 * * 1-5", "duration": "8h"}]},
        "data": [{"secretKey": "k", "remoteRef": reference, "sourceRef": store, "onMissing": "Skip"}],
        "dataFrom": [
            {"extract": reference, "sourceRef": store, "onMissing": "Keep",
             "rewrite": [{"merge": merge}, {"regexp": {"source": "a", "target": "b"}}, {"transform": {"template": "{{ .value }}"}}]},
            {"find": {"conversionStrategy": "Default", "decodingStrategy": "Base64URL", "name": {"regexp": "x"}, "nullBytePolicy": "Ignore",
                      "path": "p", "tags": {"a": "b"}}},
            {"sourceRef": generator},
        ],
        "target": {
            "name": "target", "creationPolicy": "Owner", "deletionPolicy": "Delete", "immutable": true,
            "manifest": {"apiVersion": "v1", "kind": "Secret"},
            "keepPrevious": {"for": "1h"}, "restart": [{"kind": "Deployment"}],
            "template": {
                "type": "Opaque", "engineVersion": "v2", "mergePolicy": "Merge", "data": {"k": "{{ .k }}"},
                "metadata": {"annotations": {"a": "b"}, "finalizers": ["a/b"], "labels": {"a": "b"}},
                "templateFrom": [
                    {"configMap": items, "target": "Data", "valuesDecodingStrategy": "None"},
                    {"secret": items, "target": "annotations"},
                    {"literal": "a: b", "target": "Labels"},
                ],
            },
        },
    })
}

/// Every one of the objects that come from changing one field of a spec.
fn changed(kind: &str, spec: &Value, changes: &[(&str, Value)]) -> Vec<Value> {
    let change = |(index, (pointer, value)): (usize, &(&str, Value))| {
        let mut spec = spec.clone();
        *spec.pointer_mut(pointer).unwrap_or_else(|| panic!("no field {pointer}")) = value.clone();
        object(kind, &format!("case-{index:03}"), &spec)
    };
    changes.iter().enumerate().map(change).collect()
}

fn assert_all_stored(objects: &[Value]) {
    for (sent, stored) in objects.iter().zip(stored(objects)) {
        assert_eq!(lost(&sent["spec"], &stored["spec"], ""), <[String; 0]>::default(), "{sent}");
    }
}

fn assert_all_refused(kind: &str, spec: &Value, changes: &[(&str, Value)]) {
    let objects = changed(kind, spec, changes);
    let accepted: Vec<_> = refusals(&objects)
        .iter()
        .zip(changes)
        .filter(|(told, _)| told.is_empty())
        .map(|(_, change)| change.clone())
        .collect();
    assert!(accepted.is_empty(), "accepted: {accepted:?}");
}

#[test]
fn every_field_of_an_external_secret_takes_every_value_of_its_table() {
    let mut changes = vec![("/suspend", json!(false))];
    let mut each =
        |pointer: &'static str, values: &[&str]| changes.extend(values.iter().map(|value| (pointer, json!(value))));
    for pointer in ["/data/0/remoteRef/conversionStrategy", "/dataFrom/1/find/conversionStrategy"] {
        each(pointer, &["Default", "Unicode"]);
    }
    for pointer in [
        "/data/0/remoteRef/decodingStrategy",
        "/dataFrom/0/extract/decodingStrategy",
        "/target/template/templateFrom/0/valuesDecodingStrategy",
    ] {
        each(pointer, &["Auto", "Base64", "Base64URL", "None"]);
    }
    each("/data/0/remoteRef/metadataPolicy", &["None", "Fetch"]);
    each("/data/0/remoteRef/nullBytePolicy", &["Ignore", "Fail"]);
    each("/data/0/onMissing", &["Fail", "Skip", "Keep"]);
    each("/data/0/secretKey", &["a", "A.b_c-1", &"k".repeat(253)]);
    each("/data/0/sourceRef/storeRef/kind", &["SecretStore", "ClusterSecretStore"]);
    each("/dataFrom/0/rewrite/0/merge/conflictPolicy", &["Error", "Ignore"]);
    each("/dataFrom/0/rewrite/0/merge/priorityPolicy", &["Strict", "IgnoreNotFound"]);
    each("/dataFrom/0/rewrite/0/merge/strategy", &["Extract", "JSON"]);
    each("/dataFrom/2/sourceRef/generatorRef/kind", GENERATORS);
    each("/refreshInterval", &["0", "1h30m", "15s", "1h0m0s"]);
    each("/refreshPolicy", &["CreatedOnce", "Periodic", "OnChange"]);
    each("/secretStoreRef/name", &["a", "a.b-c", &"s".repeat(253)]);
    each("/syncWindows/kind", &["allow", "deny"]);
    let schedules =
        ["* * * * *", "@daily", "@every 1h", "@yearly", "@annually", "@monthly", "@weekly", "@midnight", "@hourly"];
    each("/syncWindows/windows/0/schedule", &schedules);
    each("/target/creationPolicy", &["Owner", "Orphan"]);
    each("/target/deletionPolicy", &["Delete", "Merge", "Retain"]);
    each("/target/template/mergePolicy", &["Replace", "Merge"]);
    each("/target/template/type", &["", "kubernetes.io/tls", "kubernetes.io/dockerconfigjson"]);
    each("/target/template/templateFrom/0/target", &["Data", "ANNOTATIONS", "labels", "spec.config"]);
    each("/target/template/templateFrom/0/configMap/items/0/templateAs", &["Values", "KeysAndValues"]);
    assert_all_stored(&changed("ExternalSecret", &every_field(), &changes));
    let mut spec = every_field();
    spec["target"]["deletionPolicy"] = "Retain".into();
    let policies = ["Merge", "None", "CreateOrMerge"].map(|policy| ("/target/creationPolicy", json!(policy)));
    assert_all_stored(&changed("ExternalSecret", &spec, &policies));
}

#[test]
fn every_field_of_an_external_secret_refuses_what_its_table_excludes() {
    let mut changes = Vec::new();
    let mut each =
        |pointer: &'static str, values: &[Value]| changes.extend(values.iter().map(|value| (pointer, value.clone())));
    let words = [json!("other"), json!(""), json!(1)];
    for pointer in [
        "/data/0/remoteRef/conversionStrategy",
        "/data/0/remoteRef/decodingStrategy",
        "/data/0/remoteRef/metadataPolicy",
        "/data/0/remoteRef/nullBytePolicy",
        "/data/0/onMissing",
        "/data/0/sourceRef/storeRef/kind",
        "/dataFrom/0/extract/conversionStrategy",
        "/dataFrom/0/extract/decodingStrategy",
        "/dataFrom/0/extract/metadataPolicy",
        "/dataFrom/0/extract/nullBytePolicy",
        "/dataFrom/0/onMissing",
        "/dataFrom/1/find/conversionStrategy",
        "/dataFrom/1/find/decodingStrategy",
        "/dataFrom/1/find/nullBytePolicy",
        "/dataFrom/0/rewrite/0/merge/conflictPolicy",
        "/dataFrom/0/rewrite/0/merge/priorityPolicy",
        "/dataFrom/0/rewrite/0/merge/strategy",
        "/dataFrom/2/sourceRef/generatorRef/kind",
        "/refreshPolicy",
        "/secretStoreRef/kind",
        "/syncWindows/kind",
        "/target/creationPolicy",
        "/target/deletionPolicy",
        "/target/template/engineVersion",
        "/target/template/mergePolicy",
        "/target/template/templateFrom/0/configMap/items/0/templateAs",
        "/target/template/templateFrom/0/valuesDecodingStrategy",
        "/syncWindows/windows/0/schedule",
    ] {
        each(pointer, &words);
    }
    let names = [json!(""), json!("A"), json!("a/b"), json!("-a"), json!("a..b"), json!("n".repeat(254))];
    for pointer in [
        "/secretStoreRef/name",
        "/data/0/sourceRef/storeRef/name",
        "/dataFrom/2/sourceRef/generatorRef/name",
        "/target/name",
        "/target/template/templateFrom/0/configMap/name",
        "/target/template/templateFrom/1/secret/name",
    ] {
        each(pointer, &names);
    }
    let keys = [json!(""), json!("a/b"), json!("ä"), json!("k".repeat(254))];
    for pointer in [
        "/data/0/secretKey",
        "/target/template/templateFrom/0/configMap/items/0/key",
        "/target/template/templateFrom/1/secret/items/0/key",
    ] {
        each(pointer, &keys);
    }
    each(
        "/data/0/sourceRef",
        &[json!({}), json!({"storeRef": {"name": "a"}, "generatorRef": {"kind": "UUID", "name": "a"}})],
    );
    each(
        "/dataFrom/0/rewrite/0",
        &[json!({}), json!({"regexp": {"source": "a", "target": "b"}, "transform": {"template": "a"}})],
    );
    each("/dataFrom/0/rewrite/1/regexp", &[json!({"source": "a"}), json!({"target": "a"})]);
    each("/dataFrom/0/rewrite/2/transform", &[json!({})]);
    each("/data/0/remoteRef", &[json!({"property": "a"}), json!("a")]);
    each("/data/0", &[json!({"secretKey": "a"}), json!({"remoteRef": {"key": "a"}})]);
    each("/dataFrom/2/sourceRef/generatorRef", &[json!({"kind": "UUID"}), json!({"name": "a"})]);
    each(
        "/syncWindows",
        &[
            json!({"kind": "allow"}),
            json!({"kind": "allow", "windows": []}),
            json!({"windows": [{"schedule": "@daily", "duration": "1h"}]}),
        ],
    );
    each("/syncWindows/windows/0", &[json!({"schedule": "@daily"}), json!({"duration": "1h"})]);
    each(
        "/target/manifest",
        &[
            json!({"apiVersion": "v1"}),
            json!({"apiVersion": "", "kind": "Secret"}),
            json!({"apiVersion": "v1", "kind": ""}),
        ],
    );
    each("/target/template/templateFrom/0/configMap", &[json!({"name": "a"}), json!({"items": []})]);
    each("/refreshInterval", &[json!(5)]);
    each("/suspend", &[json!("yes")]);
    assert_all_refused("ExternalSecret", &every_field(), &changes);
}

#[test]
fn what_external_secrets_operator_leaves_to_its_webhook_is_stored() {
    let one = json!([{"extract": {"key": "a"}}]);
    let target = |target: Value| json!({"dataFrom": one, "target": target});
    let from = |entry: Value| json!({ "dataFrom": [entry] });
    let generator = json!({"generatorRef": {"kind": "UUID", "name": "a"}});
    let entry = json!({"secretKey": "a", "remoteRef": {"key": "a"}});
    let specs = [
        json!({}),
        json!({"data": [], "dataFrom": []}),
        json!({"data": [entry, entry]}),
        from(json!({})),
        from(json!({"extract": {"key": "a"}, "find": {}})),
        from(json!({"extract": {"key": "a"}, "sourceRef": generator})),
        from(json!({"find": {}, "sourceRef": generator})),
        target(json!({"deletionPolicy": "Merge", "creationPolicy": "None"})),
        target(json!({"deletionPolicy": "Delete", "creationPolicy": "Merge"})),
        target(json!({"template": {"type": "kubernetes.io/service-account-token"}})),
        target(json!({"template": {"templateFrom": [{"target": "spec.a", "literal": "a: b"}]}})),
    ];
    let objects = specs.iter().enumerate().flat_map(|(index, spec)| {
        let name = format!("case-{index:03}");
        let cluster = object("ClusterExternalSecret", &name, &json!({ "externalSecretSpec": spec }));
        [object("ExternalSecret", &name, spec), cluster]
    });
    assert_all_stored(&objects.collect::<Vec<_>>());
}

#[test]
fn defaults_are_external_secrets_operators_and_strategies_have_none() {
    let spec = json!({
        "data": [{"secretKey": "a", "remoteRef": {"key": "a"}}],
        "dataFrom": [{"extract": {"key": "a"}, "rewrite": [{"merge": {}}]}, {"find": {}}, {"sourceRef": {"generatorRef": {"kind": "UUID", "name": "a"}}}],
    });
    let mut expected = spec.clone();
    expected["refreshInterval"] = "1h0m0s".into();
    expected["target"] = json!({"creationPolicy": "Owner", "deletionPolicy": "Retain"});
    expected["dataFrom"][0]["rewrite"][0]["merge"] =
        json!({"conflictPolicy": "Error", "into": "", "priorityPolicy": "Strict", "strategy": "Extract"});
    expected["dataFrom"][2]["sourceRef"]["generatorRef"]["apiVersion"] =
        "generators.external-secrets.io/v1alpha1".into();
    assert_eq!(stored(&[object("ExternalSecret", "a", &spec)])[0]["spec"], expected);
    let spec = json!({
        "data": [{"secretKey": "a", "remoteRef": {"key": "a"}}],
        "refreshInterval": "0",
        "target": {"template": {"templateFrom": [{"configMap": {"name": "a", "items": [{"key": "a"}]}}]}},
    });
    let mut expected = spec.clone();
    expected["target"]["creationPolicy"] = "Owner".into();
    expected["target"]["deletionPolicy"] = "Retain".into();
    expected["target"]["template"]["engineVersion"] = "v2".into();
    expected["target"]["template"]["mergePolicy"] = "Replace".into();
    expected["target"]["template"]["templateFrom"][0]["target"] = "Data".into();
    expected["target"]["template"]["templateFrom"][0]["configMap"]["items"][0]["templateAs"] = "Values".into();
    assert_eq!(stored(&[object("ExternalSecret", "a", &spec)])[0]["spec"], expected);
}

/// A store with a Vault provider.
fn vault(auth: &Value) -> Value {
    json!({
        "controller": "own", "refreshInterval": 300, "retrySettings": {"maxRetries": 3, "retryInterval": "5s"},
        "conditions": [{
            "namespaces": ["shop"], "namespaceRegexes": ["^team-"], "keys": ["secret/{namespace}"],
            "namespaceSelector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
        }],
        "provider": {"vault": {
            "server": "https://vault.example.com", "path": "secret", "version": "v1", "namespace": "team", "auth": auth,
            "headers": {"X-A": "b"}, "caBundle": "LS0tLS0=", "forwardInconsistent": true, "readYourWrites": true,
            "caProvider": {"type": "ConfigMap", "name": "ca", "key": "ca.crt", "namespace": "shop"}, "checkAndSet": {"required": true},
            "tls": {"certSecretRef": {"name": "a", "key": "b"}, "keySecretRef": {"name": "a", "key": "b", "namespace": "shop"}},
        }},
    })
}

/// Each method of Vault's `auth`, with what the cluster adds to the least that it needs.
fn methods() -> [(Value, Value); 9] {
    let secret = json!({"name": "a", "key": "b"});
    let account = json!({"name": "app", "namespace": "shop", "audiences": ["vault"]});
    [
        (json!({"tokenSecretRef": secret}), json!({"tokenSecretRef": secret})),
        (
            json!({"appRole": {"roleId": "a", "secretRef": secret}}),
            json!({"appRole": {"path": "approle", "roleId": "a", "secretRef": secret}}),
        ),
        (
            json!({"kubernetes": {"role": "a", "serviceAccountRef": account}}),
            json!({"kubernetes": {"mountPath": "kubernetes", "role": "a", "serviceAccountRef": account}}),
        ),
        (json!({"ldap": {"username": "a"}}), json!({"ldap": {"path": "ldap", "username": "a"}})),
        (
            json!({"userPass": {"username": "a", "secretRef": secret}}),
            json!({"userPass": {"path": "userpass", "username": "a", "secretRef": secret}}),
        ),
        (
            json!({"jwt": {"kubernetesServiceAccountToken": {"serviceAccountRef": account, "expirationSeconds": 600}}}),
            json!({"jwt": {"path": "jwt", "kubernetesServiceAccountToken": {"serviceAccountRef": account, "expirationSeconds": 600}}}),
        ),
        (json!({"cert": {"clientCert": secret}}), json!({"cert": {"path": "cert", "clientCert": secret}})),
        (
            json!({"iam": {"vaultRole": "a", "externalID": "b", "vaultAwsIamServerID": "c", "secretRef": {"accessKeyIDSecretRef": secret}}}),
            json!({"iam": {"vaultRole": "a", "externalID": "b", "vaultAwsIamServerID": "c", "secretRef": {"accessKeyIDSecretRef": secret}}}),
        ),
        (
            json!({"gcp": {"role": "a", "projectID": "p", "workloadIdentity": {"serviceAccountRef": account, "clusterProjectID": "p"}}}),
            json!({"gcp": {"path": "gcp", "role": "a", "projectID": "p", "workloadIdentity": {"serviceAccountRef": account, "clusterProjectID": "p"}}}),
        ),
    ]
}

#[test]
fn stores_are_stored_with_every_field_and_the_defaults_of_their_login() {
    for kind in ["SecretStore", "ClusterSecretStore"] {
        let objects: Vec<_> = methods()
            .iter()
            .enumerate()
            .map(|(index, (auth, _))| object(kind, &format!("case-{index:03}"), &vault(auth)))
            .collect();
        for (stored, (_, auth)) in stored(&objects).iter().zip(methods()) {
            assert_eq!(stored["spec"], vault(&auth), "{kind}");
        }
    }
    let least = json!({"provider": {"vault": {"server": "https://vault.example.com"}}});
    assert_eq!(
        stored(&[object("SecretStore", "a", &least)])[0]["spec"],
        json!({"provider": {"vault": {"server": "https://vault.example.com", "version": "v2"}}})
    );
}

#[test]
fn stores_refuse_what_is_wrong_in_one_field() {
    let spec = vault(&json!({"tokenSecretRef": {"name": "a", "namespace": "b", "key": "c"}}));
    let mut changes = vec![
        ("/provider", json!({})),
        ("/provider", json!({"vault": {"server": "a"}, "aws": {}})),
        ("/provider/vault", json!({})),
        ("/provider/vault/version", json!("v3")),
        ("/provider/vault/caProvider/type", json!("File")),
        ("/provider/vault/caProvider", json!({"type": "Secret"})),
        ("/provider/vault/auth", json!({"appRole": {"roleId": "a"}})),
        ("/provider/vault/auth", json!({"kubernetes": {}})),
        ("/provider/vault/auth", json!({"ldap": {}})),
        ("/provider/vault/auth", json!({"iam": {}})),
        ("/provider/vault/auth", json!({"gcp": {}})),
        ("/provider/vault/auth", json!({"jwt": {"kubernetesServiceAccountToken": {}}})),
        ("/provider/vault/headers", json!({"a": 1})),
        ("/retrySettings/maxRetries", json!("3")),
        ("/retrySettings/maxRetries", json!(3_000_000_000_i64)),
        ("/refreshInterval", json!(1.5)),
    ];
    for name in ["", "A", "a/b", "-a"] {
        changes.push(("/provider/vault/auth/tokenSecretRef/name", json!(name)));
        changes.push(("/provider/vault/auth/tokenSecretRef/namespace", json!(name)));
    }
    changes.push(("/provider/vault/auth/tokenSecretRef/key", json!("a/b")));
    assert_all_refused("SecretStore", &spec, &changes);
    // What cannot be used is told by the store's condition, as in External Secrets Operator without its webhook.
    let intervals = [json!(0), json!(30), json!(-1), json!("0"), json!("5m"), json!("1.5h"), json!("10"), json!("often")];
    assert_all_stored(&changed("SecretStore", &spec, &intervals.map(|interval| ("/refreshInterval", interval))));
    let operator = "/conditions/0/namespaceSelector/matchExpressions/0/operator";
    assert_all_stored(&changed("SecretStore", &spec, &[(operator, json!("Near"))]));
}

/// A store with the AWS provider.
fn aws() -> Value {
    let secret = json!({"name": "a", "key": "b", "namespace": "shop"});
    json!({"provider": {"aws": {
        "service": "SecretsManager", "region": "eu-central-1", "prefix": "app/", "externalID": "x",
        "role": "arn:aws:iam::123456789012:role/a", "additionalRoles": ["arn:aws:iam::123456789012:role/b"],
        "sessionTags": [{"key": "a", "value": "b"}], "sessionTagsPolicy": "Custom", "customSessionTags": {"a": "b"},
        "transitiveTagKeys": ["a"], "secretsManager": {"forceDeleteWithoutRecovery": true, "recoveryWindowInDays": 7},
        "auth": {
            "jwt": {"serviceAccountRef": {"name": "app", "namespace": "shop", "audiences": ["sts"]}},
            "secretRef": {"accessKeyIDSecretRef": secret, "secretAccessKeySecretRef": secret, "sessionTokenSecretRef": secret},
        },
    }}})
}

#[test]
fn stores_of_aws_follow_their_table() {
    let mut changes = Vec::new();
    for service in ["SecretsManager", "ParameterStore", "CertificateManager"] {
        changes.push(("/provider/aws/service", json!(service)));
    }
    for policy in ["None", "Simple", "Custom"] {
        changes.push(("/provider/aws/sessionTagsPolicy", json!(policy)));
    }
    assert_all_stored(&changed("ClusterSecretStore", &aws(), &changes));
    let least = json!({"provider": {"aws": {"service": "ParameterStore", "region": "eu-central-1"}}});
    let mut expected = least.clone();
    expected["provider"]["aws"]["sessionTagsPolicy"] = "None".into();
    assert_eq!(stored(&[object("SecretStore", "a", &least)])[0]["spec"], expected);
    let mut changes = vec![
        ("/provider/aws", json!({"region": "eu-central-1"})),
        ("/provider/aws", json!({"service": "SecretsManager"})),
        ("/provider/aws/service", json!("S3")),
        ("/provider/aws/sessionTagsPolicy", json!("All")),
        ("/provider/aws/sessionTags/0", json!({"key": "a"})),
        ("/provider/aws/auth/jwt/serviceAccountRef", json!({})),
    ];
    for reserved in ["esoNamespace", "esoStoreName", "esoStoreKind"] {
        changes.push(("/provider/aws/customSessionTags", json!({ reserved: "a" })));
    }
    assert_all_refused("SecretStore", &aws(), &changes);
}

#[test]
fn stores_of_openbao_name_one_method() {
    let secret = json!({"name": "a", "key": "b"});
    let role = json!({"path": "approle", "roleId": "a", "secretRef": secret});
    let spec = json!({"provider": {"openBao": {"server": "https://bao.example.com", "version": "v2", "auth": {"appRole": role, "namespace": "team"}}}});
    assert_all_stored(&[object("SecretStore", "a", &spec)]);
    let changes = [json!({}), json!({"namespace": "team"}), json!({"appRole": role, "tokenSecretRef": secret})];
    assert_all_refused("SecretStore", &spec, &changes.map(|auth| ("/provider/openBao/auth", auth)));
}

#[test]
fn dynamic_secrets_are_stored_with_every_field() {
    let provider = json!({"server": "https://vault.example.com", "version": "v2", "auth": {"tokenSecretRef": {"name": "a", "key": "b"}}});
    let spec = json!({
        "provider": provider, "path": "database/creds/app", "method": "POST", "parameters": {"ttl": "1h", "deep": {"a": [1]}},
        "getParameters": {"a": ["b", "c"]}, "resultType": "Auth", "allowEmptyResponse": true, "controller": "own",
        "retrySettings": {"maxRetries": 3, "retryInterval": "5s"},
    });
    let dynamic = |name: &str, spec: &Value| {
        let mut object = object("VaultDynamicSecret", name, spec);
        object["apiVersion"] = "generators.external-secrets.io/v1alpha1".into();
        object
    };
    let least = json!({"provider": {"server": "a"}, "path": "b"});
    let objects = [dynamic("a", &spec), dynamic("b", &least)];
    assert_all_stored(&objects);
    assert_eq!(stored(&objects)[1]["spec"]["resultType"], "Data");
}

#[test]
fn configurations_of_unknown_providers_are_stored_as_they_are() {
    let specs = [
        json!({"provider": {"fake": {"data": [{"key": "a", "value": "b", "version": "1"}], "validationResult": 1}}}),
        json!({"provider": {"gcpsm": {"projectID": "p", "auth": {"workloadIdentity": {"clusterLocation": "x"}}}}}),
        json!({"provider": {"kubernetes": {"server": {"caProvider": {"type": "ConfigMap"}}, "remoteNamespace": "x"}}}),
        json!({"provider": {"sops": {"source": {"configMapRef": {"name": "docs"}}, "bind": "Namespace", "keys": [
            {"age": {"secretRef": {"name": "age", "key": "key.txt"}}}, {"vaultTransit": {"server": "x", "deep": {"a": [1]}}},
        ]}}}),
    ];
    let objects: Vec<_> = specs
        .iter()
        .enumerate()
        .map(|(index, spec)| object("SecretStore", &format!("case-{index:03}"), spec))
        .collect();
    for (stored, spec) in stored(&objects).iter().zip(&specs) {
        assert_eq!(stored["spec"], *spec);
    }
}

#[test]
fn cluster_external_secrets_follow_their_table() {
    let spec = json!({
        "externalSecretSpec": every_field(), "externalSecretName": "db", "refreshTime": "1m",
        "externalSecretMetadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}},
        "namespaceSelectors": [{"matchLabels": {"a": "b"}}, {"matchExpressions": [{"key": "a", "operator": "Exists"}]}],
        "namespaceSelector": {"matchLabels": {"a": "b"}}, "namespaces": ["shop"],
    });
    assert_all_stored(&[object("ClusterExternalSecret", "a", &spec)]);
    let changes = [
        ("/externalSecretName", json!("A")),
        ("/externalSecretName", json!("")),
        ("/namespaces/0", json!("a.b")),
        ("/namespaces/0", json!("n".repeat(64))),
        ("/namespaceSelectors/0", json!("a")),
        ("/namespaceSelectors/1/matchExpressions/0", json!({"key": "a"})),
        ("/externalSecretSpec/target/creationPolicy", json!("other")),
        ("/refreshTime", json!(60)),
    ];
    assert_all_refused("ClusterExternalSecret", &spec, &changes);
    // Two, because kubectl words the refusal of a single object in another way.
    let without = ["a", "b"].map(|name| object("ClusterExternalSecret", name, &json!({"namespaces": ["shop"]})));
    assert!(refusals(&without).iter().all(|told| told.contains("spec.externalSecretSpec: Required value")));
}

#[test]
fn the_manifests_of_docs_and_examples_come_back_as_they_were_sent() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut objects = Vec::new();
    for (text, is_manifest) in ["docs", "examples", "README.md"].iter().flat_map(|name| texts(&root.join(name))) {
        let parts: Vec<_> = if is_manifest { vec![text.as_str()] } else { fenced(&text) };
        for document in parts.iter().flat_map(|part| part.split("\n---")) {
            let Ok(object) = serde_yaml::from_str::<Value>(document.trim_start_matches("---")) else { continue };
            let ours = object["apiVersion"].as_str().is_some_and(|version| version.contains("external-secrets.io/"));
            if ours && !objects.contains(&object) {
                objects.push(object);
            }
        }
    }
    assert!(objects.len() > 5, "{objects:?}");
    for (index, object) in objects.iter_mut().enumerate() {
        object["metadata"] = json!({"name": format!("case-{index:03}")});
    }
    assert_all_stored(&objects);
}

/// Manifests, and pages that may have some in them, below a path.
fn texts(path: &Path) -> Vec<(String, bool)> {
    if path.is_dir() {
        return std::fs::read_dir(path).unwrap().flat_map(|entry| texts(&entry.unwrap().path())).collect();
    }
    let ending = path.extension().and_then(|ending| ending.to_str());
    match ending {
        Some("yaml") => vec![(std::fs::read_to_string(path).unwrap(), true)],
        Some("md") => vec![(std::fs::read_to_string(path).unwrap(), false)],
        _ => Vec::new(),
    }
}

fn fenced(page: &str) -> Vec<&str> {
    page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

const GENERATORS: &[&str] = &[
    "ACRAccessToken",
    "BeyondtrustWorkloadCredentialsDynamicSecret",
    "CloudsmithAccessToken",
    "ClusterGenerator",
    "ECRAuthorizationToken",
    "Fake",
    "GCRAccessToken",
    "GithubAccessToken",
    "GitlabDeployToken",
    "Grafana",
    "MFA",
    "Password",
    "QuayAccessToken",
    "SSHKey",
    "STSSessionToken",
    "UUID",
    "VaultDynamicSecret",
    "Webhook",
];
