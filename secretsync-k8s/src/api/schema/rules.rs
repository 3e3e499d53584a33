//! Rules about several fields, in the API server's expression language (CEL), with External Secrets Operator's words.
//!
//! `convert` enforces each of them again: an object may come from a file, or from a cluster with other schemas. A rule about a list must be cheap,
//! because the API server multiplies its cost by the longest list that fits into a request; so duplicate keys are left to `convert`.

use serde_json::{Value, json};

pub(crate) fn spec() -> Value {
    json!([rule(
        "(has(self.data) && self.data.size() > 0) || (has(self.dataFrom) && self.dataFrom.size() > 0)",
        "either data or dataFrom should be specified",
    )])
}

pub(crate) fn data_from() -> Value {
    json!([
        rule(
            "!(has(self.extract) && has(self.find)) && !((has(self.extract) || has(self.find)) && has(self.sourceRef) && has(self.sourceRef.generatorRef))",
            "extract, find, or generatorRef cannot be set at the same time",
        ),
        rule(
            "has(self.extract) || has(self.find) || has(self.sourceRef)",
            "either extract, find, or sourceRef must be set to dataFrom",
        ),
    ])
}

pub(crate) fn target() -> Value {
    json!([
        rule(
            "!(has(self.deletionPolicy) && self.deletionPolicy == 'Delete' && has(self.creationPolicy) && self.creationPolicy in ['Merge', 'None', 'CreateOrMerge'])",
            "deletionPolicy=Delete must not be used when the controller doesn't own the secret. Please set creationPolicy=Owner",
        ),
        rule(
            "!(has(self.deletionPolicy) && self.deletionPolicy == 'Merge' && has(self.creationPolicy) && self.creationPolicy == 'None')",
            "deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with",
        ),
    ])
}

pub(crate) fn template() -> Value {
    json!([
        rule(
            "!(has(self.type) && self.type == 'bootstrap.kubernetes.io/token')",
            r#"template.type="bootstrap.kubernetes.io/token" is not allowed"#,
        ),
        rule(
            "!(has(self.type) && self.type == 'kubernetes.io/service-account-token' && has(self.metadata) && has(self.metadata.annotations) && 'kubernetes.io/service-account.name' in self.metadata.annotations)",
            r#"template.type="kubernetes.io/service-account-token" with annotation "kubernetes.io/service-account.name" is not allowed"#,
        ),
    ])
}

fn rule(expression: &str, message: &str) -> Value {
    json!({"rule": expression, "message": message})
}
