//! The file stores on a real file system: what a user finds there afterwards.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "stores/directory.rs"]
mod directory;
#[path = "stores/env_file.rs"]
mod env_file;
#[path = "stores/manifest.rs"]
mod manifest;
#[path = "stores/passes.rs"]
mod passes;
#[path = "stores/support.rs"]
mod support;

#[tokio::test]
async fn no_store_and_no_error_of_one_shows_a_value() {
    use secretsync_core::store::{DirectoryStore, EnvFileStore, ManifestStore, Store};

    async fn check(store: impl Store) {
        let (good, bad) =
            (support::Case::new("a", "a", &[("K", "canary")]), support::Case::new("a", "b", &[("K", "canary\0")]));
        good.apply(&store).await.unwrap();
        let error = bad.apply(&store).await.unwrap_err();
        let texts = [
            format!("{store:?}"),
            format!("{error:?}"),
            support::text(&error),
            format!("{:?}", good.observe(&store).await.unwrap()),
        ];
        // "canary" in base64 begins so.
        assert!(texts.iter().all(|text| !text.contains("canary") && !text.contains("Y2FuYX")), "{texts:?}");
        store.flush().await.unwrap();
        assert!(!format!("{store:?} {:?}", good.observe(&store).await.unwrap()).contains("canary"));
    }

    let folder = tempfile::tempdir().unwrap();
    check(DirectoryStore::new(folder.path().join("out"))).await;
    check(EnvFileStore::new(folder.path().join(".env"))).await;
    check(ManifestStore::file(folder.path().join("secrets.yaml"))).await;
}

#[tokio::test]
async fn a_store_gives_back_the_values_of_the_sync_that_wrote_them_and_no_others() {
    use secretsync_core::store::{DirectoryStore, EnvFileStore, ManifestStore, Store};
    use secretsync_core::sync::CreationPolicy;

    async fn check(first: impl Store, again: impl Store) {
        let mine = support::Case::new("t", "mine", &[("A", "it's $1 \"x\""), ("B", "two\nlines")]);
        let mine = mine.under(CreationPolicy::CreateOrMerge);
        let theirs = support::Case::new("t", "theirs", &[("C", "c")]).under(CreationPolicy::CreateOrMerge);
        assert!(first.own_values(&mine.target, &mine.owner).await.unwrap().is_empty(), "nothing was written yet");
        mine.sync(&first).await.unwrap();
        theirs.sync(&first).await.unwrap();
        for store in [&first as &dyn Store, &again] {
            let values = store.own_values(&mine.target, &mine.owner).await.unwrap();
            let shown: Vec<_> = values.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
            assert_eq!(shown, [("A", &b"it's $1 \"x\""[..]), ("B", &b"two\nlines"[..])], "{}", store.kind());
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    check(DirectoryStore::new(at("out")), DirectoryStore::new(at("out"))).await;
    check(EnvFileStore::new(at(".env")), EnvFileStore::new(at(".env"))).await;
    check(ManifestStore::file(at("secrets.yaml")), ManifestStore::file(at("secrets.yaml"))).await;
}
