//! Any bytes as a document of each format, or as creation rules: reading them ends within the limits and never panics, and what does not verify is a finding.
//!
//! The first byte of the input chooses how the rest is read. The published document of the tests is a good seed:
//! `(printf 0; cat ../tests/data/published.yaml) > corpus/documents/yaml`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use secretsync_core::provider::Ambient;
use secretsync_provider_sops::{SopsInspector, SopsRules};

/// The throw-away identity that the published document is encrypted for.
const KEY: &str = "AGE-SECRET-KEY-1ACFQMJYU6AS6JDEWFTRFFGKECZMY8JFU9CXDSYNN4EAEJNWF7J2S3ZQUYM";

static INSPECTOR: LazyLock<SopsInspector> = LazyLock::new(|| {
    let environment = Ambient::new(|name| (name == "SOPS_AGE_KEY").then(|| KEY.into()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("threads can be had");
    runtime.block_on(SopsInspector::new(environment)).expect("the identity is good")
});

static RULES: LazyLock<SopsRules> = LazyLock::new(|| {
    SopsRules::parse(b"creation_rules: [{age: x, encrypted_comment_regex: e}]", "rules").expect("the rules are good")
});

fuzz_target!(|input: &[u8]| {
    let Some((choice, content)) = input.split_first() else { return };
    let name = match choice % 6 {
        0 => "a.yaml",
        1 => "a.json",
        2 => "a.env",
        3 => "a.ini",
        4 => "a.bin",
        _ => {
            drop(SopsRules::parse(content, "rules"));
            return;
        }
    };
    drop(INSPECTOR.recipients(name, content));
    for finding in INSPECTOR.lint(name, content, RULES.rule(name)) {
        assert!(finding.what.len() < 4096 && !finding.what.contains('\n'), "{}", finding.what);
    }
});
