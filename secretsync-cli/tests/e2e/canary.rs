//! A marked value goes through everything; nothing but the target shows it.

use serde_json::json;
use xtask::rig::openbao::OpenBao;

use crate::sandbox::{Sandbox, data, external_secret, store};
use crate::{sops, vault};

const CANARY: &str = "canary-7c41";

#[test]
fn a_marked_value_is_in_the_target_and_nowhere_else() {
    let server = OpenBao::start().unwrap();
    server.write("sys/mounts/kv", &json!({"type": "kv", "options": {"version": "2"}})).unwrap();
    server
        .write("kv/data/app", &json!({"data": {"a": CANARY, "n": {"x": CANARY}, "json": format!("[\"{CANARY}\"]")}}))
        .unwrap();
    let (recipient, secret) = sops::key();
    let mut sandbox = Sandbox::new();
    sandbox.set("TOKEN", server.token());
    let decode = "  data:\n    - secretKey: a\n      remoteRef: {key: app, property: a, decodingStrategy: Base64}";
    let template = format!(
        "  target:\n    template:\n      data:\n        t: '{{{{ fail .a }}}}'\n{}",
        data(&[("a", "app", "a")])
    );
    let manifests = [
        store("v", &vault::provider(&server, "kv", "v2")),
        "---\n".to_owned() + &store("d", sops::STORE),
        external_secret("good", "v", "  dataFrom:\n    - extract: {key: app}"),
        external_secret("doc", "d", &data(&[("a", "app.yaml", "a")])),
        external_secret("deep", "v", &data(&[("a", "app", "a.b")])),
        external_secret("members", "v", "  dataFrom:\n    - extract: {key: app, property: json}"),
        external_secret("decode", "v", decode),
        external_secret("template", "v", &template),
    ];
    sandbox
        .file("age.key", &secret)
        .file("docs/app.yaml", &sops::encrypt(&format!("a: {CANARY}\n"), &recipient))
        .file("all.yaml", &manifests.concat());
    let flags =
        "-f all.yaml --to dir=out --credential token/t=env:TOKEN --credential age/key.txt=file:age.key --log trace";
    let token = server.token();
    let mut printed = String::new();
    for (verb, code) in [("plan", 1), ("sync", 1), ("plan --output json", 1), ("sync --output json", 1)] {
        let run = sandbox.run(&format!("{verb} {flags}"));
        assert_eq!(run.code, code, "{verb} {}", run.stdout);
        printed.extend([run.stdout, run.stderr]);
    }
    assert!(printed.contains("failed"), "something was printed");
    for secret in [CANARY, token, secret.as_str(), "Y2FuYXJ5LTdjNDE"] {
        let place = printed.find(secret).map(|at| printed[at.saturating_sub(200)..at].to_owned());
        assert_eq!(place, None, "a secret was printed after this text");
    }
    assert_eq!(sandbox.text("out/shop/good/a"), CANARY);
    assert_eq!(sandbox.text("out/shop/doc/a"), CANARY);
    assert!(!sandbox.text("out/.secretsync").contains(CANARY));
}
