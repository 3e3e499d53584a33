//! What is wrong is said once, clearly, and nothing is changed.

use crate::sandbox::{Run, Sandbox, data, external_secret, store};
use crate::sops;

/// Nothing was tried: exit code 2, nothing on standard output, no target, and these words on standard error.
fn refused(sandbox: &Sandbox, arguments: &str, words: &[&str]) -> Run {
    let run = sandbox.run(&format!("sync {arguments} --to dir=out"));
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
    for word in words {
        assert!(run.stderr.contains(word), "`{word}` is missing: {}", run.stderr);
    }
    assert!(!sandbox.path("out").exists());
    run
}

fn good(name: &str) -> String {
    external_secret(name, "docs", &data(&[("a", "app.yaml", "a")]))
}

#[test]
fn files_that_cannot_be_read_stop_everything() {
    let sandbox = Sandbox::new();
    refused(&sandbox, "-f nope.yaml", &["failed to read `nope.yaml`", "hint[manifest-unreadable]"]);
    std::fs::create_dir(sandbox.path("empty")).unwrap();
    refused(&sandbox, "-f empty", &["it has no .yaml, .yml or .json files of its own"]);
    sandbox.file("broken.yaml", "kind: A\n  b: [1\n");
    refused(&sandbox, "-f broken.yaml", &["failed to parse `broken.yaml`", "line 2", "hint[manifest-unreadable]"]);
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n\
                e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
    sandbox.file("bomb.yaml", bomb);
    refused(&sandbox, "-f bomb.yaml", &["failed to parse `bomb.yaml`", "line"]);
    sandbox.file("deep.yaml", &format!("a: {}", "[".repeat(100_000)));
    refused(&sandbox, "-f deep.yaml", &["failed to parse `deep.yaml`"]);
}

#[test]
fn objects_that_contradict_each_other_stop_everything() {
    let sandbox = Sandbox::new();
    sandbox.file("a.yaml", &good("twice")).file("b.yaml", &good("twice"));
    refused(
        &sandbox,
        "-f a.yaml -f b.yaml",
        &["ExternalSecret shop/twice", "a.yaml:2", "b.yaml:2", "hint[manifest-duplicate]"],
    );
    sandbox.file("unknown.yaml", "apiVersion: external-secrets.io/v1\nkind: ExternalSercet\nmetadata: {name: a}\n");
    refused(
        &sandbox,
        "-f unknown.yaml",
        &["`ExternalSercet`", "write `ExternalSecret`", "hint[manifest-kind-unknown]"],
    );
    sandbox.file("push.yaml", "apiVersion: external-secrets.io/v1alpha1\nkind: PushSecret\nmetadata: {name: a}\n");
    refused(&sandbox, "-f push.yaml", &["`PushSecret`", "not supported"]);
    sandbox.file("nameless.yaml", "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {}\n");
    refused(&sandbox, "-f nameless.yaml", &["nameless.yaml:1", "`metadata.name`"]);
    sandbox.file("other.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n");
    refused(&sandbox, "-f other.yaml", &["the manifests hold none (1 other documents were skipped)"]);
}

#[test]
fn one_bad_sync_never_stops_the_others() {
    let (recipient, secret) = sops::key();
    let sandbox = Sandbox::new();
    let two = format!("{}\n    vault:\n      server: http://127.0.0.1:1", sops::STORE);
    let manifests = [
        store("docs", sops::STORE),
        "---\n".to_owned() + &store("two", &two),
        "---\n".to_owned() + &store("none", "    {}"),
        "---\n".to_owned() + &store("fake", "    fake: {}"),
        good("good"),
        external_secret("lonely", "nowhere", &data(&[("a", "app.yaml", "a")])),
        external_secret("two", "two", &data(&[("a", "app.yaml", "a")])),
        external_secret("none", "none", &data(&[("a", "app.yaml", "a")])),
        external_secret("fake", "fake", &data(&[("a", "app.yaml", "a")])),
        external_secret(
            "typo",
            "docs",
            &format!("  target: {{creationPolcy: Merge}}\n{}", data(&[("a", "app.yaml", "a")])),
        ),
        external_secret("often", "docs", &format!("  refreshInterval: often\n{}", data(&[("a", "app.yaml", "a")]))),
        external_secret(
            "rewrite",
            "docs",
            "  dataFrom:\n    - extract: {key: app.yaml}\n      rewrite: [{regexp: {source: 'a(', target: b}}]",
        ),
        external_secret("escape", "docs", &data(&[("a", "../app.yaml", "a")])),
        external_secret("key", "docs", &data(&[("a/b", "app.yaml", "a")])),
    ];
    sandbox
        .file("age.key", &secret)
        .file("docs/app.yaml", &sops::encrypt("a: one\n", &recipient))
        .file("all.yaml", &manifests.concat());
    let run = sandbox.run("sync -f all.yaml --to dir=out --credential age/key.txt=file:age.key");
    assert_eq!(run.code, 1, "{run:?}");
    for (sync, words) in [
        ("shop/lonely", "there is no such store among the manifests"),
        ("shop/two", "secret stores must only have exactly one backend specified, found 2"),
        ("shop/none", "exactly one backend specified, found 0"),
        ("shop/fake", "this provider is not supported here"),
        ("shop/typo", "spec.target.creationPolcy"),
        ("shop/often", "spec.refreshInterval"),
        (
            "shop/rewrite",
            "failed rewrite operation[0]: regexp failed with failed to compile: error parsing regexp: missing closing ): `a(`",
        ),
        ("shop/escape", "`../app.yaml`"),
        ("shop/key", "spec.data[0].secretKey"),
    ] {
        let row = run.row(sync);
        assert!(row.starts_with("failed") && row.contains(words), "{row}");
    }
    assert!(run.row("shop/good").starts_with("created"));
    assert_eq!(sandbox.text("out/shop/good/a"), "one");
    assert_eq!(std::fs::read_dir(sandbox.path("out/shop")).unwrap().count(), 1);
}

#[test]
fn a_folder_that_cannot_be_written_fails_its_syncs_and_names_the_path() {
    let (recipient, secret) = sops::key();
    let sandbox = Sandbox::new();
    let manifests = format!("{}{}", store("docs", sops::STORE), good("good"));
    sandbox
        .file("age.key", &secret)
        .file("docs/app.yaml", &sops::encrypt("a: one\n", &recipient))
        .file("all.yaml", &manifests)
        .file("out", "a file");
    let run = sandbox.run("sync -f all.yaml --to dir=out --credential age/key.txt=file:age.key");
    assert!(run.code == 1 && run.stderr.contains("hint[target-unwritable]") && run.stdout.contains("`out"), "{run:?}");
    assert_eq!(sandbox.text("out"), "a file");
}

#[test]
fn standard_input_and_default_namespace_work() {
    let (recipient, secret) = sops::key();
    let sandbox = Sandbox::new();
    sandbox.file("age.key", &secret).file("docs/app.yaml", &sops::encrypt("a: one\n", &recipient));
    let manifests = format!("{}{}", store("docs", sops::STORE), good("good")).replace("  namespace: shop\n", "");
    let run =
        sandbox.run_with_input("sync -f - -n team --to dir=out --credential team/age/key.txt=file:age.key", &manifests);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(sandbox.text("out/team/good/a"), "one");
}
