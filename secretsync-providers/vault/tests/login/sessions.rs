//! The life of a login, counted in the audit log of a real server.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use secretsync_core::engine::Engine;
use secretsync_core::error::{Code, ErrorKind};
use secretsync_core::memory::MemoryStore;
use secretsync_core::provider::{CredentialSource, FetchOptions, Provider, RemoteRef};
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{DataEntry, Outcome, ProviderKey, SyncReport, SyncSpec};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use xtask::rig::openbao::OpenBao;

use crate::store::{Secrets, Token, build, content, failure, provider, read};
use crate::{app_role, app_role_store, count, furnish, server};

const LOGIN: &str = "auth/approle/login";
const LOOKUP: &str = "auth/token/lookup-self";
const RENEW: &str = "auth/token/renew-self";
const REVOKE: &str = "auth/token/revoke-self";

/// The provider of a store with a role of these options.
async fn with_role(bao: &OpenBao, options: &Value) -> Arc<dyn Provider> {
    let (role, secret) = app_role(bao, options);
    build(&app_role_store(bao, &role), Secrets::new(&[("app/id", &secret)]) as Arc<dyn CredentialSource>).await
}

async fn works(provider: &dyn Provider) {
    assert_eq!(content(read(provider, "app").await), json!({"a": "b"}));
}

/// Reads again and again for some seconds; says how often.
async fn read_for(provider: &dyn Provider, seconds: u64) -> usize {
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut reads = 0;
    while Instant::now() < end {
        works(provider).await;
        reads += 1;
        sleep(Duration::from_millis(10)).await;
    }
    reads
}

#[tokio::test]
async fn a_hundred_that_start_together_log_in_once_and_never_look_at_the_token() {
    let bao = server();
    let provider = with_role(&bao, &json!({})).await;
    join_all((0..100).map(|_| works(&*provider))).await;
    assert_eq!((count(&bao, LOGIN), count(&bao, "secret/data/app") - 1, count(&bao, LOOKUP)), (1, 100, 0));
    provider.close().await;
    assert_eq!(count(&bao, REVOKE), 1);
}

#[tokio::test]
async fn a_token_of_seconds_lives_through_hundreds_of_reads_by_renewals_alone() {
    let bao = server();
    let provider = with_role(&bao, &json!({"token_ttl": "2s"})).await;
    let reads = read_for(&*provider, 8).await;
    assert!(reads > 100, "{reads}");
    assert_eq!((count(&bao, LOGIN), count(&bao, LOOKUP)), (1, 0));
    assert!(count(&bao, RENEW) >= 4);
}

#[tokio::test]
async fn tokens_that_cannot_live_longer_are_replaced_without_a_failed_read() {
    for options in [
        json!({"token_ttl": "2s", "token_max_ttl": "3s"}),
        json!({"token_type": "batch", "token_ttl": "2s", "token_max_ttl": "2s"}),
    ] {
        let bao = server();
        let provider = with_role(&bao, &options).await;
        read_for(&*provider, 7).await;
        let logins = count(&bao, LOGIN);
        assert!((3..=8).contains(&logins), "{options}: {logins}");
        provider.close().await;
        if options["token_type"] == "batch" {
            assert_eq!(
                (count(&bao, RENEW), count(&bao, REVOKE)),
                (0, 0),
                "batch tokens can be neither renewed nor revoked"
            );
        }
    }
}

#[tokio::test]
async fn a_token_that_was_revoked_behind_our_back_costs_one_login() {
    let bao = server();
    let provider = with_role(&bao, &json!({})).await;
    works(&*provider).await;
    bao.write("sys/leases/revoke-prefix/auth/approle/login", &json!({})).unwrap();
    join_all((0..200).map(|_| works(&*provider))).await;
    assert_eq!(count(&bao, LOGIN), 2);
    assert!(count(&bao, LOOKUP) <= 2, "two hundred refusals, one look (and one more because the token was new)");
}

#[tokio::test]
async fn tokens_of_few_uses_are_counted_and_not_wasted_on_looks() {
    let bao = server();
    let provider = with_role(&bao, &json!({"token_num_uses": 5})).await;
    for _ in 0..20 {
        works(&*provider).await;
    }
    assert_eq!((count(&bao, LOGIN), count(&bao, LOOKUP), count(&bao, RENEW)), (4, 0, 0));
}

#[tokio::test]
async fn a_given_token_is_renewed_where_it_can_be_and_never_revoked() {
    let bao = server();
    let made = |renewable: bool| {
        let body = json!({"policies": ["reader"], "ttl": "4s", "renewable": renewable});
        bao.write("auth/token/create", &body).unwrap()["auth"]["client_token"].as_str().unwrap().to_owned()
    };
    let token = Token::new(&made(true));
    let renewed = provider(bao.address(), &token, json!({"path": "secret"})).await;
    read_for(&*renewed, 7).await;
    assert_eq!(count(&bao, LOOKUP), 1, "asked once for its end");
    renewed.close().await;
    assert_eq!(count(&bao, REVOKE), 0);

    let token = Token::new(&made(false));
    let ending = provider(bao.address(), &token, json!({"path": "secret"})).await;
    works(&*ending).await;
    sleep(Duration::from_secs(5)).await;
    failure(read(&*ending, "app").await, ErrorKind::Unauthenticated, Code::VaultTokenInvalid);
    sleep(Duration::from_secs(6)).await;
    token.rotate(&made(false));
    works(&*ending).await;
}

#[tokio::test]
async fn a_policy_that_changes_during_a_run_costs_its_objects_and_no_login() {
    let bao = server();
    let provider = with_role(&bao, &json!({})).await;
    works(&*provider).await;
    let policy = r#"path "secret/data/app" { capabilities = ["read"] }"#;
    bao.write("sys/policies/acl/reader", &json!({ "policy": policy })).unwrap();
    for _ in 0..50 {
        failure(read(&*provider, "other").await, ErrorKind::PermissionDenied, Code::VaultPermissionDenied);
        works(&*provider).await;
    }
    assert_eq!((count(&bao, LOGIN), count(&bao, LOOKUP)), (1, 1));
}

/// The syncs of `count` objects.
fn specs(count: usize) -> Vec<SyncSpec> {
    let spec = |n: usize| {
        let data = DataEntry::new("a", ProviderKey::new("vault"), RemoteRef::new(format!("many/{n}")));
        SyncSpec::new(OwnerId::new("shop", format!("s{n}")), TargetRef::new("shop", format!("s{n}")))
            .with_data(data.with_property("a"))
    };
    (0..count).map(spec).collect()
}

fn fill(bao: &OpenBao, count: usize) {
    for n in 0..count {
        bao.write(&format!("secret/data/many/{n}"), &json!({"data": {"a": format!("{n}")}})).unwrap();
    }
}

fn outcomes(reports: &[SyncReport], outcome: Outcome) -> usize {
    reports.iter().filter(|report| report.outcome == outcome).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_objects_are_a_thousand_reads_and_one_login() {
    let bao = server();
    fill(&bao, 1000);
    let provider = with_role(&bao, &json!({})).await;
    let store = Arc::new(MemoryStore::new());
    let engine =
        Engine::builder(Arc::<MemoryStore>::clone(&store)).provider(ProviderKey::new("vault"), provider).build();
    assert_eq!(outcomes(&engine.sync_all(specs(1000)).await, Outcome::Created), 1000);
    assert_eq!(store.value("shop", "s999", "a").unwrap().expose(), b"999");
    let reads = bao.audit_requests().unwrap();
    let reads = reads.iter().filter(|one| one.operation == "read" && one.path.starts_with("secret/data/many/")).count();
    assert_eq!((reads, count(&bao, LOGIN), count(&bao, LOOKUP)), (1000, 1, 0));
    assert!(engine.shutdown(Duration::from_secs(5)).await);
    assert_eq!(count(&bao, REVOKE), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_sealed_during_a_sync_loses_nothing() {
    let mut bao = server();
    fill(&bao, 300);
    let provider = with_role(&bao, &json!({})).await;
    let store = Arc::new(MemoryStore::new());
    let engine = Arc::new(
        Engine::builder(Arc::<MemoryStore>::clone(&store)).provider(ProviderKey::new("vault"), provider).build(),
    );
    assert_eq!(outcomes(&engine.sync_all(specs(300)).await, Outcome::Created), 300);
    let running = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.sync_all(specs(300)).await }
    });
    bao.seal().unwrap();
    let reports = running.await.unwrap();
    let (same, failed) = (outcomes(&reports, Outcome::Unchanged), outcomes(&reports, Outcome::Failed));
    assert_eq!(same + failed, 300);
    assert!(failed > 0);
    for report in reports.iter().filter(|report| report.outcome == Outcome::Failed) {
        assert_eq!(report.error.as_ref().unwrap().kind(), ErrorKind::Unavailable, "{report:?}");
    }
    assert!((0..300).all(|n| store.value("shop", &format!("s{n}"), "a").is_some()), "nothing was deleted");
    bao.unseal().unwrap();
    let again = recovered(&engine, 300).await;
    assert_eq!(outcomes(&again, Outcome::Unchanged), 300);
    assert_eq!(count(&bao, LOGIN), 1, "the token outlived the seal");
}

/// Syncs until the store's breaker has let everything through again.
async fn recovered(engine: &Engine, count: usize) -> Vec<SyncReport> {
    for _ in 0..60 {
        let reports = engine.sync_all(specs(count)).await;
        if outcomes(&reports, Outcome::Failed) == 0 {
            return reports;
        }
        sleep(Duration::from_millis(500)).await;
    }
    panic!("the store did not recover")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_and_is_back_is_used_again_with_the_same_login() {
    let mut bao = OpenBao::start_persistent().unwrap();
    furnish(&bao);
    let provider = with_role(&bao, &json!({})).await;
    works(&*provider).await;
    bao.stop();
    let object = provider.address(&RemoteRef::new("app")).unwrap();
    for answer in provider.fetch(&vec![object; 20], &FetchOptions::default()).await {
        failure(answer, ErrorKind::Unavailable, Code::ProviderUnavailable);
    }
    bao.restart().unwrap();
    join_all((0..20).map(|_| works(&*provider))).await;
    assert_eq!(count(&bao, LOGIN), 1);
}
