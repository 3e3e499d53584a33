//! Manifests in, syncs and complaints out.

use secretsync_core::access::KeyTemplate;
use secretsync_core::error::{ErrorKind, chain};
use secretsync_core::sync::{
    CreationPolicy, DecodingStrategy, DeletionPolicy, KeyConversion, Merge, MergeConflict, MergeResult, NullBytePolicy,
    RefreshPolicy, Rewrite, Selection, TemplateTarget, TemplateText,
};
use serde_json::{Value, json};

use super::*;
use crate::api::{ClusterSecretStore, SecretStore, VaultDynamicSecret, parse};

fn manifest(spec: &Value) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {
            "name": "db",
            "namespace": "shop",
            "labels": {"app": "web"},
            "annotations": {"note": "n", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
        "spec": spec,
    })
}

fn convert(manifest: Value) -> Result<SyncSpec> {
    sync_spec(&parse::<ExternalSecret>(manifest)?, |store| {
        Ok(StoreUse::new(provider_key(store), KeyAccess::everything()))
    })
}

/// A spec with one good entry and `extra` members.
fn spec(extra: &Value) -> Value {
    let mut spec =
        json!({"secretStoreRef": {"name": "vault"}, "data": [{"secretKey": "a", "remoteRef": {"key": "app/db"}}]});
    for (name, value) in extra.as_object().unwrap() {
        spec[name] = value.clone();
    }
    spec
}

fn refused(extra: &Value) -> (ErrorKind, String) {
    let error = convert(manifest(&spec(extra))).unwrap_err();
    assert!(error.hint().is_some());
    let text = chain(&error);
    let detail = text.strip_prefix("failed to read ExternalSecret `shop/db`: ").unwrap_or_else(|| panic!("{text}"));
    (error.kind(), detail.to_owned())
}

#[test]
fn every_supported_field_reaches_the_sync() {
    let sync = convert(manifest(&json!({
        "refreshPolicy": "OnChange",
        "refreshInterval": "1h30m",
        "secretStoreRef": {"name": "vault"},
        "target": {
            "name": "db-credentials", "creationPolicy": "Orphan", "deletionPolicy": "Merge", "immutable": true,
            "template": {
                "type": "kubernetes.io/basic-auth", "engineVersion": "v2", "mergePolicy": "Merge",
                "metadata": {"labels": {"l": "{{ .a }}"}, "annotations": {"n": "x"}, "finalizers": ["example.com/f"]},
                "data": {"url": "{{ .a }}"},
            },
        },
        "data": [{
            "secretKey": "a",
            "remoteRef": {
                "key": "app/db", "property": "password", "version": "3", "metadataPolicy": "Fetch", "conversionStrategy": "Default",
                "decodingStrategy": "Base64URL", "nullBytePolicy": "Fail",
            },
            "sourceRef": {"storeRef": {"kind": "ClusterSecretStore", "name": "main"}},
        }],
        "dataFrom": [
            {"extract": {"key": "app/all", "property": "p", "conversionStrategy": "Unicode", "decodingStrategy": "Auto"}},
            {"find": {"path": "app", "name": {"regexp": "^db"}, "tags": {"env": "prod"}, "decodingStrategy": "Base64"}},
        ],
    })))
    .unwrap();

    assert_eq!((sync.owner.to_string(), sync.target.to_string()), ("shop/db".into(), "shop/db-credentials".into()));
    assert_eq!(
        (sync.creation, sync.deletion, sync.refresh),
        (CreationPolicy::Orphan, DeletionPolicy::Merge, RefreshPolicy::OnChange)
    );
    let data = &sync.data[0];
    assert_eq!(
        (data.secret_key.as_str(), data.provider.as_str(), data.property.as_deref()),
        ("a", "ClusterSecretStore/main", Some("password"))
    );
    assert_eq!(
        (data.remote.key.as_str(), data.remote.version.as_deref(), data.remote.metadata),
        ("app/db", Some("3"), true)
    );
    assert_eq!((data.rules.decoding, data.rules.null_bytes), (DecodingStrategy::Base64Url, NullBytePolicy::Fail));
    let [extract, find] = &sync.data_from[..] else { panic!("two entries") };
    assert_eq!((extract.provider.as_str(), extract.conversion), ("SecretStore/shop/vault", KeyConversion::Unicode));
    assert!(
        matches!(&extract.selection, Selection::Extract { remote, property: Some(p) } if remote.key == "app/all" && p == "p")
    );
    let Selection::Find(query) = &find.selection else { panic!("find") };
    assert_eq!(
        (query.path.as_deref(), query.name.as_deref(), query.tags["env"].as_str()),
        (Some("app"), Some("^db"), "prod")
    );
    let template = sync.template.unwrap();
    assert_eq!(
        (template.merge, template.data["url"].as_str(), template.labels["l"].as_str()),
        (true, "{{ .a }}", "{{ .a }}")
    );
    assert_eq!((sync.meta.secret_type.as_deref(), sync.meta.immutable), (Some("kubernetes.io/basic-auth"), true));
    assert_eq!((sync.meta.labels.len(), &sync.meta.finalizers[..]), (0, &["example.com/f".to_owned()][..]));
}

#[test]
fn an_empty_expression_looks_for_every_name_and_no_expression_for_none_in_particular() {
    let looked_for = |find: Value| {
        let sync = convert(manifest(&spec(&json!({"data": [], "dataFrom": [{"find": find}]})))).unwrap();
        let Selection::Find(query) = &sync.data_from[0].selection else { panic!("find") };
        query.name.clone()
    };
    for name in [json!({}), json!({"regexp": ""})] {
        assert_eq!(looked_for(json!({"name": name})).as_deref(), Some(""));
    }
    assert_eq!(looked_for(json!({"path": "app"})), None);
}

#[test]
fn defaults_are_those_of_external_secrets_operator() {
    let sync = convert(manifest(&spec(&json!({})))).unwrap();
    assert_eq!(sync.target.to_string(), "shop/db");
    assert_eq!(
        (sync.creation, sync.deletion, sync.refresh),
        (CreationPolicy::Owner, DeletionPolicy::Retain, RefreshPolicy::Periodic)
    );
    assert_eq!(sync.data[0].provider.as_str(), "SecretStore/shop/vault");
    assert_eq!(sync.data[0].rules, sync::ValueRules::default());
    assert!(sync.template.is_none());
}

#[test]
fn without_a_template_the_target_gets_labels_and_annotations_but_not_kubectls_copy() {
    let sync = convert(manifest(&spec(&json!({})))).unwrap();
    assert_eq!(sync.meta.labels["app"], "web");
    assert_eq!(sync.meta.annotations.keys().collect::<Vec<_>>(), ["note"]);
    let sync = convert(manifest(&spec(&json!({"target": {"template": {"type": "Opaque"}}})))).unwrap();
    assert!(sync.meta.labels.is_empty() && sync.meta.annotations.is_empty());
    assert!(sync.template.unwrap().keeps_data(), "a template without data keeps the data");
}

#[test]
fn templates_from_elsewhere_keep_their_order_and_the_namespace() {
    let from = json!([
        {
            "literal": "a: b", "target": "dAtA", "valuesDecodingStrategy": "Base64",
            "secret": {"name": "s", "items": [{"key": "c", "templateAs": "KeysAndValues"}]},
            "configMap": {"name": "m", "items": [{"key": "a"}, {"key": "b", "templateAs": "Values"}]},
        },
        {"target": "LABELS"},
        {"target": "annotations"},
        {"target": ""},
        {},
    ]);
    let sync = convert(manifest(&spec(&json!({"target": {"template": {"templateFrom": from}}})))).unwrap();
    let template = sync.template.unwrap();
    let shown = |text: &TemplateText| match text {
        TemplateText::Item { reference, scope } => format!("{scope:?} of {reference}"),
        TemplateText::Literal(text) => format!("literal {text}"),
        _ => String::new(),
    };
    assert_eq!(
        template.from[0].texts.iter().map(shown).collect::<Vec<_>>(),
        [
            "Values of key `a` of ConfigMap `shop/m`",
            "Values of key `b` of ConfigMap `shop/m`",
            "KeysAndValues of key `c` of Secret `shop/s`",
            "literal a: b",
        ]
    );
    assert_eq!(template.from[0].decoding, DecodingStrategy::Base64);
    let targets: Vec<_> = template.from.iter().map(|from| from.target).collect();
    let data = TemplateTarget::Data;
    assert_eq!(targets, [data, TemplateTarget::Labels, TemplateTarget::Annotations, data, data]);
    assert!(!template.keeps_data());
}

#[test]
fn empty_texts_are_as_absent_as_in_go() {
    let data = json!([{"secretKey": "a", "remoteRef": {"key": "k", "property": "", "version": ""}}]);
    let sync = convert(manifest(&spec(&json!({ "data": data })))).unwrap();
    assert_eq!((&sync.data[0].property, &sync.data[0].remote.version), (&None, &None));
}

#[test]
fn a_manifest_exported_from_a_cluster_is_read() {
    let mut exported = manifest(&spec(&json!({})));
    exported["status"] = json!({"refreshTime": "2026-01-01T00:00:00Z", "conditions": []});
    exported["metadata"]["uid"] = json!("1-2-3");
    exported["metadata"]["generation"] = json!(4);
    exported["metadata"]["managedFields"] = json!([{"manager": "kubectl"}]);
    exported["metadata"]["creationTimestamp"] = Value::Null;
    assert_eq!(convert(exported).unwrap().owner.uid(), Some("1-2-3"));
}

#[test]
fn admission_rules_are_enforced_with_their_texts() {
    let one = |entry: Value| json!({ "dataFrom": [entry] });
    for (extra, expected) in [
        (json!({"data": [], "target": {"deletionPolicy": "Delete"}}), "either data or dataFrom should be specified"),
        (json!({"data": [], "target": {"deletionPolicy": "Merge"}}), "either data or dataFrom should be specified"),
        (
            json!({"target": {"deletionPolicy": "Delete", "creationPolicy": "Merge"}}),
            "deletionPolicy=Delete must not be used when the controller doesn't own the secret. Please set creationPolicy=Owner",
        ),
        (
            json!({"target": {"deletionPolicy": "Merge", "creationPolicy": "None"}}),
            "deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with",
        ),
        (
            one(
                json!({"extract": {"key": "a"}, "sourceRef": {"generatorRef": {"kind": "VaultDynamicSecret", "name": "a"}}}),
            ),
            "`spec.dataFrom[0]`: extract, find, or generatorRef cannot be set at the same time",
        ),
        (one(json!({})), "`spec.dataFrom[0]`: either extract, find, or sourceRef must be set to dataFrom"),
        (
            one(json!({"sourceRef": {}})),
            "`spec.dataFrom[0]`: generatorRef or storeRef must be set when using sourceRef in dataFrom",
        ),
        (
            one(json!({"sourceRef": {"storeRef": {"name": "x"}}})),
            "`spec.dataFrom[0]`: must have `extract` or `find` beside `sourceRef.storeRef`",
        ),
        (
            json!({"data": [{"secretKey": "a", "remoteRef": {"key": "1"}}, {"secretKey": "a", "remoteRef": {"key": "2"}}]}),
            "duplicate secretKey found: a",
        ),
        (
            json!({"target": {"template": {"type": "kubernetes.io/service-account-token",
                "templateFrom": [{"target": "ANNOTATIONS", "literal": "a: b"}]}}}),
            "template.type=\"kubernetes.io/service-account-token\" with templateFrom target=\"Annotations\" is not allowed",
        ),
        (
            json!({"target": {"template": {"templateFrom": [{"target": "spec.data", "literal": "a: b"}]}}}),
            "templateFrom target=\"spec.data\" is not allowed when targeting a Secret, must be one of \"Data\", \"Annotations\" or \"Labels\"",
        ),
        (
            json!({"target": {"template": {"type": "bootstrap.kubernetes.io/token"}}}),
            "template.type=\"bootstrap.kubernetes.io/token\" is not allowed",
        ),
        (
            json!({"target": {"template": {"type": "kubernetes.io/service-account-token"}}}),
            "template.type=\"kubernetes.io/service-account-token\" is not allowed",
        ),
        (
            json!({"target": {"template": {"type": "kubernetes.io/service-account-token",
                "metadata": {"annotations": {"kubernetes.io/service-account.name": "admin"}}}}}),
            "template.type=\"kubernetes.io/service-account-token\" with annotation \"kubernetes.io/service-account.name\" is not allowed",
        ),
    ] {
        assert_eq!(refused(&extra), (ErrorKind::InvalidConfig, expected.to_owned()), "{extra}");
    }
}

#[test]
fn what_only_the_webhook_refuses_means_what_external_secrets_operator_makes_of_it() {
    let both = json!({"data": [], "dataFrom": [{"extract": {"key": "a"}, "find": {"path": "b"}}]});
    let sync = convert(manifest(&spec(&both))).unwrap();
    let [entry] = &sync.data_from[..] else { panic!("{:?}", sync.data_from) };
    assert!(matches!(&entry.selection, Selection::Find(query) if query.path.as_deref() == Some("b")), "{entry:?}");
    let nothing = convert(manifest(&spec(&json!({"data": []})))).unwrap();
    assert!(nothing.data.is_empty() && nothing.data_from.is_empty());
}

#[test]
fn two_entries_of_one_key_are_allowed_where_sources_may_be_missing() {
    let entry = json!({"secretKey": "a", "remoteRef": {"key": "1"}});
    let extra = json!({"data": [entry, entry], "target": {"deletionPolicy": "Merge"}});
    assert_eq!(convert(manifest(&spec(&extra))).unwrap().data.len(), 2);
}

#[test]
fn schema_rules_are_enforced_with_their_paths() {
    let name = "must be lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit, at most 253 characters";
    for (extra, path) in [
        (json!({"target": {"name": "../etc"}}), "spec.target.name"),
        (json!({"target": {"name": ""}}), "spec.target.name"),
        (json!({"secretStoreRef": {"name": "A"}}), "spec.secretStoreRef.name"),
        (
            json!({"data": [{"secretKey": "a", "remoteRef": {"key": "k"}, "sourceRef": {"storeRef": {"name": "a/b"}}}]}),
            "spec.data[0].sourceRef.storeRef.name",
        ),
    ] {
        assert_eq!(refused(&extra), (ErrorKind::InvalidConfig, format!("`{path}`: {name}")), "{extra}");
    }
    for (extra, expected) in [
        (
            json!({"secretStoreRef": {"kind": "SecretStore"}}),
            "`spec.secretStoreRef`: missing field `name`, which `spec.data[0]` needs",
        ),
        (
            json!({"data": [{"secretKey": "a/b", "remoteRef": {"key": "k"}}]}),
            "`spec.data[0].secretKey`: must be 1 to 253 of the characters A-Z a-z 0-9 - . _",
        ),
        (
            json!({"data": [{"secretKey": "a", "remoteRef": {"key": "k"}, "sourceRef": {}}]}),
            "`spec.data[0].sourceRef`: must have exactly one member, `storeRef`",
        ),
        (
            json!({"syncWindows": {"kind": "allow", "windows": []}}),
            "`spec.syncWindows.windows`: must have at least one item",
        ),
        (
            json!({"syncWindows": {"kind": "allow", "windows": [{"schedule": "noon", "duration": "1h"}]}}),
            "`spec.syncWindows.windows[0].schedule`: must be five cron fields, `@every` with a duration, or one of @yearly, @monthly, @weekly, @daily, @hourly",
        ),
        (
            json!({"refreshInterval": "often"}),
            "`spec.refreshInterval`: expected a duration such as `1h30m`, `15s` or `0`",
        ),
        (json!({"refreshInterval": 60}), "`spec.refreshInterval`: expected a string, so put quotes around it"),
        (json!({"data": [{"secretKey": "a", "remoteRef": {}}]}), "`spec.data[0].remoteRef`: missing field `key`"),
        (
            json!({"target": {"creationPolicy": "owner"}}),
            "`spec.target.creationPolicy`: expected one of `CreateOrMerge`, `Merge`, `None`, `Orphan`, `Owner`",
        ),
        (
            json!({"target": {"template": {"engineVersion": "v1"}}}),
            "`spec.target.template.engineVersion`: expected one of `v2`",
        ),
        (
            json!({"target": {"creationPolcy": "Owner"}}),
            "unknown field `spec.target.creationPolcy` (did you mean `creationPolicy`?)",
        ),
    ] {
        assert_eq!(refused(&extra), (ErrorKind::InvalidConfig, expected.to_owned()), "{extra}");
    }
}

#[test]
fn schema_rules_of_template_sources_are_enforced() {
    for (extra, expected) in [
        (
            json!({"target": {"template": {"templateFrom": [{"configMap": {"name": "../x", "items": []}}]}}}),
            "`spec.target.template.templateFrom[0].configMap.name`: must be lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit, at most 253 characters",
        ),
        (
            json!({"target": {"template": {"templateFrom": [{"secret": {"name": "x", "items": [{"key": "a/b"}]}}]}}}),
            "`spec.target.template.templateFrom[0].secret.items[0].key`: must be 1 to 253 of the characters A-Z a-z 0-9 - . _",
        ),
        (
            json!({"target": {"template": {"templateFrom": [{"secret": {"name": "x", "items": [{"key": "a", "templateAs": "Keys"}]}}]}}}),
            "`spec.target.template.templateFrom[0].secret.items[0].templateAs`: expected one of `KeysAndValues`, `Values`",
        ),
        (
            json!({"target": {"template": {"templateFrom": [{"configMap": {"name": "x"}}]}}}),
            "`spec.target.template.templateFrom[0].configMap`: missing field `items`",
        ),
    ] {
        assert_eq!(refused(&extra), (ErrorKind::InvalidConfig, expected.to_owned()), "{extra}");
    }
}

#[test]
fn a_store_without_a_name_matters_only_to_those_that_use_it() {
    let own = json!({"secretKey": "a", "remoteRef": {"key": "k"}, "sourceRef": {"storeRef": {"name": "own"}}});
    let spec = convert(manifest(&json!({"secretStoreRef": {"kind": "SecretStore"}, "data": [own]}))).unwrap();
    assert_eq!(spec.data[0].provider, ProviderKey::new("SecretStore/shop/own"));
}

#[test]
fn an_entry_without_any_store_is_refused() {
    let manifest = manifest(&json!({"data": [{"secretKey": "a", "remoteRef": {"key": "k"}}]}));
    let error = convert(manifest).unwrap_err();
    assert_eq!(error.hint().unwrap().code(), Code::StoreMissing);
    assert_eq!(
        error.to_string(),
        "failed to read ExternalSecret `shop/db`: `spec.data[0]`: has no store: set `spec.secretStoreRef`, or `sourceRef.storeRef` in the entry"
    );
}

#[test]
fn all_problems_of_one_object_are_reported_together() {
    let extra = json!({"data": [{"secretKey": "", "remoteRef": {"key": "k"}}, {"secretKey": "!", "remoteRef": {"key": "k"}}], "suspend": true});
    let (_, detail) = refused(&extra);
    assert!(detail.contains("spec.data[0].secretKey") && detail.contains("spec.data[1].secretKey"), "{detail}");
}

#[test]
fn a_generator_needs_no_store_and_is_a_source_of_its_own() {
    let reference =
        json!({"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "VaultDynamicSecret", "name": "creds"});
    let rewrite = json!([{"regexp": {"source": "username", "target": "user"}}]);
    let sync = convert(manifest(&json!({
        "dataFrom": [{"sourceRef": {"generatorRef": reference}, "rewrite": rewrite}, {"sourceRef": {"generatorRef": {"kind": "VaultDynamicSecret", "name": "x"}}}],
    })))
    .unwrap();
    let from = &sync.data_from[0];
    assert_eq!(from.provider.as_str(), "VaultDynamicSecret/shop/creds");
    assert!(matches!(&from.selection, Selection::Generate { name } if name == "creds"));
    assert_eq!((from.rewrites.len(), sync.data_from.len()), (1, 2));
    for (generator, expected) in [
        (
            json!({"apiVersion": "external-secrets.io/v1", "kind": "VaultDynamicSecret", "name": "x"}),
            "`spec.dataFrom[0].sourceRef.generatorRef.apiVersion`: must be of the group generators.external-secrets.io",
        ),
        (
            json!({"kind": "VaultDynamicSecrets", "name": "x"}),
            "`spec.dataFrom[0].sourceRef.generatorRef.kind`: there is no such generator (did you mean `VaultDynamicSecret`?)",
        ),
    ] {
        let (kind, detail) = refused(&json!({"dataFrom": [{"sourceRef": {"generatorRef": generator}}]}));
        assert_eq!((kind, detail.as_str()), (ErrorKind::InvalidConfig, expected));
    }
    let (_, detail) =
        refused(&json!({"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "ClusterGenerator", "name": "x"}}}]}));
    assert_eq!(detail, "`spec.dataFrom[0].sourceRef.generatorRef (kind ClusterGenerator)` is not supported yet");
}

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
fn what_is_not_supported_yet_is_refused_by_name() {
    let generator = json!({"generatorRef": {"kind": "Password", "name": "p"}});
    for (extra, path) in [
        (json!({"target": {"keepPrevious": {"count": 1}}}), "spec.target.keepPrevious"),
        (json!({"target": {"restart": []}}), "spec.target.restart"),
        (json!({"target": {"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}}}), "spec.target.manifest"),
        (json!({"dataFrom": [{"sourceRef": generator}]}), "spec.dataFrom[0].sourceRef.generatorRef (kind Password)"),
        (
            json!({"data": [{"secretKey": "a", "remoteRef": {"key": "k"}, "sourceRef": generator}]}),
            "spec.data[0].sourceRef.generatorRef",
        ),
    ] {
        assert_eq!(refused(&extra), (ErrorKind::Unsupported, format!("`{path}` is not supported yet")), "{extra}");
    }
    assert!(
        convert(manifest(&spec(&json!({"target": {"keepPrevious": null}})))).is_ok(),
        "what asks for nothing is no reason to refuse"
    );
}

#[test]
fn names_that_could_leave_a_folder_are_refused() {
    for (field, bad) in [("name", "../db"), ("namespace", "../shop"), ("namespace", "a.b")] {
        let mut manifest = manifest(&spec(&json!({})));
        manifest["metadata"][field] = json!(bad);
        let error = convert(manifest).unwrap_err();
        assert!(error.to_string().contains(&format!("`metadata.{field}`")), "{error}");
    }
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
fn what_a_missing_object_means_is_said_by_each_entry() {
    let extra = json!({
        "data": [
            {"secretKey": "a", "remoteRef": {"key": "k"}, "onMissing": "Keep"}, {"secretKey": "b", "remoteRef": {"key": "k"}, "onMissing": null},
        ],
        "dataFrom": [{"find": {}, "onMissing": "Fail"}, {"extract": {"key": "k"}, "onMissing": "Skip"}],
    });
    let sync = convert(manifest(&spec(&extra))).unwrap();
    assert_eq!(sync.data.iter().map(|entry| entry.on_missing).collect::<Vec<_>>(), [Some(sync::OnMissing::Keep), None]);
    let from: Vec<_> = sync.data_from.iter().map(|entry| entry.on_missing).collect();
    assert_eq!(from, [Some(sync::OnMissing::Fail), Some(sync::OnMissing::Skip)]);
    let unknown = json!({"data": [{"secretKey": "a", "remoteRef": {"key": "k"}, "onMissing": "skip"}]});
    assert!(convert(manifest(&spec(&unknown))).unwrap_err().to_string().contains("`spec.data[0].onMissing`"));
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

#[test]
fn rewrites_reach_the_sync_in_order_and_each_has_one_member() {
    let rewrite = json!([
        {"regexp": {"source": "a", "target": "b"}},
        {"transform": {"template": "{{ .value }}"}},
        {"merge": {}},
        {"merge": {"strategy": "JSON", "into": "all", "priority": ["x"], "priorityPolicy": "IgnoreNotFound", "conflictPolicy": "Ignore"}},
    ]);
    let entries = |rewrite: &Value| {
        json!([
            {"extract": {"key": "k"}, "rewrite": rewrite},
            {"find": {"name": {"regexp": "."}}, "rewrite": rewrite},
        ])
    };
    let sync = convert(manifest(&spec(&json!({"dataFrom": entries(&rewrite)})))).unwrap();
    let merged = Merge::new()
        .with_result(MergeResult::Key("all".to_owned()))
        .with_priority(vec!["x".to_owned()], true)
        .with_conflicts(MergeConflict::LaterWins);
    let expected = [
        Rewrite::Regexp { source: "a".to_owned(), target: "b".to_owned() },
        Rewrite::Transform { template: "{{ .value }}".to_owned() },
        Rewrite::Merge(Merge::new()),
        Rewrite::Merge(merged),
    ];
    assert_eq!(sync.data_from[0].rewrites, expected);
    assert_eq!(sync.data_from[1].rewrites, expected);
    for odd in [json!({}), json!({"merge": {}, "regexp": {"source": "a", "target": "b"}})] {
        let (kind, detail) = refused(&json!({"dataFrom": entries(&json!([odd]))}));
        assert_eq!(kind, ErrorKind::InvalidConfig);
        assert!(detail.starts_with("`spec.dataFrom[0].rewrite[0]`: must have exactly one member"), "{detail}");
    }
}

#[test]
fn a_suspended_manifest_makes_a_suspended_sync() {
    assert!(convert(manifest(&spec(&json!({"suspend": true})))).unwrap().suspended);
    assert!(!convert(manifest(&spec(&json!({"suspend": false})))).unwrap().suspended);
}
