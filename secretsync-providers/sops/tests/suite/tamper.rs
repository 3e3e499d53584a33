//! Documents that were changed after they were encrypted never give a value, and no error shows one.

use std::fmt::Write as _;
use std::sync::LazyLock;

use secretsync_core::error::{Code, ErrorKind};
use secretsync_core::provider::Fetched;
use serde_json::{Value, json};
use xtask::rig::sops::{Format, Sops};

use crate::matrix::{encrypt_for, one_key};
use crate::support::{RECIPIENT, Store, fetch, shape};

const CANARY: &str = "canary-7f3a9c";

/// Only encrypted leaves: what the format cannot see of plain ones has a test of its own.
const PLAIN: &str = "first: canary-7f3a9c-1\nsecond: canary-7f3a9c-2\ndb:\n  user: canary-7f3a9c-3\n  port: 5432\nlist:\n- canary-7f3a9c-4\n- canary-7f3a9c-5\nlast: canary-7f3a9c-6\n";

static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| Sops::new().unwrap().encrypt(PLAIN, Format::Yaml, &[RECIPIENT], &[]).unwrap());

/// A document of every format, with the name that tells it.
static IN_EVERY_FORMAT: LazyLock<[(&str, String); 5]> = LazyLock::new(|| {
    let sops = Sops::new().unwrap();
    let encrypt = |plain: &str, format| sops.encrypt(plain, format, &[RECIPIENT], &[]).unwrap();
    let json = r#"{"first": "canary-7f3a9c-1", "db": {"user": "canary-7f3a9c-2", "port": 5432}, "list": ["canary-7f3a9c-3", "canary-7f3a9c-4"]}"#;
    let dotenv = "FIRST=canary-7f3a9c-1\n# canary-7f3a9c-2\nSECOND=canary-7f3a9c-3\nTHIRD=canary-7f3a9c-4\n";
    let ini = "; canary-7f3a9c-0\n[db]\nuser = canary-7f3a9c-1\nport = 5432\n\n[mail]\nuser = canary-7f3a9c-2\n";
    [
        ("doc.yaml", DOCUMENT.clone()),
        ("doc.json", encrypt(json, Format::Json)),
        ("doc.env", encrypt(dotenv, Format::Dotenv)),
        ("doc.ini", encrypt(ini, Format::Ini)),
        ("doc.bin", encrypt("canary-7f3a9c-1\n", Format::Binary)),
    ]
});

fn line(start: &str) -> &'static str {
    DOCUMENT.lines().find(|line| line.trim_start().starts_with(start)).unwrap()
}

fn without(start: &str) -> String {
    DOCUMENT.replace(&format!("{}\n", line(start)), "")
}

fn value(start: &str) -> &'static str {
    line(start).split_once(": ").unwrap().1
}

/// The error of a document, once everything that a user could see of it is known to show no value.
async fn refused(document: &str) -> (ErrorKind, Code, String) {
    let store = Store::inline(document);
    let provider = store.build().await.unwrap();
    let error = match fetch(&*provider, "inline").await {
        Ok(answer) => panic!("a changed document gave an answer: {answer:?}\n{document}"),
        Err(error) => error,
    };
    let text = secretsync_core::error::chain(&error);
    let seen = format!("{error:?} {error} {text} {provider:?} {:?}", error.hint());
    assert!(!seen.contains(CANARY) && !seen.contains("ENC["), "{seen}");
    (error.kind(), error.hint().unwrap().code(), text)
}

async fn all_refused(cases: impl IntoIterator<Item = (&'static str, String, Code, &'static str)>) {
    for (what, document, code, expected) in cases {
        assert_ne!(document, *DOCUMENT, "{what}");
        let (kind, found, text) = refused(&document).await;
        assert_eq!((kind, found), (ErrorKind::InvalidData, code), "{what}: {text}");
        assert!(text.contains(expected), "{what}: {text}");
    }
}

#[tokio::test]
async fn each_change_of_a_value_is_refused_by_name() {
    let (first, second) = (value("first:"), value("second:"));
    let swapped = DOCUMENT.replace(first, "@").replace(second, first).replace('@', second);
    let forged = Code::SopsMacMismatch;
    let invalid = Code::SopsDocumentInvalid;
    all_refused([
        ("values swapped", swapped, forged, "the value at `first` was changed or moved"),
        ("value copied", format!("extra: {first}\n{}", *DOCUMENT), forged, "the value at `extra` was changed or moved"),
        ("key renamed", DOCUMENT.replace("user: ", "admin: "), forged, "the value at `db.admin` was changed or moved"),
        (
            "plain leaf added",
            format!("extra: {CANARY}\n{}", *DOCUMENT),
            invalid,
            "the value at `extra` is not encrypted",
        ),
        (
            "value made plain",
            DOCUMENT.replace(value("port:"), "5432"),
            invalid,
            "the value at `db.port` is not encrypted",
        ),
    ])
    .await;
}

#[tokio::test]
async fn each_change_that_only_the_mac_shows_is_refused() {
    let list: Vec<&str> = DOCUMENT.lines().filter(|line| line.trim_start().starts_with("- ENC")).collect();
    let (one, two) = (list[0], list[1]);
    let reordered = DOCUMENT.replace(one, "@").replace(two, one).replace('@', two);
    let changed_time = DOCUMENT.replace(value("lastmodified:"), "\"2001-01-01T00:00:00Z\"");
    let changed_mac = DOCUMENT.replace(value("mac:"), &value("mac:").replace("data:", "data:AAAA"));
    let mismatch = "its MAC does not fit";
    let cases = [
        ("list re-ordered", reordered, mismatch),
        ("map re-ordered", format!("{}\n{}", line("last:"), without("last:")), mismatch),
        ("leaf removed", without("second:"), mismatch),
        ("element removed", DOCUMENT.replace(&format!("{two}\n"), ""), mismatch),
        ("plain leaf of the rule added", format!("extra_unencrypted: {CANARY}\n{}", *DOCUMENT), mismatch),
        ("MAC removed", without("mac:"), "it has no MAC"),
        ("MAC changed", changed_mac, mismatch),
        ("time changed", changed_time, mismatch),
    ];
    all_refused(cases.map(|(what, document, expected)| (what, document, Code::SopsMacMismatch, expected))).await;
}

#[tokio::test]
async fn emptied_values_show_in_the_mac() {
    let (_, code, _) = refused(&DOCUMENT.replace(value("first:"), "\"\"")).await;
    assert_eq!(code, Code::SopsMacMismatch);
    let (_, code, _) = refused(&DOCUMENT.replace(value("first:"), "null")).await;
    assert_eq!(code, Code::SopsMacMismatch);
    let as_comment = value("first:").replace("type:str", "type:comment");
    let (_, code, _) = refused(&DOCUMENT.replace(value("first:"), &as_comment)).await;
    assert_eq!(code, Code::SopsDocumentInvalid);
}

#[tokio::test]
async fn a_value_cannot_be_blanked_by_another_one_of_its_key() {
    for (name, path, before, after) in [
        ("doc.json", "first", "\"db\": {", "\"first\": \"\", \"db\": {"),
        ("doc.json", "first", "\"db\": {", "\"first\": null, \"db\": {"),
        ("doc.json", "db.user", "\"port\":", "\"user\": \"\", \"port\":"),
        ("doc.json", "db", ",\n\t\t\"port\":", "}, \"db\": {\"port\":"),
        ("doc.env", "FIRST", "SECOND=", "FIRST=\nSECOND="),
        ("doc.ini", "db.user", "[mail]", "[db]\nuser =\n[mail]"),
        ("doc.bin", "data", "\"data\":", "\"data\": \"\", \"data\":"),
        ("doc.bin", "data", "\"sops\":", "\"data\": \"\", \"sops\":"),
    ] {
        let (_, document) = IN_EVERY_FORMAT.iter().find(|(known, _)| *known == name).unwrap();
        assert!(document.contains(before), "{name}: {before}");
        let text = Store::named(name, &document.replacen(before, after, 1)).complaint(name).await;
        assert!(text.contains(&format!("the value at `{path}` stands there twice")), "{name}, {after}: {text}");
        assert!(!text.contains(CANARY), "{text}");
    }
}

/// The same value is authentic at `db.user` and at `db:user`, and the MAC sees no empty one.
#[tokio::test]
async fn a_value_cannot_be_moved_to_a_key_of_the_same_path_and_leave_an_empty_one() {
    let (name, document) = &IN_EVERY_FORMAT[1];
    let user = document.lines().find(|line| line.contains("\"user\":")).unwrap();
    let (_, value) = user.split_once(": ").unwrap();
    let moved =
        document.replace(user, "\"user\": \"\",").replacen("\"db\": {", &format!("\"db:user\": {value} \"db\": {{"), 1);
    let text = Store::named(name, &moved).complaint(name).await;
    assert!(text.contains("the value at `db.user` has the same path for sops as another one"), "{text}");
    let plain = r#"{"a:b": "1", "a": "2", "a:c": {"x": "3"}, "c:d": {"e": "4"}}"#;
    let document = Sops::new().unwrap().encrypt(plain, Format::Json, &[RECIPIENT], &[]).unwrap();
    assert_eq!(
        Store::named(name, &document).read(name).await.unwrap()["a:b"],
        json!("1"),
        "colons do no harm by themselves"
    );
}

#[tokio::test]
async fn keys_that_were_there_twice_when_sops_encrypted_give_the_last_value_where_nothing_can_be_moved() {
    let sops = Sops::new().unwrap();
    let dotenv = "a=one\nb=1\na=two\n";
    let document = sops.encrypt(dotenv, Format::Dotenv, &[RECIPIENT], &[]).unwrap();
    assert_eq!(Store::named("doc.env", &document).read("doc.env").await.unwrap()["a"], json!("two"));
    let only = encrypt_for(&one_key(), dotenv.as_bytes(), Format::Dotenv, &[("mac_only_encrypted", "true")]);
    assert!(Store::named("doc.env", &only).complaint("doc.env").await.contains("`a` stands there twice"));
    let document = sops.encrypt(r#"{"a": "one", "a": "two"}"#, Format::Json, &[RECIPIENT], &[]).unwrap();
    assert!(Store::named("doc.json", &document).complaint("doc.json").await.contains("`a` stands there twice"));
}

#[tokio::test]
async fn what_is_no_sops_document_says_so() {
    for (document, expected) in [
        ("", "it has no `sops` block"),
        ("password: canary-7f3a9c", "it has no `sops` block"),
        ("{}", "it has no `sops` block"),
        ("password: canary-7f3a9c\nsops: yes", "its `sops` block is no map"),
        (
            "password: ENC[AES256_GCM,data:canary-7f3a9c",
            "it has encrypted values and no `sops` block: it was cut short",
        ),
        ("password: [canary-7f3a9c\nother: x\n", "it is not valid YAML at line"),
        ("{\"password\": \"canary-7f3a9c\"\n\"x\": 1}", "it is not valid JSON at line 2, column"),
        ("{\"password\": \"canary-7f3a9c", "it is JSON that was cut short at line 1"),
        ("{\"sops\": {}, \"sops\": {}}", "more than one `sops` block"),
        ("password=canary-7f3a9c\nsops_mac=x\nsops_age", "there is no `=` at line 3"),
        ("[a]\npassword=canary-7f3a9c\n[sops]\nmac=x\n[sops]\n", "more than one `sops` block"),
        ("canary-7f3a9c", "its top level is no map"),
    ] {
        let (kind, code, text) = refused(document).await;
        assert_eq!((kind, code), (ErrorKind::InvalidData, Code::SopsDocumentInvalid), "{text}");
        assert!(text.contains(expected), "{text}");
    }
    let several = format!("{}---\n{}", *DOCUMENT, *DOCUMENT);
    let (kind, _, text) = refused(&several).await;
    assert_eq!(kind, ErrorKind::Unsupported);
    assert!(text.contains("it holds several YAML documents"), "{text}");
}

async fn refused_or_unchanged(name: &str, document: &str, expected: &Value, what: &str) {
    match Store::named(name, document).fetch(name).await {
        Ok(Fetched::Found(secret)) => assert_eq!(shape(&secret), *expected, "{name}, {what}"),
        Ok(other) => panic!("{name}, {what}: {other:?}"),
        Err(error) => {
            let mut seen = String::new();
            write!(seen, "{error:?}").unwrap();
            assert!(!seen.contains(CANARY), "{name}, {what}: {seen}");
        }
    }
}

/// One byte for each thing that bytes do in some format: to quote, to comment, to separate, to nest, to escape, to end; and the nearest others.
const CLASSES: &[u8] = b"#;\"'` \n\r\t=:,[]{}-&*!|>%@\\A0/+";

#[tokio::test]
async fn no_byte_can_be_changed_to_give_another_value() {
    for (name, document) in &*IN_EVERY_FORMAT {
        let expected = Store::named(name, document).read(name).await.unwrap();
        for (position, original) in document.bytes().enumerate() {
            // They take turns, which is as good as each at every position.
            let turn = position % (CLASSES.len() + 2);
            let other = CLASSES.get(turn).copied().unwrap_or(original ^ if turn == CLASSES.len() { 1 } else { 32 });
            let mut bytes = document.as_bytes().to_vec();
            bytes[position] = other;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let what = format!("byte {position} as {:?}", char::from(other));
            refused_or_unchanged(name, &changed, &expected, &what).await;
        }
    }
}

#[tokio::test]
async fn no_line_can_be_removed_doubled_or_moved_to_give_another_value() {
    for (name, document) in &*IN_EVERY_FORMAT {
        let expected = Store::named(name, document).read(name).await.unwrap();
        let lines: Vec<&str> = document.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let without = [&lines[..index], &lines[index + 1..]].concat();
            let doubled = [&lines[..index], &[*line], &lines[index..]].concat();
            let moved = [&[*line], without.as_slice()].concat();
            for (how, changed) in [("removed", without), ("doubled", doubled), ("moved", moved)] {
                let what = format!("line {} {how}", index + 1);
                refused_or_unchanged(name, &(changed.join("\n") + "\n"), &expected, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn truncated_documents_give_no_part_of_themselves() {
    for (name, document) in &*IN_EVERY_FORMAT {
        let expected = Store::named(name, document).read(name).await.unwrap();
        for end in (0..document.len()).step_by(16) {
            refused_or_unchanged(name, &document[..end], &expected, &format!("{end} bytes")).await;
        }
    }
}

/// The format's own limit, so that nobody builds on more: the digest joins plain values without keys or lengths.
#[tokio::test]
async fn keys_of_plain_values_are_not_protected() {
    let plain = "a_unencrypted: one\nb_unencrypted: two\nc: three\n";
    let document = Sops::new().unwrap().encrypt(plain, Format::Yaml, &[RECIPIENT], &[]).unwrap();
    let renamed = document
        .replace("a_unencrypted: one", "x_unencrypted: onet")
        .replace("b_unencrypted: two", "b_unencrypted: wo");
    let value = Store::inline(&renamed).read("inline").await.unwrap();
    assert_eq!(value, json!({ "x_unencrypted": "onet", "b_unencrypted": "wo", "c": "three" }));
}
