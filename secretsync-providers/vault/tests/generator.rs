//! `VaultDynamicSecret` on a real OpenBao.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secretsync_core::engine::Engine;
use secretsync_core::error::{Code, ErrorKind, Result, chain};
use secretsync_core::memory::MemoryStore;
use secretsync_core::provider::{
    BuildContext, CredentialSource, Fetched, Provider, ProviderFactory, RawConfig, StoreOrigin,
};
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{DataFrom, Outcome, ProviderKey, Reason, Sync as _, SyncSpec};
use secretsync_provider_vault::VaultFactory;
use serde_json::{Value, json};
use xtask::rig::openbao::OpenBao;
use xtask::rig::postgres::Postgres;

#[path = "support/store.rs"]
mod store;

use store::{Token, content, failure, read, secret};

async fn build(bao: &OpenBao, spec: Value) -> Result<Arc<dyn Provider>> {
    build_as(bao, bao.token(), spec).await
}

/// A generator of the namespace `shop`.
async fn build_as(bao: &OpenBao, token: &str, mut spec: Value) -> Result<Arc<dyn Provider>> {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    if spec.get("provider").is_none() {
        spec["provider"] =
            json!({"server": bao.address(), "auth": {"tokenSecretRef": {"name": "token", "key": "token"}}});
    }
    let origin = StoreOrigin::generator("VaultDynamicSecret", "shop", "creds");
    let context = BuildContext::new(origin, Token::new(token) as Arc<dyn CredentialSource>);
    VaultFactory::new().dynamic_secrets().build(&RawConfig::from_json(spec.to_string()), context).await
}

async fn generate(bao: &OpenBao, spec: Value) -> Result<Fetched> {
    read(&*build(bao, spec).await?, "creds").await
}

fn keys(found: &Value) -> Vec<&str> {
    found.as_object().unwrap().keys().map(String::as_str).collect()
}

fn pki(bao: &OpenBao, ttl: &str) {
    bao.write("sys/mounts/pki", &json!({"type": "pki"})).unwrap();
    bao.write("pki/root/generate/internal", &json!({"common_name": "example.com", "ttl": "1h"})).unwrap();
    let role = json!({"allowed_domains": "example.com", "allow_subdomains": true, "ttl": ttl, "max_ttl": ttl});
    bao.write("pki/roles/web", &role).unwrap();
}

fn spec() -> SyncSpec {
    SyncSpec::new(OwnerId::new("shop", "web"), TargetRef::new("shop", "web"))
        .with_data_from(DataFrom::generate(ProviderKey::new("creds"), "creds"))
}

fn engine(provider: Arc<dyn Provider>) -> (Arc<MemoryStore>, Engine) {
    let store = Arc::new(MemoryStore::new());
    (Arc::clone(&store), Engine::builder(store as _).provider(ProviderKey::new("creds"), provider).build())
}

#[tokio::test]
async fn a_certificate_is_issued_with_key_and_chain_and_renewed_before_its_end() {
    let bao = OpenBao::start().unwrap();
    pki(&bao, "6s");
    let request = json!({"path": "pki/issue/web", "method": "POST", "parameters": {"common_name": "a.example.com"}});
    let (store, engine) = engine(build(&bao, request).await.unwrap());
    let plan = engine.plan(&spec()).await;
    assert_eq!(plan.report().reason, Reason::WouldBeIssued);
    let report = engine.sync(&spec()).await;
    assert_eq!(report.reason, Reason::Synced, "{:?}", report.error);
    let text = |key: &str| store.value("shop", "web", key).unwrap().expose_str().unwrap().to_owned();
    assert!(text("certificate").starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(text("issuing_ca").starts_with("-----BEGIN CERTIFICATE-----") && text("ca_chain").contains("BEGIN"));
    assert!(text("private_key").contains("PRIVATE KEY"));
    let left = report.expires_at.unwrap().duration_since(SystemTime::now()).unwrap();
    assert!(left <= Duration::from_secs(7) && report.issued[0].lease.is_none(), "{left:?}");
    let serial = text("serial_number");
    for _ in 0..3 {
        assert_eq!(engine.sync(&spec()).await.outcome, Outcome::Unchanged);
    }
    let mut tries = 0;
    while text("serial_number") == serial {
        assert!(tries < 400, "it was never renewed");
        tries += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(SystemTime::now() < report.expires_at.unwrap(), "before its end");
    let issues = bao.audit_requests().unwrap().iter().filter(|request| request.path == "pki/issue/web").count();
    assert_eq!(issues, 2, "one for each life");
    engine.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn credentials_of_a_database_are_leased_and_given_back() {
    let (bao, postgres) = (OpenBao::start().unwrap(), Postgres::start().unwrap());
    postgres.connect(&bao).unwrap();
    postgres.add_role(&bao, "app", "1h", "2h").unwrap();
    let (store, engine) = engine(build(&bao, json!({"path": "/database/creds/app"})).await.unwrap());
    let report = engine.sync(&spec()).await;
    assert_eq!(report.reason, Reason::Synced, "{:?}", report.error);
    let text = |key: &str| store.value("shop", "web", key).unwrap().expose_str().unwrap().to_owned();
    assert!(postgres.accepts(&text("username"), &text("password")).unwrap());
    engine.release(&OwnerId::new("shop", "web"), &TargetRef::new("shop", "web")).await;
    assert!(!postgres.has_role(&text("username")).unwrap());
}

#[tokio::test]
async fn each_result_type_and_method_gives_its_part() {
    let bao = OpenBao::start().unwrap();
    bao.write("kv1/app", &json!({"a": "1"})).unwrap();
    let data = content(generate(&bao, json!({"path": "kv1/app"})).await);
    assert_eq!(data, json!({"a": "1"}));
    let raw = content(generate(&bao, json!({"path": "kv1/app", "resultType": "Raw"})).await);
    assert_eq!(raw["data"], json!({"a": "1"}));
    assert!(keys(&raw).contains(&"request_id"));
    let list = content(generate(&bao, json!({"path": "kv1", "method": "LIST"})).await);
    assert_eq!(list, json!({"keys": ["app"]}));
    let versions = json!({"path": "secret/data/v", "getParameters": {"version": ["1"]}});
    bao.write("secret/data/v", &json!({"data": {"n": 1}})).unwrap();
    bao.write("secret/data/v", &json!({"data": {"n": 2}})).unwrap();
    assert_eq!(content(generate(&bao, versions).await)["data"], json!({"n": 1}));

    let token = json!({"path": "auth/token/create", "method": "POST", "resultType": "Auth",
        "parameters": {"policies": ["default"], "ttl": "1h", "renewable": true}});
    let found = secret(generate(&bao, token.clone()).await);
    let lease = found.lease.clone().unwrap();
    assert!(lease.id().starts_with("auth/token/accessor/") && lease.renewable());
    let found = content(Ok(Fetched::Found(found)));
    let issued = found["client_token"].as_str().unwrap().to_owned();
    assert!(bao.request_as(&issued, "GET", "auth/token/lookup-self", None).unwrap().status() == 200);
    let generator = build(&bao, token).await.unwrap();
    let renewed = generator.leases().unwrap().renew(&lease, Duration::from_mins(30)).await.unwrap();
    assert_eq!(renewed.lasts, Duration::from_mins(30));
    generator.leases().unwrap().revoke(&lease).await.unwrap();
    let gone = generator.leases().unwrap().renew(&lease, Duration::from_mins(30)).await.unwrap_err();
    let accessor = lease.id().strip_prefix("auth/token/accessor/").unwrap();
    assert!(lease.name().ends_with(" of auth/token/create"), "{}", lease.name());
    for told in [chain(&gone), format!("{gone:?}"), format!("{lease:?}"), lease.name().to_owned()] {
        assert!(!told.contains(accessor), "it is one of the values: {told}");
    }
    assert_eq!(bao.request_as(&issued, "GET", "auth/token/lookup-self", None).unwrap().status(), 403);

    let delete = json!({"path": "kv1/app", "method": "DELETE"});
    let (told, _) = failure(generate(&bao, delete.clone()).await, ErrorKind::InvalidData, Code::DataInvalid);
    assert!(told.ends_with("unable to get dynamic secret: empty response from Vault"), "{told}");
    let mut allowed = delete;
    allowed["allowEmptyResponse"] = json!(true);
    assert_eq!(content(generate(&bao, allowed).await), json!({}));
}

#[tokio::test]
async fn a_token_that_was_issued_in_the_wrong_place_is_given_back() {
    let bao = OpenBao::start().unwrap();
    let before = bao.request("GET", "auth/token/accessors?list=true", None).unwrap().into_success().unwrap();
    let request = json!({"path": "auth/token/create", "method": "POST", "parameters": {"ttl": "1h"}});
    let generator = build(&bao, request).await.unwrap();
    failure(read(&*generator, "creds").await, ErrorKind::InvalidData, Code::DataInvalid);
    generator.close().await;
    let after = bao.request("GET", "auth/token/accessors?list=true", None).unwrap().into_success().unwrap();
    assert_eq!(before["data"]["keys"].as_array().unwrap().len(), after["data"]["keys"].as_array().unwrap().len());
}

#[tokio::test]
async fn configurations_that_cannot_work_name_the_field_and_refusals_the_rule() {
    let bao = OpenBao::start().unwrap();
    for (spec, expected) in [
        (
            json!({"path": "a", "provider": null}),
            "`spec.provider` of VaultDynamicSecret shop/creds: no Vault provider config in spec",
        ),
        (json!({"path": ""}), "`spec.path` of VaultDynamicSecret shop/creds: it is empty"),
        (json!({"path": "a", "resultType": "Everything"}), "`spec.resultType` of VaultDynamicSecret shop/creds"),
        (json!({"path": "a", "paths": "b"}), "unknown field `paths`"),
        (json!({"path": "a", "parameters": "x"}), "`spec.parameters` of VaultDynamicSecret shop/creds"),
        (
            json!({"path": "a", "provider": {"server": "http://vault.example.com"}}),
            "`spec.provider.server` of VaultDynamicSecret shop/creds",
        ),
        (
            json!({"path": "a", "provider": {"server": "https://vault.example.com",
                "auth": {"tokenSecretRef": {"name": "t", "key": "k", "namespace": "other"}}}}),
            "namespace should either be empty or match",
        ),
    ] {
        let error = build(&bao, spec.clone()).await.unwrap_err();
        assert!(chain(&error).contains(expected), "{spec}: {}", chain(&error));
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{spec}");
    }
    pki(&bao, "1h");
    let weak = bao.token_with_policy("none", r#"path "pki/issue/other" { capabilities = ["read"] }"#).unwrap();
    for (method, capability) in [("GET", "read"), ("POST", "update"), ("LIST", "list"), ("DELETE", "delete")] {
        let generator = build_as(&bao, &weak, json!({"path": "pki/issue/web", "method": method})).await.unwrap();
        let answer = read(&*generator, "creds").await;
        let (_, advice) = failure(answer, ErrorKind::PermissionDenied, Code::VaultPermissionDenied);
        assert!(advice.contains(&format!(r#"path "pki/issue/web" {{ capabilities = ["{capability}"] }}"#)), "{advice}");
    }
}
