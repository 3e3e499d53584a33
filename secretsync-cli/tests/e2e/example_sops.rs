//! `examples/sops`, as its README promises it.

use std::fs;
use std::path::Path;

use crate::sandbox::Sandbox;

fn copy(from: &Path, below: &str, sandbox: &Sandbox) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{below}{}", path.file_name().unwrap().to_string_lossy());
        if path.is_dir() {
            copy(&path, &format!("{name}/"), sandbox);
        } else {
            sandbox.file(&name, &fs::read_to_string(&path).unwrap());
        }
    }
}

fn example() -> Sandbox {
    let sandbox = Sandbox::new();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/sops"), "", &sandbox);
    sandbox
}

#[test]
fn documents_of_every_tenant_reach_their_own_namespace() {
    let sandbox = example();
    let run = sandbox.run("sync -f . --to dir=out");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    for (file, expected) in [
        ("shop/app/DATABASE_URL", "postgres://shop:open+sesame@db/shop"),
        ("shop/app/REPLICA", "db-1.db"),
        ("shop/ca/ca.crt", "-----BEGIN CERTIFICATE-----\nnot a real one\n-----END CERTIFICATE-----\n"),
        ("shop/payment/secret", "sk_demo_1"),
        ("billing/payment/secret", "sk_demo_2"),
    ] {
        assert_eq!(sandbox.text(&format!("out/{file}")), expected, "{file}");
    }
    assert!(!sandbox.path("out/shop/payment/secretsync").exists(), "the binding is no data");

    let syncs = sandbox.text("3-syncs.yaml").replace("key: shop.yaml", "key: billing.yaml");
    sandbox.file("3-syncs.yaml", &syncs);
    let run = sandbox.run("sync -f . --to dir=out");
    assert!(run.code == 1 && run.stderr.contains("hint[sops-namespace-refused]"), "{run:?}");
    assert_eq!(sandbox.text("out/shop/payment/secret"), "sk_demo_1", "no failure changes a target");
}

#[test]
fn its_documents_pass_the_linter() {
    let mut sandbox = example();
    let keys = sandbox.text("1-demo-keys.yaml");
    let key = keys.split_whitespace().find(|word| word.starts_with("AGE-SECRET-KEY-")).unwrap();
    sandbox.set("SOPS_AGE_KEY", key);
    let run = sandbox.run("sops lint . --strict");
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "5 documents: 0 errors, 0 warnings (3 other files skipped)\n"),
        "{run:?}"
    );
}
