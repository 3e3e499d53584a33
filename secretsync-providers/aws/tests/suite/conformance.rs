//! What every provider promises, on moto.

use secretsync_core::conformance::{ProviderFixture, check_provider};

use crate::support::{MOTO, provider};

#[tokio::test]
async fn secrets_manager_keeps_the_promises_of_every_provider() {
    let region = "ap-south-1";
    MOTO.secret(region, "app/db", r#"{"password": "canary-31aa"}"#).unwrap();
    let provider = provider(MOTO.address(), "SecretsManager", region).await;
    let fixture = ProviderFixture::new("app/db", "password", "canary-31aa")
        .with_absent("app/never")
        .with_refused("")
        .with_refused("a\nb");
    check_provider(&*provider, &fixture).await.unwrap();
}

#[tokio::test]
async fn parameter_store_keeps_the_promises_of_every_provider() {
    let region = "ap-south-1";
    MOTO.parameter(region, "/app/db", "SecureString", r#"{"password": "canary-31aa"}"#).unwrap();
    let provider = provider(MOTO.address(), "ParameterStore", region).await;
    let fixture = ProviderFixture::new("/app/db", "password", "canary-31aa")
        .with_absent("/app/never")
        .with_refused("")
        .with_refused("/a:1:2");
    check_provider(&*provider, &fixture).await.unwrap();
}
