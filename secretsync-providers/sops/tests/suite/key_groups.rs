//! Data keys that are split among key groups.

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use secretsync_core::error::{Code, chain};
use serde_json::json;
use xtask::rig::sops::Format;

use crate::matrix::encrypt_for;
use crate::support::{Given, Store};

/// A document that takes `threshold` of as many groups as there are identities.
fn split(threshold: usize, identities: &[Identity], format: Format) -> String {
    let group = |identity: &Identity| format!("      - age: [{}]\n", identity.to_public());
    let groups: String = identities.iter().map(group).collect();
    let keys = format!("    shamir_threshold: {threshold}\n    key_groups:\n{groups}");
    let plain: &[u8] = if format == Format::Yaml { b"a: b\n" } else { b"a=b\n" };
    encrypt_for(&keys, plain, format, &[])
}

/// A store with the keys of these identities, each in a Secret of its own.
fn store(document: &str, identities: &[&Identity]) -> Store {
    let mut given = Given::default();
    let mut keys = Vec::new();
    for (index, identity) in identities.iter().enumerate() {
        given = given.and(&format!("key{index}/k"), identity.to_string().expose_secret());
        keys.push(json!({ "age": { "secretRef": { "name": format!("key{index}"), "key": "k" } } }));
    }
    Store::inline(document).with_credentials(given).with_keys(keys.into())
}

#[tokio::test]
async fn any_sufficient_groups_open_a_document_and_fewer_do_not() {
    let identities: [Identity; 4] = std::array::from_fn(|_| Identity::generate());
    for format in [Format::Yaml, Format::Dotenv] {
        let document = split(3, &identities, format);
        for choice in [[0, 1, 2], [1, 2, 3], [3, 0, 2]] {
            let chosen = choice.map(|index| &identities[index]);
            assert_eq!(store(&document, &chosen).read("inline").await.unwrap(), json!({ "a": "b" }), "{choice:?}");
        }
        let error = store(&document, &[&identities[1], &identities[3]]).fetch("inline").await.unwrap_err();
        assert_eq!(error.hint().unwrap().code(), Code::SopsKeyMissing);
        let text = chain(&error);
        for expected in [
            "its data key is split, and the configured keys open 2 of the 3 key groups that it takes".to_owned(),
            format!("group 1: age recipient `{}`: no identity", identities[0].to_public()),
            format!("group 3: age recipient `{}`: no identity", identities[2].to_public()),
        ] {
            assert!(text.contains(&expected), "{expected}: {text}");
        }
        assert!(!text.contains("group 2:"), "{text}");
    }
}

#[tokio::test]
async fn a_changed_threshold_or_part_gives_no_value() {
    let identities: [Identity; 3] = std::array::from_fn(|_| Identity::generate());
    let all = identities.each_ref();
    let document = split(3, &identities, Format::Yaml);
    let two = [&identities[0], &identities[2]];
    for (threshold, expected) in [("2", "its MAC does not fit"), ("9", "no number of its key groups")] {
        let changed = document.replace("shamir_threshold: 3", &format!("shamir_threshold: {threshold}"));
        assert_ne!(changed, document);
        let text = store(&changed, &two).complaint("inline").await;
        assert!(text.contains(expected), "{threshold}: {text}");
    }
    // The same part twice: two entries of one group's file.
    let start = document.find("-----BEGIN").unwrap();
    let end = document.find("-----END AGE ENCRYPTED FILE-----").unwrap();
    let second = start + 1 + document[start + 1..].find("-----BEGIN").unwrap();
    let second_end = second + document[second..].find("-----END AGE ENCRYPTED FILE-----").unwrap();
    let doubled = format!("{}{}{}", &document[..second], &document[start..end], &document[second_end..]);
    let text = store(&doubled, &all).complaint("inline").await;
    assert!(text.contains("no parts of one key"), "{text}");
    // Without a threshold every part counts, as for sops.
    let open = document.replace("shamir_threshold: 3", "other: 3");
    assert_eq!(store(&open, &all).read("inline").await.unwrap(), json!({ "a": "b" }));
}
