//! The same manifests from a real OpenBao.

use serde_json::json;
use xtask::rig::openbao::OpenBao;

use crate::sandbox::{Sandbox, data, external_secret, store};
use crate::sops;

pub(crate) fn provider(server: &OpenBao, mount: &str, version: &str) -> String {
    format!(
        "    vault:\n      server: {}\n      path: {mount}\n      version: {version}\n      auth:\n        tokenSecretRef: {{name: token, key: t}}",
        server.address()
    )
}

pub(crate) fn setup() -> (Sandbox, OpenBao) {
    let server = OpenBao::start().unwrap();
    server.write("sys/mounts/kv", &json!({"type": "kv", "options": {"version": "2"}})).unwrap();
    server.write("sys/mounts/old", &json!({"type": "kv", "options": {"version": "1"}})).unwrap();
    server
        .write(
            "kv/data/app/db",
            &json!({"data": {"user": "ann", "password": "s3cr3t", "dotted.key": "exact", "n": {"x": [1, 2]}}}),
        )
        .unwrap();
    server.write("old/app/db", &json!({"user": "bob", "password": "old"})).unwrap();
    let mut sandbox = Sandbox::new();
    sandbox.set("TOKEN", server.token());
    sandbox.file(
        "stores.yaml",
        &format!(
            "{}---\n{}",
            store("v2", &provider(&server, "kv", "v2")),
            store("v1", &provider(&server, "old", "v1"))
        ),
    );
    (sandbox, server)
}

const SYNC: &str = "sync -f stores.yaml -f es.yaml --to dir=out --credential token/t=env:TOKEN";

#[test]
fn both_kv_versions_and_a_document_are_read_in_one_run() {
    let (sandbox, _server) = setup();
    let (recipient, secret) = sops::key();
    sandbox
        .file("age.key", &secret)
        .file("docs/app.yaml", &sops::encrypt("a: from sops\n", &recipient))
        .file("docs.yaml", &store("docs", sops::STORE));
    let manifests = [
        external_secret(
            "two",
            "v2",
            &data(&[("user", "app/db", "user"), ("exact", "/kv/data/app/db", "dotted.key"), ("x", "app//db", "n.x.1")]),
        ),
        external_secret("one", "v1", "  dataFrom:\n    - extract:\n        key: app/db"),
        external_secret("doc", "docs", &data(&[("a", "app.yaml", "a")])),
    ];
    sandbox.file("es.yaml", &manifests.concat());
    let run = sandbox.run(&format!("{SYNC} -f docs.yaml --credential age/key.txt=file:age.key"));
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(sandbox.text("out/shop/two/exact"), "exact");
    assert_eq!(sandbox.text("out/shop/two/x"), "2");
    assert_eq!(sandbox.text("out/shop/one/password"), "old");
    assert_eq!(sandbox.text("out/shop/doc/a"), "from sops");
}

#[test]
fn a_hundred_syncs_of_fifty_objects_send_fifty_reads() {
    let (sandbox, server) = setup();
    let mut manifests = String::new();
    for index in 0..50 {
        server.write(&format!("kv/data/many/{index}"), &json!({"data": {"a": "1", "b": "2"}})).unwrap();
    }
    for index in 0..100 {
        let object = format!("many/{}", index % 50);
        manifests += &external_secret(&format!("s{index}"), "v2", &data(&[("a", &object, "a"), ("b", &object, "b")]));
    }
    sandbox.file("es.yaml", &manifests);
    let before = server.audit_requests().unwrap().len();
    let run = sandbox.run(SYNC);
    assert_eq!(run.code, 0, "{run:?}");
    let sent: Vec<_> = server.audit_requests().unwrap().into_iter().skip(before).collect();
    assert_eq!(sent.len(), 50, "{sent:?}");
}

#[test]
fn every_refusal_is_told_apart_and_leaves_the_target_as_it_was() {
    let (mut sandbox, mut server) = setup();
    sandbox.file("es.yaml", &external_secret("db", "v2", &data(&[("user", "app/db", "user")])));
    assert_eq!(sandbox.run(SYNC).code, 0);
    let before = sandbox.tree("out");
    let expect = |sandbox: &Sandbox, hint: &str| {
        let run = sandbox.run(SYNC);
        assert_eq!(run.code, 1, "{hint} {run:?}");
        assert!(run.stderr.contains(&format!("hint[{hint}]")), "{hint} {run:?}");
        assert_eq!(sandbox.tree("out"), before, "{hint}");
    };
    sandbox.file("es.yaml", &external_secret("db", "v2", &data(&[("user", "app/nope", "user")])));
    expect(&sandbox, "secret-missing");
    sandbox.file("es.yaml", &external_secret("db", "v2", &data(&[("user", "app/db", "nope")])));
    expect(&sandbox, "property-missing");
    sandbox.file("es.yaml", &external_secret("db", "v2", &data(&[("user", "app/db", "user")])));
    let weak = server.token_with_policy("other", r#"path "kv/data/other/*" { capabilities = ["read"] }"#).unwrap();
    sandbox.set("TOKEN", &weak);
    expect(&sandbox, "vault-permission-denied");
    sandbox.set("TOKEN", "s.nosuchtoken");
    expect(&sandbox, "vault-token-invalid");
    let token = server.token().to_owned();
    sandbox.set("TOKEN", &token);
    server.seal().unwrap();
    expect(&sandbox, "vault-sealed");
    server.stop();
    expect(&sandbox, "provider-unavailable");
}
