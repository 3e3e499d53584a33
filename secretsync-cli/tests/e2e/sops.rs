//! Documents that the real sops encrypted.

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use xtask::rig::sops::{Format, Sops};

use crate::sandbox::{Sandbox, data, external_secret, store};

/// A key, and its text as a key file.
pub(crate) fn key() -> (String, String) {
    let identity = Identity::generate();
    (identity.to_public().to_string(), identity.to_string().expose_secret().to_owned())
}

pub(crate) fn encrypt(plain: &str, recipient: &str) -> String {
    Sops::new().unwrap().encrypt(plain.as_bytes(), Format::Yaml, &[recipient], &[]).unwrap()
}

/// A document of each format that holds `one`: its name, its text, and the property.
pub(crate) const FORMATS: [(&str, Format, &str, &str); 5] = [
    ("a.yaml", Format::Yaml, "k: one\n", "k"),
    ("b.json", Format::Json, r#"{"k": "one"}"#, "k"),
    ("c.env", Format::Dotenv, "k=one\n", "k"),
    ("d.ini", Format::Ini, "[s]\nk = one\n", "s.k"),
    ("e.bin", Format::Binary, r#"{"k": "one"}"#, "k"),
];

pub(crate) const STORE: &str = "    sops:\n      source:\n        path: docs\n      keys:\n        - age:\n            secretRef: {name: age, key: key.txt}";

/// A sandbox with one document `docs/app.yaml`, and its key in the file `age.key`.
fn setup(plain: &str) -> (Sandbox, String) {
    let (recipient, secret) = key();
    let sandbox = Sandbox::new();
    sandbox
        .file("age.key", &secret)
        .file("docs/app.yaml", &encrypt(plain, &recipient))
        .file("store.yaml", &store("docs", STORE));
    (sandbox, recipient)
}

const SYNC: &str = "sync -f store.yaml -f es.yaml --to dir=out --credential age/key.txt=file:age.key";

#[test]
fn one_changed_value_changes_one_file() {
    let (sandbox, recipient) = setup("a: one\nb: two\nn: {x: 1.50, list: [p, q]}\n");
    let entries = data(&[
        ("a", "app.yaml", "a"),
        ("b", "app.yaml", "b"),
        ("x", "app.yaml", "n.x"),
        ("q", "app.yaml", "n.list.1"),
    ]);
    sandbox.file("es.yaml", &external_secret("app", "docs", &entries));
    let run = sandbox.run(SYNC);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(sandbox.text("out/shop/app/q"), "q");
    let before = sandbox.tree("out/shop/app");

    sandbox.file("docs/app.yaml", &encrypt("a: one\nb: changed\nn: {x: 1.50, list: [p, q]}\n", &recipient));
    let run = sandbox.run(SYNC);
    assert!(run.row("shop/app").starts_with("updated") && run.row("shop/app").ends_with("updated b"), "{run:?}");
    let after = sandbox.tree("out/shop/app");
    let changed: Vec<_> =
        before.iter().filter(|(name, entry)| after[*name] != **entry).map(|(name, _)| name.as_str()).collect();
    assert_eq!(changed, ["b"]);
    assert_eq!(sandbox.text("out/shop/app/b"), "changed");
}

#[test]
fn a_removed_key_takes_its_file_along_and_other_files_stay() {
    let (sandbox, _) = setup("a: one\nb: two\n");
    sandbox.file("es.yaml", &external_secret("app", "docs", &data(&[("a", "app.yaml", "a"), ("b", "app.yaml", "b")])));
    sandbox.run(SYNC);
    sandbox.file("out/shop/app/mine", "by hand");
    sandbox.file("es.yaml", &external_secret("app", "docs", &data(&[("a", "app.yaml", "a")])));
    let run = sandbox.run(SYNC);
    assert!(run.row("shop/app").ends_with("removed b"), "{run:?}");
    assert!(!sandbox.path("out/shop/app/b").exists());
    assert_eq!(sandbox.text("out/shop/app/mine"), "by hand");
}

#[test]
fn a_wrong_key_a_changed_document_and_a_missing_one_each_say_what_to_do() {
    let (sandbox, recipient) = setup("a: one\nplain_unencrypted: here\n");
    sandbox.file("es.yaml", &external_secret("app", "docs", &data(&[("a", "app.yaml", "a")])));
    assert_eq!(sandbox.run(SYNC).code, 0);
    let before = sandbox.tree("out");

    let document = sandbox.text("docs/app.yaml");
    sandbox.file("docs/app.yaml", &document.replace("here", "there"));
    let run = sandbox.run(SYNC);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("hint[sops-mac-mismatch]"), "{run:?}");

    std::fs::remove_file(sandbox.path("docs/app.yaml")).unwrap();
    let run = sandbox.run(SYNC);
    assert!(run.code == 1 && run.stderr.contains("hint[secret-missing]"), "{run:?}");

    sandbox.file("docs/app.yaml", &document).file("age.key", &key().1);
    let run = sandbox.run(SYNC);
    assert!(run.code == 1 && run.stderr.contains("hint[sops-key-missing]"), "{run:?}");
    assert!(run.stdout.contains(&recipient), "the keys of the document are listed: {run:?}");
    assert_eq!(sandbox.tree("out"), before, "no failure changes a target");
}

#[test]
fn the_environment_can_replace_the_stores_keys() {
    let (mut sandbox, _) = setup("a: one\n");
    sandbox.file("es.yaml", &external_secret("app", "docs", &data(&[("a", "app.yaml", "a")])));
    let path = sandbox.path("age.key").display().to_string();
    sandbox.set("SOPS_AGE_KEY_FILE", &path);
    let without = sandbox.run("sync -f store.yaml -f es.yaml --to dir=out");
    assert!(without.code == 1 && without.stderr.contains("hint[credential-missing]"), "{without:?}");
    assert_eq!(sandbox.run("sync -f store.yaml -f es.yaml --to dir=out --ambient").code, 0);
}

/// One store of the cluster that lists no namespaced reference, so nothing but the binding tells its consumers apart.
const BOUND: &str = "apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata: {name: docs}
spec:
  provider:
    sops:
      source: {path: docs}
      keys:
        - age:
            secretRef: {name: age, key: key.txt, namespace: keys}
      bind: Namespace
";

#[test]
fn a_cluster_store_hands_bound_documents_to_their_own_namespace_only() {
    let (recipient, secret) = key();
    let sandbox = Sandbox::new();
    sandbox
        .file("age.key", &secret)
        .file("store.yaml", BOUND)
        .file("docs/shop.yaml", &encrypt("secretsync: {namespace: shop}\na: for-shop\n", &recipient));
    let sync = |namespace: &str| {
        format!(
            "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: app, namespace: {namespace}}}\nspec:\n  \
             secretStoreRef: {{name: docs, kind: ClusterSecretStore}}\n  target: {{name: app}}\n  dataFrom:\n  - extract: {{key: shop.yaml}}\n"
        )
    };
    sandbox.file("es.yaml", &[sync("shop"), sync("other")].join("---\n"));
    let run = sandbox.run("sync -f store.yaml -f es.yaml --to dir=out --credential keys/age/key.txt=file:age.key");
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.row("shop/app").starts_with("created"), "{run:?}");
    assert!(run.row("other/app").starts_with("failed"), "{run:?}");
    assert!(run.stderr.contains("hint[sops-namespace-refused]"), "{run:?}");
    assert_eq!(
        sandbox.tree("out/shop/app").keys().map(String::as_str).collect::<Vec<_>>(),
        ["a"],
        "the binding is no data"
    );
    assert!(!sandbox.path("out/other").exists());
}

#[test]
fn documents_in_a_config_map_are_found_by_name() {
    let (recipient, secret) = key();
    let sandbox = Sandbox::new();
    let map = |name: &str, plain: &str| {
        format!("  {name}: |\n    {}\n", encrypt(plain, &recipient).trim_end().replace('\n', "\n    "))
    };
    let documents = map("a.yaml", "x: one\n") + &map("b.yaml", "x: two\n") + "  notes: words\n";
    sandbox
        .file("age.key", &secret)
        .file(
            "docs.yaml",
            &format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: docs, namespace: shop}}\ndata:\n{documents}"),
        )
        .file("store.yaml", &store("docs", &STORE.replace("path: docs", "configMapRef: {name: docs}")))
        .file("es.yaml", &external_secret("app", "docs", "  dataFrom:\n  - find: {name: {regexp: .}}\n"));
    let run =
        sandbox.run("sync -f docs.yaml -f store.yaml -f es.yaml --to dir=out --credential age/key.txt=file:age.key");
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(sandbox.text("out/shop/app/a.yaml"), r#"{"x":"one"}"#);
    assert_eq!(sandbox.text("out/shop/app/b.yaml"), r#"{"x":"two"}"#);
    assert_eq!(sandbox.tree("out/shop/app").len(), 2, "what is no document is left out");
}

/// The first example of the page, word for word.
#[test]
fn ten_lines_make_a_secret_out_of_a_document() {
    let page = include_str!("../../../docs/providers/sops.md");
    let manifests = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(manifests.lines().count() <= 10, "{manifests}");
    let (recipient, secret) = key();
    let sandbox = Sandbox::new();
    sandbox
        .file("key.txt", &secret)
        .file("app.yaml", &encrypt("password: x\n", &recipient))
        .file("store.yaml", manifests);
    let run = sandbox.run("sync -f store.yaml --to dir=out --credential sops-age/key.txt=file:key.txt");
    assert_eq!((run.code, sandbox.text("out/shop/app/password").as_str()), (0, "x"), "{run:?}");
}
