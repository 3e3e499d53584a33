//! Templates from documents, flags and manifests, and those with random results.

use crate::sandbox::{Run, Sandbox, data, external_secret, store};
use crate::sops;

fn setup(template: &str, documents: &str) -> Sandbox {
    let (recipient, secret) = sops::key();
    let entries = data(&[("user", "app.yaml", "user"), ("password", "app.yaml", "password")]);
    let sync = external_secret("app", "docs", &format!("  target:\n    template:\n{template}\n{entries}"));
    let sandbox = Sandbox::new();
    sandbox
        .file("age.key", &secret)
        .file("docs/app.yaml", &sops::encrypt("user: zoe\npassword: p4ss-canary\n", &recipient))
        .file("all.yaml", &format!("{}{sync}{documents}", store("docs", sops::STORE)));
    sandbox
}

fn run(sandbox: &Sandbox, verb: &str, rest: &str) -> Run {
    sandbox.run(&format!("{verb} -f all.yaml --credential shop/age/key.txt=file:age.key {rest}"))
}

const CONFIG_MAP: &str = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: tpl, namespace: shop}\ndata:\n  app.conf: |\n    user={{ .user }}\n  \
                          pairs: |\n    port: 5432\n    ver: 1.10\n    on: x\nbinaryData:\n  binary: eA==\n";
const SECRET: &str = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: tpl, namespace: shop}\nstringData:\n  secret.conf: 'p={{ .password }}'\n";

#[test]
fn every_place_of_a_template_makes_its_keys_in_order() {
    let template = "      data:\n        own: 'own {{ .user }}'\n      templateFrom:\n\
                    \x20       - configMap: {name: tpl, items: [{key: app.conf}]}\n\
                    \x20         secret: {name: tpl, items: [{key: secret.conf}]}\n\
                    \x20         literal: |\n            app.conf: from the literal\n            own: overwritten\n\
                    \x20       - configMap: {name: tpl, items: [{key: pairs, templateAs: KeysAndValues}]}\n\
                    \x20       - literal: 'encoded: aGVsbG8='\n\
                    \x20         valuesDecodingStrategy: Base64\n\
                    \x20       - secret: {name: flagged, items: [{key: text}]}\n\
                    \x20       - target: Labels\n          literal: 'label: {{ .user }}'";
    let sandbox = setup(template, &format!("{CONFIG_MAP}{SECRET}"));
    sandbox.file("text.tpl", "flagged {{ .user }}");
    let flag = "--credential shop/flagged/text=file:text.tpl";
    let first = run(&sandbox, "sync", &format!("{flag} --to dir=out"));
    assert_eq!(first.code, 0, "{first:?}");
    let keys: Vec<_> = first.stdout.lines().nth(1).unwrap().split("created ").last().unwrap().split(", ").collect();
    assert_eq!(keys, ["app.conf", "encoded", "own", "port", "secret.conf", "text", "true", "ver"]);
    for (key, expected) in [
        ("app.conf", "from the literal"),
        ("secret.conf", "p=p4ss-canary"),
        ("own", "own zoe"),
        ("port", "5432"),
        ("ver", "1.1"),
        ("true", "x"),
        ("encoded", "hello"),
        ("text", "flagged zoe"),
    ] {
        assert_eq!(sandbox.text(&format!("out/shop/app/{key}")), expected, "{key}");
    }
    let before = sandbox.tree("out");
    assert_eq!(run(&sandbox, "sync", &format!("{flag} --to dir=out")).rows()[0].0, "unchanged");
    assert_eq!(sandbox.tree("out"), before);
    let manifest = run(&sandbox, "sync", &format!("{flag} --to manifest=-"));
    let secret: serde_yaml::Value = serde_yaml::from_str(&manifest.stdout).unwrap();
    assert_eq!(secret["metadata"]["labels"]["label"], "zoe");
}

#[test]
fn what_is_missing_or_fails_is_named_and_the_target_stays() {
    let good = "      data: {own: '{{ .user }}'}";
    let sandbox = setup(good, "");
    assert_eq!(run(&sandbox, "sync", "--to dir=out").code, 0);
    let before = sandbox.tree("out");
    let from = |element: &str| format!("      templateFrom: [{{{element}}}]");
    for (element, expected, code) in [
        (
            "configMap: {name: gone, items: [{key: a}]}",
            "error fetching templateFrom data: configmaps \"gone\" not found",
            "template-missing",
        ),
        (
            "secret: {name: gone, items: [{key: a}]}",
            "error fetching templateFrom data: secrets \"gone\" not found",
            "template-missing",
        ),
        (
            "configMap: {name: tpl, items: [{key: nope}]}",
            "error fetching templateFrom data: error in configmap tpl: missing key nope",
            "template-missing",
        ),
        (
            "configMap: {name: tpl, items: [{key: binary}]}",
            "error in configmap tpl: missing key binary",
            "template-missing",
        ),
        ("configMap: {name: other, items: [{key: a}]}", "configmaps \"other\" not found", "template-missing"),
        ("literal: 'a: {{ .nope }}'", "template: literal:1:", "template-invalid"),
        ("literal: '{{ .password }}'", "value that is not a text", "template-invalid"),
        ("literal: 'k: {{ .password }}', valuesDecodingStrategy: Base64", "for key k", "data-invalid"),
        ("literal: '{{ .password }} x: y'", "the key that", "key-invalid"),
        ("secret: {name: tpl, items: [{key: bad.conf}]}", "its text is not shown", "template-invalid"),
    ] {
        let other = CONFIG_MAP.replace("name: tpl, namespace: shop", "name: other, namespace: elsewhere");
        let bad = "  bad.conf: '{{ .password }}{{ .p4ss-canary }}'\n";
        let fresh = setup(&from(element), &format!("{CONFIG_MAP}{other}{SECRET}{bad}"));
        for file in ["age.key", "docs/app.yaml", "all.yaml"] {
            sandbox.file(file, &fresh.text(file));
        }
        for verb in ["plan", "sync"] {
            let run = run(&sandbox, verb, "--to dir=out");
            assert_eq!(run.code, 1, "{element}: {run:?}");
            assert!(run.stderr.contains(expected) || run.stdout.contains(expected), "{element}: {run:?}");
            assert!(run.stderr.contains(&format!("hint[{code}]")), "{element}: {run:?}");
            assert!(!run.stderr.contains("canary") && !run.stdout.contains("canary"), "{element}: {run:?}");
        }
        assert_eq!(sandbox.tree("out"), before, "{element}");
    }
}

#[test]
fn a_random_value_is_made_once_in_every_kind_of_target() {
    let template = "      mergePolicy: Merge\n      metadata: {labels: {run: 'r{{ randNumeric 8 }}'}}\n      data: {token: '{{ randAlphaNum 24 }}'}";
    for (to, file) in [("dir=out", "out/shop/app/token"), ("env=app.env", "app.env"), ("manifest=s.yaml", "s.yaml")] {
        let sandbox = setup(template, "");
        let sync = |sandbox: &Sandbox| run(sandbox, "sync", &format!("--to {to}"));
        assert_eq!(sync(&sandbox).rows()[0].0, "created", "{to}");
        let first = sandbox.text(file);
        assert_eq!(run(&sandbox, "plan", &format!("--to {to}")).code, 0, "{to}: a plan is quiet");
        assert_eq!(sync(&sandbox).rows()[0].0, "unchanged", "{to}");
        assert_eq!(sandbox.text(file), first, "{to}");

        sandbox.file("all.yaml", &sandbox.text("all.yaml").replace("data: {token:", "data: {more: x, token:"));
        let more = sync(&sandbox);
        assert!(more.rows()[0].0 == "updated" && more.stdout.contains("created more"), "{to}: {more:?}");
        let token = |text: &str| {
            text.lines().find(|line| line.contains("token") && !line.starts_with('#')).unwrap_or(text).to_owned()
        };
        assert_eq!(token(&sandbox.text(file)), token(&first), "{to}: a change beside it is no reason");
    }
}

#[test]
fn a_random_value_that_was_removed_is_made_anew() {
    let sandbox = setup("      data: {token: '{{ randAlphaNum 24 }}', user: '{{ .user }}'}", "");
    run(&sandbox, "sync", "--to dir=out");
    let first = sandbox.text("out/shop/app/token");
    std::fs::remove_file(sandbox.path("out/shop/app/token")).unwrap();
    let again = run(&sandbox, "sync", "--to dir=out");
    assert!(again.stdout.contains("created token"), "{again:?}");
    let second = sandbox.text("out/shop/app/token");
    assert!(second.len() == 24 && second != first);
}

#[test]
fn the_example_does_what_it_says() {
    let sandbox = Sandbox::new();
    for folder in ["quickstart", "templates"] {
        let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(folder);
        for entry in std::fs::read_dir(source).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = format!("{folder}/{}", path.file_name().unwrap().to_string_lossy());
                sandbox.file(&name, &std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let first = sandbox.run("sync -f quickstart -f templates --to dir=out");
    assert_eq!(first.code, 0, "{first:?}");
    assert!(sandbox.text("out/shop/app/app.ini").starts_with("[mail]\nuser = "));
    assert_eq!(sandbox.text("out/shop/app/MAIL_TLS"), "true");
    assert_eq!(sandbox.text("out/shop/app/session-token").len(), 32);
    assert_eq!(sandbox.run("plan -f quickstart -f templates --to dir=out").code, 0);
}
