//! INI documents that somebody edited by hand: plain values are hashed as the library of sops reads them, and must be handed out the same.

use std::fs;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use xtask::rig::sops::Format;

use crate::matrix::SOPS;
use crate::support::{KEY, RECIPIENT, Store};

/// A document of plain values that sops can verify, with the text of these lines as they were typed.
fn typed(lines: &str) -> Option<String> {
    let text = format!("[s]\n{lines}");
    let encrypted = SOPS.encrypt(&text, Format::Ini, &[RECIPIENT], &["--unencrypted-regex", "."]).ok()?;
    let (_, metadata) = encrypted.rsplit_once("[sops]\n")?;
    Some(format!("{text}\n[sops]\n{metadata}"))
}

/// What sops itself makes of a document, if it takes it.
fn by_sops(document: &str) -> Option<Value> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.ini"), document).unwrap();
    let mut sops = SOPS.bare();
    sops.env("SOPS_AGE_KEY", KEY).args(["decrypt", "--output-type", "json"]).arg(folder.path().join("x.ini"));
    let output = sops.output().unwrap();
    let mut value: Value = serde_json::from_slice(&output.stdout).ok()?;
    let sections = value.as_object_mut()?;
    sections.retain(|name, keys| name != "DEFAULT" || keys.as_object().is_some_and(|keys| !keys.is_empty()));
    Some(value)
}

async fn by_us(document: &str) -> Result<Value, String> {
    Store::named("x.ini", document).read("x.ini").await.map_err(|error| format!("{error:?}"))
}

#[tokio::test]
async fn comments_behind_values_begin_at_any_hash_or_semicolon_outside_of_strong_quotes() {
    let lines = [
        "a = v#x",
        "b = v;x",
        "c = v # x",
        "d = v ;x#y",
        "e = #x",
        "f =;",
        "g = \"q#r\" # t",
        "h = 'q;r'",
        "i = `q#r`",
        "j = `q;r` # c",
        "k = \"\"\"q#r\"\"\"",
        "l = v \\# x",
        "m = \"q\" z ; c",
        "n = q # x\\",
        "p : v#=x",
        "q = x\\",
        "  y # z",
    ];
    let document = typed(&(lines.join("\n") + "\n")).unwrap();
    let expected = by_sops(&document).unwrap();
    assert_eq!(
        (&expected["s"]["a"], &expected["s"]["g"], &expected["s"]["i"]),
        (&"v".into(), &"\"q".into(), &"q#r".into())
    );
    assert_eq!(by_us(&document).await, Ok(expected), "{document}");
}

#[test]
fn whatever_sops_makes_of_a_typed_value_is_what_we_hand_out() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let word = prop_oneof![4 => "[a-c#; =:]{0,3}", 1 => "[\"'`\\\\]", 1 => "(\"\"\"|\\\\#|\\\\;| #| ;)"];
    let text = prop::collection::vec(word, 0..5).prop_map(|words| words.concat());
    let mut runner = TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&prop::collection::vec(text, 1..4), |texts| {
        let lines: Vec<_> = texts.iter().enumerate().map(|(index, text)| format!("k{index} = {text}\n")).collect();
        let Some(document) = typed(&lines.concat()) else { return Ok(()) };
        // What sops takes we read like it; what it refuses we may refuse, too.
        if let Some(expected) = by_sops(&document) {
            prop_assert_eq!(runtime.block_on(by_us(&document)), Ok(expected), "{}", document);
        }
        Ok(())
    });
    outcome.unwrap();
}
