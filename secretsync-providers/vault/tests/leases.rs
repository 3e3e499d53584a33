//! Issued credentials on a real OpenBao with a real database behind it.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secretsync_core::error::{Code, ErrorKind};
use secretsync_core::object::Read;
use secretsync_core::provider::{Provider, RemoteRef};
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{DataEntry, DataFrom, Outcome, Reason, Sync as _, SyncSpec};
use serde_json::json;
use xtask::rig::openbao::OpenBao;
use xtask::rig::postgres::Postgres;

#[path = "support/store.rs"]
mod store;
#[path = "support/syncs.rs"]
mod syncs;

use store::{Token, content, failure, provider, read, secret};
use syncs::{engine, key, logs_in, spec, synced, text};

/// A database behind its engine, with roles for every pace.
struct Rig {
    bao: OpenBao,
    postgres: Postgres,
}

impl Rig {
    fn start() -> Self {
        let (bao, postgres) = (OpenBao::start().unwrap(), Postgres::start().unwrap());
        postgres.connect(&bao).unwrap();
        postgres.add_role(&bao, "long", "1h", "24h").unwrap();
        postgres.add_role(&bao, "renewed", "3s", "1h").unwrap();
        postgres.add_role(&bao, "short", "3s", "6s").unwrap();
        Self { bao, postgres }
    }

    async fn any_path(&self) -> Arc<dyn Provider> {
        self.any_path_as(self.bao.token()).await
    }

    async fn any_path_as(&self, token: &str) -> Arc<dyn Provider> {
        provider(self.bao.address(), &Token::new(token), json!({"version": "v1"})).await
    }

    /// How often credentials were asked for, as the audit log tells.
    fn asked(&self, path: &str) -> usize {
        self.bao.audit_requests().unwrap().iter().filter(|request| request.path == path).count()
    }

    async fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let mut tries = 0;
        while !holds(self) {
            assert!(tries < 600, "{what} never came");
            tries += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn credentials_log_in_are_issued_once_for_each_sync_and_stay_after_the_engine() {
    let rig = Rig::start();
    let (store, engine) = engine(rig.any_path().await);
    let specs = vec![spec("a", "database/creds/long"), spec("b", "/database//creds/long/")];
    let plans = engine.plan_all(specs.clone()).await;
    assert!(plans.iter().all(|plan| plan.report().reason == Reason::WouldBeIssued));
    assert_eq!(rig.asked("database/creds/long"), 0);
    for _ in 0..3 {
        let reports = engine.sync_all(specs.clone()).await;
        reports.iter().for_each(synced);
        let issued = &reports[0].issued[0];
        assert!(issued.lease.as_ref().unwrap().id().starts_with("database/creds/long/"));
        let left = issued.expires_at.duration_since(SystemTime::now()).unwrap();
        assert!((3500..=3600).contains(&left.as_secs()), "{left:?}");
        assert_eq!(reports[0].expires_at, Some(issued.expires_at));
    }
    assert_eq!(rig.asked("database/creds/long"), 2);
    assert_ne!(text(&store, "a", "user"), text(&store, "b", "user"), "one for each sync");
    assert!(logs_in(&rig.postgres, &store, "a") && logs_in(&rig.postgres, &store, "b"));
    assert!(engine.shutdown(Duration::from_secs(10)).await);
    assert!(logs_in(&rig.postgres, &store, "a"), "the target still has them");
    let questions = rig.bao.audit_requests().unwrap();
    let questions = questions.iter().filter(|request| request.path.starts_with("sys/internal/ui/mounts")).count();
    assert_eq!(questions, 1, "one for the mount");
}

#[tokio::test]
async fn a_lease_of_seconds_is_renewed_and_lives_on() {
    let rig = Rig::start();
    let (store, engine) = engine(rig.any_path().await);
    synced(&engine.sync(&spec("a", "database/creds/renewed")).await);
    let user = text(&store, "a", "user");
    rig.until("a third renewal", |rig| rig.asked("sys/leases/renew") >= 3).await;
    assert_eq!((text(&store, "a", "user"), rig.asked("database/creds/renewed")), (user.clone(), 1));
    assert!(rig.postgres.has_role(&user).unwrap());
    engine.release(&OwnerId::new("shop", "a"), &TargetRef::new("shop", "a")).await;
    assert!(!rig.postgres.has_role(&user).unwrap(), "given back, the user disappears");
}

#[tokio::test]
async fn credentials_are_replaced_before_their_last_end_and_the_old_ones_are_revoked_after_the_write() {
    let rig = Rig::start();
    let (store, engine) = engine(rig.any_path().await);
    synced(&engine.sync(&spec("a", "database/creds/short")).await);
    let first = text(&store, "a", "user");
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    rig.until("a third life", |rig| {
        let user = text(&store, "a", "user");
        let mut seen = seen.lock().unwrap();
        if seen.last() != Some(&user) {
            seen.push(user);
        }
        assert!(logs_in(&rig.postgres, &store, "a"), "at no moment is the target without a user that works");
        seen.len() >= 3
    })
    .await;
    assert_eq!(rig.asked("database/creds/short"), 3, "one issue for each life");
    rig.until("the first user's end", |rig| !rig.postgres.has_role(&first).unwrap()).await;
    assert!(rig.asked("sys/leases/revoke") >= 1);
    engine.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn what_does_not_reach_the_target_leaves_no_user_behind() {
    let rig = Rig::start();
    let vault = rig.any_path().await;
    let (_, engine) = engine(Arc::clone(&vault));
    let broken = DataEntry::new("x", key(), RemoteRef::new("database/creds/long")).with_property("nope");
    assert_eq!(engine.sync(&spec("a", "database/creds/long").with_data(broken)).await.outcome, Outcome::Failed);
    assert!(engine.shutdown(Duration::from_secs(10)).await);
    assert_eq!(rig.asked("database/creds/long"), 1);
    assert!(rig.postgres.roles().unwrap().is_empty());

    // Whoever asks goes away while the engine works.
    let object = vault.address(&RemoteRef::new("database/creds/long")).unwrap();
    let abandoned = read(&*vault, "database/creds/long");
    drop(tokio::time::timeout(Duration::from_millis(1), abandoned).await);
    assert_eq!(object.read(), Read::Issuing);
    rig.until("the request", |rig| rig.asked("database/creds/long") == 2).await;
    vault.close().await;
    assert!(rig.postgres.roles().unwrap().is_empty());
}

#[tokio::test]
async fn static_roles_end_with_their_rotation_and_are_read_after_it() {
    let rig = Rig::start();
    rig.postgres.add_static_role(&rig.bao, "fixed", "5s").unwrap();
    let (store, engine) = engine(rig.any_path().await);
    let report = engine.sync(&spec("a", "database/static-creds/fixed")).await;
    synced(&report);
    assert!(report.issued[0].lease.is_none() && report.expires_at.is_some());
    let first = text(&store, "a", "password");
    assert!(rig.postgres.accepts("fixed", &first).unwrap());
    rig.until("another password", |_| text(&store, "a", "password") != first).await;
    assert!(logs_in(&rig.postgres, &store, "a"));
    assert!(!rig.postgres.accepts("fixed", &first).unwrap());
    assert!(rig.asked("database/static-creds/fixed") <= 9, "not polled: {}", rig.asked("database/static-creds/fixed"));
    engine.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn objects_of_kv_are_read_repeatably_beside_and_one_question_tells_them_apart() {
    let rig = Rig::start();
    rig.bao.write("kv1/app", &json!({"a": "1"})).unwrap();
    let vault = rig.any_path().await;
    let kv = vault.address(&RemoteRef::new("kv1/app")).unwrap();
    assert_eq!((kv.read(), vault.reading(&kv).await.unwrap()), (Read::Issuing, Read::Repeatable));
    let creds = vault.address(&RemoteRef::new("database/creds/long")).unwrap();
    assert_eq!(vault.reading(&creds).await.unwrap(), Read::Issuing);

    let (_, engine) = engine(Arc::clone(&vault));
    let of = |name: &str| {
        let from = DataFrom::extract(key(), RemoteRef::new("kv1/app"));
        SyncSpec::new(OwnerId::new("shop", name), TargetRef::new("shop", name)).with_data_from(from)
    };
    let reports = engine.sync_all((0..30).map(|n| of(&format!("s{n}"))).collect()).await;
    reports.iter().for_each(synced);
    assert_eq!(rig.asked("kv1/app"), 2, "written once, read once");
    assert!(reports.iter().all(|report| report.issued.is_empty() && report.expires_at.is_none()));
    let questions = rig.bao.audit_requests().unwrap();
    let questions = questions.iter().filter(|request| request.path.starts_with("sys/internal/ui/mounts")).count();
    assert_eq!(questions, 2, "one for each mount");
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_an_error_and_nothing_is_deleted_for_it() {
    let rig = Rig::start();
    let vault = rig.any_path().await;
    let error = read(&*vault, "database/creds/nope").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidConfig), "{error:?}");
    let (told, _) = failure(read(&*vault, "nomount/creds/x").await, ErrorKind::NotFound, Code::VaultMountMissing);
    assert!(told.contains("nomount/creds/x"), "{told}");
    let weak = rig.bao.token_with_policy("none", r#"path "database/creds/other" { capabilities = ["read"] }"#).unwrap();
    let weak = rig.any_path_as(&weak).await;
    let (_, advice) =
        failure(read(&*weak, "database/creds/long").await, ErrorKind::PermissionDenied, Code::VaultPermissionDenied);
    assert!(advice.contains(r#"path "database/creds/long" { capabilities = ["read"] }"#), "{advice}");
}

#[tokio::test]
async fn the_end_of_a_token_is_the_end_of_its_leases_and_they_are_replaced() {
    let rig = Rig::start();
    let policy =
        r#"path "database/creds/*" { capabilities = ["read"] } path "sys/leases/*" { capabilities = ["update"] }"#;
    let old = rig.bao.token_with_policy("db", policy).unwrap();
    let token = Token::new(&old);
    let vault = provider(rig.bao.address(), &token, json!({"version": "v1"})).await;
    let (store, engine) = engine(vault);
    synced(&engine.sync(&spec("a", "database/creds/renewed")).await);
    let first = text(&store, "a", "user");
    token.rotate(&rig.bao.token_with_policy("db", policy).unwrap());
    rig.bao.write("auth/token/revoke", &json!({"token": old})).unwrap();
    rig.until("the lease's end with its token", |rig| !rig.postgres.has_role(&first).unwrap()).await;
    rig.until("a new user", |_| text(&store, "a", "user") != first).await;
    assert!(logs_in(&rig.postgres, &store, "a"));
    engine.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn a_login_that_leases_hang_on_outlives_the_engine_and_any_other_does_not() {
    let rig = Rig::start();
    let policy = r#"path "database/creds/*" { capabilities = ["read"] } path "kv1/*" { capabilities = ["read"] }"#;
    rig.bao.write("sys/policies/acl/db", &json!({"policy": policy})).unwrap();
    rig.bao.write("kv1/app", &json!({"username": "u", "password": "p"})).unwrap();
    rig.bao.write("sys/auth/userpass", &json!({"type": "userpass"})).unwrap();
    rig.bao.write("auth/userpass/users/ann", &json!({"password": "pw", "token_policies": ["db"]})).unwrap();
    let auth = json!({"userPass": {"path": "userpass", "username": "ann", "secretRef": {"name": "token", "key": "t"}}});
    let revoked = |rig: &Rig| rig.asked("auth/token/revoke-self");
    for (object, ended) in [("kv1/app", 1), ("database/creds/long", 1)] {
        let config = json!({"server": rig.bao.address(), "version": "v1", "auth": auth});
        let (store, engine) = engine(store::build(&config, Token::new("pw")).await);
        synced(&engine.sync(&spec("a", object)).await);
        assert!(engine.shutdown(Duration::from_secs(10)).await);
        drop(engine);
        assert_eq!(revoked(&rig), ended, "{object}");
        assert!(object == "kv1/app" || logs_in(&rig.postgres, &store, "a"));
    }
}

#[tokio::test]
async fn a_database_or_server_that_is_away_for_a_while_is_asked_again_later() {
    let mut rig = Rig::start();
    let (store, engine) = engine(rig.any_path().await);
    synced(&engine.sync(&spec("a", "database/creds/long")).await);
    let first = text(&store, "a", "user");
    rig.postgres.stop();
    let report = engine.sync(&spec("b", "database/creds/long")).await;
    let error = report.error.unwrap();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Unavailable, secretsync_core::error::Retry::Never),
        "{error:?}"
    );
    rig.postgres.restart().unwrap();
    synced(&engine.sync(&spec("b", "database/creds/long")).await);
    rig.bao.stop();
    // The first request may still go out on a connection that was open.
    engine.sync(&spec("c", "database/creds/long")).await;
    let report = engine.sync(&spec("c", "database/creds/long")).await;
    assert_eq!(report.error.unwrap().retry(), secretsync_core::error::Retry::Backoff, "nobody was there to do it");
    assert_eq!(
        engine.sync(&spec("a", "database/creds/long")).await.outcome,
        Outcome::Unchanged,
        "what is kept needs no server"
    );
    assert_eq!(text(&store, "a", "user"), first);
}

#[tokio::test]
async fn answers_keep_their_form() {
    let rig = Rig::start();
    let vault = rig.any_path().await;
    let found = secret(read(&*vault, "database/creds/long").await);
    assert!(found.lease.as_ref().unwrap().renewable() && !found.rotates);
    let data = content(read(&*vault, "database/creds/long").await);
    assert_eq!(data.as_object().unwrap().keys().collect::<Vec<_>>(), ["password", "username"]);
    let leases = vault.leases().unwrap();
    let lease = found.lease.unwrap();
    let renewed = leases.renew(&lease, Duration::from_mins(30)).await.unwrap();
    assert_eq!((renewed.lasts, renewed.renewable), (Duration::from_mins(30), true));
    leases.revoke(&lease).await.unwrap();
    leases.revoke(&lease).await.unwrap();
    let lost = leases.renew(&lease, Duration::from_mins(30)).await.unwrap_err();
    assert_eq!((lost.kind(), lost.hint().unwrap().code()), (ErrorKind::NotFound, Code::VaultLeaseLost));
}
