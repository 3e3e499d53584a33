//! Rules about several fields, in the API server's expression language (CEL), with External Secrets Operator's words.
//!
//! `convert` enforces each of them again: an object may come from a file, or from a cluster with other schemas. Two kinds of rules are left to it alone:
//! those that cost too much, because the API server multiplies the cost of a rule by the longest list that fits into a request (duplicate keys, targets
//! of `templateFrom`); and those that External Secrets Operator leaves to its webhook for objects that it can handle (`deletionPolicy: Delete` of a Secret
//! of others, forbidden types), because clusters without the webhook have such objects.

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
    json!([rule(
        "!(has(self.deletionPolicy) && self.deletionPolicy == 'Merge' && has(self.creationPolicy) && self.creationPolicy == 'None')",
        "deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with",
    )])
}

fn rule(expression: &str, message: &str) -> Value {
    json!({"rule": expression, "message": message})
}
