//! What a store configures, and what it grants.

use secretsync_core::access::KeyTemplate;

use super::*;
use crate::api::{ClusterSecretStore, SecretStore, VaultDynamicSecret};

#[test]
fn a_dynamic_secret_is_read_whole_and_left_to_its_factory() {
    let object = |spec: Value| {
        json!({
            "apiVersion": "generators.external-secrets.io/v1alpha1",
            "kind": "VaultDynamicSecret",
            "metadata": {"name": "creds", "namespace": "shop"},
            "spec": spec,
        })
    };
    let read = |spec: Value| dynamic_secret(&parse::<VaultDynamicSecret>(object(spec))?);
    let spec = read(json!({
        "controller": "dev", "path": "database/creds/app", "retrySettings": {"maxRetries": 2, "retryInterval": "10s"},
        "provider": {"server": "https://vault.example.com"},
    }))
    .unwrap();
    assert_eq!(spec.origin.to_string(), "VaultDynamicSecret shop/creds");
    assert_eq!((spec.controller.as_deref(), spec.retry.unwrap().max_retries), (Some("dev"), Some(2)));
    assert_eq!(provider_key(&spec.origin).as_str(), "VaultDynamicSecret/shop/creds");
    let error = read(json!({"retrySettings": {"maxRetries": "many"}})).unwrap_err();
    assert!(chain(&error).contains("maxRetries"), "{}", chain(&error));
    assert!(parse::<SecretStore>(object(json!({}))).is_err(), "it is no store");
}

#[test]
fn a_store_that_the_program_does_not_have_ends_the_conversion() {
    let object = parse::<ExternalSecret>(manifest(&spec(&json!({})))).unwrap();
    let missing = |store: &StoreOrigin| -> Result<StoreUse> {
        Err(secretsync_core::Error::new(ErrorKind::NotFound, "find").on(store))
    };
    assert_eq!(sync_spec(&object, missing).unwrap_err().to_string(), "failed to find SecretStore shop/vault");
}

fn store_manifest(kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": "external-secrets.io/v1", "kind": kind, "metadata": {"name": "main", "namespace": "shop"}, "spec": spec})
}

fn namespaced(spec: &Value) -> Result<StoreSpec> {
    store(&parse::<SecretStore>(store_manifest("SecretStore", spec))?)
}

#[test]
fn a_store_gives_the_one_provider_that_it_configures() {
    #[derive(Debug, serde::Deserialize)]
    struct Config {
        server: String,
    }
    let spec = json!({
        "controller": "blue", "provider": {"vault": {"server": "https://vault"}}, "refreshInterval": 60,
        "retrySettings": {"maxRetries": 3, "retryInterval": "10s"}, "conditions": [{"namespaces": ["other"]}],
    });
    let store = namespaced(&spec).unwrap();
    assert_eq!((store.origin.to_string(), store.kind.as_str()), ("SecretStore shop/main".into(), "vault"));
    assert_eq!(store.config.read::<Config>(&store.origin, &store.kind).unwrap().server, "https://vault");
    assert_eq!(
        (store.controller.as_deref(), store.refresh_interval),
        (Some("blue"), Some(std::time::Duration::from_mins(1)))
    );
    assert_eq!(store.retry.unwrap().max_retries, Some(3));
    assert!(
        store.access.check(&store.origin, "shop", &std::collections::BTreeMap::new()).is_ok(),
        "conditions are for cluster stores"
    );
    assert!(!format!("{store:?}").contains("https://vault"));
}

#[test]
fn a_cluster_store_keeps_its_conditions_and_needs_no_namespace() {
    let spec = json!({"provider": {"vault": {}}, "conditions": [{"namespaces": ["shop"]}]});
    let object = parse::<ClusterSecretStore>(store_manifest("ClusterSecretStore", &spec)).unwrap();
    let store = cluster_store(&object).unwrap();
    assert_eq!(provider_key(&store.origin).as_str(), "ClusterSecretStore/main");
    assert_eq!(provider_key_in(&store.origin, "shop").as_str(), "ClusterSecretStore/main@shop");
    let labels = std::collections::BTreeMap::new();
    assert!(store.access.check(&store.origin, "shop", &labels).is_ok());
    assert!(store.access.check(&store.origin, "other", &labels).is_err());
}

#[test]
fn a_store_must_have_exactly_one_provider() {
    for (spec, found) in [(json!({"provider": {}}), 0), (json!({"provider": {"vault": {}, "sops": {}}}), 2)] {
        assert_eq!(
            namespaced(&spec).unwrap_err().to_string(),
            format!(
                "failed to read SecretStore `shop/main`: store error for main: secret stores must only have exactly one backend specified, found {found}"
            )
        );
    }
}

#[test]
fn key_rules_are_checked_and_are_for_cluster_stores_only() {
    let complaint = |kind: &str, keys: &Value| {
        let spec = json!({"provider": {"vault": {}}, "conditions": [{"namespaces": ["shop"], "keys": keys}]});
        let error = match kind {
            "SecretStore" => namespaced(&spec).unwrap_err(),
            _ => cluster_store(&parse::<ClusterSecretStore>(store_manifest(kind, &spec)).unwrap()).unwrap_err(),
        };
        assert_eq!(error.hint().unwrap().code(), Code::StoreInvalid);
        error.to_string().split_once(": ").unwrap().1.to_owned()
    };
    assert_eq!(
        complaint("SecretStore", &json!(["a/{namespace}/b"])),
        "`spec.conditions[0].keys`: means something on a ClusterSecretStore only"
    );
    assert_eq!(
        complaint("ClusterSecretStore", &json!([])),
        "`spec.conditions[0].keys`: must have at least one item; without `keys` every object is granted"
    );
    assert_eq!(
        complaint("ClusterSecretStore", &json!(["kv/**", "kv/app-*", ""])),
        "`spec.conditions[0].keys[1]`: `*`, `**` and `{namespace}` must be whole segments, and there are no other placeholders; \
         `spec.conditions[0].keys[2]`: must not be empty"
    );
}

#[test]
fn what_a_store_grants_travels_with_every_entry_that_uses_it() {
    let template = KeyTemplate::parse("kv/{namespace}/**").unwrap();
    let limited = KeyAccess::only("ClusterSecretStore main", "shop", vec![template]);
    let extra = json!({
        "data": [{"secretKey": "a", "remoteRef": {"key": "k"}, "sourceRef": {"storeRef": {"name": "main", "kind": "ClusterSecretStore"}}}],
        "dataFrom": [{"find": {}}],
    });
    let object = parse::<ExternalSecret>(manifest(&spec(&extra))).unwrap();
    let grant = |store: &StoreOrigin| {
        let access = if store.namespace().is_none() { limited.clone() } else { KeyAccess::everything() };
        Ok(StoreUse::new(provider_key(store), access))
    };
    let sync = sync_spec(&object, grant).unwrap();
    assert_eq!(sync.access_to(&sync.data[0].provider), limited);
    assert_eq!(sync.access_to(&sync.data_from[0].provider), KeyAccess::everything());
}

#[test]
fn providers_that_exist_elsewhere_are_told_apart_from_those_that_do_not_exist() {
    let registry = secretsync_core::provider::ProviderRegistry::new();
    let refuse = |kind: &str| {
        let store = namespaced(&json!({"provider": {kind: {}}})).unwrap();
        let error = store.factory(&registry).unwrap_err();
        (error.kind(), error.to_string(), error.hint().unwrap().advice().to_owned())
    };
    let (kind, text, _) = refuse("gcpsm");
    assert_eq!(
        (kind, text.as_str()),
        (
            ErrorKind::Unsupported,
            "failed to read `spec.provider.gcpsm` of SecretStore shop/main: this provider is not supported here"
        )
    );
    let (kind, text, advice) = refuse("valut");
    assert_eq!(
        (kind, text.as_str()),
        (
            ErrorKind::InvalidConfig,
            "failed to read `spec.provider.valut` of SecretStore shop/main: there is no such provider"
        )
    );
    assert_eq!(advice, "write `vault` if that is what you meant");
}
