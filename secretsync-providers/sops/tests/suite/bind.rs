//! Documents that belong to one namespace.

use secretsync_core::error::{Code, ErrorKind, chain};
use serde_json::json;
use xtask::rig::sops::Format;

use crate::matrix::{encrypt_for, one_key};
use crate::support::Store;

fn encrypt(plain: &str, rule: &[(&str, &str)]) -> String {
    encrypt_for(&one_key(), plain.as_bytes(), Format::Yaml, rule)
}

const BOUND: &str = "secretsync: {namespace: shop}\npassword: x\n";

async fn refused(store: Store, expected: &str) {
    let error = store.bound().fetch("inline").await.unwrap_err();
    assert_eq!(error.hint().unwrap().code(), Code::SopsNamespaceRefused, "{error:?}");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(chain(&error).contains(expected), "{}", chain(&error));
}

#[tokio::test]
async fn a_document_bound_to_the_stores_namespace_is_read_without_its_binding() {
    let document = encrypt(BOUND, &[]);
    assert_eq!(Store::inline(&document).bound().read("inline").await.unwrap(), json!({ "password": "x" }));
    assert_eq!(Store::inline(&document).read("inline").await.unwrap(), json!({ "password": "x" }));
}

#[tokio::test]
async fn a_namespace_that_looks_like_a_number_counts_too() {
    let document = encrypt("secretsync: {namespace: 123}\npassword: x\n", &[]);
    assert!(Store::inline(&document).of_cluster(Some("123")).bound().read("inline").await.is_ok());
}

#[tokio::test]
async fn for_a_cluster_store_the_namespace_that_asks_counts() {
    let store = || Store::inline(&encrypt(BOUND, &[]));
    assert!(store().of_cluster(Some("shop")).bound().read("inline").await.is_ok());
    refused(store().of_cluster(Some("other")), "it is for another namespace").await;
    let error = store().of_cluster(None).bound().build().await.unwrap_err();
    assert!(chain(&error).contains("does not say which namespace"), "{}", chain(&error));
}

#[tokio::test]
async fn a_document_without_a_binding_or_with_another_one_is_refused() {
    for (plain, expected) in [
        ("password: x\n", "does not say at `secretsync.namespace`"),
        ("secretsync: {}\npassword: x\n", "does not say at `secretsync.namespace`"),
        ("secretsync: shop\npassword: x\n", "does not say at `secretsync.namespace`"),
        ("secretsync: [{namespace: shop}]\npassword: x\n", "does not say at `secretsync.namespace`"),
        ("data: {secretsync: {namespace: shop}}\n", "does not say at `secretsync.namespace`"),
        ("secretsync: {namespace: other}\n", "it is for another namespace"),
        ("secretsync: {namespace: shop2}\n", "it is for another namespace"),
        ("secretsync: {namespace: ''}\n", "not encrypted"),
        ("secretsync: {namespace: null}\n", "not encrypted"),
        ("secretsync: {namespace: [shop]}\n", "does not say at `secretsync.namespace`"),
    ] {
        refused(Store::inline(&encrypt(plain, &[])), expected).await;
    }
}

#[tokio::test]
async fn a_plain_binding_is_refused_even_under_a_good_mac() {
    for rule in [
        &[("encrypted_regex", "password")][..],
        &[("unencrypted_suffix", "space")],
        &[("unencrypted_regex", "'^secretsync$'")],
    ] {
        let document = encrypt(BOUND, rule);
        assert!(document.contains("namespace: shop"), "{document}");
        refused(Store::inline(&document), "in a value that is not encrypted").await;
    }
    // What the MAC cannot see: a plain leaf is renamed into a binding.
    let document =
        encrypt("secretsync: {nowhere_unencrypted: shop}\npassword: x\n", &[("encrypted_regex", "password")]);
    let forged = document.replace("nowhere_unencrypted", "namespace");
    assert!(Store::inline(&forged).read("inline").await.is_ok());
    refused(Store::inline(&forged), "in a value that is not encrypted").await;
}

#[tokio::test]
async fn a_binding_that_is_there_twice_is_refused() {
    let document =
        encrypt_for(&one_key(), br#"{"secretsync": {"namespace": "shop"}, "password": "x"}"#, Format::Json, &[]);
    for more in [r#"{"secretsync": {"namespace": ""}, "#, r#"{"secretsync": {"namespace": null}, "#] {
        let doubled = document.replacen('{', more, 1);
        let text = Store::inline(&doubled).bound().complaint("inline").await;
        assert!(text.contains("`secretsync` stands there twice"), "{text}");
    }
    let twice = b"[secretsync]\nnamespace = web\n[secretsync]\nnamespace = shop\n[a]\nk = v\n";
    refused(Store::inline(&encrypt_for(&one_key(), twice, Format::Ini, &[])), "more than once").await;
    let (_, sealed) = document.split_once("\"namespace\": ").unwrap();
    let (sealed, _) = sealed.split_once('\n').unwrap();
    let moved = document.replacen('{', &format!("{{\"secretsync:namespace\": {sealed}, "), 1);
    assert!(Store::inline(&moved).bound().fetch("inline").await.is_err(), "the MAC has it once");
}

#[tokio::test]
async fn sections_of_ini_documents_bind_as_well() {
    let document = encrypt_for(&one_key(), b"[secretsync]\nnamespace = shop\n[a]\nk = v\n", Format::Ini, &[]);
    assert_eq!(Store::inline(&document).bound().read("inline").await.unwrap(), json!({ "a": { "k": "v" } }));
}
