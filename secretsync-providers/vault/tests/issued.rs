//! What was issued hangs on a login, and lives as long as it was told, on a real OpenBao with a real database behind it and on scripted answers.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secretsync_core::engine::Engine;
use secretsync_core::error::{ErrorKind, Retry};
use secretsync_core::provider::{BuildContext, CredentialSource, Provider, ProviderFactory, RawConfig, StoreOrigin};
use secretsync_core::secret::Lease;
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{DataFrom, Sync as _, SyncSpec};
use secretsync_provider_vault::VaultFactory;
use serde_json::{Value, json};
use tokio::time::sleep;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};
use xtask::rig::openbao::OpenBao;
use xtask::rig::postgres::Postgres;

#[path = "support/store.rs"]
mod store;
#[path = "support/syncs.rs"]
mod syncs;

use store::{Secrets, Token, build, provider, read};
use syncs::{engine, key, logs_in, spec, synced, text};

const POLICY: &str = r#"path "database/*" { capabilities = ["read"] } path "sys/leases/*" { capabilities = ["update"] }
path "auth/token/create" { capabilities = ["update"] }"#;

fn rig() -> (OpenBao, Postgres) {
    let (bao, postgres) = (OpenBao::start().unwrap(), Postgres::start().unwrap());
    postgres.connect(&bao).unwrap();
    postgres.add_role(&bao, "long", "1h", "24h").unwrap();
    (bao, postgres)
}

fn app_role(bao: &OpenBao, options: &Value) -> (Value, Arc<Secrets>) {
    bao.write("sys/auth/approle", &json!({"type": "approle"})).unwrap();
    bao.write("sys/policies/acl/app", &json!({"policy": POLICY})).unwrap();
    let mut role = json!({"token_policies": "app"});
    role.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    bao.write("auth/approle/role/app", &role).unwrap();
    let id = bao.read("auth/approle/role/app/role-id").unwrap()["data"]["role_id"].as_str().unwrap().to_owned();
    let made = bao.write("auth/approle/role/app/secret-id", &json!({})).unwrap();
    let secret = made["data"]["secret_id"].as_str().unwrap().to_owned();
    let auth = json!({"appRole": {"path": "approle", "roleId": id, "secretRef": {"name": "app", "key": "id"}}});
    (auth, Secrets::new(&[("app/id", &secret)]))
}

#[tokio::test]
async fn credentials_outlive_the_longest_life_of_the_login_that_they_came_through() {
    let (bao, postgres) = rig();
    let (auth, secrets) = app_role(&bao, &json!({"token_ttl": "6s", "token_max_ttl": "6s"}));
    let vault = build(&json!({"server": bao.address(), "version": "v1", "auth": auth}), secrets as _).await;
    let (store, engine) = engine(vault);
    let report = engine.sync(&spec("a", "database/creds/long")).await;
    synced(&report);
    assert!(logs_in(&postgres, &store, "a"));
    sleep(Duration::from_secs(12)).await;
    // Another sync, as an interval would bring it.
    let again = engine.sync(&spec("a", "database/creds/long")).await;
    synced(&again);
    assert!(logs_in(&postgres, &store, "a"), "the user is gone with its token");
    engine.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn the_end_that_a_run_tells_is_the_one_that_comes() {
    let (bao, postgres) = rig();
    // Renewable, but nobody renews it after a run.
    let (auth, secrets) = app_role(&bao, &json!({"token_ttl": "6s", "token_max_ttl": "1h"}));
    let vault = build(&json!({"server": bao.address(), "version": "v1", "auth": auth}), secrets as _).await;
    let (store, engine) = engine(vault);
    let report = engine.sync(&spec("a", "database/creds/long")).await;
    synced(&report);
    assert!(engine.shutdown(Duration::from_secs(5)).await);
    assert!(logs_in(&postgres, &store, "a"));
    let told = report.issued[0].ends_at().duration_since(SystemTime::now()).unwrap_or_default();
    assert!(told <= Duration::from_secs(6), "it ends with its login, which nobody extends: {told:?}");
}

#[tokio::test]
async fn what_was_taken_over_from_another_process_is_replaced_before_its_login_ends() {
    let (bao, postgres) = rig();
    let (auth, secrets) = app_role(&bao, &json!({"token_ttl": "8s", "token_max_ttl": "1h"}));
    let config = json!({"server": bao.address(), "version": "v1", "auth": auth});
    let (store, first) = engine(build(&config, Arc::clone(&secrets) as _).await);
    let told = first.sync(&spec("a", "database/creds/long")).await.issued;
    first.shutdown(Duration::from_secs(5)).await;
    let vault = build(&config, secrets as _).await;
    let second = Engine::builder(Arc::clone(&store) as _).provider(key(), vault).build();
    second.adopt(spec("a", "database/creds/long"), &told).await.unwrap();
    synced(&second.sync(&spec("a", "database/creds/long")).await);
    sleep(Duration::from_secs(14)).await;
    synced(&second.sync(&spec("a", "database/creds/long")).await);
    assert!(logs_in(&postgres, &store, "a"), "the user is gone with the login of the first process");
    second.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn the_last_use_of_a_counted_token_does_not_end_what_came_through_it() {
    let (bao, postgres) = rig();
    let (auth, secrets) = app_role(&bao, &json!({"token_num_uses": 2}));
    let vault = build(&json!({"server": bao.address(), "version": "v1", "auth": auth}), secrets as _).await;
    let (store, engine) = engine(vault);
    synced(&engine.sync(&spec("a", "database/creds/long")).await);
    assert!(logs_in(&postgres, &store, "a"));
    synced(&engine.sync(&spec("b", "database/creds/long")).await);
    synced(&engine.sync(&spec("c", "database/creds/long")).await);
    sleep(Duration::from_secs(3)).await;
    for name in ["a", "b", "c"] {
        synced(&engine.sync(&spec(name, "database/creds/long")).await);
        assert!(logs_in(&postgres, &store, name), "{name}");
    }
    let issued = bao.audit_requests().unwrap().iter().filter(|request| request.path == "database/creds/long").count();
    assert_eq!(issued, 3, "one for each, and none was lost with its token");
    engine.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_batch_token_that_was_issued_outlives_a_run() {
    let bao = OpenBao::start().unwrap();
    let (auth, secrets) = app_role(&bao, &json!({"token_ttl": "1h"}));
    let config = json!({
        "path": "auth/token/create", "method": "POST", "resultType": "Auth",
        "parameters": {"type": "batch", "ttl": "30m", "policies": ["app"]},
        "provider": {"server": bao.address(), "auth": auth},
    });
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let origin = StoreOrigin::generator("VaultDynamicSecret", "shop", "creds");
    let context = BuildContext::new(origin, secrets as Arc<dyn CredentialSource>);
    let generator =
        VaultFactory::new().dynamic_secrets().build(&RawConfig::from_json(config.to_string()), context).await.unwrap();
    let (store, engine) = engine(generator);
    let spec = SyncSpec::new(OwnerId::new("shop", "a"), TargetRef::new("shop", "a"))
        .with_data_from(DataFrom::generate(key(), "creds"));
    synced(&engine.sync(&spec).await);
    let token = text(&store, "a", "client_token");
    let works =
        |token: &str| bao.request_as(token, "GET", "auth/token/lookup-self", None).unwrap().into_success().is_ok();
    assert!(works(&token));
    assert!(engine.shutdown(Duration::from_secs(10)).await);
    assert!(works(&token), "the target holds a dead token after `secretsync sync`");
}

#[tokio::test]
async fn a_read_of_a_mount_that_the_token_cannot_see_costs_nobody_the_login() {
    let (bao, postgres) = rig();
    let (auth, secrets) =
        app_role(&bao, &json!({"token_ttl": "6s", "token_max_ttl": "1h", "token_no_default_policy": true}));
    let policy = format!(
        r#"{POLICY} path "auth/token/renew-self" {{ capabilities = ["update"] }} path "auth/token/revoke-self" {{ capabilities = ["update"] }}"#
    );
    bao.write("sys/policies/acl/app", &json!({"policy": policy})).unwrap();
    let vault = build(&json!({"server": bao.address(), "version": "v1", "auth": auth}), secrets as _).await;
    let (store, engine) = engine(Arc::clone(&vault));
    synced(&engine.sync(&spec("a", "database/creds/long")).await);
    sleep(Duration::from_secs(10)).await;
    assert!(logs_in(&postgres, &store, "a"), "the token is renewed");
    let count = |path: &str| bao.audit_requests().unwrap().iter().filter(|request| request.path == path).count();
    let before = count("auth/approle/login");
    for _ in 0..5 {
        drop(read(&*vault, "elsewhere/creds/x").await);
        sleep(Duration::from_millis(2100)).await;
    }
    let logins = count("auth/approle/login") - before;
    let alive = logs_in(&postgres, &store, "a");
    engine.shutdown(Duration::from_secs(5)).await;
    assert!(
        alive && logins <= 1,
        "logins for five refused reads: {logins}; somebody else's credential works: {alive}; revoked: {}",
        count("auth/token/revoke-self")
    );
}

#[tokio::test]
async fn credentials_outlive_a_store_that_was_taken_away_and_go_when_they_are_released() {
    let (bao, postgres) = rig();
    let (auth, secrets) = app_role(&bao, &json!({"token_ttl": "3s", "token_max_ttl": "1h"}));
    let vault = build(&json!({"server": bao.address(), "version": "v1", "auth": auth}), secrets as _).await;
    let (store, engine) = engine(vault);
    let spec = spec("a", "database/creds/long");
    synced(&engine.sync(&spec).await);
    let user = text(&store, "a", "user");
    engine.withdraw(&key());
    sleep(Duration::from_secs(8)).await;
    assert!(logs_in(&postgres, &store, "a"), "its login is extended");
    engine.release(&spec.owner, &spec.target).await;
    assert!(!postgres.has_role(&user).unwrap());
    engine.shutdown(Duration::from_secs(5)).await;
}

async fn v1(server: &MockServer) -> Arc<dyn Provider> {
    let mount = json!({"data": {"path": "db/", "type": "database", "options": null}});
    Mock::given(path("/v1/sys/internal/ui/mounts/db/creds/a"))
        .respond_with(ResponseTemplate::new(200).set_body_json(mount))
        .mount(server)
        .await;
    Mock::given(path("/v1/sys/leases/revoke")).respond_with(ResponseTemplate::new(204)).mount(server).await;
    provider(&server.uri(), &Token::new("hvs.token"), json!({"version": "v1"})).await
}

async fn revocations(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().iter().filter(|request| request.url.path().ends_with("/revoke")).count()
}

#[tokio::test]
async fn an_answer_of_no_use_that_has_a_lease_is_given_back() {
    const LEASE: &str = r#""lease_id":"db/creds/a/1","renewable":true"#;
    for (rest, good) in [
        (r#""lease_duration":3600,"data":null,"auth":{"client_token":"x"}"#, false),
        (r#""lease_duration":3600,"data":["a"]"#, false),
        (r#""data":{"username":"u"}"#, false),
        (r#""lease_duration":"3600","data":{"username":"u"}"#, false),
        (r#""lease_duration":-1,"data":{"username":"u"}"#, false),
        (r#""lease_duration":18446744073709551615,"data":{"username":"u"}"#, true),
        (r#""lease_duration":3600.0,"data":{"username":"u"}"#, true),
    ] {
        let server = MockServer::start().await;
        Mock::given(path("/v1/db/creds/a"))
            .respond_with(ResponseTemplate::new(200).set_body_string(format!("{{{LEASE},{rest}}}")))
            .mount(&server)
            .await;
        let vault = v1(&server).await;
        let answer = read(&*vault, "db/creds/a").await;
        vault.close().await;
        assert_eq!((answer.is_ok(), revocations(&server).await), (good, usize::from(!good)), "{rest}");
        let Ok(secretsync_core::provider::Fetched::Found(secret)) = answer else { continue };
        let left = secret.expires_at.unwrap().duration_since(SystemTime::now()).unwrap();
        assert!(left > Duration::from_secs(3590), "{rest}: {left:?}");
    }
}

#[tokio::test]
async fn a_renewal_bears_every_number() {
    for (number, lasts) in [("60", 60), ("60.0", 60), ("18446744073709551615", 60 * 60 * 24 * 365 * 30)] {
        let server = MockServer::start().await;
        let body = format!(r#"{{"lease_id":"db/creds/a/1","renewable":true,"lease_duration":{number}}}"#);
        Mock::given(path("/v1/sys/leases/renew"))
            .respond_with(ResponseTemplate::new(200).set_body_string(body))
            .mount(&server)
            .await;
        let vault = v1(&server).await;
        let lease = Lease::new("db/creds/a/1", true);
        let renewed = vault.leases().unwrap().renew(&lease, Duration::from_mins(1)).await.unwrap();
        assert_eq!(renewed.lasts, Duration::from_secs(lasts), "{number}");
    }
}

#[tokio::test]
async fn a_login_that_is_refused_for_a_while_costs_no_lease() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/auth/userpass/login/ann"))
        .respond_with(ResponseTemplate::new(403).set_body_json(json!({"errors": ["permission denied"]})))
        .mount(&server)
        .await;
    let auth = json!({"userPass": {"path": "userpass", "username": "ann", "secretRef": {"name": "ann", "key": "pw"}}});
    let config = json!({"server": server.uri(), "version": "v1", "auth": auth});
    let vault = build(&config, Secrets::new(&[("ann/pw", "pw")]) as _).await;
    let lease = Lease::new("db/creds/a/1", true);
    let error = vault.leases().unwrap().renew(&lease, Duration::from_mins(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unauthenticated, Retry::Backoff), "{error:?}");
}

#[tokio::test]
async fn what_a_proxy_says_with_numbers_of_its_own_may_have_been_carried_out() {
    for (status, retry) in [(500, Retry::Never), (520, Retry::Never), (524, Retry::Never), (501, Retry::Backoff)] {
        let server = MockServer::start().await;
        Mock::given(path("/v1/db/creds/a")).respond_with(ResponseTemplate::new(status)).mount(&server).await;
        let error = read(&*v1(&server).await, "db/creds/a").await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, retry), "{status}");
    }
}
