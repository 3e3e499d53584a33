//! Our schemas beside External Secrets Operator's, as its specification has them: what it stores, we store, with the same defaults.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::documents;
use crate::parity::crds;

/// The schemas of the served version, and what else it says, by the definition's name.
fn versions(documents: &[Value]) -> BTreeMap<String, Value> {
    let served = |document: &Value| {
        document["spec"]["versions"].as_array().unwrap().iter().find(|it| it["served"] == true).cloned()
    };
    documents.iter().map(|it| (it["metadata"]["name"].as_str().unwrap().to_owned(), served(it).unwrap())).collect()
}

fn theirs() -> Vec<Value> {
    let texts = crds();
    texts.split("\n---\n").skip(1).map(|text| serde_yaml::from_str(text).unwrap()).collect()
}

#[test]
fn our_schemas_take_whatever_theirs_take_and_fill_in_the_same() {
    let (ours, theirs) = (versions(&documents()), versions(&theirs()));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (name, theirs) in &theirs {
        let spec = |version: &Value| version["schema"]["openAPIV3Schema"]["properties"]["spec"].clone();
        assert_eq!(stricter(&spec(&ours[name]), &spec(theirs), "spec"), <[String; 0]>::default(), "{name}");
        let status = |version: &Value| version["schema"]["openAPIV3Schema"]["properties"]["status"].clone();
        assert_eq!(stricter(&status(&ours[name]), &status(theirs), "status"), <[String; 0]>::default(), "{name}");
        for field in ["additionalPrinterColumns", "selectableFields", "subresources"] {
            assert_eq!(ours[name].get(field), theirs.get(field), "{name} {field}");
        }
    }
}

#[test]
fn our_kinds_bear_the_same_names() {
    let names = |documents: &[Value]| -> Vec<Value> {
        documents
            .iter()
            .map(|it| json!([it["metadata"], it["spec"]["group"], it["spec"]["names"], it["spec"]["scope"]]))
            .collect()
    };
    assert_eq!(names(&documents()), names(&theirs()));
}

/// Where our schema refuses or changes what theirs takes.
fn stricter(ours: &Value, theirs: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut differ = |what: &str, is_fine: bool| {
        if !is_fine {
            found.push(format!("{path}: {what}"));
        }
    };
    let is_open = ours["x-kubernetes-preserve-unknown-fields"] == true;
    differ("type", ours.get("type") == theirs.get("type") || is_open && ours.get("type").is_none());
    differ(
        "default",
        ours.get("default") == theirs.get("default") || theirs["default"] == false && ours["default"].is_null(),
    );
    let texts = |schema: &Value, field: &str| -> Option<BTreeSet<String>> {
        Some(schema[field].as_array()?.iter().map(|text| text.as_str().unwrap().to_owned()).collect())
    };
    let required = |schema: &Value| texts(schema, "required").unwrap_or_default();
    differ("required", required(ours).is_subset(&required(theirs)));
    let words = (texts(ours, "enum"), texts(theirs, "enum"));
    differ("enum", words.0.is_none_or(|ours| words.1.is_some_and(|theirs| theirs.is_subset(&ours))));
    for bound in ["minLength", "minProperties", "minItems", "minimum"] {
        differ(bound, ours[bound].as_u64().unwrap_or(0) <= theirs[bound].as_u64().unwrap_or(0));
    }
    for bound in ["maxLength", "maxProperties", "maxItems", "maximum"] {
        differ(bound, ours[bound].as_u64().unwrap_or(u64::MAX) >= theirs[bound].as_u64().unwrap_or(u64::MAX));
    }
    differ("pattern", ours["pattern"].is_null() || ours["pattern"] == theirs["pattern"]);
    let rules = |schema: &Value| schema["x-kubernetes-validations"].as_array().map_or(0, Vec::len);
    differ("rules", rules(ours) <= rules(theirs));
    for (name, member) in theirs["properties"].as_object().into_iter().flatten() {
        match ours["properties"].get(name).or_else(|| ours.get("additionalProperties")) {
            Some(own) => found.extend(stricter(own, member, &format!("{path}.{name}"))),
            None if is_open => {}
            None => found.push(format!("{path}.{name}: missing")),
        }
    }
    for inner in ["items", "additionalProperties"] {
        match (ours.get(inner), theirs.get(inner)) {
            (Some(ours), Some(theirs)) => found.extend(stricter(ours, theirs, &format!("{path}[]"))),
            (None, Some(_)) if !is_open => found.push(format!("{path}[]: missing")),
            _ => {}
        }
    }
    found
}
