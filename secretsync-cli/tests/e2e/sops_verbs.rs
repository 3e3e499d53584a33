//! `secretsync sops`, on documents that the real sops encrypted.

use std::process::Command;

use xtask::rig::sops::{Format, Sops};

use crate::sandbox::Sandbox;
use crate::sops::key;

/// Encrypts a file of the sandbox in place, by the `.sops.yaml` there, as a user does.
fn encrypt(sandbox: &Sandbox, file: &str) {
    let mut sops: Command = Sops::new().unwrap().bare();
    let output = sops.current_dir(sandbox.path(".")).args(["encrypt", "--in-place", file]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn rules(recipients: &str, more: &str) -> String {
    format!("creation_rules:\n- path_regex: ^docs/\n  age: {recipients}\n{more}")
}

/// Hidden, so that it is no file of the repository.
const KEY: &str = ".age.key";

/// A sandbox with one good document, whose key is in the environment, and its recipient.
fn setup(plain: &str) -> (Sandbox, String) {
    let (recipient, secret) = key();
    let mut sandbox = Sandbox::new();
    sandbox.file(".sops.yaml", &rules(&recipient, "")).file("docs/app.yaml", plain);
    encrypt(&sandbox, "docs/app.yaml");
    let file = sandbox.file(KEY, &secret).path(KEY).display().to_string();
    sandbox.set("SOPS_AGE_KEY_FILE", &file);
    (sandbox, recipient)
}

#[test]
fn a_good_repository_has_nothing_to_tell() {
    let (sandbox, _) = setup("a: one\n");
    sandbox
        .file("README.md", "words")
        .file("kustomization.yaml", "resources: []\n")
        .file("docs/.hidden.yaml", "x: 1\n");
    let run = sandbox.run("sops lint .");
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "1 document: 0 errors, 0 warnings (2 other files skipped)\n"),
        "{run:?}"
    );
}

#[test]
fn recipients_are_compared_with_the_creation_rule() {
    let (sandbox, old) = setup("a: one\n");
    let (new, _) = key();
    sandbox.file(".sops.yaml", &rules(&new, "  mac_only_encrypted: true\n"));
    let run = sandbox.run("sops lint docs");
    assert_eq!(run.code, 1, "{run:?}");
    for expected in [
        format!("docs/app.yaml: error[stale-recipient]: age recipient `{old}` can read it"),
        format!("docs/app.yaml: error[missing-recipient]: age recipient `{new}` of the creation rule cannot read it"),
        "docs/app.yaml: warning[rule-differs]: its `mac_only_encrypted`".to_owned(),
        "1 document: 2 errors, 1 warning".to_owned(),
    ] {
        assert!(run.stdout.contains(&expected), "{expected}: {run:?}");
    }
    // As sops itself mends it.
    sandbox.file(".sops.yaml", &rules(&format!("{old},{new}"), ""));
    let mut sops = Sops::new().unwrap().bare();
    let run_sops = sops
        .current_dir(sandbox.path("."))
        .env("SOPS_AGE_KEY_FILE", sandbox.path(KEY))
        .args(["updatekeys", "--yes", "docs/app.yaml"])
        .output()
        .unwrap();
    assert!(run_sops.status.success(), "{}", String::from_utf8_lossy(&run_sops.stderr));
    assert_eq!(sandbox.run("sops lint docs --strict").code, 0);
}

#[test]
fn plain_values_and_changed_documents_are_found() {
    let (sandbox, _) = setup("a: canary-41\nb: canary-42\nnote_unencrypted: canary-43\n");
    let document = sandbox.text("docs/app.yaml");
    let line = |start: &str| document.lines().find(|line| line.starts_with(start)).unwrap();
    sandbox.file("docs/leaked.yaml", &document.replace(line("a:"), "a: canary-41"));
    sandbox.file("docs/forged.yaml", &document.replace(line("a:"), &line("b:").replace("b:", "a:")));
    sandbox.file("docs/no-mac.yaml", &document.replace(line("    mac:"), "    other: x"));
    sandbox.file("docs/cut.yaml", &document[..document.find("sops:").unwrap()]);
    sandbox.file("docs/never.yaml", "a: canary-41\n");
    sandbox.file("elsewhere.yaml", "a: canary-41\n");
    let run = sandbox.run("sops lint .");
    assert_eq!(run.code, 1, "{run:?}");
    assert!(!run.stdout.contains("canary"), "{run:?}");
    for expected in [
        "docs/app.yaml: warning[plain-values]: the value at `note_unencrypted` is plain by the document's rule",
        "docs/leaked.yaml: error[leaked-value]: the value at `a` is plain, although the document's rule encrypts it",
        "docs/forged.yaml: error[mac]: the value at `a` was changed or moved",
        "docs/no-mac.yaml: error[mac]: it has no MAC",
        "docs/cut.yaml: error[unreadable]: it has encrypted values and no `sops` block",
        "docs/never.yaml: error[not-encrypted]: it is not encrypted",
        "6 documents: 5 errors, 4 warnings (1 other file skipped)",
    ] {
        assert!(run.stdout.contains(expected), "{expected}: {run:?}");
    }
    assert_eq!(sandbox.run("sops lint docs/app.yaml").code, 0);
    assert_eq!(sandbox.run("sops lint --strict docs/app.yaml").code, 1);
    assert_eq!(sandbox.run("sops lint elsewhere.yaml").code, 1, "a file that is named must be a document");
}

#[test]
fn values_that_only_the_creation_rule_encrypts_are_found() {
    let (sandbox, recipient) = setup("a: one\n");
    sandbox
        .file(".sops.yaml", &rules(&recipient, "  encrypted_regex: ^(token)$\n"))
        .file("docs/b.yaml", "token: x\nuser: u\n");
    encrypt(&sandbox, "docs/b.yaml");
    sandbox.file(".sops.yaml", &rules(&recipient, "  encrypted_regex: ^(token|user)$\n"));
    let run = sandbox.run("sops lint docs/b.yaml");
    assert!(
        run.code == 1
            && run.stdout.contains("error[leaked-value]: the value at `user` is plain, although the creation rule"),
        "{run:?}"
    );
    sandbox.file("other.yaml", &rules(&recipient, "  encrypted_regex: ^(token)$\n"));
    assert_eq!(sandbox.run("sops lint docs/b.yaml --config other.yaml").code, 0);
    sandbox.file(".sops.yaml", "creation_rules:\n- path_regex: nowhere\n  age: x\n");
    assert!(sandbox.run("sops lint docs").stdout.contains("warning[no-rule]"));
}

#[test]
fn without_a_key_everything_but_the_mac_is_checked() {
    let (mut sandbox, _) = setup("a: one\n");
    sandbox.set("SOPS_AGE_KEY_FILE", "");
    let run = sandbox.run("sops lint docs --output json");
    assert_eq!(run.code, 0, "{run:?}");
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["documents"][0]["findings"][0]["check"], "mac-unchecked");
    assert_eq!(report["summary"]["warnings"], 1);
    sandbox.set("SOPS_AGE_KEY", "nonsense");
    let run = sandbox.run("sops lint docs");
    assert!(run.code == 2 && run.stderr.contains("hint[sops-key-missing]"), "{run:?}");
    sandbox.set("SOPS_AGE_KEY", "");
    let run = sandbox.run("sops lint nowhere");
    assert!(run.code == 2 && run.stderr.contains("`nowhere`"), "{run:?}");
    let plugin = sandbox.file(".config/sops/age/keys.txt", "AGE-PLUGIN-YUBIKEY-1QQQ\n").path(".config");
    sandbox.set("XDG_CONFIG_HOME", plugin.to_str().unwrap());
    let run = sandbox.run("sops lint docs");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.contains("mac-unchecked") && run.stdout.contains("an identity of an age plugin"), "{run:?}");
    let run = sandbox.run("sops keys docs/app.yaml");
    assert!(run.code == 0 && run.stdout.contains("note: ") && run.stdout.contains("of an age plugin"), "{run:?}");
    sandbox.set("SOPS_AGE_KEY_FILE", "/nowhere/key.txt");
    let run = sandbox.run("sops lint docs");
    assert!(run.code == 2 && run.stderr.contains("`/nowhere/key.txt`"), "what was named counts: {run:?}");
}

#[test]
fn plain_files_of_every_kind_are_told_to_be_plain() {
    let (sandbox, _) = setup("a: one\n");
    for (name, text) in [
        ("docs/list.yaml", "- a\n"),
        ("docs/many.yaml", "a: 1\n---\nb: 2\n"),
        ("docs/chart.yaml", "a: {{ .Values.x }}\n"),
        ("docs/file.bin", "words"),
        ("docs/file.json", "{"),
    ] {
        sandbox.file(name, text);
        let run = sandbox.run(&format!("sops lint {name}"));
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stdout.starts_with(&format!("{name}: error[not-encrypted]: it is not encrypted\n")), "{run:?}");
    }
}

#[test]
fn a_rule_without_keys_leaves_them_to_whoever_encrypts() {
    let (sandbox, _) = setup("a: one\n");
    sandbox.file(".sops.yaml", "creation_rules:\n- path_regex: ^docs/\n");
    let run = sandbox.run("sops lint docs");
    assert_eq!((run.code, run.stdout.as_str()), (0, "1 document: 0 errors, 0 warnings\n"), "{run:?}");
}

#[test]
fn comments_count_for_a_creation_rule_that_looks_at_them() {
    let (sandbox, recipient) = setup("a: one\n");
    sandbox.file(".sops.yaml", &rules(&recipient, "  encrypted_regex: ^a$\n"));
    sandbox.file("docs/b.yaml", "a: one\n# public\nz: two\n");
    encrypt(&sandbox, "docs/b.yaml");
    sandbox.file(".sops.yaml", &rules(&recipient, "  unencrypted_comment_regex: public\n"));
    let run = sandbox.run("sops lint docs/b.yaml");
    assert!(run.code == 0 && !run.stdout.contains("leaked-value"), "{run:?}");
    sandbox.file(".sops.yaml", &rules(&recipient, "  encrypted_comment_regex: public\n"));
    let run = sandbox.run("sops lint docs/b.yaml");
    assert!(run.code == 1 && run.stdout.contains("error[leaked-value]: the value at `z`"), "{run:?}");
}

#[test]
fn what_is_no_file_is_refused_instead_of_waited_for() {
    let (sandbox, _) = setup("a: one\n");
    let made = Command::new("mkfifo").arg(sandbox.path("pipe.yaml")).status().unwrap();
    assert!(made.success());
    for verb in ["lint", "keys"] {
        let run = sandbox.run(&format!("sops {verb} pipe.yaml"));
        assert!(run.code == 2 && run.stderr.contains("`pipe.yaml`: not a regular file"), "{run:?}");
    }
}

#[test]
fn who_can_read_a_document_is_told() {
    let (sandbox, recipient) = setup("a: one\n");
    let run = sandbox.run("sops keys docs/app.yaml");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.contains(&recipient) && run.stdout.contains("yes"), "{run:?}");
    assert!(run.stdout.ends_with("Any one of these keys can read it.\n"), "{run:?}");

    let (other, _) = key();
    let groups = format!(
        "creation_rules:\n- shamir_threshold: 2\n  key_groups:\n  - age: [{recipient}]\n  - age: [{other}]\n  - age: [{other}]\n"
    );
    sandbox.file(".sops.yaml", &groups).file("docs/split.yaml", "a: one\n");
    encrypt(&sandbox, "docs/split.yaml");
    assert_eq!(sandbox.run("sops lint docs/split.yaml").code, 0);
    let run = sandbox.run("sops keys docs/split.yaml --output json");
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["groups_needed"], 2);
    let keys: Vec<_> =
        report["keys"].as_array().unwrap().iter().map(|key| (&key["group"], &key["opens_here"])).collect();
    assert_eq!(keys, [(&1.into(), &true.into()), (&2.into(), &false.into()), (&3.into(), &false.into())]);
    assert!(
        sandbox.run("sops keys docs/split.yaml").stdout.ends_with("Keys of 2 different groups together can read it.\n")
    );
    sandbox.file("plain.yaml", "a: 1\n");
    let run = sandbox.run("sops keys plain.yaml");
    assert!(run.code == 2 && run.stderr.contains("it has no `sops` block"), "{run:?}");
}

#[test]
fn documents_of_other_formats_are_linted_as_well() {
    let (sandbox, recipient) = setup("a: one\n");
    for (file, plain) in [
        ("docs/a.env", "A=1\n"),
        ("docs/b.ini", "[a]\nb = 1\n"),
        ("docs/c.json", "{\"a\": 1}"),
        ("docs/d.crt", "bytes"),
    ] {
        sandbox.file(file, plain);
        encrypt(&sandbox, file);
    }
    let run = sandbox.run("sops lint . --strict");
    assert_eq!((run.code, run.stdout.as_str()), (0, "5 documents: 0 errors, 0 warnings\n"), "{run:?}");
    let elsewhere = Sops::new().unwrap().encrypt("x: 1\n", Format::Yaml, &[&recipient], &[]).unwrap();
    sandbox.file("docs/two.yaml", &format!("{elsewhere}---\n{elsewhere}"));
    assert!(
        sandbox
            .run("sops lint docs")
            .stdout
            .contains("docs/two.yaml: error[unreadable]: it holds several YAML documents")
    );
}
