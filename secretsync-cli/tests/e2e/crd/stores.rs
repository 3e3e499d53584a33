//! Stores and dynamic secrets, field by field.

use serde_json::{Value, json};

use super::fields::{assert_all_refused, assert_all_stored, changed, object};
use super::objects::stored;

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
    let intervals =
        [json!(0), json!(30), json!(-1), json!("0"), json!("5m"), json!("1.5h"), json!("10"), json!("often")];
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
