//! `render`: finished Secrets on standard output, and template errors as compilers show them.

use crate::sandbox::{Run, Sandbox, data, external_secret, store};
use crate::sops;

const TEMPLATE: &str = "  target:
    name: app-secret
    template:
      type: kubernetes.io/basic-auth
      metadata:
        labels: {tier: 'of {{ .user | upper }}'}
        annotations: {note: plain}
      data:
        url: |
          # first
          db://{{ .user }}:{{ .password }}@host
";

fn setup() -> Sandbox {
    let entries = data(&[("user", "app.yaml", "user"), ("password", "app.yaml", "password")]);
    let sandbox = Sandbox::new();
    sandbox.file("app.yaml", &external_secret("app", "docs", &format!("{TEMPLATE}{entries}")));
    sandbox
}

fn expected(url: &str, tier: &str) -> String {
    format!(
        "---\napiVersion: v1\ndata:\n  url: {url}\nkind: Secret\nmetadata:\n  annotations:\n    note: plain\n  labels:\n    \
         reconcile.external-secrets.io/managed: \"true\"\n    tier: {tier}\n  name: app-secret\n  namespace: shop\ntype: \
         kubernetes.io/basic-auth\n"
    )
}

/// The one document, without the order of its members: that depends on features of `serde_json` elsewhere.
fn yaml(text: &str) -> serde_json::Value {
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn ada() -> serde_json::Value {
    // base64 of "# first\ndb://ada:hunter2@host\n"
    yaml(&expected("IyBmaXJzdApkYjovL2FkYTpodW50ZXIyQGhvc3QK", "of ADA"))
}

#[test]
fn secrets_come_from_a_store_or_from_a_file() {
    let (recipient, secret) = sops::key();
    let sandbox = setup();
    sandbox
        .file("age.key", &secret)
        .file("docs/app.yaml", &sops::encrypt("user: ada\npassword: hunter2\n", &recipient))
        .file("store.yaml", &store("docs", sops::STORE))
        .file("data.yaml", "user: ada\npassword: hunter2\n")
        .file("named.yaml", "shop/app:\n  user: ada\n  password: hunter2\n  unused: [1]\n");
    for arguments in [
        "-f app.yaml -f store.yaml --credential shop/age/key.txt=file:age.key",
        "-f app.yaml --with data.yaml",
        "-f app.yaml --with named.yaml",
    ] {
        let run = sandbox.run(&format!("render {arguments}"));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
        assert_eq!(yaml(&run.stdout), ada(), "{arguments}");
    }
}

#[test]
fn a_terminal_shows_values_only_when_told_to() {
    let sandbox = setup();
    sandbox.file("data.yaml", "user: ada\npassword: hunter2\n");
    let masked = sandbox.run_on_terminal("render -f app.yaml --with data.yaml");
    assert_eq!(yaml(&masked), yaml(&expected("<hidden>", "of ADA")), "{masked}");
    let shown = sandbox.run_on_terminal("render -f app.yaml --with data.yaml --show-values");
    assert_eq!(yaml(&shown), ada(), "{shown}");
}

/// What it says on standard error; the data is never in it.
fn failed(sandbox: &Sandbox, arguments: &str) -> Run {
    sandbox.file("data.yaml", "user: ada-canary\npassword: hunter2-canary\n");
    let run = sandbox.run(&format!("render -f app.yaml --with data.yaml {arguments}"));
    assert!(!run.stderr.contains("canary") && !run.stdout.contains("canary"), "{run:?}");
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:?}");
    run
}

#[test]
fn a_template_error_shows_its_line_with_a_caret_and_what_to_do() {
    let sandbox = setup();
    sandbox.file("app.yaml", &sandbox.text("app.yaml").replace(".password }}", ".pasword }}"));
    let expected = "error: shop/app: map has no entry for key \"pasword\"
 --> app.yaml:20 (spec.target.template.data.url), line 2, column 21
  |
2 | db://{{ .user }}:{{ .pasword }}@host
  |                     ^^^^^^^^
hint[template-invalid]: did you mean `password`?
";
    assert_eq!(failed(&sandbox, "").stderr, expected);
    let json: serde_json::Value = serde_json::from_str(&failed(&sandbox, "-o json").stderr).unwrap();
    assert_eq!(json["command"], "render");
    let place = serde_json::json!({"manifest": "app.yaml:20", "field": "spec.target.template.data.url", "name": "url", "line": 2, "column": 21});
    assert_eq!(json["syncs"][0]["error"]["template"], place);
}

#[test]
fn texts_of_other_objects_are_shown_unless_they_are_secrets() {
    let sandbox = setup();
    let template = |kind: &str| {
        let from = format!(
            "  target:\n    template:\n      templateFrom: [{{{kind}: {{name: tpl, items: [{{key: a.conf}}]}}}}]\n"
        );
        let objects = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: tpl, namespace: shop}\ndata: {a.conf: '{{ .user | frob }}'}\n\
                       ---\napiVersion: v1\nkind: Secret\nmetadata: {name: tpl, namespace: shop}\nstringData: {a.conf: 'canary {{ .user | frob }}'}\n";
        external_secret("app", "docs", &format!("{from}{}", data(&[("user", "app.yaml", "user")]))) + objects
    };
    sandbox.file("app.yaml", &template("configMap"));
    let shown = failed(&sandbox, "").stderr;
    assert!(shown.contains("(key `a.conf` of ConfigMap `shop/tpl`), line 1, column 12\n  |\n1 | {{ .user | frob }}\n  |            ^^^^\n"), "{shown}");
    sandbox.file("app.yaml", &template("secret"));
    let hidden = failed(&sandbox, "").stderr;
    assert!(hidden.contains("line 1 column 19 (its text is not shown") && !hidden.contains("frob"), "{hidden}");
}

#[test]
fn other_failures_are_told_and_the_other_secrets_are_printed() {
    let sandbox = setup();
    let more = external_secret("lost", "docs", &data(&[("a", "b", "c")]))
        + &external_secret(
            "none",
            "docs",
            &format!("  target: {{creationPolicy: None}}\n{}", data(&[("a", "b", "c")])),
        );
    sandbox
        .file("app.yaml", &(sandbox.text("app.yaml") + &more))
        .file("data.yaml", "shop/app: {user: ada, password: hunter2}\nshop/none: {}\n");
    let run = sandbox.run("render -f app.yaml --with data.yaml");
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(yaml(&run.stdout), ada());
    let expected = "error: shop/lost: failed to find the data of `shop/lost` in `data.yaml`: it has data of `shop/app`, `shop/none`\n\
                    hint[usage-invalid]: add `shop/lost` with its keys\nnote: shop/none: ";
    assert!(run.stderr.starts_with(expected), "{}", run.stderr);
    let refused = sandbox.run_with_input("render -f - --with -", &sandbox.text("app.yaml"));
    assert!(
        refused.code == 2 && refused.stderr.contains("it cannot be the data and the manifests at once"),
        "{refused:?}"
    );
    let refused = sandbox.run("render -f app.yaml --with nope.yaml");
    assert!(refused.code == 2 && refused.stderr.contains("failed to read `nope.yaml`"), "{refused:?}");
}

#[test]
fn every_verb_takes_other_delimiters() {
    let sandbox = setup();
    let other = sandbox.text("app.yaml").replace("{{", "<%").replace("}}", "%>");
    sandbox.file("app.yaml", &other).file("data.yaml", "user: ada\npassword: hunter2\n");
    let delimiters = "--template-left-delimiter=<% --template-right-delimiter=%>";
    assert_eq!(yaml(&sandbox.run(&format!("render -f app.yaml --with data.yaml {delimiters}")).stdout), ada());
    let (recipient, secret) = sops::key();
    sandbox
        .file("age.key", &secret)
        .file("docs/app.yaml", &sops::encrypt("user: ada\npassword: hunter2\n", &recipient))
        .file("store.yaml", &store("docs", sops::STORE));
    let job = format!("-f app.yaml -f store.yaml --credential shop/age/key.txt=file:age.key --to dir=out {delimiters}");
    assert_eq!(sandbox.run(&format!("plan {job}")).code, 3);
    assert_eq!(sandbox.run(&format!("sync {job}")).code, 0);
    assert_eq!(sandbox.text("out/shop/app-secret/url"), "# first\ndb://ada:hunter2@host\n");
    assert_eq!(sandbox.run(&format!("plan {job}")).code, 0);
}
