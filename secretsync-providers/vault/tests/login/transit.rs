use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secretsync_core::error::{Code, ErrorKind};
use secretsync_core::provider::{
    BuildContext, KeyKind, KeyService, KeyServiceFactory, RawConfig, StoreOrigin, WrappedKey,
};
use secretsync_provider_vault::TransitFactory;
use serde_json::{Value, json};
use std::sync::Arc;
use xtask::rig::openbao::OpenBao;

use crate::store::Secrets;

const DATA_KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A transit engine at `mount` with the keys `one` and `two`, and a data key that `one` wrapped.
fn engine(bao: &OpenBao, mount: &str) -> String {
    bao.write(&format!("sys/mounts/{mount}"), &json!({"type": "transit"})).unwrap();
    for key in ["one", "two"] {
        bao.write(&format!("{mount}/keys/{key}"), &json!({})).unwrap();
    }
    wrap(bao, mount, "one")
}

fn wrap(bao: &OpenBao, mount: &str, key: &str) -> String {
    let made = bao.write(&format!("{mount}/encrypt/{key}"), &json!({"plaintext": STANDARD.encode(DATA_KEY)})).unwrap();
    made["data"]["ciphertext"].as_str().unwrap().to_owned()
}

async fn service(bao: &OpenBao, token: &str, more: Value) -> Result<Arc<dyn KeyService>, secretsync_core::Error> {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let mut config = json!({"server": bao.address(), "auth": {"tokenSecretRef": {"name": "t", "key": "t"}}});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let context = BuildContext::new(StoreOrigin::namespaced("shop", "sops"), Secrets::new(&[("t/t", token)]));
    TransitFactory::new().build(&RawConfig::from_json(config.to_string()), context).await
}

/// As a document names it, with an address that nobody may contact.
fn wrapped(mount: &str, key: &str, ciphertext: &str) -> WrappedKey {
    WrappedKey::new(KeyKind::VaultTransit, ciphertext)
        .with_attribute("vault_address", "http://127.0.0.1:9")
        .with_attribute("engine_path", mount)
        .with_attribute("key_name", key)
}

#[tokio::test]
async fn a_data_key_is_unwrapped_by_the_configured_server_whatever_address_the_document_names() {
    let bao = OpenBao::start().unwrap();
    let ciphertext = engine(&bao, "transit");
    let policy = r#"path "transit/decrypt/one" { capabilities = ["update"] }"#;
    let token = bao.token_with_policy("decrypter", policy).unwrap();
    let transit = service(&bao, &token, json!({})).await.unwrap();
    let key = wrapped("transit", "one", &ciphertext);
    assert_eq!(transit.serves(&key), Ok(()));
    assert_eq!(transit.unwrap(&key).await.unwrap().expose(), DATA_KEY);

    let denied = transit.unwrap(&wrapped("transit", "two", &ciphertext)).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::PermissionDenied);
    let advice = denied.hint().unwrap().advice().to_owned();
    assert!(advice.contains(r#"path "transit/decrypt/two" { capabilities = ["update"] }"#), "{advice}");
    transit.close().await;
}

#[tokio::test]
async fn mounts_and_keys_are_segments_and_only_those_of_the_store_are_served() {
    let bao = OpenBao::start().unwrap();
    let ciphertext = engine(&bao, "team/sops");
    let more = json!({"path": "/team/sops/", "key": "one", "keys": ["two"]});
    let transit = service(&bao, bao.token(), more).await.unwrap();
    for (mount, key, served) in [
        ("team/sops", "one", true),
        ("/team/sops/", "two", true),
        ("team/sops", "three", false),
        ("transit", "one", false),
        ("team/sops/../sops", "one", false),
        ("team/sops", "../../../sys/seal", false),
        ("team/sops", "one/../two", false),
        ("team/sops", "one/two", false),
        ("team/sops", "", false),
        ("team/sops", "one\n", false),
        ("", "one", false),
    ] {
        let key = wrapped(mount, key, &ciphertext);
        assert_eq!(transit.serves(&key).is_ok(), served, "{key:?}");
        if !served {
            assert!(transit.unwrap(&key).await.is_err(), "{key:?}");
        }
    }
    assert!(transit.serves(&WrappedKey::new(KeyKind::AwsKms, "x")).is_err());
    assert_eq!(transit.unwrap(&wrapped("team/sops", "one", &ciphertext)).await.unwrap().expose(), DATA_KEY);
    assert_eq!(crate::count(&bao, "team/sops/decrypt/three"), 0);
}

#[tokio::test]
async fn a_data_key_that_cannot_be_opened_says_so() {
    let bao = OpenBao::start().unwrap();
    let ciphertext = engine(&bao, "transit");
    let transit = service(&bao, bao.token(), json!({})).await.unwrap();
    let mut broken = ciphertext.clone();
    broken.replace_range(12..16, "AAAA");
    bao.write("transit/keys/one/rotate", &json!({})).unwrap();
    bao.write("transit/keys/one/config", &json!({"min_decryption_version": 2})).unwrap();
    for (key, ciphertext) in [("one", ciphertext.as_str()), ("two", &broken), ("two", "vault:v1:!"), ("two", "")] {
        let error = transit.unwrap(&wrapped("transit", key, ciphertext)).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.hint().unwrap().code()),
            (ErrorKind::InvalidData, Code::SopsKeyMissing),
            "{error:?}"
        );
        assert!(!format!("{error:?}").contains("vault:v1"), "{error:?}");
    }
}

#[tokio::test]
async fn a_key_name_that_is_a_path_is_refused_when_the_store_is_read() {
    let bao = OpenBao::start().unwrap();
    for (more, field) in
        [(json!({"key": "a/b"}), "key"), (json!({"keys": ["ok", ".."]}), "keys"), (json!({"path": "a/../b"}), "path")]
    {
        let error = service(&bao, "t", more).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(&format!("`spec.provider.sops.keys[].vaultTransit.{field}` of SecretStore shop/sops")),
            "{text}"
        );
    }
    let error = service(&bao, "t", json!({"keyName": "a"})).await.unwrap_err();
    assert!(error.hint().unwrap().advice().contains("docs/providers/sops.md"), "{error:?}");
}
