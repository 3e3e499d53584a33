//! A marked token, value and body go through everything; nothing that can be printed shows them.
#![allow(clippy::panic, clippy::unwrap_in_result, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secretsync_core::error::{Error, chain};
use secretsync_core::provider::{
    BuildContext, FetchOptions, Fetched, Provider, ProviderFactory as _, RawConfig, RemoteRef, StoreOrigin,
};
use secretsync_provider_vault::VaultFactory;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tracing_subscriber::util::SubscriberInitExt;

#[path = "support/store.rs"]
mod store;

use store::{Secrets, Token, build, provider, read};

const CANARY: &str = "canary-5f2b";

/// Everything that any library logged.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A server whose answers, good and bad, hold the canary everywhere.
async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 8192];
                let length = stream.read(&mut request).await.unwrap_or_default();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let bad = format!(r#"{{"errors":["{CANARY}"]}}"#);
                let good = format!(
                    r#"{{"data":{{"data":{{"{CANARY}-key":"{CANARY}"}},"metadata":{{"version":1,"created_time":"x"}}}}}}"#
                );
                let (status, body) = match request.split_whitespace().nth(1).unwrap_or_default() {
                    "/v1/kv/data/good" => (200, good),
                    "/v1/kv/data/cut" => (200, good[..60].to_owned()),
                    "/v1/kv/data/odd" => (200, format!(r#"{{"data":"{CANARY}"}}"#)),
                    "/v1/kv/data/html" => (200, format!("<p>{CANARY}")),
                    "/v1/kv/data/denied" | "/v1/auth/token/lookup-self" => (403, bad),
                    "/v1/kv/data/moved" => (307, bad),
                    "/v1/pki/issue/web" => (200, issued()),
                    // A login that works at first, and one that is refused.
                    path if path.starts_with("/v1/auth/good") => (200, granted()),
                    path if path.starts_with("/v1/auth/") => (400, bad),
                    _ => (500, bad),
                };
                let length = if request.contains("/cut ") { 100 } else { body.len() };
                let answer = format!(
                    "HTTP/1.1 {status} x\r\nlocation: https://other/{CANARY}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
                );
                let _written = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    format!("http://{address}")
}

fn granted() -> String {
    format!(
        r#"{{"auth":{{"client_token":"hvs.{CANARY}","accessor":"a","lease_duration":3600,"renewable":true,"policies":["default"]}}}}"#
    )
}

fn issued() -> String {
    format!(
        r#"{{"lease_id":"pki/issue/web/1","lease_duration":3600,"renewable":true,"data":{{"private_key":"{CANARY}"}}}}"#
    )
}

/// Everything that is logged from now on, by every library.
fn listen() -> Logs {
    let logs = Logs::default();
    let writer = logs.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish()
        .try_init()
        .unwrap();
    logs
}

fn show(error: &Error) -> String {
    format!("{error} {error:?} {error:#?} {} {:?}", chain(error), error.hint())
}

/// Each method, at a mount of this name. Every secret part of it is marked.
fn methods(mount: &str) -> [Value; 7] {
    let secret = json!({"name": "marked", "key": "t"});
    let keys = json!({"accessKeyIDSecretRef": {"name": "id", "key": "t"}, "secretAccessKeySecretRef": secret, "sessionTokenSecretRef": secret});
    [
        json!({"appRole": {"path": mount, "roleId": "r", "secretRef": secret}}),
        json!({"kubernetes": {"mountPath": mount, "role": "r", "serviceAccountRef": {"name": "marked"}}}),
        json!({"kubernetes": {"mountPath": mount, "role": "r", "secretRef": secret}}),
        json!({"ldap": {"path": mount, "username": "u", "secretRef": secret}}),
        json!({"userPass": {"path": mount, "username": "u", "secretRef": secret}}),
        json!({"jwt": {"path": mount, "role": "r", "secretRef": secret}}),
        json!({"iam": {"path": mount, "region": "eu-central-1", "vaultRole": "r", "secretRef": keys}}),
    ]
}

/// What is printed of logins and of what is read with them.
async fn logins(server: &str, secrets: &Arc<Secrets>) -> String {
    let mut printed = String::new();
    for (mount, works) in [("good", true), ("bad", false)] {
        for auth in methods(mount) {
            let config = json!({"server": server, "path": "kv", "auth": auth});
            let provider = build(&config, Arc::clone(secrets) as _).await;
            let answer = read(&*provider, "good").await;
            assert_eq!(answer.is_ok(), works, "{auth}: {answer:?}");
            write!(printed, "{provider:?} {answer:?} {:?}", provider.check().await).unwrap();
            printed.extend(answer.as_ref().err().map(show));
            provider.close().await;
        }
    }
    let marked = json!({"name": "marked"});
    let cert = json!({"server": server, "auth": {"cert": {"clientCert": marked, "secretRef": marked}}});
    let context = BuildContext::new(StoreOrigin::namespaced("shop", "vault"), Arc::clone(secrets) as _);
    let refused = match VaultFactory::new().build(&RawConfig::from_json(cert.to_string()), context).await {
        Ok(provider) => read(&*provider, "good").await.unwrap_err(),
        Err(error) => error,
    };
    printed + &show(&refused)
}

/// What is printed of something that is issued, and of its lease.
async fn issuing(server: &str, secrets: &Arc<Secrets>) -> String {
    let [auth, ..] = methods("good");
    let generator = json!({"path": "pki/issue/web", "method": "POST", "parameters": {"common_name": "web"},
        "provider": {"server": server, "auth": auth}});
    let context = BuildContext::new(StoreOrigin::namespaced("shop", "web"), Arc::clone(secrets) as _);
    let config = RawConfig::from_json(generator.to_string());
    let provider = VaultFactory::new().dynamic_secrets().build(&config, context).await.unwrap();
    let object = provider.address(&RemoteRef::new("")).unwrap();
    let answers = provider.fetch(&[object], &FetchOptions::default()).await;
    let Some(Ok(Fetched::Found(secret))) = answers.first() else { panic!("{answers:?}") };
    let (lease, leases) = (secret.lease.clone().unwrap(), provider.leases().unwrap());
    let renewed = leases.renew(&lease, Duration::ZERO).await.unwrap_err();
    let revoked = leases.revoke(&lease).await.unwrap_err();
    provider.close().await;
    format!("{provider:?} {answers:?} {} {}", show(&renewed), show(&revoked))
}

#[tokio::test]
async fn neither_token_nor_value_nor_body_is_ever_printed() {
    let logs = listen();
    let server = serve().await;
    let token = Token::new(&format!("hvs.{CANARY}"));
    let more = json!({"path": "kv", "headers": {"Authorization": format!("Basic {CANARY}")}});
    let provider = provider(&server, &token, more).await;
    let names = ["good", "cut", "odd", "html", "moved", "broken", "denied"];
    let objects: Vec<_> = names.iter().map(|name| provider.address(&RemoteRef::new(*name)).unwrap()).collect();
    let answers = provider.fetch(&objects, &FetchOptions::default()).await;
    assert!(answers[0].is_ok() && answers[1..].iter().all(Result::is_err), "{answers:?}");
    let mut printed = format!("{provider:?} {answers:?} {:?}", provider.check().await);
    printed.extend(answers.iter().filter_map(|answer| answer.as_ref().err()).map(show));

    let marked = ["marked/t", "marked/token", "marked/tls.crt", "marked/tls.key", "marked"].map(|name| (name, CANARY));
    let secrets = Secrets::new(&[&marked[..], &[("id/t", "AKID")]].concat());
    printed += &logins(&server, &secrets).await;
    printed += &issuing(&server, &secrets).await;

    let logged = String::from_utf8(logs.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("TRACE") && logged.contains("hyper"), "the libraries below were listened to");
    for (place, text) in [("an error or Debug", &printed), ("a log line", &logged)] {
        let line = text.lines().find(|line| line.contains(CANARY));
        assert!(line.is_none(), "{place} shows a secret: {line:?}");
    }
}
