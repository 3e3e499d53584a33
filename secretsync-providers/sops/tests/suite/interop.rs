//! Documents that the real `sops` wrote, and one written by hand from the format's description.

use std::fmt::Write as _;
use std::fs;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use xtask::rig::sops::{Format, Sops};

use crate::support::{KEY, RECIPIENT, Store, number};

/// Encrypts with the members of a creation rule, which is where sops takes all of its rules from.
fn encrypt(plain: &str, format: Format, rule: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let members: String = rule.iter().fold(String::new(), |text, (name, value)| format!("{text}    {name}: {value}\n"));
    fs::write(folder.path().join(".sops.yaml"), format!("creation_rules:\n  - age: {RECIPIENT}\n{members}")).unwrap();
    let file = format!("plain.{}", format.name());
    fs::write(folder.path().join(&file), plain).unwrap();
    let output = SOPS.bare().current_dir(folder.path()).args(["encrypt", &file]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn read(document: &str) -> Value {
    match Store::inline(document).read("inline").await {
        Ok(value) => value,
        Err(error) => panic!("{error:?}\n{document}"),
    }
}

static SOPS: LazyLock<Sops> = LazyLock::new(|| Sops::new().expect("sops is installed"));

const EVERYTHING: &str = r#"# head of the file

data:
  text: hello
  empty: ""
  nothing:
  int: 42
  octal: 0644
  hex: 0x1F
  below: -7
  large: 9223372036854775807
  float: 1.10
  exponent: 1e21
  tiny: 1e-7
  whole: 2.0
  infinite: -.inf
  yes: yes
  "true": true
  no_bool: False
  date: 2024-01-01
  stamp: 2024-01-01T10:11:12.50+02:00
  quoted: "2024-01-01"
  lines: |
    two
    lines
  folded: >-
    one
    line
  tagged: !!str 5
  custom: !mine 5
  binary: !!binary aGVsbG8=
  unicode: "ünï ☃ 😀 \t \u0001"
  list: [a, 1, true, null, "", {k: v}, [x, [y]]]
  no_map: {}
  no_list: []
  # a comment
  after: x # at the end of a line
  items:
    # about a
    - a
    - b # about b
    # about c
    - name: c
      value_secret: d
metadata:
  name: app
  labels: {app: web, "a:b": c}
  count: 3
  note_unencrypted: 2024-02-03 04:05:06
  looks_encrypted_unencrypted: ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]
base: &base
  user: ada
  password_secret: lovelace
copy: *base
merged:
  <<: *base
  more: 1
"#;

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
        },
        "metadata": {
            "name": "app", "labels": { "app": "web", "a:b": "c" }, "count": number("3"), "note_unencrypted": "2024-02-03T04:05:06Z",
            "looks_encrypted_unencrypted": "ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]",
        },
        "base": base, "copy": base, "merged": { "<<": base, "more": number("1") },
    })
}

const RULES: [&[(&str, &str)]; 8] = [
    &[],
    &[("unencrypted_suffix", "_bool")],
    &[("encrypted_suffix", "_secret")],
    &[("unencrypted_regex", "'^(meta|list$)'")],
    &[("encrypted_regex", "'^(data|stringData)$'")],
    &[("encrypted_regex", "'(?i)^NAME$|_secret$'")],
    &[("unencrypted_regex", "'.'")],
    &[("encrypted_regex", "nothing at all")],
];

const EVERYTHING_PLAIN: &[(&str, &str)] = &[("unencrypted_regex", "'.'")];

const ONLY_ENCRYPTED: &[(&str, &str)] = &[("mac_only_encrypted", "true")];

#[tokio::test]
async fn yaml_documents_of_every_rule_and_type_are_read() {
    for rule in RULES {
        for more in [&[][..], ONLY_ENCRYPTED] {
            let document = encrypt(EVERYTHING, Format::Yaml, &[rule, more].concat());
            assert_eq!(read(&document).await, everything(), "{rule:?} {more:?}\n{document}");
        }
    }
}

#[tokio::test]
async fn json_documents_of_every_rule_are_read() {
    let plain = r#"{
        "data": {"text": "hello", "empty": "", "nothing": null, "int": 42, "below": -7, "float": 1.10, "exponent": 1e21, "whole": 2.0,
            "true": true, "no_bool": false, "date": "2024-01-01", "escapes": "a\u00fc\n\t\"<>&\u2028", "list": ["a", 1, true, null, "", {"k": "v"}, ["x"]],
            "no_map": {}, "no_list": []},
        "metadata": {"name": "app", "labels": {"a:b": "c"}, "count_unencrypted": 3, "password_secret": "x"}
    }"#;
    let expected = json!({
        "data": {
            "text": "hello", "empty": "", "nothing": null, "int": number("42"), "below": number("-7"), "float": number("1.1"),
            "exponent": number("1000000000000000000000"), "whole": number("2"), "true": true, "no_bool": false, "date": "2024-01-01",
            "escapes": "aü\n\t\"<>&\u{2028}", "list": ["a", number("1"), true, null, "", { "k": "v" }, ["x"]], "no_map": {}, "no_list": [],
        },
        "metadata": { "name": "app", "labels": { "a:b": "c" }, "count_unencrypted": number("3"), "password_secret": "x" },
    });
    for rule in RULES {
        for more in [&[][..], ONLY_ENCRYPTED] {
            let document = encrypt(plain, Format::Json, &[rule, more].concat());
            assert_eq!(read(&document).await, expected, "{rule:?} {more:?}\n{document}");
        }
    }
}

/// Whole numbers that a float cannot hold: sops 3.11 rounds them, and hashes them rounded even where they stay plain.
#[tokio::test]
async fn large_numbers_of_old_json_documents_are_what_sops_made_of_them() {
    for rule in [&[][..], EVERYTHING_PLAIN] {
        let document = encrypt(r#"{"n": 9007199254740993, "t": "x"}"#, Format::Json, rule);
        assert_eq!(read(&document).await, json!({ "n": number("9007199254740992"), "t": "x" }), "{document}");
    }
    // As the next versions leave them: the digits stay, the digest is of the rounded number.
    let document = encrypt(r#"{"n": 9007199254740992, "t": "x"}"#, Format::Json, EVERYTHING_PLAIN);
    let edited = document.replace("9007199254740992", "9007199254740993");
    assert_eq!(
        read(&edited).await,
        json!({ "n": number("9007199254740992"), "t": "x" }),
        "only what was hashed is handed out"
    );
}

#[tokio::test]
async fn rules_about_comments_are_followed() {
    let plain = "a: 1\n# seal\nb: two\n# other\nc:\n  d: 3\n  # seal\n  e:\n    f: four\n    g: [5, 6]\n  h: seven # seal\n# seal, and\n# more\ni: 8\nj: [x, y]\nk:\n  # seal\n  - x\n  - y\n  # seal\n  - z: 1\n";
    let expected = json!({
        "a": number("1"), "b": "two", "c": { "d": number("3"), "e": { "f": "four", "g": [number("5"), number("6")] }, "h": "seven" },
        "i": number("8"), "j": ["x", "y"], "k": ["x", "y", { "z": number("1") }],
    });
    for rule in ["encrypted_comment_regex", "unencrypted_comment_regex"] {
        for more in [&[][..], ONLY_ENCRYPTED] {
            let document = encrypt(plain, Format::Yaml, &[&[(rule, "seal")], more].concat());
            assert!(document.contains(rule) && document.contains("type:str"), "{document}");
            assert_eq!(read(&document).await, expected, "{rule}\n{document}");
        }
    }
}

#[tokio::test]
async fn a_document_for_several_recipients_opens_with_each() {
    let other = age::x25519::Identity::generate();
    let recipients = [other.to_public().to_string(), RECIPIENT.to_owned()];
    let document = SOPS.encrypt("a: b\n", Format::Yaml, &recipients, &[]).unwrap();
    assert_eq!(read(&document).await, json!({ "a": "b" }));
}

#[tokio::test]
async fn long_values_and_many_values_are_read() {
    let mut plain = format!("long: {}\nlines: |\n", "x".repeat(100_000));
    for line in 0..2000 {
        writeln!(plain, "  line {line}").unwrap();
    }
    for key in 0..2000 {
        writeln!(plain, "key{key}: value{key}").unwrap();
    }
    let value = read(&encrypt(&plain, Format::Yaml, &[])).await;
    assert_eq!(value["long"].as_str().map(str::len), Some(100_000));
    assert_eq!((&value["key0"], &value["key1999"]), (&json!("value0"), &json!("value1999")));
}

/// Made by another implementation; it has an encrypted comment inside a list, which some versions of sops cannot verify.
#[tokio::test]
async fn the_published_document_is_read() {
    let document = include_str!("../data/published.yaml");
    let expected = json!({
        "db": { "user": "admin", "port": number("5432"), "ratio": number("0.25"), "tls": true }, "hosts": ["a", { "name": "b" }],
        "since": "2024-01-01T00:00:00Z", "note_unencrypted": "plain", "count_unencrypted": number("7"), "nothing": null, "empty": "",
    });
    assert_eq!(read(document).await, expected);
    let crlf = document.replace('\n', "\r\n");
    assert_eq!(read(&crlf).await, expected);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,8}",
        "[ -~\u{a0}-\u{2ff}☃😀\n\t]{0,20}",
        "[-+]?[0-9_]{1,6}(\\.[0-9]{0,3})?(e[-+]?[0-9]{1,2})?",
        "(true|null|~|yes|0x1f|0b1|2024-01-01|\\.inf|<<|- a|a: b|# c|ENC\\[\\]|'|\")",
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => text().prop_map(Value::from),
        2 => (-(1_i64 << 53)..(1 << 53)).prop_map(Value::from),
        1 => any::<f64>().prop_filter("JSON has no other numbers", |number| number.is_finite() && *number != 0.0).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    let nested = leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(key(), nested, 1..12)
        .prop_map(|members| Value::Object(members.into_iter().filter(|(key, _)| key != "sops").collect()))
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,6}(_unencrypted)?", "[A-Za-z0-9.:/ ü☃-]{1,12}"]
}

/// The tree as it should come back: sops has one text for each number.
fn expected(value: &Value) -> Value {
    match value {
        Value::Number(given) => match given.as_i64() {
            Some(whole) => number(&whole.to_string()),
            None => number(&given.as_f64().unwrap().to_string()),
        },
        Value::Array(items) => items.iter().map(expected).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, member)| (key.clone(), expected(member))).collect())
        }
        other => other.clone(),
    }
}

fn sops_reads(document: &str, format: Format) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let (file, key) = (folder.path().join("document"), folder.path().join("key.txt"));
    fs::write(&file, document).unwrap();
    fs::write(&key, KEY).unwrap();
    SOPS.decrypt(&file, format, &key).is_ok()
}

fn trees_come_back(format: Format) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&tree(), |tree| {
        // JSON is YAML too, as far as these texts go.
        let document = encrypt(&tree.to_string(), format, &[]);
        match runtime.block_on(Store::inline(&document).read("inline")) {
            Ok(value) => prop_assert_eq!(value, expected(&tree), "{}\n{}", tree, document),
            // Some plain texts with leading line breaks come out of sops 3.11 in a form that it cannot read itself.
            Err(error) => prop_assert!(!sops_reads(&document, format), "{:?}\n{}\n{}", error, tree, document),
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn random_trees_come_back_from_yaml() {
    trees_come_back(Format::Yaml);
}

#[test]
fn random_trees_come_back_from_json() {
    trees_come_back(Format::Json);
}

#[test]
fn the_key_of_these_tests_is_the_recipients() {
    let identity: age::x25519::Identity = KEY.parse().unwrap();
    assert_eq!(identity.to_public().to_string(), RECIPIENT);
}
