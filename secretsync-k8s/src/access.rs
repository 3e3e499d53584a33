//! Which namespaces may use a cluster store, and which of its objects.

use std::collections::BTreeMap;

use secretsync_core::access::{KeyAccess, KeyTemplate};
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::StoreOrigin;
use secretsync_core::regex::GoRegex;

use crate::api::{Condition, LabelSelector};
use crate::problems::{Problems, plain};
use crate::selector;

/// Which namespaces may use a store, and which of its objects. By default all namespaces and all objects.
#[derive(Clone, Debug, Default)]
pub struct Access(Vec<Rule>);

/// One condition: it holds where one of its parts does.
#[derive(Clone, Debug)]
struct Rule {
    namespaces: Vec<String>,
    /// Expressions and a selector, or why they are none: that is told to whoever comes to them, and the store is as good as ever for all others
    /// (`eso-compat.md` 0).
    expressions: Vec<Result<GoRegex, String>>,
    selector: Option<Result<LabelSelector, String>>,
    /// What it grants; `None` for every object.
    keys: Option<Vec<KeyTemplate>>,
}

impl Access {
    pub(crate) fn new(conditions: &[Condition], problems: &mut Problems) -> Self {
        Self(conditions.iter().enumerate().map(|(index, condition)| rule(index, condition, problems)).collect())
    }

    /// Whether [`Access::check`] looks at the namespace's labels at all.
    pub fn needs_labels(&self) -> bool {
        self.0.iter().any(|rule| rule.selector.is_some())
    }

    /// What objects of `namespace`, which has these labels, may read of the store: what one of the conditions that hold grants. Fails when none holds.
    pub fn check(&self, store: &StoreOrigin, namespace: &str, labels: &BTreeMap<String, String>) -> Result<KeyAccess> {
        if self.0.is_empty() {
            return Ok(KeyAccess::everything());
        }
        let mut holding = Vec::new();
        for rule in &self.0 {
            match rule.holds(namespace, labels) {
                Ok(true) => holding.push(rule),
                Err(why) if holding.is_empty() => return Err(unusable(store, why)),
                // It grants nothing to those who may use the store anyway.
                Ok(false) | Err(_) => {}
            }
        }
        if holding.is_empty() {
            return Err(denied(store, namespace));
        }
        let granted: Option<Vec<_>> = holding.into_iter().map(|rule| rule.keys.clone()).collect();
        Ok(match granted {
            Some(keys) => KeyAccess::only(store.to_string(), namespace, keys.concat()),
            None => KeyAccess::everything(),
        })
    }
}

impl Rule {
    fn holds(&self, namespace: &str, labels: &BTreeMap<String, String>) -> Result<bool, &str> {
        if let Some(selector) = &self.selector
            && selector::selects(selector.as_ref().map_err(String::as_str)?, namespace, labels)
        {
            return Ok(true);
        }
        if self.namespaces.iter().any(|name| name == namespace) {
            return Ok(true);
        }
        for expression in &self.expressions {
            if expression.as_ref().map_err(String::as_str)?.is_match(namespace) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn denied(store: &StoreOrigin, namespace: &str) -> Error {
    let denied = format!(
        "using cluster store \"{}\" is not allowed from namespace \"{}\": denied by spec.condition",
        plain(store.name()),
        plain(namespace)
    );
    let advice = "add the namespace to `spec.conditions` of the store, or use another store";
    Error::new(ErrorKind::PermissionDenied, "use")
        .on(store)
        .because(denied)
        .with_hint(Hint::new(Code::StoreInvalid, advice))
}

fn unusable(store: &StoreOrigin, why: &str) -> Error {
    Error::new(ErrorKind::InvalidConfig, "use")
        .on(store)
        .because(why.to_owned())
        .with_hint(Hint::new(Code::StoreInvalid, "correct `spec.conditions` of the store"))
}

fn rule(index: usize, condition: &Condition, problems: &mut Problems) -> Rule {
    let expression = |text: &String| {
        GoRegex::new(text)
            .map_err(|error| format!("failed to compile regex {}: {}", plain(text), plain(&error.to_string())))
    };
    let keys = condition.keys.as_ref().map(|keys| templates(&format!("spec.conditions[{index}].keys"), keys, problems));
    Rule {
        namespaces: condition.namespaces.clone(),
        expressions: condition.namespace_regexes.iter().map(expression).collect(),
        selector: condition.namespace_selector.as_ref().map(|selector| usable(index, selector)),
        keys,
    }
}

/// The selector of a condition, or everything that is wrong with it.
fn usable(index: usize, selector: &LabelSelector) -> Result<LabelSelector, String> {
    let problems = selector::problems(selector);
    let told = |(place, rule): &(String, &str)| {
        format!("`spec.conditions[{index}].namespaceSelector.{}`: {rule}", plain(place))
    };
    if problems.is_empty() {
        Ok(selector.clone())
    } else {
        Err(problems.iter().map(told).collect::<Vec<_>>().join("; "))
    }
}

/// An empty list is refused: it could be meant as nothing or as everything.
fn templates(path: &str, keys: &[String], problems: &mut Problems) -> Vec<KeyTemplate> {
    if keys.is_empty() {
        problems.at(path, "must have at least one item; without `keys` every object is granted");
    }
    let mut templates = Vec::new();
    for (place, text) in keys.iter().enumerate() {
        match KeyTemplate::parse(text) {
            Ok(template) => templates.push(template),
            Err(error) => problems.at(format_args!("{path}[{place}]"), error),
        }
    }
    templates
}

#[cfg(test)]
mod tests {
    use secretsync_core::error::chain;
    use secretsync_core::object::ObjectRef;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::read::read;

    fn access(conditions: Value) -> Access {
        let conditions: Vec<Condition> = read(conditions).unwrap();
        let mut problems = Problems::default();
        let access = Access::new(&conditions, &mut problems);
        problems.into_result("ClusterSecretStore `main`", Code::StoreInvalid).unwrap();
        access
    }

    fn allowed(conditions: &Value, namespace: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        access(conditions.clone()).check(&StoreOrigin::cluster("main"), namespace, &labels).is_ok()
    }

    #[test]
    fn one_condition_and_one_part_of_it_is_enough() {
        let conditions = json!([
            {"namespaces": ["shop"], "namespaceRegexes": ["test-*"]},
            {"namespaceSelector": {"matchLabels": {"team": "red"}}},
        ]);
        for (namespace, labels, expected) in [
            ("shop", &[][..], true),
            ("shops", &[], false),
            ("my-test-ns", &[], true),
            ("other", &[("team", "red")], true),
            ("other", &[("team", "blue")], false),
        ] {
            assert_eq!(allowed(&conditions, namespace, labels), expected, "{namespace} {labels:?}");
        }
        assert!(allowed(&json!([]), "any", &[]), "no conditions allow every namespace");
        assert!(!allowed(&json!([{}]), "any", &[]), "an empty condition holds for none");
        assert!(allowed(&json!([{"namespaceSelector": {}}]), "any", &[]), "an empty selector selects every namespace");
    }

    #[test]
    fn selectors_compare_labels_as_kubernetes_does() {
        for (requirement, labels, expected) in [
            (json!({"key": "a", "operator": "In", "values": ["1", "2"]}), &[("a", "2")][..], true),
            (json!({"key": "a", "operator": "In", "values": ["1"]}), &[], false),
            (json!({"key": "a", "operator": "NotIn", "values": ["1"]}), &[("a", "1")], false),
            (json!({"key": "a", "operator": "NotIn", "values": ["1"]}), &[], true),
            (json!({"key": "a", "operator": "Exists"}), &[("a", "")], true),
            (json!({"key": "a", "operator": "DoesNotExist"}), &[("a", "")], false),
            (json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["ns"]}), &[], true),
        ] {
            let conditions = json!([{"namespaceSelector": {"matchExpressions": [requirement]}}]);
            assert_eq!(allowed(&conditions, "ns", labels), expected, "{requirement} {labels:?}");
        }
    }

    #[test]
    fn conditions_that_hold_grant_their_keys_together_and_one_without_keys_grants_all() {
        let conditions = json!([
            {"namespaces": ["shop"], "keys": ["kv/teams/{namespace}/**"]},
            {"namespaceRegexes": ["^sh"], "keys": ["kv/shared/*"]},
            {"namespaceSelector": {"matchLabels": {"team": "platform"}}},
        ]);
        let granted = |namespace: &str, labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            access(conditions.clone()).check(&StoreOrigin::cluster("main"), namespace, &labels)
        };
        for (namespace, labels, name, expected) in [
            ("shop", &[][..], "teams/shop/db", true),
            ("shop", &[], "shared/a", true),
            ("shop", &[], "teams/bank/db", false),
            ("shed", &[], "shared/a", true),
            ("shed", &[], "teams/shed/db", false),
            ("shop", &[("team", "platform")], "teams/bank/db", true),
            ("bank", &[("team", "platform")], "anything", true),
        ] {
            let access = granted(namespace, labels).unwrap();
            assert_eq!(access.admits(&ObjectRef::new(name).within("kv")), expected, "{namespace} {labels:?} {name}");
        }
        assert!(granted("bank", &[]).is_err());
    }

    #[test]
    fn a_refusal_names_store_and_namespace() {
        let error = access(json!([{"namespaces": ["a"]}]))
            .check(&StoreOrigin::cluster("main"), "b", &BTreeMap::new())
            .unwrap_err();
        assert_eq!(
            chain(&error),
            "failed to use ClusterSecretStore main: using cluster store \"main\" is not allowed from namespace \"b\": denied by spec.condition"
        );
    }

    #[test]
    fn a_condition_that_cannot_work_fails_who_comes_to_it_and_nobody_else() {
        let selector = json!({"matchExpressions": [{"key": "a", "operator": "In"}]});
        let access = access(json!([
            {"namespaces": ["early"]},
            {"namespaces": ["named"], "namespaceRegexes": ["^ok", "(", "late"]},
            {"namespaceSelector": selector},
        ]));
        let check = |namespace| {
            let checked = access.check(&StoreOrigin::cluster("main"), namespace, &BTreeMap::new());
            checked.map(drop).map_err(|error| chain(&error))
        };
        for namespace in ["early", "named", "ok"] {
            assert_eq!(check(namespace), Ok(()), "{namespace}");
        }
        let told = "failed to use ClusterSecretStore main: failed to compile regex (: error parsing regexp: missing closing ): `(`";
        for namespace in ["late", "other"] {
            assert_eq!(check(namespace).unwrap_err(), told, "{namespace}");
        }
        let access = self::access(json!([{"namespaceSelector": selector, "namespaces": ["named"]}]));
        let error = access.check(&StoreOrigin::cluster("main"), "named", &BTreeMap::new()).unwrap_err();
        assert!(chain(&error).ends_with(
            "`spec.conditions[0].namespaceSelector.matchExpressions[0].values`: must not be empty with this operator"
        ));
    }
}
