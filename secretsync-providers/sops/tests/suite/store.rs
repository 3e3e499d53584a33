//! Where documents come from, what opens them, and what is refused.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::LazyLock;

use age::secrecy::ExposeSecret as _;
use secretsync_core::error::{Code, ErrorKind, chain};
use secretsync_core::provider::{
    FetchOptions, Fetched, ProviderExt as _, ProviderFactory as _, Query, RawConfig, RemoteRef,
};
use secretsync_provider_sops::SopsFactory;
use serde_json::json;
use tempfile::TempDir;
use xtask::rig::sops::{Format, Sops};

use crate::support::{Given, KEY, RECIPIENT, Store, shape};

static DOCUMENT: LazyLock<String> = LazyLock::new(|| encrypt("user: ada\n", &[RECIPIENT.to_owned()]));

fn encrypt(plain: &str, recipients: &[String]) -> String {
    Sops::new().unwrap().encrypt(plain, Format::Yaml, recipients, &[]).unwrap()
}

fn put(folder: &Path, name: &str) {
    let file = folder.join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, &*DOCUMENT).unwrap();
}

/// A folder `secrets` with documents, beside a document that is not the store's.
fn tree() -> TempDir {
    let base = tempfile::tempdir().unwrap();
    for name in ["secrets/app.yaml", "secrets/team/db.yml", "outside.yaml"] {
        put(base.path(), name);
    }
    base
}

#[tokio::test]
async fn a_folder_has_a_document_for_each_file() {
    let base = tree();
    for path in ["secrets", "./secrets/", base.path().join("secrets").to_str().unwrap()] {
        let store = Store::path(base.path(), path);
        for key in ["app.yaml", "/app.yaml", "team/db.yml", "team//db.yml/"] {
            assert_eq!(store.read(key).await.unwrap(), json!({ "user": "ada" }), "{path} {key}");
        }
    }
}

#[tokio::test]
async fn the_version_is_the_digest_of_the_encrypted_document() {
    let base = tree();
    let store = Store::path(base.path(), "secrets");
    let provider = store.build().await.unwrap();
    let version = || async { provider.fetch_key("app.yaml").await.unwrap().unwrap().version.unwrap().to_string() };
    let before = version().await;
    assert_eq!((before.len(), version().await), (64, before.clone()));
    fs::write(base.path().join("secrets/app.yaml"), encrypt("user: bob\n", &[RECIPIENT.to_owned()])).unwrap();
    assert_ne!(version().await, before);
    assert_eq!(
        shape(&provider.fetch_key("app.yaml").await.unwrap().unwrap()),
        json!({ "user": "bob" }),
        "nothing old is kept"
    );
}

#[tokio::test]
async fn only_an_entry_missing_in_a_readable_folder_is_absent() {
    let base = tree();
    let store = Store::path(base.path(), "secrets");
    for key in ["none.yaml", "team/none.yaml", "none/none.yaml", "app.yaml/none.yaml"] {
        assert!(matches!(store.fetch(key).await, Ok(Fetched::Absent(_))), "{key}");
    }
    let missing = Store::path(base.path(), "none").fetch("app.yaml").await.unwrap_err();
    assert_eq!((missing.kind(), missing.hint().unwrap().code()), (ErrorKind::NotFound, Code::StoreInvalid));
    assert!(chain(&missing).contains("`none`, the source of the store, does not exist"), "{}", chain(&missing));
    symlink("nowhere.yaml", base.path().join("secrets/dangling.yaml")).unwrap();
    let dangling = store.fetch("dangling.yaml").await.unwrap_err();
    assert!(chain(&dangling).contains("`dangling.yaml` is a link that leads to nothing"), "{}", chain(&dangling));
    assert_eq!(dangling.kind(), ErrorKind::InvalidConfig, "one document's fault is not the store's");
}

#[tokio::test]
async fn a_file_is_the_only_document_of_its_store() {
    let base = tree();
    let store = Store::path(base.path(), "secrets/team/db.yml");
    assert_eq!(store.read("db.yml").await.unwrap(), json!({ "user": "ada" }));
    for key in ["secrets/team/db.yml", "app.yaml"] {
        let error = store.fetch(key).await.unwrap_err();
        assert!(chain(&error).contains("the store has one document, `db.yml`"), "{}", chain(&error));
        assert_eq!(error.hint().unwrap().advice(), "use `db.yml` as the key");
    }
}

#[tokio::test]
async fn links_may_point_around_in_the_folder_and_never_out_of_it() {
    let base = tree();
    let secrets = base.path().join("secrets");
    let link = |target: &str, name: &str| symlink(target, secrets.join(name)).unwrap();
    link("app.yaml", "again.yaml");
    link("team", "group");
    link("team/../app.yaml", "around.yaml");
    // As the kubelet mounts ConfigMaps and Secrets.
    put(&secrets, "..2024_01/mounted.yaml");
    link("..2024_01", "..data");
    link("..data/mounted.yaml", "mounted.yaml");
    let store = Store::path(base.path(), "secrets");
    for key in ["again.yaml", "group/db.yml", "around.yaml", "mounted.yaml"] {
        assert!(store.read(key).await.is_ok(), "{key}");
    }
    link("../outside.yaml", "out.yaml");
    link("..", "up");
    link(base.path().join("outside.yaml").to_str().unwrap(), "absolute.yaml");
    link("team/../../outside.yaml", "sneaky.yaml");
    link("loop.yaml", "loop.yaml");
    for key in ["out.yaml", "up/outside.yaml", "absolute.yaml", "sneaky.yaml", "loop.yaml"] {
        let error = store.fetch(key).await.unwrap_err();
        assert_eq!(error.hint().unwrap().code(), Code::SopsPathRefused, "{key}: {error:?}");
    }
}

#[tokio::test]
async fn a_source_that_leaves_the_manifests_folder_is_refused() {
    let base = tree();
    let inner = base.path().join("secrets");
    for path in ["..", "../outside.yaml", "team/../../outside.yaml", base.path().to_str().unwrap()] {
        let error = Store::path(&inner, path).build().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.hint().unwrap().code()),
            (ErrorKind::InvalidConfig, Code::SopsPathRefused),
            "{path}"
        );
    }
    symlink("..", inner.join("up")).unwrap();
    let error = Store::path(&inner, "up").fetch("outside.yaml").await.unwrap_err();
    assert_eq!(error.hint().unwrap().code(), Code::SopsPathRefused);
    let error = Store::new(&json!({ "path": "secrets" })).build().await.unwrap_err();
    assert!(chain(&error).contains("this program reads no files"), "{}", chain(&error));
}

#[tokio::test]
async fn keys_that_lead_elsewhere_are_refused_before_anything_is_read() {
    let base = tree();
    let provider = Store::path(base.path(), "secrets").build().await.unwrap();
    for key in ["../outside.yaml", "team/../app.yaml", "./app.yaml", "", "/", "a\0.yaml"] {
        let error = provider.address(&RemoteRef::new(key)).unwrap_err();
        assert_eq!(error.hint().unwrap().code(), Code::SopsPathRefused, "{key:?}");
    }
    let forged = secretsync_core::object::ObjectRef::new("../outside.yaml");
    assert!(provider.fetch_one(&forged).await.is_err(), "a reference made by hand is checked too");
    let error = provider.address(&RemoteRef::new("app.yaml").with_version("1")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn what_is_no_regular_readable_file_is_refused_without_waiting() {
    let base = tree();
    let secrets = base.path().join("secrets");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        secrets.join("pipe.yaml"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    fs::create_dir(secrets.join("folder.yaml")).unwrap();
    symlink("/dev/zero", secrets.join("device.yaml")).unwrap();
    fs::write(secrets.join("huge.yaml"), vec![b' '; (16 << 20) + 1]).unwrap();
    fs::write(secrets.join("latin.yaml"), b"a: \xff\n").unwrap();
    for (other, text) in
        [("app.env", "A=b\n"), ("app.ini", "a=b\n"), ("app.txt", "{\"data\": \"x\"}"), ("odd.json", "{")]
    {
        fs::write(secrets.join(other), text).unwrap();
    }
    fs::write(secrets.join("other.bin"), DOCUMENT.as_bytes()).unwrap();
    let store = Store::path(base.path(), "secrets");
    for (key, expected) in [
        ("pipe.yaml", "is no regular file"),
        ("folder.yaml", "is a folder, not a document"),
        ("device.yaml", "a link that leaves the folder"),
        ("huge.yaml", "more than 16777216 bytes"),
        ("latin.yaml", "no UTF-8 text"),
        ("app.env", "it has no `sops` block"),
        ("app.ini", "it has no `sops` block"),
        ("app.txt", "it has no `sops` block"),
        ("odd.json", "it is JSON that was cut short"),
        ("other.bin", "it is not valid JSON"),
    ] {
        let text = store.complaint(key).await;
        assert!(text.contains(expected), "{key}: {text}");
    }
    fs::set_permissions(secrets.join("app.yaml"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(secrets.join("app.yaml")).is_err() {
        assert_eq!(store.fetch("app.yaml").await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}

#[tokio::test]
async fn documents_come_from_config_maps_and_secrets() {
    let given = || Given::key(KEY).and("docs/app.yaml", &DOCUMENT);
    for member in ["configMapRef", "secretRef"] {
        let store = Store::new(&json!({ member: { "name": "docs" } })).with_credentials(given());
        assert_eq!(store.read("app.yaml").await.unwrap(), json!({ "user": "ada" }));
        let error = store.fetch("none.yaml").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "a missing key proves nothing: {error:?}");
    }
}

#[tokio::test]
async fn what_a_store_reads_from_outside_is_told() {
    let config = json!({ "source": { "configMapRef": { "name": "docs", "namespace": "team" } }, "keys": [{ "age": { "secretRef": { "name": "sops-age", "key": "key.txt" } } }] });
    let references = SopsFactory::new()
        .references(&RawConfig::from_json(config.to_string()), &secretsync_core::provider::StoreOrigin::cluster("docs"))
        .unwrap();
    let texts: Vec<String> = references.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["key `key.txt` of Secret `sops-age`", "key `*` of ConfigMap `team/docs`"]);
    let origin = secretsync_core::provider::StoreOrigin::cluster("docs");
    let context = secretsync_core::provider::BuildContext::new(origin.clone(), std::sync::Arc::new(Given::default()))
        .with_base(Some("/app".into()));
    let config = |text: &str| RawConfig::from_json(text.to_owned());
    let paths = |text: &str| SopsFactory::new().paths(&config(text), &context).unwrap();
    assert_eq!(paths(r#"{"source": {"path": "./docs/"}}"#), [Path::new("/app/docs")]);
    assert!(paths(r#"{"source": {"inline": "x"}}"#).is_empty());
    let depends = |text: &str| SopsFactory::new().depends_on_consumer(&config(text), &origin).unwrap();
    assert!(depends(r#"{"source": {"path": "docs"}, "bind": "Namespace"}"#));
    assert!(!depends(r#"{"source": {"path": "docs"}}"#));
}

#[tokio::test]
async fn when_no_key_fits_each_key_of_the_document_is_listed() {
    let other = age::x25519::Identity::generate().to_public().to_string();
    let document = encrypt("a: b\n", std::slice::from_ref(&other));
    let error = Store::inline(&document).fetch("inline").await.unwrap_err();
    assert_eq!((error.kind(), error.hint().unwrap().code()), (ErrorKind::PermissionDenied, Code::SopsKeyMissing));
    assert_eq!(
        chain(&error),
        format!(
            "failed to decrypt document `inline` of SecretStore shop/sops: none of the configured keys opens it: \
             age recipient `{other}`: no identity for it is configured"
        )
    );
    let more = document.replace(
        "    age:",
        "    pgp:\n        - fp: ABCD\n          enc: x\n    azure_kv:\n        - vault_url: https://a\n          name: n\n          version: v\n          enc: x\n    \
         gcp_kms:\n        - resource_id: projects/p\n          enc: x\n    hc_vault:\n        - key_name: k\n          engine_path: transit\n          \
         vault_address: https://elsewhere\n    kms:\n        - arn: arn:aws:kms:x\n          enc: x\n    age:\n        - recipient: age1pq1x\n          \
         enc: x\n        - recipient: ssh-ed25519 AAAA\n          enc: x",
    );
    let text = Store::inline(&more).complaint("inline").await;
    for expected in [
        "AWS KMS key `arn:aws:kms:x`: the store configures no `awsKms` key",
        "GCP KMS key `projects/p`: keys of this kind are not supported",
        "Azure Key Vault key `https://a/keys/n/v`: keys of this kind are not supported",
        "Vault transit key `https://elsewhere/v1/transit/keys/k`: the store configures no `vaultTransit` key",
        "PGP key `ABCD`: keys of this kind are not supported",
        "age recipient `age1pq1x`: its entry in the document is damaged",
        "no identity for it is configured",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[tokio::test]
async fn a_document_that_nobody_here_can_open_says_what_to_add() {
    let document = DOCUMENT.replace("    age:", "    pgp:\n        - fp: ABCD\n          enc: x\n    ignored:");
    let error = Store::inline(&document).fetch("inline").await.unwrap_err();
    assert_eq!((error.kind(), error.hint().unwrap().code()), (ErrorKind::Unsupported, Code::SopsKeyMissing));
    assert!(error.hint().unwrap().advice().contains("sops updatekeys"), "{error:?}");
}

#[tokio::test]
async fn recipients_of_kinds_that_are_not_supported_are_told_by_name() {
    // The entries are real, so that only their recipients tell the kinds apart.
    let other = age::x25519::Identity::generate().to_public().to_string();
    let document = encrypt("a: b\n", std::slice::from_ref(&other));
    for (recipient, expected) in [
        ("age1pq1x", "age recipient `age1pq1x`: post-quantum recipients are not supported"),
        ("age1yubikey1x", "recipients of age plugins are not supported"),
        ("ssh-ed25519 AAAA", "SSH keys are not supported"),
    ] {
        let text = Store::inline(&document.replace(&other, recipient)).complaint("inline").await;
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn one_fitting_key_among_others_is_enough() {
    let other = || age::x25519::Identity::generate();
    let document = encrypt("a: b\n", &[other().to_public().to_string(), RECIPIENT.to_owned()]);
    let secret = |name: &str| json!({ "age": { "secretRef": { "name": name, "key": "k" } } });
    let given = Given::default()
        .and("one/k", other().to_string().expose_secret())
        .and("two/k", &format!("# mine\r\n\r\n{KEY}\r\n"));
    let store = Store::inline(&document).with_keys(json!([secret("one"), secret("two")])).with_credentials(given);
    assert_eq!(store.read("inline").await.unwrap(), json!({ "a": "b" }));
}

#[tokio::test]
async fn a_missing_credential_keeps_its_own_kind_and_advice() {
    let error = Store::inline(&DOCUMENT).with_credentials(Given::default()).fetch("inline").await.unwrap_err();
    assert_eq!((error.kind(), error.hint().unwrap().code()), (ErrorKind::NotFound, Code::CredentialMissing));
    assert!(chain(&error).contains("key `key.txt` of Secret `sops-age`"), "{}", chain(&error));
    let error = Store::inline(&DOCUMENT).with_keys(json!([])).build().await.unwrap_err();
    assert!(chain(&error).contains("has no `keys`"), "{}", chain(&error));
}

#[tokio::test]
async fn the_environment_is_asked_beside_the_configured_keys() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("key.txt");
    fs::write(&file, KEY).unwrap();
    let keys = home.path().join(".config/sops/age/keys.txt");
    fs::create_dir_all(keys.parent().unwrap()).unwrap();
    let home_text = home.path().to_str().unwrap();
    let opens = |variables: &[(&'static str, &str)]| {
        let store =
            Store::inline(&DOCUMENT).with_credentials(Given::default()).with_keys(json!([])).with_ambient(variables);
        async move { store.read("inline").await.map_err(|error| chain(&error)) }
    };
    assert!(opens(&[("SOPS_AGE_KEY", KEY)]).await.is_ok());
    assert!(opens(&[("SOPS_AGE_KEY_FILE", file.to_str().unwrap())]).await.is_ok());
    assert!(opens(&[]).await.unwrap_err().contains("the environment offers no age key"));
    assert!(
        opens(&[("SOPS_AGE_KEY_FILE", "/nowhere/key.txt")])
            .await
            .unwrap_err()
            .contains("failed to read `/nowhere/key.txt`")
    );
    let one_missing = opens(&[("SOPS_AGE_KEY", KEY), ("SOPS_AGE_KEY_FILE", "/nowhere/key.txt")]).await;
    assert!(one_missing.is_ok(), "what cannot be used does not take the other away: {one_missing:?}");
    if cfg!(target_os = "linux") {
        assert!(opens(&[("HOME", home_text)]).await.is_err());
        fs::write(&keys, "AGE-PLUGIN-YUBIKEY-1QQQ").unwrap();
        assert!(opens(&[("HOME", home_text), ("SOPS_AGE_KEY", KEY)]).await.is_ok());
        let only = opens(&[("HOME", home_text)]).await.unwrap_err();
        assert!(only.contains("an identity of an age plugin on line 1"), "{only}");
        fs::write(&keys, KEY).unwrap();
        assert!(opens(&[("HOME", home_text)]).await.is_ok());
        assert!(
            opens(&[("HOME", "/nowhere"), ("XDG_CONFIG_HOME", home.path().join(".config").to_str().unwrap())])
                .await
                .is_ok()
        );
    }
    let configured = Store::inline(&DOCUMENT).with_ambient(&[]);
    assert!(configured.read("inline").await.is_ok(), "the configured key is used as well");
}

/// Whoever finds less than there is deletes what is missing.
#[tokio::test]
async fn what_cannot_be_looked_at_is_never_left_out_of_what_is_found() {
    let base = tree();
    let find = async || Store::path(base.path(), "secrets").build().await.unwrap().find(&Query::default()).await;
    assert!(find().await.is_ok());
    symlink("nowhere", base.path().join("secrets/token")).unwrap();
    let error = find().await.unwrap_err();
    assert!(chain(&error).contains("`token` is a link that leads to nothing"), "{}", chain(&error));
}

#[tokio::test]
async fn documents_are_found_by_name_and_folder() {
    let base = tree();
    put(base.path(), "secrets/team/deep/x.json");
    put(base.path(), "secrets/.hidden/y.yaml");
    put(base.path(), "secrets/notes.txt");
    let provider = Store::path(base.path(), "secrets").build().await.unwrap();
    let provider = &provider;
    let find = |query: Query| async move {
        provider.find(&query).await.unwrap().into_iter().map(|found| found.name).collect::<Vec<_>>()
    };
    assert!(provider.info().find);
    let binary = Sops::new().unwrap().encrypt("x", Format::Binary, &[RECIPIENT], &[]).unwrap();
    fs::write(base.path().join("secrets/team/ca.der"), binary).unwrap();
    let all = ["app.yaml", "team/ca.der", "team/db.yml", "team/deep/x.json"];
    assert_eq!(find(Query::default()).await, all, "what is no document is left out");
    let mut query = Query::default();
    query.name = Some("ya?ml$".into());
    query.path = Some("team".into());
    assert_eq!(find(query).await, ["team/db.yml"]);
    let binary = Sops::new().unwrap().encrypt("x", Format::Binary, &[RECIPIENT], &[]).unwrap();
    let given = Given::key(KEY).and("docs/app.yaml", &DOCUMENT).and("docs/ca", &binary).and("docs/README", "{words}");
    let store = Store::new(&json!({ "configMapRef": { "name": "docs" } })).with_credentials(given);
    let found = store.build().await.unwrap().find(&Query::default()).await.unwrap();
    assert_eq!(found.into_iter().map(|found| found.name).collect::<Vec<_>>(), ["app.yaml", "ca"]);
}

#[tokio::test]
async fn a_check_proves_source_and_keys() {
    let base = tree();
    assert!(Store::path(base.path(), "secrets").build().await.unwrap().check().await.is_ok());
    assert!(Store::path(base.path(), "none").build().await.unwrap().check().await.is_err());
    let store = Store::path(base.path(), "secrets").with_credentials(Given::default());
    assert_eq!(store.build().await.unwrap().check().await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn one_bad_document_does_not_spoil_its_neighbours() {
    let base = tree();
    fs::write(base.path().join("secrets/bad.yaml"), "user: ada\n").unwrap();
    let provider = Store::path(base.path(), "secrets").build().await.unwrap();
    let objects =
        ["app.yaml", "bad.yaml", "none.yaml", "team/db.yml"].map(|key| provider.address(&RemoteRef::new(key)).unwrap());
    let answers = provider.fetch(&objects, &FetchOptions::default()).await;
    assert!(
        matches!(answers.as_slice(), [Ok(Fetched::Found(_)), Err(_), Ok(Fetched::Absent(_)), Ok(Fetched::Found(_))]),
        "{answers:?}"
    );
}

#[tokio::test]
async fn one_key_that_cannot_be_had_does_not_keep_another_from_opening_the_document() {
    let document = DOCUMENT.as_str();
    let key = |name: &str| json!({ "age": { "secretRef": { "name": name, "key": "key.txt" } } });
    for keys in [
        json!([key("nope"), key("sops-age")]),
        json!([key("junk"), key("sops-age")]),
        json!([key("sops-age"), key("nope")]),
    ] {
        let given = Given::key(KEY).and("junk/key.txt", "no identity");
        let store = Store::inline(document).with_credentials(given).with_keys(keys);
        assert!(store.read("inline").await.is_ok());
    }
    let store = Store::inline(document).with_keys(json!([key("nope")]));
    assert!(store.complaint("inline").await.contains("`nope`"));
}

#[tokio::test]
async fn a_document_that_does_not_exist_is_absent_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::path(folder.path(), ".");
    for key in ["app", "app.env", "app.yaml", "sub/app"] {
        assert!(matches!(store.fetch(key).await.unwrap(), Fetched::Absent(_)), "{key}");
    }
}
