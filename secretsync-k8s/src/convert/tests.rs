//! Manifests in, syncs and complaints out.

mod complaints;
mod stores;

use secretsync_core::error::{ErrorKind, chain};
use secretsync_core::sync::{
    CreationPolicy, DecodingStrategy, DeletionPolicy, KeyConversion, Merge, MergeConflict, MergeResult, NullBytePolicy,
    RefreshPolicy, Rewrite, Selection, TemplateTarget, TemplateText,
};
use serde_json::{Value, json};

use super::*;
use crate::api::parse;

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
