//! Renders vectors in the goldens' format, for differential tests against another engine.
//!
//! Reads one JSON object a line (`id`, `template`, `data`) from standard input and writes `{"id", "output": {"utf8" | "base64"}}` or
//! `{"id", "error", "error_text"}` for each, in order. A line that is no vector gives an error object too.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secretsync_template::{Error, ErrorClass, Template, Value};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Vector {
    id: String,
    template: String,
    #[serde(default)]
    data: BTreeMap<String, Text>,
}

#[derive(Deserialize)]
enum Text {
    #[serde(rename = "base64")]
    Base64(String),
    #[serde(rename = "utf8")]
    Utf8(String),
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let answer = match serde_json::from_str::<Vector>(&line?) {
            Ok(vector) => answer(&vector),
            Err(error) => json!({"id": null, "error": "vector", "error_text": error.to_string()}),
        };
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

fn answer(vector: &Vector) -> serde_json::Value {
    let data = vector.data.iter().map(|(key, text)| match text {
        Text::Base64(text) => (key.clone(), STANDARD.decode(text).unwrap_or_default()),
        Text::Utf8(text) => (key.clone(), text.clone().into_bytes()),
    });
    let data = Value::string_map(data);
    match Template::parse("key", &vector.template).and_then(|template| template.render(&data)) {
        Ok(output) => match String::from_utf8(output) {
            Ok(text) => json!({"id": vector.id, "output": {"utf8": text}}),
            Err(bytes) => json!({"id": vector.id, "output": {"base64": STANDARD.encode(bytes.into_bytes())}}),
        },
        Err(error) => json!({"id": vector.id, "error": class(&error), "error_text": error.to_string()}),
    }
}

fn class(error: &Error) -> &'static str {
    match error.class() {
        ErrorClass::Function => "function",
        ErrorClass::Limit => "limit",
        ErrorClass::MissingKey => "missing-key",
        ErrorClass::Parse => "parse",
        _ => "exec",
    }
}
