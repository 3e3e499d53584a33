//! `ManifestStore`.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use secretsync_core::error::ErrorKind;
use secretsync_core::secret::Fingerprint;
use secretsync_core::store::{Applied, Holder, ManifestStore, Removed, Store};
use secretsync_core::sync::CreationPolicy;
use secretsync_core::yaml::{Limits, parse_documents};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Case, code, mode, names, text};

const MANAGED: &str = "reconcile.external-secrets.io/managed";

fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.yaml");
    (folder, path)
}

fn documents(text: &[u8]) -> Vec<Value> {
    parse_documents(text, &Limits::default()).unwrap().iter().map(secretsync_core::yaml::Document::to_json).collect()
}

fn in_file(path: &Path) -> Vec<Value> {
    documents(&fs::read(path).unwrap())
}

#[tokio::test]
async fn each_target_becomes_a_secret_that_an_operator_would_adopt() {
    let (_folder, path) = file();
    let store = ManifestStore::file(&path);
    let mut case = Case::bytes("db", "db", [("b".to_owned(), b"\0\xff\n".to_vec()), ("a".to_owned(), Vec::new())]);
    case.desired.meta.labels.insert("team".into(), "yes".into());
    case.desired.meta.annotations.insert("note".into(), "one\n---\ntwo".into());
    case.desired.meta.finalizers.push("example.com/keep".into());
    case.desired.meta.secret_type = Some("kubernetes.io/tls".into());
    case.desired.meta.immutable = true;
    assert_eq!(case.apply(&store).await.unwrap(), Applied::Created);
    Case::new("api", "api", &[("k", "v")]).apply(&store).await.unwrap();
    assert!(!path.exists(), "nothing is written before the flush");
    store.flush().await.unwrap();
    let secret = |name: &str, secret_type: &str, data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "shop", "labels": {MANAGED: "true"}}, "type": secret_type, "data": data});
    let mut db = secret("db", "kubernetes.io/tls", json!({"a": "", "b": "AP8K"}));
    db["metadata"]["labels"]["team"] = "yes".into();
    db["metadata"]["annotations"] = json!({"note": "one\n---\ntwo"});
    db["metadata"]["finalizers"] = json!(["example.com/keep"]);
    db["immutable"] = true.into();
    assert_eq!(in_file(&path), [secret("api", "Opaque", json!({"k": "dg=="})), db]);
    assert_eq!(mode(&path), 0o600);

    let present = case.observe(&ManifestStore::file(&path)).await.unwrap().unwrap();
    assert_eq!((present.holder.clone(), present.intact, present.immutable), (Holder::Ours, true, false));
    assert_eq!(present.keys["b"].fingerprint, Some(Fingerprint::of_bytes(b"\0\xff\n")));
    assert_eq!(present.meta, Some(case.desired.meta));
}

#[tokio::test]
async fn a_second_run_writes_nothing_and_removed_keys_and_labels_go() {
    let (_folder, path) = file();
    let mut case = Case::new("db", "db", &[("a", "1"), ("b", "2")]);
    case.desired.meta.labels.insert("old".into(), "x".into());
    case.sync(&ManifestStore::file(&path)).await.unwrap();
    let stat =
        || fs::metadata(&path).map(|stat| (stat.ino(), stat.mtime(), stat.mtime_nsec(), stat.ctime_nsec())).unwrap();
    let before = stat();
    assert_eq!(case.sync(&ManifestStore::file(&path)).await.unwrap(), Applied::Unchanged);
    assert_eq!(stat(), before);
    let smaller = Case::new("db", "db", &[("a", "1")]).removing(&["b"]);
    assert_eq!(smaller.sync(&ManifestStore::file(&path)).await.unwrap(), Applied::Updated);
    assert_eq!(in_file(&path)[0]["data"], json!({"a": "MQ=="}));
    assert_eq!(in_file(&path)[0]["metadata"]["labels"], json!({MANAGED: "true"}));
}

#[tokio::test]
async fn several_syncs_merge_into_one_secret_and_never_into_one_key() {
    let (_folder, path) = file();
    let merging = |owner: &str, key: &str| {
        let mut case = Case::new("db", owner, &[(key, owner)]).under(CreationPolicy::CreateOrMerge);
        case.desired.meta.labels.insert("shared".into(), "x".into());
        case.desired.meta.labels.insert(owner.into(), "x".into());
        case
    };
    let store = ManifestStore::file(&path);
    let (one, two) = (merging("one", "a"), merging("two", "b"));
    one.apply(&store).await.unwrap();
    two.apply(&store).await.unwrap();
    let error = merging("three", "a").apply(&store).await.unwrap_err();
    assert!(
        error.kind() == ErrorKind::NotOwned && text(&error).contains("key `a`") && text(&error).contains("`shop/one`"),
        "{error}"
    );
    store.flush().await.unwrap();
    assert_eq!(in_file(&path)[0]["data"], json!({"a": "b25l", "b": "dHdv"}));

    let store = ManifestStore::file(&path);
    let present = two.observe(&store).await.unwrap().unwrap();
    assert_eq!((present.holder.clone(), names(&present)), (Holder::Ours, vec!["b"]));
    assert_eq!(present.meta.as_ref().unwrap().labels, two.desired.meta.labels);
    assert_eq!(merging("three", "a").apply(&store).await.unwrap_err().kind(), ErrorKind::NotOwned);
    assert_eq!(store.remove(&one.target, &one.owner).await.unwrap(), Removed::Removed);
    store.flush().await.unwrap();
    assert_eq!(in_file(&path)[0]["data"], json!({"b": "dHdv"}));
    assert_eq!(in_file(&path)[0]["metadata"]["labels"], json!({MANAGED: "true", "shared": "x", "two": "x"}));
    assert_eq!(store.remove(&two.target, &two.owner).await.unwrap(), Removed::Removed);
    store.flush().await.unwrap();
    assert_eq!(in_file(&path).len(), 0);
    assert_eq!(store.remove(&two.target, &two.owner).await.unwrap(), Removed::AlreadyAbsent);
}

#[tokio::test]
async fn a_secret_held_by_another_sync_is_refused() {
    let (_folder, path) = file();
    let store = ManifestStore::file(&path);
    Case::new("db", "one", &[("a", "1")]).sync(&store).await.unwrap();
    let second = Case::new("db", "two", &[("b", "2")]);
    assert_eq!(
        second.observe(&store).await.unwrap().unwrap().holder,
        Holder::Other("ExternalSecret `shop/one`".into())
    );
    for error in
        [second.apply(&store).await.unwrap_err(), store.remove(&second.target, &second.owner).await.unwrap_err()]
    {
        assert_eq!(error.kind(), ErrorKind::NotOwned);
        assert!(text(&error).contains("secrets.yaml`: it belongs to ExternalSecret `shop/one`"), "{error}");
    }
}

#[tokio::test]
async fn documents_of_others_and_of_syncs_that_failed_stay_as_they_are() {
    let (_folder, path) = file();
    let others = "# mine\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n---\nkind: Secret\napiVersion: v1\nmetadata:\n    name: mine\n    namespace: shop\n";
    fs::write(&path, others).unwrap();
    Case::new("zoo", "zoo", &[("a", "1")]).sync(&ManifestStore::file(&path)).await.unwrap();
    let with_zoo = fs::read_to_string(&path).unwrap();
    assert!(with_zoo.starts_with(others), "{with_zoo}");
    let store = ManifestStore::file(&path);
    let mine = Case::new("mine", "mine", &[("a", "1")]);
    assert!(matches!(mine.observe(&store).await.unwrap().unwrap().holder, Holder::Other(_)));
    let error = mine.apply(&store).await.unwrap_err();
    assert!(error.kind() == ErrorKind::NotOwned && text(&error).contains("line 6"), "{error}");
    Case::new("api", "api", &[("a", "1")]).sync(&store).await.unwrap();
    let with_both = fs::read_to_string(&path).unwrap();
    assert!(with_both.starts_with(others) && with_both.ends_with(&with_zoo[others.len()..]), "{with_both}");
}

#[tokio::test]
async fn a_managed_secret_without_comments_is_adopted_with_its_keys_shown() {
    let (_folder, path) = file();
    let document = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n  namespace: shop\n  labels:\n    {MANAGED}: \"true\"\n    by: hand\ndata:\n  old: b2xk\n  kept: '!'\n"
    );
    fs::write(&path, document).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let store = ManifestStore::file(&path);
    let case = Case::new("db", "db", &[("a", "1")]).removing(&["old"]);
    let present = case.observe(&store).await.unwrap().unwrap();
    assert_eq!((present.holder.clone(), present.intact, names(&present)), (Holder::Nobody, false, vec!["kept", "old"]));
    assert!(!present.keys["old"].owned && present.keys["old"].fingerprint == Some(Fingerprint::of_bytes(b"old")));
    assert_eq!(case.sync(&store).await.unwrap(), Applied::Updated);
    assert_eq!(in_file(&path)[0]["data"], json!({"a": "MQ==", "kept": "!"}));
    assert_eq!(in_file(&path)[0]["metadata"]["labels"]["by"], "hand");
}

#[tokio::test]
async fn what_is_no_manifest_is_refused_and_left_alone() {
    let (folder, path) = file();
    let case = Case::new("db", "db", &[("a", "1")]);
    for (content, line) in
        [(&b"a: 1\n---\nb: [\n"[..], "line 3: "), (b"a: 1\na: 2\n", "line 2: "), (b"\xff", "line 1: ")]
    {
        fs::write(&path, content).unwrap();
        let store = ManifestStore::file(&path);
        for error in [case.observe(&store).await.unwrap_err(), case.apply(&store).await.unwrap_err()] {
            assert_eq!((error.kind(), code(&error)), (ErrorKind::InvalidData, "target-unwritable"));
            assert!(text(&error).contains(&format!("secrets.yaml`: {line}")), "{error}");
        }
        store.flush().await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    fs::rename(&path, folder.path().join("victim")).unwrap();
    symlink("victim", &path).unwrap();
    let error = case.apply(&ManifestStore::file(&path)).await.unwrap_err();
    assert!(text(&error).contains("a symbolic link"), "{error}");
}

#[tokio::test]
async fn open_modes_and_edits_are_seen_and_repaired() {
    let (_folder, path) = file();
    let store = ManifestStore::file(&path);
    let case = Case::new("db", "db", &[("a", "1")]);
    case.sync(&store).await.unwrap();
    let good = fs::read(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
    assert!(!case.observe(&store).await.unwrap().unwrap().intact);
    case.sync(&store).await.unwrap();
    fs::write(&path, String::from_utf8_lossy(&good).replace("type: Opaque", "type: Opaque\nstringData: {x: y}"))
        .unwrap();
    assert!(!case.observe(&store).await.unwrap().unwrap().intact);
    case.sync(&store).await.unwrap();
    assert_eq!((fs::read(&path).unwrap(), mode(&path)), (good, 0o600));
}

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().map_err(|_| io::ErrorKind::Other)?.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_writer_gets_the_manifests_and_nothing_else() {
    let output = Output::default();
    let store = ManifestStore::writer(Box::new(output.clone()));
    let (one, two) = (
        Case::new("db", "one", &[("a", "1")]).under(CreationPolicy::Orphan),
        Case::new("db", "two", &[("b", "2")]).under(CreationPolicy::CreateOrMerge),
    );
    for case in [&two, &one, &Case::new("api", "api", &[("k", "v")])] {
        assert!(case.observe(&store).await.unwrap().is_none());
        assert_eq!(case.apply(&store).await.unwrap(), Applied::Created);
    }
    assert!(output.0.lock().unwrap().is_empty());
    store.flush().await.unwrap();
    let written = output.0.lock().unwrap().clone();
    assert!(!String::from_utf8_lossy(&written).contains('#'));
    let found: Vec<_> = documents(&written)
        .iter()
        .map(|document| (document["metadata"]["name"].clone(), document["data"].clone()))
        .collect();
    assert_eq!(found, [(json!("api"), json!({"k": "dg=="})), (json!("db"), json!({"a": "MQ==", "b": "Mg=="}))]);
    store.flush().await.unwrap();
    assert_eq!(output.0.lock().unwrap().len(), written.len(), "each document is written once");
}

#[tokio::test]
async fn a_masked_writer_gets_everything_but_the_values() {
    let output = Output::default();
    let store = ManifestStore::masked_writer(Box::new(output.clone()));
    for case in [Case::new("db", "one", &[("a", "1")]), Case::new("api", "api", &[("k", "hunter2"), ("l", "")])] {
        case.apply(&store).await.unwrap();
    }
    store.flush().await.unwrap();
    let written = output.0.lock().unwrap().clone();
    let data: Vec<_> = documents(&written).iter().map(|document| document["data"].clone()).collect();
    assert_eq!(data, [json!({"k": "<hidden>", "l": "<hidden>"}), json!({"a": "<hidden>"})]);
}

#[tokio::test]
async fn a_writer_that_fails_is_an_error() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let store = ManifestStore::writer(Box::new(Closed));
    let error = Case::new("db", "db", &[("a", "1")]).sync(&store).await.unwrap_err();
    assert_eq!(
        (code(&error), text(&error).as_str()),
        ("target-unwritable", "failed to write the manifests: broken pipe")
    );
}

#[tokio::test]
async fn names_that_could_end_a_comment_are_refused_or_escaped() {
    let (_folder, path) = file();
    let store = ManifestStore::file(&path);
    for name in ["a\nb", "a b", "", "a\u{85}b"] {
        assert_eq!(
            Case::new("db", name, &[("a", "1")]).apply(&store).await.unwrap_err().kind(),
            ErrorKind::InvalidConfig,
            "{name:?}"
        );
    }
    let mut case = Case::new("db", "db", &[("a", "1")]);
    case.desired.meta.annotations.insert("x\u{85}\u{2028}y\nz".into(), "x".into());
    case.sync(&store).await.unwrap();
    assert_eq!(case.sync(&ManifestStore::file(&path)).await.unwrap(), Applied::Unchanged);
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.lines().any(|line| line.starts_with("# secretsync ")) && text.is_ascii(),
        "some readers take U+0085 and U+2028 for line breaks"
    );
}

#[tokio::test]
async fn ten_thousand_keys_are_written_and_known() {
    let (_folder, path) = file();
    let case =
        Case::bytes("big", "big", (0..10_000).map(|n| (format!("key-{n:05}"), format!("value {n}").into_bytes())));
    case.sync(&ManifestStore::file(&path)).await.unwrap();
    assert_eq!(in_file(&path)[0]["data"].as_object().unwrap().len(), 10_000);
    let present = case.observe(&ManifestStore::file(&path)).await.unwrap().unwrap();
    assert_eq!(present.keys["key-09999"].fingerprint, Some(Fingerprint::of_bytes(b"value 9999")));
    assert_eq!(case.sync(&ManifestStore::file(&path)).await.unwrap(), Applied::Unchanged);
}
