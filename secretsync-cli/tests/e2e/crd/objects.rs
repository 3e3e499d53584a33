//! Objects sent to the API server without being stored.

use serde_json::{Value, json};

use super::CLUSTER;
use crate::sandbox::Sandbox;

/// What the API server would store of these objects, all of which it must take.
pub(super) fn stored(objects: &[Value]) -> Vec<Value> {
    let text = create(objects, "true").unwrap();
    serde_json::Deserializer::from_str(&text).into_iter().map(Result::unwrap).collect()
}

/// What the API server says against each of these objects; an empty text where it would take one.
pub(super) fn refusals(objects: &[Value]) -> Vec<String> {
    let all = create(objects, "false").err().unwrap_or_default();
    let told = |object: &Value| {
        let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        let begin = format!("{kind}.external-secrets.io \"{name}\" is invalid:");
        let text = all.split_once(&begin).map_or("", |(_, text)| text);
        text.split("\nError from server").next().unwrap_or_default().to_owned()
    };
    objects.iter().map(told).collect()
}

/// `validate`: whether kubectl looks for fields that the schema does not have.
fn create(objects: &[Value], validate: &str) -> Result<String, String> {
    let sandbox = Sandbox::new();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    sandbox.file("list.json", &list.to_string());
    let path = sandbox.path("list.json").display().to_string();
    CLUSTER
        .kubectl(&[
            "create",
            &format!("--validate={validate}"),
            "--dry-run=server",
            "-n",
            "default",
            "-o",
            "json",
            "-f",
            &path,
        ])
        .map_err(|error| error.to_string())
}
