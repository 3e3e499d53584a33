//! Credentials that are issued for a run, from manifests.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use xtask::rig::openbao::OpenBao;
use xtask::rig::postgres::Postgres;

use crate::sandbox::{Sandbox, external_secret, store};

/// A database engine, a certificate authority, and the manifests of `examples/dynamic-credentials` for them.
fn setup() -> (Sandbox, OpenBao, Postgres) {
    let (bao, postgres) = (OpenBao::start().unwrap(), Postgres::start().unwrap());
    postgres.connect(&bao).unwrap();
    postgres.add_role(&bao, "app", "1h", "24h").unwrap();
    bao.write("sys/mounts/pki", &json!({"type": "pki"})).unwrap();
    bao.write("pki/root/generate/internal", &json!({"common_name": "example.com", "ttl": "48h"})).unwrap();
    let role = json!({"allowed_domains": "example.com", "allow_subdomains": true, "max_ttl": "24h"});
    bao.write("pki/roles/web", &role).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/dynamic-credentials");
    let policy = fs::read_to_string(folder.join("policy.hcl")).unwrap();
    let token = bao.token_with_policy("secretsync", &policy).unwrap();
    let mut sandbox = Sandbox::new();
    sandbox.set("TOKEN", &token);
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = fs::read_to_string(&path).unwrap().replace("https://vault.example.com:8200", bao.address());
            sandbox.file(&format!("manifests/{}", path.file_name().unwrap().to_str().unwrap()), &text);
        }
    }
    (sandbox, bao, postgres)
}

const CREDENTIAL: &str = "--credential vault-token/token=env:TOKEN";

#[test]
fn the_example_gives_credentials_that_work_with_the_policy_that_it_names() {
    let (sandbox, bao, postgres) = setup();
    let plan = sandbox.run(&format!("plan -f manifests --to dir=out {CREDENTIAL}"));
    assert_eq!(plan.code, 3, "{plan:?}");
    assert!(plan.stdout.contains("a credential would be issued"), "{plan:?}");
    assert!(postgres.roles().unwrap().is_empty(), "a plan issues nothing");

    let run = sandbox.run(&format!("sync -f manifests --to dir=out {CREDENTIAL}"));
    assert_eq!(run.code, 0, "{run:?}");
    let (user, password) = (sandbox.text("out/shop/database/username"), sandbox.text("out/shop/database/password"));
    assert!(postgres.accepts(&user, &password).unwrap(), "they outlive the run");
    assert!(run.stdout.contains("shop/database: what database/creds/app issued ends at 20"), "{run:?}");
    assert!(run.stdout.contains("(lease database/creds/app/"), "{run:?}");
    assert!(sandbox.text("out/shop/web-tls/tls.crt").matches("BEGIN CERTIFICATE").count() >= 1);
    assert!(sandbox.text("out/shop/web-tls/tls.key").contains("PRIVATE KEY"));
    assert!(run.stdout.contains("shop/web-tls: what pki/issue/web issued ends at 20"), "{run:?}");
    let asked = bao.audit_requests().unwrap();
    let issues = asked.iter().filter(|request| request.path == "database/creds/app").count();
    assert_eq!(issues, 1);
}

#[test]
fn nothing_is_issued_only_to_be_shown() {
    let (sandbox, bao, postgres) = setup();
    let shown = sandbox.run(&format!("render -f manifests {CREDENTIAL}"));
    assert_eq!(shown.code, 1, "{shown:?}");
    assert!(shown.stderr.contains("hint[issuing-refused]: give the data with `--with`"), "{shown:?}");
    assert!(postgres.roles().unwrap().is_empty());
    assert!(!bao.audit_requests().unwrap().iter().any(|request| request.path == "pki/issue/web"));
}

#[test]
fn the_report_for_programs_has_the_lease_and_its_end() {
    let (sandbox, _bao, _postgres) = setup();
    let run = sandbox.run(&format!("sync -f manifests --to dir=out -o json {CREDENTIAL}"));
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let syncs = report["syncs"].as_array().unwrap();
    let database = syncs.iter().find(|sync| sync["name"] == "database").unwrap();
    let issued = &database["issued"][0];
    assert!(issued["lease"].as_str().unwrap().starts_with("database/creds/app/"), "{issued}");
    assert_eq!((&issued["object"], &issued["renewable"]), (&json!("database/creds/app"), &json!(true)));
    assert_eq!(issued["expires_at"], database["expires_at"]);
}

#[test]
fn generators_that_cannot_be_used_are_told_apart() {
    let (sandbox, _bao, _postgres) = setup();
    let from = |kind: &str, name: &str| {
        format!(
            "  dataFrom:\n    - sourceRef:\n        generatorRef:\n          apiVersion: generators.external-secrets.io/v1alpha1\n          kind: {kind}\n          name: {name}"
        )
    };
    sandbox.file("store.yaml", &store("unused", "    vault:\n      server: https://127.0.0.1:1"));
    for (entry, hint, told) in [
        (from("VaultDynamicSecret", "nope"), "store-missing", "there is no such generator among the manifests"),
        (from("Password", "p"), "unsupported", "generatorRef (kind Password)` is not supported yet"),
    ] {
        sandbox.file("es.yaml", &external_secret("x", "unused", &entry));
        let run =
            sandbox.run(&format!("sync -f es.yaml -f store.yaml -f manifests/web-tls.yaml --to dir=out {CREDENTIAL}"));
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.contains(&format!("hint[{hint}]")) && run.stdout.contains(told), "{run:?}");
    }
    sandbox.file(
        "password.yaml",
        "apiVersion: generators.external-secrets.io/v1alpha1\nkind: Password\nmetadata: {name: p}\nspec: {}\n",
    );
    let run = sandbox.run("sync -f password.yaml --to dir=out");
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("this kind is not supported"), "{run:?}");
}
