//! Documents whose data key a KMS key of moto wrapped, by the real sops.

use std::fs;

use serde_json::json;
use xtask::rig::moto::Moto;
use xtask::rig::openbao::OpenBao;
use xtask::rig::sops::{Format, Sops};

use crate::sandbox::{Sandbox, data, external_secret, store};
use crate::sops::{FORMATS, key};
use crate::sops_services::{transit, uri};

const REGION: &str = "eu-west-1";
const ROLE: &str = "arn:aws:iam::123456789012:role/sops-reader";

/// A server of its own, since requests are counted, and the ARN of a key in it.
fn kms() -> (Moto, String) {
    let moto = Moto::start().unwrap();
    let arn = new_key(&moto, REGION);
    (moto, arn)
}

fn new_key(moto: &Moto, region: &str) -> String {
    let made = moto.call(region, "TrentService.CreateKey", &json!({})).unwrap();
    made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

/// Encrypts by the keys of a creation rule (YAML, indented by two).
fn encrypt(moto: &Moto, bao: Option<&OpenBao>, rule: &str, plain: &str, format: Format) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".sops.yaml"), format!("creation_rules:\n- path_regex: plain\n{rule}")).unwrap();
    fs::write(folder.path().join("plain"), plain).unwrap();
    let mut sops = Sops::new().unwrap().bare();
    sops.current_dir(folder.path()).env("AWS_ENDPOINT_URL", moto.address());
    sops.env("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST").env("AWS_SECRET_ACCESS_KEY", "s3cr3t");
    sops.envs(bao.map(|bao| ("VAULT_TOKEN", bao.token())));
    sops.args(["encrypt", "--input-type", format.name(), "--output-type", format.name(), "plain"]);
    let output = sops.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A store of the folder `docs` whose first key is KMS with these further members (YAML flow), and perhaps more keys.
fn setup(moto: &Moto, more: &str, keys: &str) -> Sandbox {
    let provider = format!(
        "    sops:\n      source: {{path: docs}}\n      keys:\n      - awsKms:\n          region: {REGION}\n          auth:\n            secretRef:\n              \
         accessKeyIDSecretRef: {{name: aws, key: id}}\n              secretAccessKeySecretRef: {{name: aws, key: secret}}\n{more}{keys}"
    );
    let mut sandbox = Sandbox::new();
    sandbox.set("AWS_ENDPOINT_URL", moto.address()).set("ID", "AKIATESTTESTTESTTEST").set("SECRET", "s3cr3t");
    sandbox.file("store.yaml", &store("docs", &provider));
    sandbox.file("es.yaml", &external_secret("app", "docs", &data(&[("a", "app.yaml", "a")])));
    sandbox
}

const SYNC: &str =
    "sync -f store.yaml -f es.yaml --to dir=out --credential aws/id=env:ID --credential aws/secret=env:SECRET";

/// How often an operation was called.
fn calls(moto: &Moto, operation: &str) -> usize {
    moto.requests().unwrap().iter().filter(|request| *request == operation).count()
}

const DECRYPT: &str = "TrentService.Decrypt";
const ASSUME: &str = "sts.AssumeRole";

#[test]
fn documents_of_every_format_are_opened_by_kms_once_for_a_change_however_many_read_them() {
    let (moto, arn) = kms();
    let sandbox = setup(&moto, "", "");
    let rule = format!("  key_groups: [{{kms: [{{arn: '{arn}', context: {{App: shop, Env: prod}}}}]}}]\n");
    let mut entries = Vec::new();
    for (name, format, plain, property) in FORMATS {
        sandbox.file(&format!("docs/{name}"), &encrypt(&moto, None, &rule, plain, format));
        entries.push((name, name, property));
    }
    let hurried = |name: &str| external_secret(name, "docs", &format!("  refreshInterval: 1s\n{}", data(&entries)));
    sandbox.file("es.yaml", &(hurried("app") + &hurried("more")));
    let run = sandbox.run(SYNC);
    assert_eq!(run.code, 0, "{run:?}");
    for (name, ..) in FORMATS {
        assert_eq!(sandbox.text(&format!("out/shop/app/{name}")), "one", "{name}");
    }
    assert_eq!((calls(&moto, DECRYPT), calls(&moto, ASSUME)), (FORMATS.len(), 0));

    // A process that goes on asks again for what changed, and for nothing else.
    let running = sandbox.start(&SYNC.replace("sync", "sync --watch"));
    let told = || running.line().split_once("  ").unwrap().1.to_owned();
    for _ in 0..2 {
        assert!(told().starts_with("unchanged"));
    }
    for value in ["two", "three"] {
        let changed = encrypt(&moto, None, &rule, &format!("k: {value}\n"), Format::Yaml);
        sandbox.file("docs/a.yaml", &changed);
        for _ in 0..2 {
            let line = told();
            assert!(line.starts_with("updated") && line.ends_with("updated a.yaml"), "{line}");
        }
    }
    assert_eq!(running.stop(rustix::process::Signal::TERM).0, 0);
    assert_eq!(calls(&moto, DECRYPT), FORMATS.len() * 2 + 2);
}

#[test]
fn the_role_of_the_store_counts_and_that_of_the_document_does_not() {
    let (moto, arn) = kms();
    let rule = format!("  kms: '{arn}+arn:aws:iam::123456789012:role/writer'\n");
    let document = encrypt(&moto, None, &rule, "a: one\n", Format::Yaml);
    assert!(document.contains("role/writer"), "{document}");
    let by_sops = calls(&moto, ASSUME);
    assert!(by_sops > 0, "sops takes the role");

    let sandbox = setup(&moto, "", "");
    sandbox.file("docs/app.yaml", &document);
    assert_eq!(sandbox.run(SYNC).code, 0);
    assert_eq!(calls(&moto, ASSUME), by_sops, "the document's role is not taken");

    let sandbox = setup(&moto, &format!("          role: {ROLE}\n"), "");
    sandbox.file("docs/app.yaml", &document);
    assert_eq!(sandbox.run(SYNC).code, 0);
    assert_eq!((calls(&moto, ASSUME) - by_sops, calls(&moto, DECRYPT)), (1, 2));
}

#[test]
fn key_groups_mix_age_kms_and_transit_and_nobody_is_asked_once_it_is_enough() {
    let ((moto, arn), bao, (recipient, secret)) = (kms(), transit(), key());
    let vault = format!(
        "      - vaultTransit: {{server: '{}', path: sops, auth: {{tokenSecretRef: {{name: token, key: t}}}}}}\n",
        bao.address()
    );
    let age = "      - age: {secretRef: {name: age, key: key.txt}}\n";
    let groups = |threshold: usize| {
        format!(
            "  shamir_threshold: {threshold}\n  key_groups:\n  - kms: [{{arn: '{arn}'}}]\n  - hc_vault: ['{}']\n  - age: ['{recipient}']\n",
            uri(&bao)
        )
    };
    let sync = format!("{SYNC} --credential token/t=env:TOKEN --credential age/key.txt=file:age.key");
    let unwrapped =
        || bao.audit_requests().unwrap().iter().filter(|call| call.path.starts_with("sops/decrypt")).count();
    for (threshold, keys, code, asked) in [
        (3, format!("{vault}{age}"), 0, (1, 1)),
        // The age key costs nothing, and KMS comes first in the store.
        (2, format!("{vault}{age}"), 0, (1, 0)),
        (2, vault.clone(), 0, (1, 1)),
        (3, vault, 1, (1, 1)),
    ] {
        let mut sandbox = setup(&moto, "", &keys);
        sandbox.set("TOKEN", bao.token()).file("age.key", &secret);
        sandbox.file("docs/app.yaml", &encrypt(&moto, Some(&bao), &groups(threshold), "a: one\n", Format::Yaml));
        let before = (calls(&moto, DECRYPT), unwrapped());
        let run = sandbox.run(&sync);
        let after = (calls(&moto, DECRYPT) - before.0, unwrapped() - before.1);
        assert_eq!((run.code, after), (code, asked), "{threshold} {keys}{run:?}");
        if code == 1 {
            assert!(run.stdout.contains("open 2 of the 3 key groups that it takes"), "{run:?}");
            assert!(run.stdout.contains(&format!("age recipient `{recipient}`")), "{run:?}");
        }
    }
}

#[test]
fn a_hostile_document_that_names_another_place_causes_no_request_at_all() {
    let (moto, arn) = kms();
    let (theirs, _) = kms();
    let document = encrypt(&moto, None, &format!("  kms: '{arn}'\n"), "a: one\n", Format::Yaml);
    let (account, name) = arn.rsplit_once(':').unwrap();
    let account = account.rsplit(':').next().unwrap();
    for (more, hostile, why) in [
        ("", document.replace(REGION, "us-east-1"), "it lies in another region than `eu-west-1`"),
        (
            "",
            document.replace(&arn, &format!("{}/v1/arn:aws:kms:{REGION}:1:key/x", theirs.address())),
            "its ARN is none of a KMS key",
        ),
        (
            "          role: arn:aws:iam::210987654321:role/sops\n",
            document.clone(),
            "it lies in another account than `role`",
        ),
        (
            "          keys: ['arn:aws:kms:eu-west-1:123456789012:key/ours']\n",
            document.replace("aws_profile: \"\"", "aws_profile: evil\n          role: arn:aws:iam::1:role/evil"),
            "it is not among `keys`",
        ),
    ] {
        let mut sandbox = setup(&moto, more, "");
        // A profile that exists, for whoever would follow a document's word.
        sandbox.set("HOME", &sandbox.path("").display().to_string());
        sandbox
            .file(".aws/config", &format!("[profile evil]\nendpoint_url = {}\nregion = {REGION}\n", theirs.address()));
        sandbox.file("docs/app.yaml", &hostile);
        let before = [moto.requests().unwrap().len(), theirs.requests().unwrap().len()];
        let run = sandbox.run(SYNC);
        assert!(run.code == 1 && run.stdout.contains(why), "{account} {name} {run:?}");
        let after = [moto.requests().unwrap().len(), theirs.requests().unwrap().len()];
        assert_eq!(after, before, "{why}");
    }
}

#[test]
fn a_key_that_kms_refuses_is_told_beside_every_other_key_of_the_document() {
    let (moto, arn) = kms();
    let (recipient, secret) = key();
    let bystander = key().0;
    let other = new_key(&moto, REGION);
    let rule = format!("  kms: '{arn}'\n  age: {bystander}\n");
    let document = encrypt(&moto, None, &rule, "a: one\n", Format::Yaml);
    let sandbox = setup(&moto, "", "      - age: {secretRef: {name: age, key: key.txt}}\n");
    sandbox.file("age.key", &secret);
    let sync = format!("{SYNC} --credential age/key.txt=file:age.key");

    // The ciphertext of one key under the name of another.
    sandbox.file("docs/app.yaml", &document.replace(&arn, &other));
    let run = sandbox.run(&sync);
    assert_eq!(run.code, 1, "{run:?}");
    for part in [
        format!("AWS KMS key `{other}`: `keys[0].awsKms` was asked and failed"),
        "(AccessDeniedException)".to_owned(),
        format!("age recipient `{bystander}`: no identity for it is configured"),
    ] {
        assert!(run.stdout.contains(&part), "{part}: {run:?}");
    }
    assert!(!run.stdout.contains(&recipient) && !run.stdout.contains("s3cr3t"), "{run:?}");

    // Another context than the one it was encrypted with, and a key that is no more.
    let alone = encrypt(&moto, None, &format!("  kms: '{arn}'\n"), "a: one\n", Format::Yaml);
    let with_context = alone.replace("      aws_profile:", "      context: {App: other}\n          aws_profile:");
    assert!(with_context.contains("App: other"), "{with_context}");
    let nowhere = alone.replace(&arn, &format!("{}00000000-0000-0000-0000-000000000000", &arn[..arn.len() - 36]));
    for document in [with_context, nowhere] {
        sandbox.file("docs/app.yaml", &document);
        let run = sandbox.run(&sync);
        assert!(run.code == 1 && run.stdout.contains("`keys[0].awsKms` was asked and failed"), "{run:?}");
        assert!(run.stderr.contains("KMS") || run.stdout.contains("KMS"), "{run:?}");
    }
}
