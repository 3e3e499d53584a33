//! Which namespaces a label selector means.

use std::collections::BTreeMap;

use crate::api::{LabelSelector, SelectorOperator, SelectorRequirement};

/// What is wrong with a selector: where, and what the rule is. A cluster stores such selectors, and nobody can use them.
pub(crate) fn problems(selector: &LabelSelector) -> Vec<(String, &'static str)> {
    let labels = selector.match_labels.iter().flat_map(|(key, value)| {
        let place = format!("matchLabels.{key}");
        let key = (!is_key(key)).then(|| (place.clone(), "must be the key of a label"));
        key.into_iter().chain((!is_value(value)).then_some((place, "must be the value of a label")))
    });
    let requirements = selector.match_expressions.iter().enumerate();
    labels.chain(requirements.flat_map(|(place, requirement)| about(place, requirement))).collect()
}

/// Whether a selector means a namespace that has these labels.
pub(crate) fn selects(selector: &LabelSelector, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
    // The API server puts this label on every namespace, so it counts where only a manifest without it is known.
    let value = |key: &str| if key == NAME_LABEL { Some(namespace) } else { labels.get(key).map(String::as_str) };
    selector.match_labels.iter().all(|(key, wanted)| value(key) == Some(wanted))
        && selector.match_expressions.iter().all(|requirement| meets(requirement, value(&requirement.key)))
}

fn about(place: usize, requirement: &SelectorRequirement) -> Vec<(String, &'static str)> {
    let path = format!("matchExpressions[{place}]");
    let mut problems = Vec::new();
    if !is_key(&requirement.key) {
        problems.push((format!("{path}.key"), "must be the key of a label"));
    }
    let empty = requirement.values.is_empty();
    let rule = match requirement.operator {
        SelectorOperator::In | SelectorOperator::NotIn if empty => Some("must not be empty with this operator"),
        SelectorOperator::Exists | SelectorOperator::DoesNotExist if !empty => Some("must be empty with this operator"),
        SelectorOperator::Unknown => {
            problems.push((format!("{path}.operator"), "must be In, NotIn, Exists or DoesNotExist"));
            None
        }
        _ => None,
    };
    problems.extend(rule.map(|rule| (format!("{path}.values"), rule)));
    if requirement.values.iter().any(|value| !is_value(value)) {
        problems.push((format!("{path}.values"), "must be values of a label"));
    }
    problems
}

fn meets(requirement: &SelectorRequirement, value: Option<&str>) -> bool {
    let listed = value.is_some_and(|value| requirement.values.iter().any(|wanted| wanted == value));
    match requirement.operator {
        SelectorOperator::DoesNotExist => value.is_none(),
        SelectorOperator::Exists => value.is_some(),
        SelectorOperator::In => listed,
        SelectorOperator::NotIn => !listed,
        SelectorOperator::Unknown => false,
    }
}

/// A name of at most 63 characters, after the name of a domain and a slash or not.
fn is_key(text: &str) -> bool {
    let (domain, name) = text.rsplit_once('/').map_or((None, text), |(domain, name)| (Some(domain), name));
    !name.is_empty() && is_value(name) && domain.is_none_or(crate::convert::is_dns_subdomain)
}

/// Nothing, or at most 63 letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit.
fn is_value(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.len() <= 63 && edge(text.chars().next()) && edge(text.chars().last()) && text.chars().all(inner)
}

const NAME_LABEL: &str = "kubernetes.io/metadata.name";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::read::read;

    fn places(selector: Value) -> Vec<String> {
        problems(&read(selector).unwrap()).into_iter().map(|(place, _)| place).collect()
    }

    #[test]
    fn selectors_that_the_api_servers_rules_refuse_are_told_by_their_place() {
        let requirement = |operator: &str, values: Value| json!({"matchExpressions": [{"key": "a", "operator": operator, "values": values}]});
        for (selector, expected) in [
            (json!({}), None),
            (json!({"matchLabels": {"example.com/a": "B_c.d-1", "b": ""}}), None),
            (requirement("In", json!(["a"])), None),
            (requirement("DoesNotExist", json!([])), None),
            (requirement("Near", json!(["a"])), Some("matchExpressions[0].operator")),
            (requirement("In", json!([])), Some("matchExpressions[0].values")),
            (requirement("Exists", json!(["a"])), Some("matchExpressions[0].values")),
            (requirement("NotIn", json!(["a b"])), Some("matchExpressions[0].values")),
            (json!({"matchExpressions": [{"key": "a/b/c", "operator": "Exists"}]}), Some("matchExpressions[0].key")),
            (json!({"matchLabels": {"a": "-b"}}), Some("matchLabels.a")),
            (json!({"matchLabels": {"": "b"}}), Some("matchLabels.")),
        ] {
            let expected: Vec<_> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(places(selector.clone()), expected, "{selector}");
        }
    }
}
