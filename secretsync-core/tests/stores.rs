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
