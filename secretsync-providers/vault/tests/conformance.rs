//! What every provider promises, on a real OpenBao.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use secretsync_core::conformance::{ProviderFixture, check_provider};
use serde_json::json;
use xtask::rig::openbao::OpenBao;

#[path = "support/store.rs"]
mod store;

use store::{Token, provider};

#[tokio::test]
async fn version_2_keeps_the_promises_of_every_provider() {
    let bao = OpenBao::start().unwrap();
    bao.write("secret/data/app/db", &json!({"data": {"password": "canary-77d1"}})).unwrap();
    let provider = provider(bao.address(), &Token::new(bao.token()), json!({"path": "secret"})).await;
    let fixture = ProviderFixture::new("app/db", "password", "canary-77d1")
        .with_alias("/app//db/")
        .with_alias("secret/data/app/db")
        .with_absent("app/never")
        .with_refused("app/../db")
        .with_refused("");
    check_provider(&*provider, &fixture).await.unwrap();
}

#[tokio::test]
async fn version_1_keeps_the_promises_of_every_provider() {
    let bao = OpenBao::start().unwrap();
    bao.write("kv1/app/db", &json!({"password": "canary-77d1"})).unwrap();
    let provider = provider(bao.address(), &Token::new(bao.token()), json!({"path": "kv1", "version": "v1"})).await;
    let fixture = ProviderFixture::new("app/db", "password", "canary-77d1")
        .with_alias("kv1/app/db")
        .with_absent("app/never")
        .with_refused("app/./db");
    check_provider(&*provider, &fixture).await.unwrap();
}
