//! What the API server refuses, credentials, and the contract of stores.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secretsync_core::conformance::check_store;
use secretsync_core::error::{Code, ErrorKind, chain};
use secretsync_core::provider::{CredentialRef, CredentialSource as _, StoreOrigin, TokenRequest};
use secretsync_core::secret::{SecretKey, SecretMap};
use secretsync_core::store::{Desired, OwnerId, Store as _, TargetMeta, TargetRef, Write};
use secretsync_k8s::{CredentialScope, KubeCredentials, KubeStore};
use serde_json::json;

use crate::support::{World, client, line};

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_its_contract() {
    let world = World::new().await;
    check_store(&KubeStore::new(world.client.clone()), world.namespace.name()).await.unwrap();
    check_store(&KubeStore::metadata_only(world.client.clone()), world.namespace.name()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_namespace_is_named() {
    let world = World::new().await;
    world.source(Some(json!({"user": "ada"})));
    let mut manifest = world.manifest("db", &json!({}));
    manifest["metadata"]["namespace"] = json!("nowhere");
    let report = world.sync(&manifest).await;
    assert_eq!(
        line(&report),
        "failed write_failed []: failed to write Secret `nowhere/db`: there is no namespace `nowhere`"
    );
    assert_eq!(report.error.unwrap().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_is_named() {
    let world = World::new().await;
    let store = KubeStore::new(client("guest-1").await);
    let (target, owner) = (TargetRef::new(world.namespace.name(), "db"), OwnerId::new(world.namespace.name(), "db"));
    let error = store.observe(&target, &owner).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let hint = error.hint().unwrap();
    assert_eq!(hint.code(), Code::KubernetesDenied);
    assert!(hint.advice().starts_with(&format!("grant `get` on `secrets` in namespace `{}`", world.namespace.name())));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_write_secrets_writes_without_an_owner_reference() {
    let world = World::new().await;
    world.namespace.kubectl(&["create", "role", "writer", "--verb=get,create,patch", "--resource=secrets"]).unwrap();
    world.namespace.kubectl(&["create", "rolebinding", "writer", "--role=writer", "--user=guest-2"]).unwrap();
    world.source(Some(json!({"user": "ada"})));
    let manifest = world.manifest("db", &json!({}));
    world.create(&manifest);
    let mut limited = world;
    limited.client = client("guest-2").await;
    limited.source(Some(json!({"user": "ada"})));
    assert_eq!(line(&limited.sync(&manifest).await), "created synced [user created]");
    assert_eq!(limited.get("db").unwrap()["metadata"].get("ownerReferences"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_cannot_change_is_refused_with_advice() {
    let world = World::new().await;
    world.source(Some(json!({"username": "a", "password": "b"})));
    world.sync(&world.manifest("db", &json!({}))).await;
    let template = json!({"template": {"type": "kubernetes.io/basic-auth"}});
    let report = world.sync(&world.manifest("db", &template)).await;
    assert_eq!(
        line(&report),
        format!(
            "failed write_failed []: failed to write Secret `{}/db`: the type of a Secret cannot be changed",
            world.namespace.name()
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_server_finds_invalid_is_named_by_field_and_never_shown() {
    let world = World::new().await;
    let owner = OwnerId::new(world.namespace.name(), "db");
    let target = TargetRef::new(world.namespace.name(), "db");
    let store = KubeStore::new(world.client.clone());
    let data: SecretMap = [(SecretKey::new("tls.crt").unwrap(), "canary-7781".into())].into_iter().collect();
    let mut meta = TargetMeta::default();
    meta.labels.insert("bad".to_owned(), "canary 7781".to_owned());
    let desired = Desired::new(data, meta);
    let error = store.apply(&Write::new(&target, &owner, &desired)).await.unwrap_err();
    assert_eq!(
        chain(&error),
        format!("failed to write Secret `{target}`: the API server found `metadata.labels` invalid")
    );
    assert!(!format!("{error:?}").contains("7781"));
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_come_from_secrets_and_config_maps() {
    let world = World::new().await;
    let namespace = world.namespace.name();
    world.namespace.kubectl(&["create", "secret", "generic", "token", "--from-literal=t= s3cr3t"]).unwrap();
    world.namespace.kubectl(&["create", "configmap", "ca", "--from-literal=ca.crt=PEM"]).unwrap();
    let own = KubeCredentials::new(
        world.client.clone(),
        CredentialScope::new(&StoreOrigin::namespaced(namespace, "vault"), "ignored"),
    );
    assert_eq!(own.resolve(&CredentialRef::secret("token", "t")).await.unwrap().expose(), b" s3cr3t");
    assert_eq!(own.resolve(&CredentialRef::config_map("ca", "ca.crt")).await.unwrap().expose(), b"PEM");
    for (reference, expected) in [
        (
            CredentialRef::secret("nope", "t"),
            format!("cannot get Kubernetes secret \"nope\" from namespace \"{namespace}\""),
        ),
        (CredentialRef::secret("token", "nope"), "cannot find secret data for key: \"nope\"".to_owned()),
    ] {
        let error = own.resolve(&reference).await.unwrap_err();
        assert!(chain(&error).ends_with(&expected), "{error}");
        assert_eq!(error.hint().unwrap().code(), Code::CredentialMissing);
    }
    let foreign = CredentialRef::secret("token", "t").in_namespace(Some("kube-system"));
    assert_eq!(own.resolve(&foreign).await.unwrap_err().kind(), ErrorKind::InvalidConfig);

    let cluster =
        KubeCredentials::new(world.client.clone(), CredentialScope::new(&StoreOrigin::cluster("vault"), "default"));
    let named = CredentialRef::secret("token", "t").in_namespace(Some(namespace));
    assert_eq!(cluster.resolve(&named).await.unwrap().expose(), b" s3cr3t");
    assert_eq!(cluster.resolve(&CredentialRef::secret("token", "t")).await.unwrap_err().kind(), ErrorKind::NotFound);
    let escaping = CredentialRef::secret("../configmaps/ca", "ca.crt").in_namespace(Some(namespace));
    assert_eq!(cluster.resolve(&escaping).await.unwrap_err().kind(), ErrorKind::InvalidConfig);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_gives_tokens_for_the_audience_that_was_asked_for() {
    let world = World::new().await;
    let namespace = world.namespace.name();
    world.namespace.kubectl(&["create", "serviceaccount", "app"]).unwrap();
    world.namespace.kubectl(&["annotate", "serviceaccount", "app", "example.com/role=reader"]).unwrap();
    let origin = StoreOrigin::namespaced(namespace, "vault");
    let credentials = KubeCredentials::new(world.client.clone(), CredentialScope::new(&origin, namespace));
    let account = CredentialRef::service_account("app");
    let issued = credentials.token(&account, &TokenRequest::new(["https://vault.example.com"])).await.unwrap();
    let claims = issued.token.expose_str().unwrap().split('.').nth(1).unwrap().to_owned();
    let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["aud"], json!(["https://vault.example.com"]));
    assert_eq!(claims["sub"], format!("system:serviceaccount:{namespace}:app"));
    assert!(issued.expires_at.unwrap() > std::time::SystemTime::now());
    assert_eq!(credentials.annotations(&account).await.unwrap()["example.com/role"], "reader");
}
