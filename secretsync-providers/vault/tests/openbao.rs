//! Against a real OpenBao from the rig.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use secretsync_core::error::{Code, ErrorKind};
use secretsync_core::provider::{FetchOptions, Fetched, Provider, Query, RemoteRef};
use serde_json::json;
use xtask::rig::openbao::OpenBao;

#[path = "support/store.rs"]
mod store;

use store::{Token, assert_absent, content, failure, provider, read, read_ref, secret};

async fn versioned(bao: &OpenBao) -> Arc<dyn Provider> {
    provider(bao.address(), &Token::new(bao.token()), json!({"path": "secret"})).await
}

fn put(bao: &OpenBao, path: &str, data: &serde_json::Value) {
    bao.write(&format!("secret/data/{path}"), &json!({ "data": data })).unwrap();
}

#[tokio::test]
async fn version_2_reads_the_newest_or_the_pinned_version() {
    let bao = OpenBao::start().unwrap();
    let provider = versioned(&bao).await;
    put(&bao, "app/db", &json!({"password": "one", "nested": {"a.b": [1, true, null]}}));
    put(&bao, "app/db", &json!({"password": "two"}));
    assert_eq!(content(read(&*provider, "app/db").await), json!({"password": "two"}));
    assert_eq!(content(read(&*provider, "secret/data/app/db").await), json!({"password": "two"}));
    let pinned = RemoteRef::new("app/db").with_version("1");
    assert_eq!(content(read_ref(&*provider, &pinned).await)["nested"], json!({"a.b": [1, true, null]}));
    let version = secret(read(&*provider, "app/db").await).version.unwrap();
    assert!(version.as_str().starts_with("2@20"), "{version}");
    assert_absent(read_ref(&*provider, &RemoteRef::new("app/db").with_version("9")).await);
    provider.check().await.unwrap();
}

#[tokio::test]
async fn deleted_destroyed_and_missing_objects_are_absent_and_nothing_else_is() {
    let bao = OpenBao::start().unwrap();
    let provider = versioned(&bao).await;
    for path in ["deleted", "destroyed", "undeleted", "purged"] {
        put(&bao, path, &json!({"a": "b"}));
    }
    bao.delete("secret/data/deleted").unwrap();
    bao.delete("secret/data/undeleted").unwrap();
    bao.write("secret/undelete/undeleted", &json!({"versions": [1]})).unwrap();
    bao.write("secret/destroy/destroyed", &json!({"versions": [1]})).unwrap();
    bao.delete("secret/metadata/purged").unwrap();
    for gone in ["deleted", "destroyed", "purged", "never"] {
        assert_absent(read(&*provider, gone).await);
    }
    assert_eq!(content(read(&*provider, "undeleted").await), json!({"a": "b"}));
    let asked = bao.audit_requests().unwrap();
    let mounts = asked.iter().filter(|request| format!("{request:?}").contains("internal/ui/mounts")).count();
    assert_eq!(mounts, 1, "one question about the mount, however many objects are missing");
}

#[tokio::test]
async fn an_object_that_deletes_itself_has_an_expiry() {
    let bao = OpenBao::start().unwrap();
    let provider = versioned(&bao).await;
    bao.write("secret/metadata/short", &json!({"delete_version_after": "1h"})).unwrap();
    put(&bao, "short", &json!({"a": "b"}));
    put(&bao, "long", &json!({"a": "b"}));
    let left = secret(read(&*provider, "short").await).expires_at.unwrap().duration_since(std::time::SystemTime::now());
    assert!((3000..=3600).contains(&left.unwrap().as_secs()));
    assert!(secret(read(&*provider, "long").await).expires_at.is_none());
}

#[tokio::test]
async fn version_1_keeps_numbers_as_they_were_written() {
    let bao = OpenBao::start().unwrap();
    let provider = provider(bao.address(), &Token::new(bao.token()), json!({"path": "kv1", "version": "v1"})).await;
    let numbers: serde_json::Value = serde_json::from_str(r#"{"big": 12345678901234567890, "text": "x"}"#).unwrap();
    bao.write("kv1/app/n", &numbers).unwrap();
    let found = secret(read(&*provider, "kv1/app/n").await);
    assert!(found.version.is_none());
    assert_eq!(content(Ok(Fetched::Found(found))), numbers);
    assert_absent(read(&*provider, "app/never").await);
    let whole = self::provider(bao.address(), &Token::new(bao.token()), json!({"version": "v1"})).await;
    assert_eq!(content(read(&*whole, "kv1/app/n").await), numbers);
    assert_absent(read(&*whole, "kv1/never").await);
}

#[tokio::test]
async fn metadata_are_texts_and_custom_ones_win() {
    let bao = OpenBao::start().unwrap();
    let provider = versioned(&bao).await;
    put(&bao, "app", &json!({"a": "b"}));
    let custom = json!({"custom_metadata": {"team": "shop", "current_version": "mine"}});
    bao.write("secret/metadata/app", &custom).unwrap();
    let found = content(read_ref(&*provider, &RemoteRef::new("app").with_metadata()).await);
    assert_eq!((&found["team"], &found["current_version"]), (&json!("shop"), &json!("mine")));
    assert_eq!(found["delete_version_after"], json!("0s"));
    assert!(found["created_time"].as_str().unwrap().starts_with("20"));
    assert_eq!(found.as_object().unwrap().len(), 4);
    assert_absent(read_ref(&*provider, &RemoteRef::new("never").with_metadata()).await);
}

#[tokio::test]
async fn odd_names_reach_the_object_that_they_name() {
    let bao = OpenBao::start().unwrap();
    let provider = versioned(&bao).await;
    for (name, escaped) in [
        ("a b", "a%20b"),
        ("50%", "50%25"),
        ("%2e%2e", "%252e%252e"),
        ("ä/😀", "%C3%A4/%F0%9F%98%80"),
        ("a+b", "a+b"),
        ("a?b=c", "a%3Fb=c"),
        ("a#b", "a%23b"),
        (r#"q"u'o"#, "q%22u'o"),
        ("a;b&c", "a;b&c"),
        ("...", "..."),
        ("data/metadata", "data/metadata"),
    ] {
        put(&bao, escaped, &json!({ "name": name }));
        let key = format!("secret/data/{name}");
        assert_eq!(content(read(&*provider, &key).await), json!({ "name": name }), "{name}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_told_from_a_missing_right() {
    let bao = OpenBao::start().unwrap();
    put(&bao, "app/db", &json!({"a": "b"}));
    let wrong = provider(bao.address(), &Token::new("s.wrong"), json!({"path": "secret"})).await;
    let (text, _) = failure(read(&*wrong, "app/db").await, ErrorKind::Unauthenticated, Code::VaultTokenInvalid);
    assert_eq!(
        text,
        "failed to read `secret/app/db` from SecretStore shop/vault: the token is not accepted: it is wrong, expired or revoked"
    );
    let checked = wrong.check().await.unwrap_err();
    assert_eq!(checked.kind(), ErrorKind::Unauthenticated);
    bao.write("sys/mounts/secret/tune", &json!({"listing_visibility": "unauth"})).unwrap();
    let wrong = provider(bao.address(), &Token::new("s.wrong"), json!({"path": "secret"})).await;
    failure(read(&*wrong, "app/db").await, ErrorKind::Unauthenticated, Code::VaultTokenInvalid);

    // Nothing but this: not even a look at itself.
    let policy = r#"path "secret/data/app/*" { capabilities = ["read"] }"#;
    let token = Token::new(&bao.token_with_policy("reader", policy).unwrap());
    let limited = provider(bao.address(), &token, json!({"path": "secret"})).await;
    assert_eq!(content(read(&*limited, "app/db").await), json!({"a": "b"}));
    assert_absent(read(&*limited, "app/never").await);
    let denied = read(&*limited, "other/db").await;
    let (text, advice) = failure(denied, ErrorKind::PermissionDenied, Code::VaultPermissionDenied);
    assert!(text.ends_with("the token is valid, but may not do this"), "{text}");
    assert!(advice.contains(r#"path "secret/data/other/db" { capabilities = ["read"] }"#), "{advice}");
    limited.check().await.unwrap();
}

#[tokio::test]
async fn a_revoked_token_is_replaced_by_the_one_that_the_secret_holds_now() {
    let bao = OpenBao::start().unwrap();
    put(&bao, "app", &json!({"a": "b"}));
    let policy = r#"path "secret/data/*" { capabilities = ["read"] }"#;
    let old = bao.token_with_policy("reader", policy).unwrap();
    let token = Token::new(&old);
    let provider = provider(bao.address(), &token, json!({"path": "secret"})).await;
    assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}));
    let first = token.asked();
    bao.write("auth/token/revoke", &json!({ "token": old })).unwrap();
    token.rotate(&bao.token_with_policy("reader", policy).unwrap());
    let objects = vec![provider.address(&RemoteRef::new("app")).unwrap(); 40];
    for answer in provider.fetch(&objects, &FetchOptions::default()).await {
        assert_eq!(content(answer), json!({"a": "b"}));
    }
    assert_eq!((first, token.asked()), (1, 2), "forty refused reads resolve the token once");
}

#[tokio::test]
async fn a_missing_mount_and_one_of_the_other_version_are_no_absent_objects() {
    let bao = OpenBao::start().unwrap();
    put(&bao, "app", &json!({"a": "b"}));
    bao.write("kv1/app", &json!({"a": "b"})).unwrap();
    bao.write("sys/mounts/team/kv", &json!({"type": "kv", "options": {"version": "2"}})).unwrap();
    let token = Token::new(bao.token());
    let at = async |more| provider(bao.address(), &token, more).await;
    let missing = |answer, kind| failure(answer, kind, Code::VaultMountMissing);

    let (text, _) = missing(read(&*at(json!({"path": "nope"})).await, "app").await, ErrorKind::NotFound);
    let url = format!("no secrets engine answers there (tried `{}/v1/nope/data/app`)", bao.address());
    assert!(text.ends_with(&url), "{text}");

    let (text, advice) = missing(read(&*at(json!({"path": "kv1"})).await, "app").await, ErrorKind::InvalidConfig);
    assert!(text.contains("`kv1` has KV version v1, the store says v2"), "{text}");
    assert_eq!(advice, "write `version: v1` into the store");

    let old = at(json!({"path": "secret", "version": "v1"})).await;
    let (_, advice) = missing(read(&*old, "app").await, ErrorKind::InvalidConfig);
    assert_eq!(advice, "write `version: v2` into the store");

    let (text, advice) = missing(read(&*at(json!({})).await, "team/kv/app").await, ErrorKind::InvalidConfig);
    assert!(text.contains("mounted at `team/kv`"), "{text}");
    assert!(advice.contains("`path: team/kv`"), "{advice}");
    let (text, _) = missing(read(&*at(json!({"path": "sys"})).await, "app").await, ErrorKind::InvalidConfig);
    assert!(text.contains("`sys` is a secrets engine of type `system`"), "{text}");
}

#[tokio::test]
async fn a_sealed_server_and_a_stopped_one_are_unavailable() {
    let mut bao = OpenBao::start_persistent().unwrap();
    put(&bao, "app", &json!({"a": "b"}));
    let provider = versioned(&bao).await;
    bao.seal().unwrap();
    let (text, _) = failure(read(&*provider, "app").await, ErrorKind::Unavailable, Code::VaultSealed);
    assert!(text.ends_with("it is sealed or has no active node (status 503)"), "{text}");
    bao.unseal().unwrap();
    assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}));
    bao.stop();
    // The first request after the end may still find an open connection.
    failure(read(&*provider, "app").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
    let (text, _) = failure(read(&*provider, "app").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
    assert!(text.contains("nobody listens at the server's address"), "{text}");
    bao.restart().unwrap();
    assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}));
}

#[tokio::test]
async fn namespaces_hold_objects_of_their_own() {
    let bao = OpenBao::start().unwrap();
    bao.write("sys/namespaces/team", &json!({})).unwrap();
    bao.write("team/sys/mounts/secret", &json!({"type": "kv", "options": {"version": "1"}})).unwrap();
    bao.write("team/secret/app", &json!({"of": "team"})).unwrap();
    bao.write("kv1/app", &json!({"of": "root"})).unwrap();
    let token = Token::new(bao.token());
    let team = json!({"namespace": "/team/", "path": "secret", "version": "v1", "auth": {
        "namespace": "root", "tokenSecretRef": {"name": "token", "key": "token"}}});
    let provider = provider(bao.address(), &token, team).await;
    assert_eq!(content(read(&*provider, "app").await), json!({"of": "team"}));
    assert_absent(read(&*provider, "never").await);
    provider.check().await.unwrap();
}

#[tokio::test]
async fn many_objects_are_one_read_each() {
    let bao = OpenBao::start().unwrap();
    let provider = versioned(&bao).await;
    let mut objects = Vec::new();
    for number in 0..50 {
        put(&bao, &format!("many/{number}"), &json!({ "n": number }));
        objects.push(provider.address(&RemoteRef::new(format!("many/{number}"))).unwrap());
    }
    let before = bao.audit_requests().unwrap().len();
    let answers = provider.fetch(&objects, &FetchOptions::default()).await;
    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(content(answer), json!({ "n": number }));
    }
    assert_eq!(bao.audit_requests().unwrap().len() - before, 50, "no look-ups of the token, no questions about mounts");
}

#[tokio::test]
async fn find_walks_the_folders_and_filters_by_name_or_tags() {
    let bao = OpenBao::start().unwrap();
    for path in ["a/db", "a/db/replica", "a/deep/er/mail", "b/db", "top%20level"] {
        put(&bao, path, &json!({"x": "y"}));
    }
    bao.write("secret/metadata/a/db", &json!({"custom_metadata": {"team": "shop", "tier": "1"}})).unwrap();
    bao.write("secret/metadata/b/db", &json!({"custom_metadata": {"team": "shop"}})).unwrap();
    bao.write("kv1/a/one", &json!({"x": "y"})).unwrap();
    let provider = versioned(&bao).await;
    let names = async |query: Query| -> Vec<String> {
        let found = provider.find(&query).await.unwrap();
        assert!(found.iter().all(|one| provider.address(&RemoteRef::new(&one.name)).unwrap() == one.object));
        found.into_iter().map(|one| one.name).collect()
    };
    let query = |path: Option<&str>, name: Option<&str>, tags: &[(&str, &str)]| {
        let mut query = Query::default();
        query.path = path.map(str::to_owned);
        query.name = name.map(str::to_owned);
        query.tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        query
    };
    let all = ["a/db", "a/db/replica", "a/deep/er/mail", "b/db", "top level"];
    assert_eq!(names(query(None, None, &[])).await, all);
    assert_eq!(names(query(Some("/a/"), None, &[])).await, all[..3], "names keep the path");
    assert_eq!(names(query(None, Some("^a/.*l$"), &[])).await, ["a/deep/er/mail"]);
    assert_eq!(names(query(None, None, &[("team", "shop")])).await, ["a/db", "b/db"]);
    assert_eq!(names(query(None, None, &[("team", "shop"), ("tier", "1")])).await, ["a/db"]);
    assert_eq!(names(query(Some("nothing/here"), None, &[])).await, [""; 0]);

    let whole = self::provider(bao.address(), &Token::new(bao.token()), json!({})).await;
    assert_eq!(whole.find(&query(Some("secret/b"), None, &[])).await.unwrap()[0].object.to_string(), "secret/b/db");
    assert_eq!(whole.find(&Query::default()).await.unwrap_err().kind(), ErrorKind::InvalidConfig);
    let old = self::provider(bao.address(), &Token::new(bao.token()), json!({"path": "kv1", "version": "v1"})).await;
    assert_eq!(old.find(&Query::default()).await.unwrap()[0].name, "a/one");
    let error = old.find(&query(None, None, &[("team", "shop")])).await.unwrap_err();
    assert!(error.to_string().ends_with("cannot perform find by tag operations with kv version v1"), "{error}");
    let missing = self::provider(bao.address(), &Token::new(bao.token()), json!({"path": "nope"})).await;
    assert_eq!(missing.find(&Query::default()).await.unwrap_err().kind(), ErrorKind::NotFound);
    let policy = r#"path "secret/data/*" { capabilities = ["read"] }"#;
    let token = Token::new(&bao.token_with_policy("reader", policy).unwrap());
    let limited = self::provider(bao.address(), &token, json!({"path": "secret"})).await;
    let error = limited.find(&query(Some("a"), None, &[])).await.unwrap_err();
    assert!(
        error.hint().unwrap().advice().contains(r#"path "secret/metadata/a/" { capabilities = ["list"] }"#),
        "{error:?}"
    );
}
