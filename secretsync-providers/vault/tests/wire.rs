//! Against scripted answers: exact requests, and what a healthy server does not do.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use secretsync_core::access::{KeyAccess, KeyTemplate};
use secretsync_core::error::{Code, ErrorKind, Retry};
use secretsync_core::object::Read;
use secretsync_core::provider::{FetchOptions, Fetched, Provider, Query, RemoteRef};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::{body_json, header, header_exists, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

#[path = "support/store.rs"]
mod store;

use store::{Token, assert_absent, content, failure, provider, read, read_ref};

const LOOKUP: &str = "/v1/auth/token/lookup-self";

fn kv2(data: &serde_json::Value) -> serde_json::Value {
    let metadata =
        json!({"version": 3, "created_time": "2026-01-02T03:04:05.6Z", "deletion_time": "", "destroyed": false});
    json!({"request_id": "r", "lease_id": "", "data": {"data": data, "metadata": metadata}})
}

fn kv1(data: &serde_json::Value) -> serde_json::Value {
    json!({"request_id": "r", "lease_id": "", "data": data})
}

async fn at(server: &MockServer) -> Arc<dyn Provider> {
    provider(&server.uri(), &Token::new("hvs.token"), json!({"path": "kv"})).await
}

async fn answering(status: u16, body: &str) -> MockServer {
    let server = MockServer::start().await;
    let response = ResponseTemplate::new(status).set_body_string(body);
    Mock::given(path("/v1/kv/data/a")).respond_with(response).mount(&server).await;
    server
}

#[tokio::test]
async fn a_read_is_one_request_with_the_headers_of_the_store() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/v1/team/kv/data/a%20b/50%25/c+d"))
        .and(query_param("version", "7"))
        .and(header("x-vault-token", "hvs.token"))
        .and(header("x-vault-request", "true"))
        .and(header("x-vault-namespace", "ns1/ns2"))
        .and(header("x-team", "shop"))
        .and(header("user-agent", concat!("secretsync/", env!("CARGO_PKG_VERSION"))))
        .respond_with(ResponseTemplate::new(200).set_body_json(kv2(&json!({"a": 1}))))
        .expect(1)
        .mount(&server)
        .await;
    let more = json!({"path": "/team/kv/", "namespace": "/ns1/ns2/", "headers": {"X-Team": "shop"}});
    let provider = provider(&server.uri(), &Token::new(" hvs.token\n"), more).await;
    let reference = RemoteRef::new("a b/50%/c+d").with_version("7");
    assert_eq!(content(read_ref(&*provider, &reference).await), json!({"a": 1}));
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_newest_version_is_asked_without_a_query_and_named_with_its_birth() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/kv/data/a"))
        .and(query_param_is_missing("version"))
        .respond_with(ResponseTemplate::new(200).set_body_json(kv2(&json!({}))))
        .mount(&server)
        .await;
    let found = store::secret(read(&*at(&server).await, "a").await);
    assert_eq!(found.version.unwrap().as_str(), "3@2026-01-02T03:04:05.6Z");
    assert!(found.expires_at.is_none() && found.lease.is_none());
}

#[tokio::test]
async fn a_node_that_lags_behind_cannot_bring_an_older_version_back() {
    let server = MockServer::start().await;
    let version = |number: u64, day: u64| {
        let metadata = json!({"version": number, "created_time": format!("2026-01-0{day}T00:00:00Z"), "deletion_time": "", "destroyed": false});
        ResponseTemplate::new(200).set_body_json(json!({"data": {"data": {"v": number}, "metadata": metadata}}))
    };
    for (number, day) in [(1, 1), (2, 2), (1, 1), (2, 2), (1, 3)] {
        Mock::given(path("/v1/kv/data/a")).respond_with(version(number, day)).up_to_n_times(1).mount(&server).await;
    }
    let provider = at(&server).await;
    for expected in [Some(1), Some(2), None, Some(2), Some(1)] {
        let answer = read(&*provider, "a").await;
        if let Some(number) = expected {
            assert_eq!(content(answer), json!({"v": number}), "the last one was written anew");
        } else {
            assert_eq!(answer.as_ref().unwrap_err().retry(), Retry::Backoff);
            failure(answer, ErrorKind::Unavailable, Code::ProviderUnavailable);
        }
    }
}

#[tokio::test]
async fn a_store_without_auth_sends_no_token() {
    let server = answering(200, &kv2(&json!({"a": 1})).to_string()).await;
    let config = json!({"server": server.uri(), "path": "kv"});
    let provider = store::build(&config, Token::new("never")).await;
    assert_eq!(content(read(&*provider, "a").await), json!({"a": 1}));
    let requests = server.received_requests().await.unwrap();
    assert!(requests.iter().all(|request| !request.headers.contains_key("x-vault-token")));
}

#[tokio::test]
async fn the_look_up_of_the_token_goes_to_the_namespace_of_the_identity() {
    let server = MockServer::start().await;
    Mock::given(path(LOOKUP))
        .and(header("x-vault-namespace", "people"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": {}})))
        .expect(1)
        .mount(&server)
        .await;
    let auth = json!({"namespace": "people", "tokenSecretRef": {"name": "token", "key": "token"}});
    let provider = provider(&server.uri(), &Token::new("t"), json!({"namespace": "secrets", "auth": auth})).await;
    provider.check().await.unwrap();
}

#[tokio::test]
async fn state_is_sent_along_only_where_the_store_asks_for_it() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/kv/data/a"))
        .respond_with(
            ResponseTemplate::new(200).insert_header("X-Vault-Index", "state1").set_body_json(kv2(&json!({}))),
        )
        .mount(&server)
        .await;
    for (more, index, forward) in [
        (json!({"path": "kv"}), false, false),
        (json!({"path": "kv", "readYourWrites": true}), true, false),
        (json!({"path": "kv", "forwardInconsistent": true}), true, false),
        (json!({"path": "kv", "forwardInconsistent": true, "readYourWrites": true}), true, true),
    ] {
        let provider = provider(&server.uri(), &Token::new("t"), more.clone()).await;
        read(&*provider, "a").await.unwrap();
        read(&*provider, "a").await.unwrap();
        let requests = server.received_requests().await.unwrap();
        let (first, second) = (&requests[requests.len() - 2].headers, &requests[requests.len() - 1].headers);
        assert!(!first.contains_key("x-vault-index"), "{more}");
        assert_eq!(second.contains_key("x-vault-index"), index, "{more}");
        assert_eq!(second.contains_key("x-vault-inconsistent"), forward, "{more}");
    }
}

#[tokio::test]
async fn every_status_becomes_the_right_failure_and_none_becomes_absence() {
    use ErrorKind::{InvalidConfig, PermissionDenied, RateLimited, Unauthenticated, Unavailable};
    for (status, lookup, kind, code) in [
        (400, 200, InvalidConfig, Code::StoreInvalid),
        (403, 200, PermissionDenied, Code::VaultPermissionDenied),
        (403, 403, Unauthenticated, Code::VaultTokenInvalid),
        (403, 503, Unavailable, Code::VaultSealed),
        (405, 200, InvalidConfig, Code::StoreInvalid),
        (412, 200, Unavailable, Code::ProviderUnavailable),
        (429, 200, RateLimited, Code::ProviderRateLimited),
        (472, 200, Unavailable, Code::ProviderUnavailable),
        (473, 200, Unavailable, Code::ProviderUnavailable),
        (500, 200, Unavailable, Code::ProviderUnavailable),
        (501, 200, Unavailable, Code::ProviderUnavailable),
        (502, 200, Unavailable, Code::ProviderUnavailable),
        (503, 200, Unavailable, Code::VaultSealed),
    ] {
        let server = answering(status, r#"{"errors":["hunter2"]}"#).await;
        let looked_up = ResponseTemplate::new(lookup).set_body_string(r#"{"errors":[],"data":{}}"#);
        Mock::given(path(LOOKUP)).respond_with(looked_up).mount(&server).await;
        Mock::given(path("/v1/sys/internal/ui/mounts/kv/a"))
            .respond_with(ResponseTemplate::new(403).set_body_string(r#"{"errors":["preflight"]}"#))
            .mount(&server)
            .await;
        let (text, advice) = failure(read(&*at(&server).await, "a").await, kind, code);
        assert!(!text.contains("hunter2") && !advice.contains("hunter2"), "the server's words stay out: {text}");
    }
}

#[tokio::test]
async fn the_pause_that_the_server_asks_for_is_passed_on() {
    for (status, header, expected) in [
        (429, Some("7"), Retry::After(Duration::from_secs(7))),
        (429, Some("99999999999"), Retry::After(Duration::from_hours(1))),
        (429, Some("soon"), Retry::Backoff),
        (429, Some("0"), Retry::Backoff),
        (429, None, Retry::Backoff),
        (503, Some("30"), Retry::After(Duration::from_secs(30))),
        (400, None, Retry::Never),
    ] {
        let server = MockServer::start().await;
        let response = ResponseTemplate::new(status).set_body_string(r#"{"errors":[]}"#);
        let response =
            header.into_iter().fold(response, |response, value| response.insert_header("retry-after", value));
        Mock::given(path("/v1/kv/data/a")).respond_with(response).mount(&server).await;
        let error = read(&*at(&server).await, "a").await.unwrap_err();
        assert_eq!(error.retry(), expected, "{status} {header:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_vaults_is_never_absence() {
    for status in [200, 204, 400, 401, 403, 404, 405, 503] {
        for body in ["<html>no such page</html>", "", "[]", "null", r#"{"message":"not found"}"#, r#"{"errors":"x"}"#] {
            if status == 200 && body.starts_with('{') {
                continue;
            }
            let server = answering(status, body).await;
            let (text, _) =
                failure(read(&*at(&server).await, "a").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
            assert!(!text.contains("html"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_missing_object_is_absent_only_where_the_mount_is_known() {
    let missing = r#"{"errors":[]}"#;
    for (status, mount, absent) in [
        (200, r#"{"data":{"path":"kv/","type":"kv","options":{"version":"2"}}}"#, true),
        (200, r#"{"data":{"path":"kv/","type":"kv","options":{"version":"1"}}}"#, false),
        (200, r#"{"data":{"path":"kv/","type":"pki","options":null}}"#, false),
        (200, "{}", false),
        (403, r#"{"errors":["preflight"]}"#, false),
        (404, r#"{"errors":[]}"#, false),
        (500, r#"{"errors":[]}"#, false),
        (200, "<html>", false),
    ] {
        let server = answering(404, missing).await;
        let response = ResponseTemplate::new(status).set_body_string(mount);
        Mock::given(path("/v1/sys/internal/ui/mounts/kv/a")).respond_with(response).mount(&server).await;
        let answer = read(&*at(&server).await, "a").await;
        assert_eq!(matches!(answer, Ok(Fetched::Absent(_))), absent, "{status} {mount}: {answer:?}");
        assert_eq!(answer.is_ok(), absent);
    }
}

#[tokio::test]
async fn a_version_that_is_gone_is_absent_whatever_its_status() {
    for metadata in [r#"{"deletion_time":"2026-01-01T00:00:00Z"}"#, r#"{"deletion_time":"","destroyed":true}"#] {
        for status in [200, 404] {
            let server = answering(status, &format!(r#"{{"data":{{"data":null,"metadata":{metadata}}}}}"#)).await;
            assert_absent(read(&*at(&server).await, "a").await);
        }
    }
}

#[tokio::test]
async fn a_strange_form_is_an_error_and_never_an_empty_secret() {
    let mount = r#"{"data":{"path":"kv/","type":"kv","options":{"version":"2"}}}"#;
    for body in [
        "{}",
        r#"{"data":null}"#,
        r#"{"data":[]}"#,
        r#"{"data":{"password":"hunter2"}}"#,
        r#"{"data":{"data":null,"metadata":{"version":1}}}"#,
        r#"{"data":{"data":"hunter2","metadata":{"version":1}}}"#,
        r#"{"data":{"data":{"a":"hunter2"}}}"#,
    ] {
        let server = answering(200, body).await;
        let response = ResponseTemplate::new(200).set_body_string(mount);
        Mock::given(path("/v1/sys/internal/ui/mounts/kv/a")).respond_with(response).mount(&server).await;
        let (text, _) = failure(read(&*at(&server).await, "a").await, ErrorKind::InvalidData, Code::DataInvalid);
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_leased_credential_where_kv_was_said_to_be_is_given_back_and_refused() {
    let server = MockServer::start().await;
    let mount = json!({"data": {"path": "database/", "type": "kv", "options": {"version": "1"}}});
    Mock::given(path("/v1/sys/internal/ui/mounts/database/creds/app"))
        .respond_with(ResponseTemplate::new(200).set_body_json(mount))
        .expect(2)
        .mount(&server)
        .await;
    let issued = json!({"lease_id": "database/creds/app/x\"y", "data": {"password": "hunter2"}});
    Mock::given(path("/v1/database/creds/app"))
        .respond_with(ResponseTemplate::new(200).set_body_json(issued))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path("/v1/sys/leases/revoke"))
        .and(header("x-vault-token", "t"))
        .and(body_json(json!({"lease_id": "database/creds/app/x\"y", "sync": true})))
        .respond_with(ResponseTemplate::new(204))
        .expect(2)
        .mount(&server)
        .await;
    let provider = provider(&server.uri(), &Token::new("t"), json!({"version": "v1"})).await;
    for _ in 0..2 {
        // What was said about the mount is not believed any more: it is asked again.
        failure(read(&*provider, "database/creds/app").await, ErrorKind::InvalidConfig, Code::StoreInvalid);
    }
}

#[tokio::test]
async fn what_cannot_be_told_is_read_as_if_it_issued_something_and_asked_about_once() {
    for (status, body) in [(403, r#"{"errors":["preflight capability check returned 403"]}"#), (404, "<html>")] {
        let server = MockServer::start().await;
        Mock::given(path("/v1/sys/internal/ui/mounts/engine/creds/a"))
            .respond_with(ResponseTemplate::new(status).set_body_string(body))
            .expect(1..=2)
            .mount(&server)
            .await;
        Mock::given(path(LOOKUP))
            .respond_with(ResponseTemplate::new(200).set_body_json(kv1(&json!({}))))
            .mount(&server)
            .await;
        Mock::given(path("/v1/engine/creds/a"))
            .respond_with(ResponseTemplate::new(200).set_body_json(kv1(&json!({"x": "y"}))))
            .mount(&server)
            .await;
        let provider = provider(&server.uri(), &Token::new("t"), json!({"version": "v1"})).await;
        for _ in 0..5 {
            let object = provider.address(&RemoteRef::new("engine/creds/a")).unwrap();
            assert_eq!(provider.reading(&object).await.unwrap(), Read::Issuing, "{status}");
            assert_eq!(content(read(&*provider, "engine/creds/a").await), json!({"x": "y"}));
        }
    }
}

#[tokio::test]
async fn an_outage_is_no_reason_to_believe_that_something_is_issued() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/sys/internal/ui/mounts/kv1/a"))
        .respond_with(ResponseTemplate::new(503).set_body_string(r#"{"errors":["Vault is sealed"]}"#))
        .mount(&server)
        .await;
    let provider = provider(&server.uri(), &Token::new("t"), json!({"version": "v1"})).await;
    let object = provider.address(&RemoteRef::new("kv1/a")).unwrap();
    let error = provider.reading(&object).await.unwrap_err();
    assert_eq!((error.retry(), error.hint().unwrap().code()), (Retry::Backoff, Code::VaultSealed));
}

#[tokio::test]
async fn only_a_request_that_was_turned_away_may_be_sent_again() {
    for (status, body, retry) in [
        (500, r#"{"errors":["x"]}"#, Retry::Never),
        (504, "<html>", Retry::Never),
        (200, "<html>", Retry::Never),
        (200, r#"{"data":null}"#, Retry::Never),
        (503, r#"{"errors":["Vault is sealed"]}"#, Retry::Backoff),
        (429, r#"{"errors":["quota"]}"#, Retry::Backoff),
        (412, r#"{"errors":["x"]}"#, Retry::Backoff),
    ] {
        let server = MockServer::start().await;
        Mock::given(path("/v1/db/creds/a"))
            .respond_with(ResponseTemplate::new(status).set_body_string(body))
            .expect(1)
            .mount(&server)
            .await;
        let provider = provider(&server.uri(), &Token::new("t"), json!({"version": "v1"})).await;
        assert_eq!(read(&*provider, "db/creds/a").await.unwrap_err().retry(), retry, "{status} {body}");
    }
}

#[tokio::test]
async fn a_thousand_refusals_cost_one_look_at_the_token() {
    let server = MockServer::start().await;
    Mock::given(path(LOOKUP))
        .respond_with(ResponseTemplate::new(403).set_body_string(r#"{"errors":[]}"#))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(header_exists("x-vault-token"))
        .respond_with(ResponseTemplate::new(403).set_body_string(r#"{"errors":[]}"#))
        .mount(&server)
        .await;
    let token = Token::new("dead");
    let provider = provider(&server.uri(), &token, json!({"path": "kv"})).await;
    let objects: Vec<_> = (0..1000).map(|n| provider.address(&RemoteRef::new(format!("{n}"))).unwrap()).collect();
    for answer in provider.fetch(&objects, &FetchOptions::default()).await {
        failure(answer, ErrorKind::Unauthenticated, Code::VaultTokenInvalid);
    }
    assert_eq!(token.asked(), 2, "the Secret was read again once");
}

#[tokio::test]
async fn a_dead_token_is_replaced_once_by_the_freshly_resolved_one() {
    let server = MockServer::start().await;
    let refused = || ResponseTemplate::new(403).set_body_string(r#"{"errors":[]}"#);
    Mock::given(header("x-vault-token", "old")).respond_with(refused()).mount(&server).await;
    Mock::given(header("x-vault-token", "new"))
        .and(path("/v1/kv/data/a"))
        .respond_with(ResponseTemplate::new(200).set_body_json(kv2(&json!({"a": 1}))))
        .mount(&server)
        .await;
    let token = Token::new("old");
    let provider = provider(&server.uri(), &token, json!({"path": "kv"})).await;
    failure(read(&*provider, "a").await, ErrorKind::Unauthenticated, Code::VaultTokenInvalid);
    token.rotate("new");
    // A verdict on a token stands for some seconds.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(10)).await;
    tokio::time::resume();
    assert_eq!(content(read(&*provider, "a").await), json!({"a": 1}));
    let asked = token.asked();
    assert_eq!(content(read(&*provider, "a").await), json!({"a": 1}));
    assert_eq!(token.asked(), asked, "a living token is not resolved again");
    provider.close().await;
    assert!(
        server.received_requests().await.unwrap().iter().all(|request| request.method.as_str() == "GET"),
        "revoked"
    );
}

#[tokio::test]
async fn redirects_stay_on_the_server_that_was_asked() {
    let (server, other) = (MockServer::start().await, MockServer::start().await);
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_json(kv2(&json!({}))))
        .mount(&other)
        .await;
    let to = |status: u16, target: String| ResponseTemplate::new(status).insert_header("location", target);
    let mock = |from: &str, response| Mock::given(path(format!("/v1/kv/data/{from}"))).respond_with(response);
    mock("here", to(307, "/v1/kv/data/there".to_owned())).mount(&server).await;
    mock("there", ResponseTemplate::new(200).set_body_json(kv2(&json!({"found": true})))).mount(&server).await;
    mock("away", to(307, format!("{}/v1/kv/data/away", other.uri()))).mount(&server).await;
    mock("moved", to(301, "/v1/kv/data/there".to_owned())).mount(&server).await;
    mock("loop", to(307, "/v1/kv/data/loop".to_owned())).mount(&server).await;
    let provider = at(&server).await;
    assert_eq!(content(read(&*provider, "here").await), json!({"found": true}));
    for refused in ["away", "moved", "loop"] {
        let error = read(&*provider, refused).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Never), "{refused}: {error:?}");
    }
    assert!(other.received_requests().await.unwrap().is_empty(), "the token reached another server");
    let followed = server.received_requests().await.unwrap();
    let there = followed.iter().find(|request| request.url.path() == "/v1/kv/data/there").unwrap();
    assert_eq!(there.headers["x-vault-token"], "hvs.token");
}

/// A server that answers each connection with these bytes and closes it.
async fn raw(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _length = stream.read(&mut request).await;
            let _written = stream.write_all(&answer).await;
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn an_answer_that_ends_in_the_middle_is_no_answer() {
    let body = kv2(&json!({"password": "hunter2"})).to_string();
    let whole = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let chunked = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n", body.len());
    let gone = "HTTP/1.1 404 Not Found\r\ncontent-length: 400\r\n\r\n{\"errors\":[]}".to_owned();
    for cut in [whole[..whole.len() - 1].to_owned(), whole[..20].to_owned(), chunked, gone, String::new()] {
        let server = raw(cut.clone().into_bytes()).await;
        let provider = provider(&server, &Token::new("t"), json!({"path": "kv"})).await;
        let (text, _) = failure(read(&*provider, "a").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
        assert!(text.ends_with("the connection ended before the answer was complete"), "{text}");
    }
}

#[tokio::test]
async fn a_huge_answer_is_given_up_whether_announced_or_not() {
    let announced = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 33 * 1024 * 1024).into_bytes();
    let mut endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"data\":\"".to_vec();
    endless.resize(endless.len() + 33 * 1024 * 1024, b'a');
    for answer in [announced, endless] {
        let provider = provider(&raw(answer).await, &Token::new("t"), json!({"path": "kv"})).await;
        let (text, _) = failure(read(&*provider, "a").await, ErrorKind::InvalidData, Code::DataInvalid);
        assert!(text.ends_with("the answer is bigger than 32 MiB"), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_left_at_the_bound_of_the_caller() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let provider = provider(&server, &Token::new("t"), json!({"path": "kv"})).await;
    let mut options = FetchOptions::default();
    options.timeout = Some(Duration::from_millis(50));
    let object = provider.address(&RemoteRef::new("a")).unwrap();
    let answer = provider.fetch(&[object], &options).await.remove(0);
    let (text, _) = failure(answer, ErrorKind::Unavailable, Code::ProviderUnavailable);
    assert!(text.ends_with("no answer came in time"), "{text}");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_said_to_be_the_problem() {
    let provider = provider("https://vault.invalid:8200", &Token::new("t"), json!({"path": "kv"})).await;
    let (text, advice) = failure(read(&*provider, "a").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
    assert!(text.contains("the server's name could not be resolved"), "{text}");
    assert!(advice.contains("host name"), "{advice}");
}

#[tokio::test]
async fn a_missing_or_unusable_credential_is_named_and_nothing_is_sent() {
    let server = MockServer::start().await;
    let auth = |name: &str| json!({"auth": {"tokenSecretRef": {"name": name, "key": "k"}}});
    let missing = provider(&server.uri(), &Token::new("t"), auth("other")).await;
    let error = read(&*missing, "kv/a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(format!("{error:?}").contains("key `k` of Secret `other`"), "{error:?}");
    let odd = provider(&server.uri(), &Token::new("hunter2\u{7}x"), auth("token")).await;
    let (text, _) = failure(read(&*odd, "kv/a").await, ErrorKind::InvalidConfig, Code::VaultTokenInvalid);
    assert!(text.contains("contains non-printable characters") && !text.contains("hunter2"), "{text}");
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn one_failure_does_not_spoil_its_neighbours() {
    let server = MockServer::start().await;
    for n in [0, 2] {
        let response = ResponseTemplate::new(200)
            .set_body_json(kv2(&json!({ "n": n })))
            .set_delay(Duration::from_millis(20 - n * 10));
        Mock::given(path(format!("/v1/kv/data/{n}"))).respond_with(response).mount(&server).await;
    }
    Mock::given(path("/v1/kv/data/1")).respond_with(ResponseTemplate::new(500)).mount(&server).await;
    let provider = at(&server).await;
    let objects: Vec<_> = (0..3).map(|n| provider.address(&RemoteRef::new(format!("{n}"))).unwrap()).collect();
    let answers = provider.fetch(&objects, &FetchOptions::default()).await;
    let [first, second, third] = answers.try_into().unwrap();
    assert_eq!(content(first), json!({"n": 0}));
    assert_eq!(second.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(content(third), json!({"n": 2}));
}

#[tokio::test]
async fn names_that_no_key_can_mean_are_left_out_of_a_list() {
    let server = MockServer::start().await;
    let keys = json!(["good", "/", "", "..", "../", ".", "a\nb", "folder/", "a/b"]);
    Mock::given(path("/v1/kv/metadata"))
        .and(query_param("list", "true"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": {"keys": keys}})))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path("/v1/kv/metadata/folder"))
        .and(query_param("list", "true"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": {"keys": ["50%", "a b"]}})))
        .expect(1)
        .mount(&server)
        .await;
    let found = at(&server).await.find(&Query::default()).await.unwrap();
    let names: Vec<_> = found.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["folder/50%", "folder/a b", "good"]);
}

#[tokio::test]
async fn a_limited_search_asks_only_about_what_may_be_read() {
    let server = MockServer::start().await;
    for (folder, keys) in [("", json!(["bank/", "shop/", "motd"])), ("/shop", json!(["db", "mail"]))] {
        Mock::given(path(format!("/v1/kv/metadata{folder}")))
            .and(query_param("list", "true"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": {"keys": keys}})))
            .expect(1)
            .mount(&server)
            .await;
    }
    for (name, times) in [("shop/db", 1), ("shop/mail", 0), ("motd", 0)] {
        let custom = json!({"data": {"custom_metadata": {"app": "web"}}});
        Mock::given(path(format!("/v1/kv/metadata/{name}")))
            .respond_with(ResponseTemplate::new(200).set_body_json(custom))
            .expect(times)
            .mount(&server)
            .await;
    }
    let templates = vec![KeyTemplate::parse("kv/{namespace}/db").unwrap()];
    let mut query = Query::default();
    query.access = KeyAccess::only("ClusterSecretStore main", "shop", templates);
    query.tags.insert("app".to_owned(), "web".to_owned());
    let provider = at(&server).await;
    let found = provider.find(&query).await.unwrap();
    assert_eq!(found.iter().map(|one| one.object.to_string()).collect::<Vec<_>>(), ["kv/shop/db"]);

    query.path = Some("/bank//".to_owned());
    let error = provider.find(&query).await.unwrap_err();
    assert_eq!((error.kind(), error.hint().unwrap().code()), (ErrorKind::PermissionDenied, Code::AccessDenied));
    assert!(error.to_string().starts_with("failed to search `kv/bank`: "), "{error}");
}

#[tokio::test]
async fn version_1_reads_the_path_of_the_key() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/a/data/b"))
        .respond_with(ResponseTemplate::new(200).set_body_json(kv1(&json!({"x": "y"}))))
        .mount(&server)
        .await;
    let provider = provider(&server.uri(), &Token::new("t"), json!({"version": "v1"})).await;
    assert_eq!(content(read(&*provider, "/a/data//b/").await), json!({"x": "y"}));
    assert!(!provider.info().versions);
}
