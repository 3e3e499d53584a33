//! Documents whose data key a real Vault transit engine wrapped.

use std::fs;

use serde_json::json;
use xtask::rig::openbao::OpenBao;
use xtask::rig::sops::{Format, Sops};

use crate::sandbox::{Sandbox, data, external_secret, store};
use crate::sops::{FORMATS, key};

/// An OpenBao with a transit engine at `sops`.
pub(crate) fn transit() -> OpenBao {
    let server = OpenBao::start().unwrap();
    server.write("sys/mounts/sops", &json!({"type": "transit"})).unwrap();
    server.write("sops/keys/app", &json!({})).unwrap();
    server
}

pub(crate) fn uri(server: &OpenBao) -> String {
    format!("{}/v1/sops/keys/app", server.address())
}

/// Encrypts by a creation rule, with the token of a server.
fn encrypt(server: &OpenBao, rule: &str, plain: &str, format: Format) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".sops.yaml"), format!("creation_rules:\n- path_regex: plain\n{rule}")).unwrap();
    fs::write(folder.path().join("plain"), plain).unwrap();
    let mut sops = Sops::new().unwrap().bare();
    sops.current_dir(folder.path()).env("VAULT_TOKEN", server.token());
    sops.args(["encrypt", "--input-type", format.name(), "--output-type", format.name(), "plain"]);
    let output = sops.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A store of the folder `docs` whose only key is the transit engine of a server, and perhaps more.
fn setup(server: &OpenBao, more: &str) -> Sandbox {
    let provider = format!(
        "    sops:\n      source: {{path: docs}}\n      keys:\n      - vaultTransit:\n          server: {}\n          path: sops\n          auth:\n            \
         tokenSecretRef: {{name: token, key: t}}\n{more}",
        server.address()
    );
    let mut sandbox = Sandbox::new();
    sandbox.set("TOKEN", server.token());
    sandbox.file("store.yaml", &store("docs", &provider));
    sandbox
}

const SYNC: &str = "sync -f store.yaml -f es.yaml --to dir=out --credential token/t=env:TOKEN";

/// How often data keys were unwrapped.
fn unwrapped(server: &OpenBao) -> usize {
    server.audit_requests().unwrap().iter().filter(|request| request.path.starts_with("sops/decrypt/")).count()
}

#[test]
fn documents_of_every_format_are_opened_by_the_transit_engine_once_each() {
    let server = transit();
    let sandbox = setup(&server, "");
    let rule = format!("  hc_vault_transit_uri: {}\n", uri(&server));
    let mut entries = Vec::new();
    for (name, format, plain, property) in FORMATS {
        sandbox.file(&format!("docs/{name}"), &encrypt(&server, &rule, plain, format));
        entries.push((name, name, property));
    }
    // Twice from each document.
    let both = [external_secret("app", "docs", &data(&entries)), external_secret("more", "docs", &data(&entries))];
    sandbox.file("es.yaml", &both.join("---\n"));
    let before = unwrapped(&server);
    let run = sandbox.run(SYNC);
    assert_eq!(run.code, 0, "{run:?}");
    for (name, ..) in FORMATS {
        assert_eq!(sandbox.text(&format!("out/shop/app/{name}")), "one", "{name}");
    }
    assert_eq!(unwrapped(&server) - before, FORMATS.len());
}

#[test]
fn key_groups_mix_age_and_transit_and_the_offline_key_is_enough_where_one_is() {
    let server = transit();
    let (recipient, secret) = key();
    let age = "      - age:\n          secretRef: {name: age, key: key.txt}\n";
    let sandbox = setup(&server, age);
    sandbox.file("age.key", &secret);
    let sync = format!("{SYNC} --credential age/key.txt=file:age.key");
    let group = |keys: &str| format!("  - {keys}\n");
    let groups = [group(&format!("age: [{recipient}]")), group(&format!("hc_vault: ['{}']", uri(&server)))].concat();
    let split = format!("  shamir_threshold: 2\n  key_groups:\n{}", groups.replace("  - ", "    - "));
    let either = format!("  age: {recipient}\n  hc_vault_transit_uri: {}\n", uri(&server));
    for (rule, asked) in [(split, 1), (either, 0)] {
        sandbox.file("docs/app.yaml", &encrypt(&server, &rule, "a: one\n", Format::Yaml));
        sandbox.file("es.yaml", &external_secret("app", "docs", &data(&[("a", "app.yaml", "a")])));
        let before = unwrapped(&server);
        let run = sandbox.run(&sync);
        assert_eq!((run.code, unwrapped(&server) - before), (0, asked), "{rule}{run:?}");
    }
}

#[test]
fn a_document_that_names_another_server_causes_no_request_there() {
    let (ours, theirs) = (transit(), transit());
    let sandbox = setup(&ours, "");
    let rule = format!("  hc_vault_transit_uri: {}\n", uri(&theirs));
    sandbox.file("docs/app.yaml", &encrypt(&theirs, &rule, "a: one\n", Format::Yaml));
    sandbox.file("es.yaml", &external_secret("app", "docs", &data(&[("a", "app.yaml", "a")])));
    let before = theirs.audit_requests().unwrap().len();
    let run = sandbox.run(SYNC);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stdout.contains("Vault transit key"), "{run:?}");
    assert_eq!(theirs.audit_requests().unwrap().len(), before, "the document does not decide whom we contact");

    // A mount that the store does not name is not even tried at our own server.
    let elsewhere = sandbox.text("docs/app.yaml").replace("engine_path: sops", "engine_path: other");
    sandbox.file("docs/app.yaml", &elsewhere);
    let asked = unwrapped(&ours);
    let run = sandbox.run(SYNC);
    assert!(run.code == 1 && run.stdout.contains("may not be asked for it"), "{run:?}");
    assert_eq!(unwrapped(&ours), asked);
}
