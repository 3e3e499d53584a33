use std::collections::BTreeMap;

use super::*;

/// Every default of a schema, by the path of its field.
fn defaults(schema: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
    if let Some(default) = schema.get("default") {
        found.insert(path.to_owned(), default.clone());
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        defaults(member, &format!("{path}.{name}"), found);
    }
    if let Some(items) = schema.get("items") {
        defaults(items, &format!("{path}[]"), found);
    }
}

fn spec_of(kind: &str) -> Value {
    let all = definitions(&ProviderRegistry::new());
    let definition = all.iter().find(|definition| definition.kind() == kind).unwrap();
    definition.manifest()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

#[test]
fn the_defaults_are_external_secrets_operators_and_no_others() {
    let mut found = BTreeMap::new();
    defaults(&spec_of("ExternalSecret"), "", &mut found);
    let generators = json!("generators.external-secrets.io/v1alpha1");
    let expected = [
        (".data[].sourceRef.generatorRef.apiVersion", generators.clone()),
        (".dataFrom[].rewrite[].merge.conflictPolicy", json!("Error")),
        (".dataFrom[].rewrite[].merge.into", json!("")),
        (".dataFrom[].rewrite[].merge.priorityPolicy", json!("Strict")),
        (".dataFrom[].rewrite[].merge.strategy", json!("Extract")),
        (".dataFrom[].sourceRef.generatorRef.apiVersion", generators),
        (".refreshInterval", json!("1h0m0s")),
        (".target", json!({"creationPolicy": "Owner", "deletionPolicy": "Retain"})),
        (".target.creationPolicy", json!("Owner")),
        (".target.deletionPolicy", json!("Retain")),
        (".target.template.engineVersion", json!("v2")),
        (".target.template.mergePolicy", json!("Replace")),
        (".target.template.templateFrom[].configMap.items[].templateAs", json!("Values")),
        (".target.template.templateFrom[].secret.items[].templateAs", json!("Values")),
        (".target.template.templateFrom[].target", json!("Data")),
    ];
    assert_eq!(found, expected.map(|(path, value)| (path.to_owned(), value)).into());
    let mut found = BTreeMap::new();
    defaults(&spec_of("SecretStore"), "", &mut found);
    assert_eq!(found, BTreeMap::new());
}

#[test]
fn words_mean_kinds_as_kubectl_takes_them() {
    let all = definitions(&ProviderRegistry::new());
    let meant = |word: &str| -> Vec<_> {
        all.iter().filter(|definition| definition.is_meant_by(word)).map(Definition::kind).collect()
    };
    for word in ["es", "externalsecrets", "ExternalSecret", "externalsecrets.external-secrets.io"] {
        assert_eq!(meant(word), ["ExternalSecret"], "{word}");
    }
    assert_eq!(meant("css"), ["ClusterSecretStore"]);
    assert_eq!(meant("secrets"), <[&str; 0]>::default());
}
