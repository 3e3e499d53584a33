//! Env files and manifests.

use std::process::Command;

use crate::sandbox::{Sandbox, data, external_secret, store};
use crate::sops;

fn setup(plain: &str, manifests: &str) -> Sandbox {
    let (recipient, secret) = sops::key();
    let sandbox = Sandbox::new();
    sandbox
        .file("age.key", &secret)
        .file("docs/app.yaml", &sops::encrypt(plain, &recipient))
        .file("all.yaml", &format!("{}{manifests}", store("docs", sops::STORE)));
    sandbox
}

fn sync(sandbox: &Sandbox, to: &str) -> crate::sandbox::Run {
    sandbox.run(&format!("sync -f all.yaml --credential shop/age/key.txt=file:age.key --to {to}"))
}

#[test]
fn an_env_file_says_the_same_to_a_shell() {
    let plain = "A: plain\nB: \"it's $HOME \\\"quoted\\\" `x` \\\\ # no\"\nC: \"two\\nlines\"\nD: ''\n";
    let keys = data(&[("A", "app.yaml", "A"), ("B", "app.yaml", "B"), ("C", "app.yaml", "C"), ("D", "app.yaml", "D")]);
    let sandbox = setup(plain, &external_secret("app", "docs", &keys));
    let run = sync(&sandbox, "env=app.env");
    assert_eq!(run.code, 0, "{run:?}");
    let script = "set -a; . ./app.env; printf '%s|' \"$A\" \"$B\" \"$C\" \"$D\"";
    let shell = Command::new("sh").args(["-c", script]).current_dir(sandbox.path("")).env_clear().output().unwrap();
    assert_eq!(String::from_utf8(shell.stdout).unwrap(), "plain|it's $HOME \"quoted\" `x` \\ # no|two\nlines||");
    let before = sandbox.tree("");
    assert_eq!(sync(&sandbox, "env=app.env").rows(), [("unchanged".to_owned(), "shop/app".to_owned())]);
    assert_eq!(sandbox.tree(""), before);
}

#[test]
fn an_env_file_refuses_names_that_are_none_and_names_that_two_syncs_give() {
    let two = external_secret("one", "docs", &data(&[("A", "app.yaml", "A")]))
        + &external_secret("two", "docs", &data(&[("A", "app.yaml", "B")]));
    let sandbox = setup("A: x\nB: y\n", &two);
    sandbox.file("app.env", "MINE=1\n");
    let run = sync(&sandbox, "env=app.env");
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("hint[env-key-conflict]"), "{run:?}");
    assert!(run.stdout.contains("shop/one") && run.stdout.contains("shop/two"), "{run:?}");
    assert_eq!(sandbox.text("app.env"), "MINE=1\n");

    let sandbox = setup("A: x\n", &external_secret("app", "docs", &data(&[("not-a-name", "app.yaml", "A")])));
    let run = sync(&sandbox, "env=app.env");
    assert!(run.code == 1 && run.stderr.contains("hint[env-key-invalid]"), "{run:?}");
    assert!(!sandbox.path("app.env").exists());
}

#[test]
fn standard_output_gets_the_manifests_and_nothing_else() {
    let template = "  target:\n    name: web\n    template:\n      type: kubernetes.io/basic-auth\n      metadata:\n        labels: {app: web}\n      \
                    data:\n        username: '{{ .A }}'\n        password: '{{ .B }}'";
    let spec = format!("{template}\n{}", data(&[("A", "app.yaml", "A"), ("B", "app.yaml", "B")]));
    let sandbox = setup("A: on\nB: '1_000'\n", &external_secret("app", "docs", &spec));
    let run = sync(&sandbox, "manifest=-");
    assert_eq!(run.code, 0, "{run:?}");
    let secret: serde_yaml::Value = serde_yaml::from_str(&run.stdout).unwrap();
    assert_eq!(secret["kind"], "Secret");
    assert_eq!(secret["type"], "kubernetes.io/basic-auth");
    assert_eq!(secret["metadata"]["name"], "web");
    assert_eq!(secret["metadata"]["labels"]["app"], "web");
    assert_eq!(secret["data"]["username"], "b24=");
    assert_eq!(secret["data"]["password"], "MV8wMDA=");
    assert!(run.stderr.contains("1 sync: 1 created"), "the report goes to standard error: {run:?}");

    assert_eq!(sync(&sandbox, "manifest=secrets.yaml").code, 0);
    let written: Vec<_> = sandbox
        .text("secrets.yaml")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.to_owned() + "\n")
        .collect();
    assert_eq!(written.concat(), run.stdout, "a file also says whose each document is");
    let before = sandbox.tree("");
    assert_eq!(sync(&sandbox, "manifest=secrets.yaml").rows()[0].0, "unchanged");
    assert_eq!(sandbox.tree(""), before);
}

#[test]
fn a_folder_that_leads_elsewhere_is_refused() {
    let sandbox = setup("A: x\n", &external_secret("app", "docs", &data(&[("A", "app.yaml", "A")])));
    sandbox.file("elsewhere/keep", "k");
    std::fs::create_dir(sandbox.path("out")).unwrap();
    std::os::unix::fs::symlink(sandbox.path("elsewhere"), sandbox.path("out/shop")).unwrap();
    let run = sync(&sandbox, "dir=out");
    assert!(run.code == 1 && run.stderr.contains("hint[target-unwritable]"), "{run:?}");
    assert_eq!(sandbox.tree("elsewhere").len(), 1);
}
