//! From a JSON schema to the structural schema that the API server takes: one type for each node, nothing that the API server does not know.
//!
//! kube's own rewriting is not used: it marks optional fields as nullable, and an API server keeps a null there instead of the default.

use serde_json::{Map, Value, json};

/// Rewrites a schema without references. What a structural schema cannot say is left out: more is stored then, and the reader refuses it.
pub(super) fn rewrite(schema: &mut Value) {
    let Value::Object(node) = schema else {
        *schema = json!({PRESERVE: true});
        return;
    };
    merge_alternatives(node);
    one_type(node);
    describe(node);
    node.retain(|keyword, _| SUPPORTED.contains(&keyword.as_str()) || keyword.starts_with(EXTENSION));
    if node.get("default").is_some_and(is_empty) {
        node.remove("default");
    }
    rewrite_members(node);
    if node.get("type") == Some(&json!("array")) {
        rewrite(node.entry("items").or_insert(Value::Bool(true)));
    }
    if !node.contains_key("type") && !node.contains_key(INT_OR_STRING) {
        node.insert(PRESERVE.to_owned(), Value::Bool(true));
    }
}

/// Properties, and the type of members without a name: a structural schema has the ones or the other.
fn rewrite_members(node: &mut Map<String, Value>) {
    let rest = node.remove("additionalProperties");
    if let Some(Value::Object(properties)) = node.get_mut("properties") {
        properties.values_mut().for_each(rewrite);
        if rest.is_some_and(|rest| rest != Value::Bool(false)) {
            node.insert(PRESERVE.to_owned(), Value::Bool(true));
        }
        return;
    }
    match rest {
        Some(mut rest @ Value::Object(_)) => {
            rewrite(&mut rest);
            node.insert("additionalProperties".to_owned(), rest);
        }
        Some(Value::Bool(true)) => {
            node.insert(PRESERVE.to_owned(), Value::Bool(true));
        }
        _ => {}
    }
}

/// Takes in the one alternative that is not null, or makes an enumeration of constants.
fn merge_alternatives(node: &mut Map<String, Value>) {
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let Some(Value::Array(mut alternatives)) = node.remove(keyword) else { continue };
        alternatives.retain(|alternative| alternative.get("type") != Some(&json!("null")));
        if let [Value::Object(only)] = &mut alternatives[..] {
            for (keyword, value) in std::mem::take(only) {
                node.entry(keyword).or_insert(value);
            }
            // What was taken in may have alternatives of its own.
            return merge_alternatives(node);
        }
        let texts: Option<Vec<_>> = alternatives.iter().map(constants).collect();
        if let Some(texts) = texts {
            node.insert("type".to_owned(), json!("string"));
            node.insert("enum".to_owned(), Value::Array(texts.concat()));
        }
    }
}

/// The texts that a schema allows, where it allows nothing else.
fn constants(schema: &Value) -> Option<Vec<Value>> {
    let texts = match (schema.get("const"), schema.get("enum")) {
        (Some(text), _) => vec![text.clone()],
        (None, Some(Value::Array(texts))) => texts.clone(),
        _ => return None,
    };
    texts.iter().all(Value::is_string).then_some(texts)
}

fn one_type(node: &mut Map<String, Value>) {
    if let Some(only) = node.remove("const") {
        node.insert("enum".to_owned(), json!([only]));
    }
    if let Some(Value::Array(values)) = node.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(types)) = node.get_mut("type") else { return };
    types.retain(|name| name != "null");
    match &mut types[..] {
        [only] => {
            let only = only.take();
            node.insert("type".to_owned(), only);
        }
        _ => {
            node.remove("type");
        }
    }
}

/// Keeps the first paragraph of a description, on one line and without the links of Rust's documentation.
fn describe(node: &mut Map<String, Value>) {
    let Some(Value::String(text)) = node.get_mut("description") else { return };
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    *text = paragraph.replace('\n', " ").replace("[`", "`").replace("`]", "`");
}

/// What stands for a field that may be absent, and is no default to be written into objects.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(flag) => !flag,
        Value::Null => true,
        Value::Number(_) | Value::String(_) => false,
    }
}

const EXTENSION: &str = "x-kubernetes-";
const INT_OR_STRING: &str = "x-kubernetes-int-or-string";
const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";

const SUPPORTED: &[&str] = &[
    "additionalProperties",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "pattern",
    "properties",
    "required",
    "type",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(mut schema: Value) -> Value {
        rewrite(&mut schema);
        schema
    }

    #[test]
    fn optional_fields_have_the_type_of_what_is_in_them() {
        for (schema, expected) in [
            (json!({"type": ["string", "null"], "default": null}), json!({"type": "string"})),
            (
                json!({"description": "Outer.", "anyOf": [{"description": "Inner.", "type": "object"}, {"type": "null"}]}),
                json!({"description": "Outer.", "type": "object"}),
            ),
            (
                json!({"anyOf": [{"oneOf": [{"const": "A", "type": "string"}, {"enum": ["B"], "type": "string"}]}, {"type": "null"}]}),
                json!({"type": "string", "enum": ["A", "B"]}),
            ),
        ] {
            assert_eq!(rewritten(schema), expected);
        }
    }

    #[test]
    fn what_a_structural_schema_cannot_say_is_stored_as_it_is() {
        let anything = json!({PRESERVE: true});
        for schema in [
            json!(true),
            json!({}),
            json!({"$ref": "#/$defs/Tree"}),
            json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
            json!({"type": ["string", "integer"]}),
        ] {
            assert_eq!(rewritten(schema), anything);
        }
        assert_eq!(rewritten(json!({"type": "array"})), json!({"type": "array", "items": anything}));
        assert_eq!(
            rewritten(json!({"type": "object", "properties": {"a": true}, "additionalProperties": true})),
            json!({"type": "object", "properties": {"a": anything}, PRESERVE: true})
        );
    }

    #[test]
    fn absent_is_no_default_and_unknown_keywords_go() {
        let schema = json!({"type": "array", "items": {"type": "string", "title": "T"}, "default": [], "uniqueItems": true, "$schema": "x"});
        assert_eq!(rewritten(schema), json!({"type": "array", "items": {"type": "string"}}));
        let schema = json!({"type": "object", "properties": {"a": {"type": "boolean", "default": false}}, "additionalProperties": false});
        assert_eq!(rewritten(schema), json!({"type": "object", "properties": {"a": {"type": "boolean"}}}));
        assert_eq!(rewritten(json!({"type": "string", "default": ""})), json!({"type": "string", "default": ""}));
    }

    #[test]
    fn descriptions_are_one_paragraph_without_links() {
        let schema = json!({"type": "string", "description": "One\nline of [`Target`].\n\nMore."});
        assert_eq!(rewritten(schema), json!({"type": "string", "description": "One line of `Target`."}));
    }
}
