//! Each method of the OpenBao binary.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::KeyPair;
use secretsync_core::error::{Code, ErrorKind};
use secretsync_core::provider::{BuildContext, ProviderFactory as _, RawConfig, StoreOrigin};
use secretsync_provider_vault::{OpenBaoFactory, VaultFactory};
use serde_json::{Value, json};
use xtask::rig::cluster::Cluster;
use xtask::rig::openbao::OpenBao;
use xtask::rig::tls::Authority;

use crate::documented;
use crate::store::{Secrets, build, built, content, failure, read};
use crate::{app_role, app_role_store, count, enable, furnish, secret_id, server};

fn store(bao: &OpenBao, auth: &Value) -> Value {
    json!({"server": bao.address(), "path": "secret", "auth": auth})
}

fn selector(text: &str) -> Value {
    let (name, key) = text.split_once('/').unwrap();
    json!({"name": name, "key": key})
}

#[tokio::test]
async fn app_role_takes_its_ids_from_the_manifest_or_by_reference() {
    let bao = server();
    let (role, secret) = app_role(&bao, &json!({}));
    let secrets = Secrets::new(&[("role/id", &format!(" {role}\n")), ("app/id", &format!("{secret}\n"))]);
    let referenced = json!({"appRole": {"roleRef": selector("role/id"), "secretRef": selector("app/id")}});
    for config in [app_role_store(&bao, &role), store(&bao, &referenced)] {
        let provider = build(&config, Arc::clone(&secrets) as _).await;
        assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}));
        provider.check().await.unwrap();
        provider.close().await;
    }
    assert_eq!((count(&bao, "auth/approle/login"), count(&bao, "auth/token/revoke-self")), (2, 2));

    secrets.set("app/id", "wrong");
    let provider = build(&app_role_store(&bao, &role), secrets).await;
    let (text, advice) = failure(read(&*provider, "app").await, ErrorKind::Unauthenticated, Code::VaultLoginRefused);
    assert!(text.contains("with `appRole`") && text.contains("the server refused the login (status 400)"), "{text}");
    assert!(advice.contains("check the credentials") && !text.contains("wrong"), "{advice}");
}

#[tokio::test]
async fn a_wrapped_secret_id_is_looked_at_unwrapped_once_and_kept_for_later_logins() {
    let bao = server();
    let (role, plain) = app_role(&bao, &json!({"token_ttl": "2s", "token_max_ttl": "2s"}));
    let wrap = |path: &str| bao.write_wrapped(path, &json!({"role": "app"})).unwrap();
    let secrets = Secrets::new(&[("app/id", &wrap("auth/approle/role/app/secret-id"))]);
    let provider = build(&app_role_store(&bao, &role), Arc::clone(&secrets) as _).await;
    assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}));
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}), "the secret id outlives its wrapping");
    assert_eq!(count(&bao, "sys/wrapping/unwrap"), 1);

    let used = build(&app_role_store(&bao, &role), Arc::clone(&secrets) as _).await;
    let (text, advice) = failure(read(&*used, "app").await, ErrorKind::Unauthenticated, Code::VaultLoginRefused);
    assert!(text.contains("was unwrapped before or has expired"), "{text}");
    assert!(advice.contains("somebody else did"), "{advice}");

    secrets.set("app/id", &wrap("sys/wrapping/wrap"));
    let swapped = build(&app_role_store(&bao, &role), Arc::clone(&secrets) as _).await;
    let (text, _) = failure(read(&*swapped, "app").await, ErrorKind::Unauthenticated, Code::VaultLoginRefused);
    assert!(text.contains("is no secret id of this mount"), "{text}");
    assert_eq!(count(&bao, "sys/wrapping/unwrap"), 1, "what may be somebody's trap is not opened");

    secrets.set("app/id", &plain);
    let plain = build(&app_role_store(&bao, &role), secrets).await;
    assert_eq!(content(read(&*plain, "app").await), json!({"a": "b"}));
}

#[tokio::test]
async fn user_and_password_log_in_at_the_mount_that_the_store_names() {
    let bao = server();
    enable(&bao, "people/local", "userpass");
    bao.write("auth/people/local/users/anna", &json!({"password": " p \"w\\ ", "token_policies": "reader"})).unwrap();
    let auth = json!({"userPass": {"path": "people/local", "username": " anna ", "secretRef": selector("anna/pw")}});
    let secrets = Secrets::new(&[("anna/pw", " p \"w\\ \n")]);
    let provider = build(&store(&bao, &auth), Arc::clone(&secrets) as _).await;
    assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}), "blanks belong to a password");
    let missing = json!({"userPass": {"path": "elsewhere", "username": "anna", "secretRef": selector("anna/pw")}});
    let provider = build(&store(&bao, &missing), secrets).await;
    let (_, advice) = failure(read(&*provider, "app").await, ErrorKind::Unauthenticated, Code::VaultLoginRefused);
    assert!(advice.contains("the mount of the method"), "{advice}");
}

#[tokio::test]
async fn open_bao_is_the_same_provider_with_fewer_fields() {
    let bao = server();
    enable(&bao, "userpass", "userpass");
    bao.write("auth/userpass/users/anna", &json!({"password": "pw", "token_policies": "reader"})).unwrap();
    let auth = json!({"userPass": {"path": "userpass", "username": "anna", "secretRef": selector("anna/pw")}});
    let config = json!({"server": bao.address(), "path": "secret", "version": "v2", "auth": auth});
    let factory = OpenBaoFactory::new();
    assert_eq!(factory.kind(), "openBao");
    let origin = StoreOrigin::namespaced("shop", "bao");
    let context = || BuildContext::new(origin.clone(), Secrets::new(&[("anna/pw", "pw")]));
    let provider = factory.build(&RawConfig::from_json(config.to_string()), context()).await.unwrap();
    assert_eq!(provider.info().kind, "openBao");
    assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}));
    for (config, says) in [
        (json!({"server": "https://v", "tls": {}}), "unknown field `tls`"),
        (json!({"server": "https://v", "auth": {"kubernetes": {"role": "r"}}}), "unknown field `kubernetes`"),
        (json!({"server": "https://v", "auth": {}}), "exactly one auth method must be given"),
        (
            json!({"server": "https://v", "auth": {"tokenSecretRef": selector("a/b"), "userPass": auth["userPass"]}}),
            "exactly one auth method must be given",
        ),
        (json!({"server": "ftp://v"}), "`spec.provider.openBao.server` of SecretStore shop/bao"),
    ] {
        let error = factory.build(&RawConfig::from_json(config.to_string()), context()).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn the_identity_may_live_in_another_namespace_than_the_secrets() {
    let bao = server();
    bao.write("sys/namespaces/team", &json!({})).unwrap();
    bao.write("team/sys/mounts/secret", &json!({"type": "kv", "options": {"version": "1"}})).unwrap();
    bao.write("team/secret/app", &json!({"of": "team"})).unwrap();
    let policy = r#"path "team/secret/*" { capabilities = ["read"] }"#;
    bao.write("sys/policies/acl/team", &json!({ "policy": policy })).unwrap();
    let (role, secret) = app_role(&bao, &json!({"token_policies": "team"}));
    let mut config = app_role_store(&bao, &role);
    config["version"] = json!("v1");
    config["namespace"] = json!("team");
    config["auth"]["namespace"] = json!("root");
    let provider = build(&config, Secrets::new(&[("app/id", &secret)])).await;
    assert_eq!(content(read(&*provider, "app").await), json!({"of": "team"}));
    provider.close().await;
    assert_eq!((count(&bao, "auth/approle/login"), count(&bao, "auth/token/revoke-self")), (1, 1));
}

/// A token that says who it is for, signed as `key` signs.
pub(crate) fn signed(key: &KeyPair, audience: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({"sub": "shop", "aud": audience, "iss": "tests", "iat": now, "exp": now + 600});
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let text = format!("{}.{}", part(json!({"alg": "ES256", "typ": "JWT"})), part(claims));
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.serialize_der()).unwrap();
    let signature = pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn a_json_web_token_comes_from_a_secret_or_is_issued_for_a_service_account() {
    let bao = server();
    let key = KeyPair::generate().unwrap();
    enable(&bao, "jwt", "jwt");
    bao.write("auth/jwt/config", &json!({"jwt_validation_pubkeys": [key.public_key_pem()], "default_role": "app"}))
        .unwrap();
    let role =
        json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": "reader"});
    bao.write("auth/jwt/role/app", &role).unwrap();
    let secrets = Secrets::new(&[("jwt/token", &signed(&key, "vault")), ("app", &signed(&key, "vault"))]);
    let account = json!({"serviceAccountRef": {"name": "app", "audiences": ["more"]}, "expirationSeconds": 900});
    for jwt in [
        json!({"path": "jwt", "role": "app", "secretRef": selector("jwt/token")}),
        json!({"path": "jwt", "secretRef": selector("jwt/token")}),
        json!({"path": "jwt", "role": "app", "kubernetesServiceAccountToken": account}),
    ] {
        let provider = build(&store(&bao, &json!({ "jwt": jwt })), Arc::clone(&secrets) as _).await;
        assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}));
    }
    let asked = secrets.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].0.as_str(), asked[0].1.audiences.as_slice()),
        ("app", &["more".to_owned(), "vault".to_owned()][..])
    );
    assert_eq!(asked[0].1.lifetime, Some(Duration::from_mins(15)));

    secrets.set("jwt/token", &signed(&key, "somebody else"));
    let config = store(&bao, &json!({"jwt": {"path": "jwt", "role": "app", "secretRef": selector("jwt/token")}}));
    let provider = build(&config, secrets).await;
    failure(read(&*provider, "app").await, ErrorKind::Unauthenticated, Code::VaultLoginRefused);
}

#[tokio::test]
async fn a_client_certificate_logs_in_over_the_connection_that_offers_it() {
    let authority = Authority::new().unwrap();
    let server = authority.sign("localhost", 2100).unwrap();
    let bao = OpenBao::start_with_tls(&server.certificate, &server.key).unwrap();
    furnish(&bao);
    enable(&bao, "cert", "cert");
    let role = json!({"certificate": authority.pem(), "allowed_common_names": "client", "token_policies": "reader"});
    bao.write("auth/cert/certs/shop", &role).unwrap();
    let client = authority.sign("client", 2100).unwrap();
    let other = authority.sign("other", 2100).unwrap();
    let secrets = Secrets::new(&[
        ("vault-client/tls.crt", &client.certificate),
        ("vault-client/tls.key", &client.key),
        ("other/tls.crt", &other.certificate),
        ("other/tls.key", &other.key),
    ]);
    let mut config = documented::store("with-certificate", &bao.tls_address().unwrap(), "secret");
    config["caBundle"] = json!(authority.pem());
    let provider = build(&config, Arc::clone(&secrets) as _).await;
    assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}));
    provider.close().await;
    assert_eq!(count(&bao, "auth/token/revoke-self"), 1);
    for reference in ["clientCert", "secretRef"] {
        config["auth"]["cert"][reference] = json!({"name": "other"});
    }
    let provider = build(&config, secrets).await;
    failure(read(&*provider, "app").await, ErrorKind::Unauthenticated, Code::VaultLoginRefused);
}

#[tokio::test]
async fn a_service_account_logs_in_by_the_whole_handshake_with_its_cluster() {
    let (bao, cluster) = (server(), Cluster::start().unwrap());
    let namespace = cluster.namespace("shop").unwrap();
    cluster.kubectl(&["create", "serviceaccount", "shop-app", "--namespace", namespace.name()]).unwrap();
    let token = |audience: &[&str]| {
        let account = ["create", "token", "shop-app", "--namespace", namespace.name()];
        cluster.kubectl(&[&account, audience].concat()).unwrap()
    };
    enable(&bao, "kubernetes", "kubernetes");
    let reviewer = &cluster.user(xtask::rig::cluster::ADMIN).unwrap().token;
    let authority = std::fs::read_to_string(cluster.certificate_authority()).unwrap();
    let config =
        json!({"kubernetes_host": cluster.address(), "kubernetes_ca_cert": authority, "token_reviewer_jwt": reviewer});
    bao.write("auth/kubernetes/config", &config).unwrap();
    let role = |audience: Value| {
        let mut role = json!({"bound_service_account_names": "shop-app", "bound_service_account_namespaces": namespace.name(),
            "token_policies": "reader"});
        role.as_object_mut().unwrap().extend(audience.as_object().unwrap().clone());
        role
    };
    bao.write("auth/kubernetes/role/shop", &role(json!({"audience": "vault"}))).unwrap();
    bao.write("auth/kubernetes/role/open", &role(json!({}))).unwrap();
    let secrets = Secrets::new(&[
        ("shop-app", &token(&["--audience", "vault"])),
        ("plain", &token(&[])),
        ("s/token", &token(&[])),
    ]);
    let kubernetes = |role: &str, more: Value| {
        let mut auth = json!({"mountPath": "kubernetes", "role": role});
        auth.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        store(&bao, &json!({ "kubernetes": auth }))
    };
    let account = |name: &str, audiences: &[&str]| json!({"serviceAccountRef": {"name": name, "audiences": audiences}});
    for config in [
        documented::store("with-kubernetes", bao.address(), "secret"),
        kubernetes("open", account("plain", &[])),
        kubernetes("open", json!({"secretRef": {"name": "s"}})),
    ] {
        let provider = build(&config, Arc::clone(&secrets) as _).await;
        assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}), "{config}");
    }
    assert_eq!(secrets.requests()[0].1.audiences, ["vault"]);
    assert_eq!(secrets.requests()[0].1.lifetime, Some(Duration::from_mins(10)));
    let stranger = build(&kubernetes("shop", account("plain", &[])), secrets).await;
    failure(read(&*stranger, "app").await, ErrorKind::Unauthenticated, Code::VaultLoginRefused);
}

#[tokio::test]
async fn stores_of_one_factory_share_a_login_where_they_are_the_same_identity() {
    let bao = server();
    let (role, secret) = app_role(&bao, &json!({}));
    let secrets = Secrets::new(&[("app/id", &secret), ("other/id", &secret_id(&bao))]);
    let factory = VaultFactory::new();
    let mut versions = app_role_store(&bao, &role);
    versions["path"] = json!("kv1");
    versions["version"] = json!("v1");
    let mut other = app_role_store(&bao, &role);
    other["auth"]["appRole"]["secretRef"]["name"] = json!("other");
    let mut providers = Vec::new();
    for config in [app_role_store(&bao, &role), app_role_store(&bao, &role), versions, other] {
        let provider = built(&factory, &config, Arc::clone(&secrets) as _).await;
        drop(read(&*provider, "app").await);
        providers.push(provider);
    }
    assert_eq!(count(&bao, "auth/approle/login"), 2, "one for each secret id");
    for (closed, provider) in providers.iter().enumerate() {
        assert_eq!(count(&bao, "auth/token/revoke-self"), usize::from(closed > 2));
        provider.close().await;
    }
    assert_eq!(count(&bao, "auth/token/revoke-self"), 2);
}
