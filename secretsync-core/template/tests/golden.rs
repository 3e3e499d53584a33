//! Every vector that Go's own engine answered, against ours: the goldens (with External Secrets Operator's functions), and those of `oracle.jsonl`, which
//! `cargo xtask golden compare` runs through Go again.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::bytes::Regex;
use secretsync_template::{ErrorClass, Template, Value};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    id: String,
    template: String,
    data: BTreeMap<String, Text>,
    output: Option<Text>,
    error: Option<String>,
    shape: Option<Shape>,
}

#[derive(Deserialize)]
struct Shape {
    regex: String,
}

#[derive(Deserialize)]
enum Text {
    #[serde(rename = "base64")]
    Base64(String),
    #[serde(rename = "utf8")]
    Utf8(String),
}

impl Text {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Base64(text) => STANDARD.decode(text).expect("the goldens hold valid base64"),
            Self::Utf8(text) => text.clone().into_bytes(),
        }
    }
}

impl Vector {
    fn passes(&self) -> bool {
        let data = Value::string_map(self.data.iter().map(|(key, text)| (key.clone(), text.bytes())));
        let result = Template::parse("key", &self.template).and_then(|template| template.render(&data));
        match (result, &self.output, &self.error, &self.shape) {
            (Ok(bytes), Some(output), None, None) => bytes == output.bytes(),
            (Ok(bytes), None, None, Some(shape)) => {
                Regex::new(&shape.regex).expect("the goldens hold valid patterns").is_match(&bytes)
            }
            (Err(error), None, Some(class), None) => class_of(error.class()) == class,
            _ => false,
        }
    }
}

/// A limit is a failure of the rendering; the goldens know no class of its own for it.
fn class_of(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Execute | ErrorClass::Limit => "exec",
        ErrorClass::Function => "function",
        ErrorClass::MissingKey => "missing-key",
        ErrorClass::Parse => "parse",
        _ => "unknown",
    }
}

fn check(vectors: &str, least: usize) {
    let vectors: Vec<Vector> =
        vectors.lines().map(|line| serde_json::from_str(line).expect("a line is a vector")).collect();
    assert!(vectors.len() >= least, "vectors are missing");
    let failed: Vec<&str> = vectors.iter().filter(|vector| !vector.passes()).map(|vector| vector.id.as_str()).collect();
    assert!(failed.is_empty(), "these vectors fail: {failed:?}");
}

#[test]
fn every_golden_vector_passes() {
    check(include_str!("template.jsonl"), 1387);
}

#[test]
fn every_vector_of_the_oracle_passes() {
    check(include_str!("oracle.jsonl"), 784);
}
