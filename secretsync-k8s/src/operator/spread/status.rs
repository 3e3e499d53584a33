//! The status of a ClusterExternalSecret (`eso-compat.md` 1.5). Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// What the status says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::operator) struct SpreadStatus {
    /// The name of the ExternalSecrets.
    pub(in crate::operator) name: String,
    /// Where they are as they should be.
    pub(in crate::operator) provisioned: BTreeSet<String>,
    /// Where they are not, and why.
    pub(in crate::operator) failed: BTreeMap<String, String>,
    /// Whether the condition `Ready` holds; `None` where there is none, or not with these words.
    pub(in crate::operator) ready: Option<bool>,
}

impl SpreadStatus {
    /// The status after a pass.
    pub(in crate::operator) fn after(
        name: String,
        provisioned: BTreeSet<String>,
        failed: BTreeMap<String, String>,
    ) -> Self {
        let ready = Some(failed.is_empty());
        Self { name, provisioned, failed, ready }
    }

    /// Reads the status of an object. What makes no sense counts as absent: it is written anew then.
    pub(in crate::operator) fn read(status: &Value) -> Self {
        let items = |name: &str| status[name].as_array().into_iter().flatten();
        let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let failure = |failed: &Value| Some((failed["namespace"].as_str()?.to_owned(), text(failed, "reason")));
        Self {
            name: text(status, "externalSecretName"),
            provisioned: items("provisionedNamespaces").filter_map(Value::as_str).map(str::to_owned).collect(),
            failed: items("failedNamespaces").filter_map(failure).collect(),
            ready: items("conditions").find_map(|condition| {
                let holds = condition["status"] == "True";
                let words = condition["message"].as_str().unwrap_or_default() == message(holds);
                (condition["type"] == "Ready" && words).then_some(holds)
            }),
        }
    }

    /// A merge patch that writes it, to the object with this uid only. Lists are sorted; what is empty is left out.
    pub(in crate::operator) fn patch(&self, uid: &str) -> Value {
        let list = |items: Vec<Value>| if items.is_empty() { Value::Null } else { Value::Array(items) };
        let failed = self.failed.iter().map(|(namespace, reason)| json!({"namespace": namespace, "reason": reason}));
        let holds = self.ready.unwrap_or_default();
        let mut condition = json!({"type": "Ready", "status": if holds { "True" } else { "False" }});
        if !holds {
            condition["message"] = message(holds).into();
        }
        json!({
            "metadata": {"uid": uid},
            "status": {
                "externalSecretName": self.name,
                "provisionedNamespaces": list(self.provisioned.iter().map(|name| name.as_str().into()).collect()),
                "failedNamespaces": list(failed.collect()),
                "conditions": [condition],
            },
        })
    }
}

fn message(holds: bool) -> &'static str {
    if holds { "" } else { "one or more namespaces failed" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_written_as_external_secrets_operator_does_and_read_back_the_same() {
        let provisioned = ["b", "a"].map(str::to_owned).into();
        let status = SpreadStatus::after("db".to_owned(), provisioned, BTreeMap::new());
        let patch = status.patch("u-1");
        assert_eq!(
            patch,
            json!({
                "metadata": {"uid": "u-1"},
                "status": {
                    "externalSecretName": "db",
                    "provisionedNamespaces": ["a", "b"],
                    "failedNamespaces": null,
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            })
        );
        assert_eq!(SpreadStatus::read(&patch["status"]), status);
        let failed = [("b".to_owned(), "no".to_owned()), ("a".to_owned(), "never".to_owned())].into();
        let status = SpreadStatus::after("db".to_owned(), BTreeSet::new(), failed);
        let patch = status.patch("u-1");
        assert_eq!(
            patch["status"]["failedNamespaces"],
            json!([{"namespace": "a", "reason": "never"}, {"namespace": "b", "reason": "no"}])
        );
        assert_eq!(
            patch["status"]["conditions"],
            json!([{"type": "Ready", "status": "False", "message": "one or more namespaces failed"}])
        );
        assert_eq!(SpreadStatus::read(&patch["status"]), status);
        assert_eq!(SpreadStatus::read(&json!({"conditions": 3, "failedNamespaces": "x"})), SpreadStatus::default());
    }
}
