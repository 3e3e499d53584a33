//! The real `sops` encrypts in every format, for every kind of key that can be made here, by every rule; we read all of it.

use std::fmt::Write as _;
use std::fs;
use std::sync::LazyLock;

use serde_json::{Value, json};
use xtask::rig::sops::{Format, Sops};

use crate::support::{RECIPIENT, Store, number};

/// The program, and one home for all tests.
pub(crate) static SOPS: LazyLock<Sops> = LazyLock::new(|| Sops::new().expect("sops is installed"));

/// The part of a creation rule that names keys, as lines of YAML.
pub(crate) fn one_key() -> String {
    format!("    age: {RECIPIENT}\n")
}

fn keys() -> Vec<(&'static str, String)> {
    let other = || age::x25519::Identity::generate().to_public().to_string();
    let group = |recipient: &str| format!("      - age: [{recipient}]\n");
    let groups = |threshold: usize, recipients: &[&str]| {
        let groups: String = recipients.iter().map(|recipient| group(recipient)).collect();
        format!("    shamir_threshold: {threshold}\n    key_groups:\n{groups}")
    };
    vec![
        ("one key", one_key()),
        ("several keys", format!("    age: {},{RECIPIENT},{}\n", other(), other())),
        ("one group", format!("    key_groups:\n{}", group(RECIPIENT))),
        ("one group and a threshold", groups(2, &[RECIPIENT])),
        ("two of three parts", groups(2, &[&other(), RECIPIENT, RECIPIENT])),
        ("three of three parts", groups(3, &[RECIPIENT, RECIPIENT, RECIPIENT])),
    ]
}

/// Encrypts with a creation rule, which is where sops takes all of its rules from.
pub(crate) fn encrypt_for(keys: &str, plain: &[u8], format: Format, rule: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let members: String = rule.iter().fold(String::new(), |mut text, (name, value)| {
        writeln!(text, "    {name}: {value}").unwrap();
        text
    });
    let config = format!("creation_rules:\n  - path_regex: plain\n{keys}{members}");
    fs::write(folder.path().join(".sops.yaml"), config).unwrap();
    fs::write(folder.path().join("plain"), plain).unwrap();
    let mut sops = SOPS.bare();
    sops.current_dir(folder.path()).args(["encrypt", "--input-type", format.name(), "--output-type", format.name()]);
    let output = sops.arg("plain").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const RULES: [&[(&str, &str)]; 11] = [
    &[],
    &[("unencrypted_suffix", "_bool")],
    &[("encrypted_suffix", "_secret")],
    &[("unencrypted_regex", "'^(meta|list$)'")],
    &[("encrypted_regex", "'^(data|stringData)$'")],
    &[("encrypted_regex", "'(?i)^NAME$|_secret$'")],
    &[("unencrypted_regex", "'.'")],
    &[("encrypted_regex", "nothing at all")],
    &[("encrypted_comment_regex", "seal")],
    &[("unencrypted_comment_regex", "seal")],
    &[("unencrypted_comment_regex", "'^ about'")],
];

/// How a document is called, so that its name tells the format.
fn name(format: Format) -> &'static str {
    match format {
        Format::Dotenv => "doc.env",
        Format::Ini => "doc.ini",
        Format::Json => "doc.json",
        Format::Yaml => "doc.yaml",
        _ => "doc.bin",
    }
}

/// Reads what sops makes of `plain`, for every kind of key, rule and extent of the MAC.
async fn every_document_is_read(format: Format, plain: &[u8], expected: &Value, least: usize) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::path(folder.path(), ".");
    let mut cases = 0;
    for (kind, keys) in keys() {
        for rule in RULES {
            for more in [&[][..], &[("mac_only_encrypted", "true")]] {
                let what = format!("{kind}, {rule:?}, {more:?}");
                // The store for single values knows no rules about comments in JSON, where there are none.
                let document = encrypt_for(&keys, plain, format, &[rule, more].concat());
                fs::write(folder.path().join(name(format)), &document).unwrap();
                match store.read(name(format)).await {
                    Ok(value) => assert_eq!(value, *expected, "{what}\n{document}"),
                    Err(error) => panic!("{what}: {error:?}\n{document}"),
                }
                cases += 1;
            }
        }
    }
    assert!(cases >= least, "{cases}");
}

#[tokio::test]
async fn every_yaml_document_is_read() {
    every_document_is_read(Format::Yaml, include_bytes!("../data/everything.yaml"), &everything(), 100).await;
}

#[tokio::test]
async fn every_json_document_is_read() {
    let plain = include_bytes!("../data/everything.json");
    every_document_is_read(Format::Json, plain, &everything_in_json(), 100).await;
}

#[tokio::test]
async fn every_dotenv_document_is_read() {
    let expected = json!({
        "A": "one", "data": "\"quoted\" # no comment", " C ": " spaced ", "EMPTY": "", "LINES": "two\nlines", "D_secret": "=x=y",
        "ÜMLAUT": "ünï ☃", "E_unencrypted": "plain#text'", "sops": "kept", "meta.x": "ENC[no", "TAB_bool": "a\tb\r", "name": "n",
    });
    every_document_is_read(Format::Dotenv, include_bytes!("../data/everything.env"), &expected, 100).await;
}

#[tokio::test]
async fn every_ini_document_is_read() {
    let expected = json!({
        "DEFAULT": { "top": "1" },
        "data": { "text": "hello", "empty": "", "hash": "a#b;c", "quoted": " outer blanks ", "lines": "two\nlines", "equals": "a=b:c",
            "value_secret": "s", "tick": "a`b", "cut": "x" },
        "metadata": { "name": "app", "x_unencrypted": "plain", "is_bool": "yes" },
        "a.b": { "k": "v", "data": "unïcode ☃" },
    });
    every_document_is_read(Format::Ini, include_bytes!("../data/everything.ini"), &expected, 100).await;
}

#[tokio::test]
async fn every_binary_document_is_read() {
    let bytes: Vec<u8> = (0..=255).chain("\nENC[text]\n".bytes()).collect();
    every_document_is_read(Format::Binary, &bytes, &json!(bytes), 100).await;
}

#[tokio::test]
async fn binary_documents_may_be_empty_and_hold_text() {
    for text in ["", "plain text\n", "{\"data\": 1}"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x.pem"), encrypt_for(&one_key(), text.as_bytes(), Format::Binary, &[])).unwrap();
        assert_eq!(Store::path(folder.path(), ".").read("x.pem").await.unwrap(), json!(text.as_bytes()));
    }
}

fn everything() -> Value {
    let base = json!({ "user": "ada", "password_secret": "lovelace" });
    json!({
        "data": {
            "text": "hello", "empty": "", "nothing": null, "int": number("42"), "octal": number("420"), "hex": number("31"),
            "below": number("-7"), "large": number("9223372036854775807"), "float": number("1.1"),
            "exponent": number("1000000000000000000000"), "tiny": number("0.0000001"), "whole": number("2"), "infinite": "-.inf",
            "yes": "yes", "true": true, "no_bool": false, "date": "2024-01-01T00:00:00Z", "stamp": "2024-01-01T10:11:12.5+02:00",
            "quoted": "2024-01-01", "lines": "two\nlines\n", "folded": "one line", "tagged": "5", "custom": "5", "binary": "hello",
            "unicode": "ünï ☃ 😀 \t \u{1}", "list": ["a", number("1"), true, null, "", { "k": "v" }, ["x", ["y"]]],
            "no_map": {}, "no_list": [], "after": "x", "items": ["a", "b", { "name": "c", "value_secret": "d" }],
            "sealed": { "f": "four", "g": [number("5"), number("6")], "h": "seven" }, "end": [{ "z": number("1") }],
        },
        "metadata": {
            "name": "app", "labels": { "app": "web", "a:b": "c" }, "count": number("3"), "note_unencrypted": "2024-02-03T04:05:06Z",
            "looks_encrypted_unencrypted": "ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]",
        },
        "base": base, "copy": base, "merged": { "<<": base, "more": number("1") },
    })
}

fn everything_in_json() -> Value {
    json!({
        "data": {
            "text": "hello", "empty": "", "nothing": null, "int": number("42"), "below": number("-7"), "float": number("1.1"),
            "exponent": number("1000000000000000000000"), "whole": number("2"), "true": true, "no_bool": false, "date": "2024-01-01",
            "escapes": "aü\n\t\"<>&\u{2028}", "list": ["a", number("1"), true, null, "", { "k": "v" }, ["x"]], "no_map": {}, "no_list": [],
        },
        "metadata": { "name": "app", "labels": { "a:b": "c" }, "count_unencrypted": number("3"), "password_secret": "x" },
    })
}
