//! ExternalSecrets that are refused, and what is said of them.

use super::*;

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
        (json!({"secretStoreRef": {"kind": "SecretStore"}}), "`spec.secretStoreRef`: missing field `name`"),
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
fn an_entry_without_any_store_is_refused() {
    let manifest = manifest(&json!({"data": [{"secretKey": "a", "remoteRef": {"key": "k"}}]}));
    let error = convert(manifest).unwrap_err();
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
