//! The suites over every provider and store of this crate.

use secretsync_core::conformance::{ProviderFixture, check_provider, check_store};
use secretsync_core::memory::{MemoryProvider, MemoryStore};
use secretsync_core::provider::ProviderInfo;
use secretsync_core::store::{DirectoryStore, EnvFileStore, ManifestStore};

#[tokio::test]
async fn the_memory_provider_keeps_the_contract() {
    let provider = MemoryProvider::new("m").with_json("app/db", r#"{"user": "ann-1f0e"}"#);
    let fixture = ProviderFixture::new("app/db", "user", "ann-1f0e")
        .with_alias("/app//db/")
        .with_absent("app/none")
        .with_refused("../x")
        .with_refused("a\nb")
        .with_refused("");
    check_provider(&provider, &fixture).await.unwrap();
    let wrong = ProviderFixture::new("app/none", "user", "ann-1f0e");
    let violation = check_provider(&provider, &wrong).await.unwrap_err();
    assert_eq!(violation.to_string(), "`app/none` exists, but is said to be absent");
    assert_eq!(ProviderInfo::new("x", "y").per_fetch.get(), 1);
}

#[tokio::test]
async fn every_store_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    check_store(&MemoryStore::new(), "shop").await.unwrap();
    check_store(&DirectoryStore::new(folder.path().join("out")), "shop").await.unwrap();
    check_store(&EnvFileStore::new(folder.path().join("app.env")), "shop").await.unwrap();
    check_store(&ManifestStore::file(folder.path().join("secrets.yaml")), "shop").await.unwrap();
}
