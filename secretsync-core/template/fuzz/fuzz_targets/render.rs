//! Any text as a template, rendered with any data: it ends within its limits and never panics.
//!
//! The first line of the input is the data, the rest the template.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secretsync_template::{Limits, Options, Template, Value};

fuzz_target!(|input: &[u8]| {
    let at = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (data, text) = input.split_at(at);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut limits = Limits::default();
    limits.steps = 50_000;
    limits.allocated_bytes = 4 << 20;
    limits.output_bytes = 1 << 20;
    let Ok(template) = Template::parse_with("key", text, &Options::new().with_limits(limits)) else { return };
    let root = [("a", data), ("b", b"[1,{\"x\":2}]"), ("c", b"a: {b: [1, x]}")];
    let root = Value::string_map(root.map(|(key, value)| (key.to_owned(), value.to_vec())));
    match template.render(&root) {
        Ok(output) => assert!(output.len() <= limits.output_bytes),
        Err(error) => assert!(error.line() >= 1 && error.column() >= 1),
    }
});
