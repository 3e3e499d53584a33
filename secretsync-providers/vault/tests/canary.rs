//! A marked token, value and body go through everything; nothing that can be printed shows them.
#![allow(clippy::panic, clippy::unwrap_in_result, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};

use secretsync_core::error::chain;
use secretsync_core::provider::{FetchOptions, Provider, RemoteRef};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tracing_subscriber::util::SubscriberInitExt;

#[path = "support/store.rs"]
mod store;

use store::{Token, provider};

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

#[tokio::test]
async fn neither_token_nor_value_nor_body_is_ever_printed() {
    let logs = Logs::default();
    let writer = logs.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish()
        .try_init()
        .unwrap();
    let token = Token::new(&format!("hvs.{CANARY}"));
    let more = json!({"path": "kv", "headers": {"Authorization": format!("Basic {CANARY}")}});
    let provider = provider(&serve().await, &token, more).await;
    let names = ["good", "cut", "odd", "html", "moved", "broken", "denied"];
    let objects: Vec<_> = names.iter().map(|name| provider.address(&RemoteRef::new(*name)).unwrap()).collect();
    let answers = provider.fetch(&objects, &FetchOptions::default()).await;
    assert!(answers[0].is_ok() && answers[1..].iter().all(Result::is_err), "{answers:?}");

    let mut printed = format!("{provider:?} {answers:?} {:?}", provider.check().await);
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        write!(printed, " {error} {error:?} {error:#?} {} {:?}", chain(error), error.hint()).unwrap();
    }
    let logged = String::from_utf8(logs.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("TRACE") && logged.contains("hyper"), "the libraries below were listened to");
    for (place, text) in [("an error or Debug", &printed), ("a log line", &logged)] {
        let line = text.lines().find(|line| line.contains(CANARY));
        assert!(line.is_none(), "{place} shows a secret: {line:?}");
    }
}
