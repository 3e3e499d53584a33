//! What can be wrong between us and the server's certificate, told apart.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use secretsync_core::error::{Code, Error, ErrorKind, Result, Retry};
use secretsync_core::provider::{CredentialRef, CredentialSource};
use secretsync_core::secret::SecretValue;
use serde_json::json;
use xtask::rig::tls::{self, Authority, Signed};

#[path = "support/store.rs"]
mod store;

use store::{build, content, failure, read};

/// A server that answers every request with one KV version 1 object; `clients` sign who may connect.
fn serve(signed: &Signed, clients: Option<&Authority>) -> SocketAddr {
    tls::serve(signed, clients, r#"{"data":{"a":"b"}}"#).unwrap()
}

/// Objects by name, for `caProvider` and `tls`.
#[derive(Debug)]
struct Objects(Mutex<Vec<(&'static str, String)>>);

#[async_trait]
impl CredentialSource for Objects {
    async fn resolve(&self, reference: &CredentialRef) -> Result<SecretValue> {
        let objects = self.0.lock().unwrap();
        let found = objects.iter().rfind(|(name, _)| *name == reference.to_string());
        found
            .map(|(_, text)| SecretValue::from(text.as_str()))
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "resolve").on(reference))
    }
}

fn objects(objects: Vec<(&'static str, String)>) -> Arc<Objects> {
    Arc::new(Objects(Mutex::new(objects)))
}

#[tokio::test]
async fn the_reasons_to_refuse_a_certificate_are_told_apart() {
    let (known, unknown) = (Authority::new().unwrap(), Authority::new().unwrap());
    for (signed, says, advises) in [
        (unknown.sign("localhost", 2100).unwrap(), "comes from an unknown authority", "caBundle"),
        (known.sign("vault.example.com", 2100).unwrap(), "is for another name", "the name"),
        (known.sign("localhost", 2020).unwrap(), "has expired", "renew"),
    ] {
        let port = serve(&signed, None).port();
        let config = json!({"server": format!("https://localhost:{port}"), "version": "v1", "caBundle": known.pem()});
        let answer = read(&*build(&config, objects(vec![])).await, "a").await;
        assert_eq!(answer.as_ref().unwrap_err().retry(), Retry::Never);
        let (text, advice) = failure(answer, ErrorKind::Unavailable, Code::ProviderUnavailable);
        assert!(text.contains(says), "{text}");
        assert!(advice.contains(advises), "{advice}");
    }
}

#[tokio::test]
async fn the_authority_of_the_store_replaces_those_of_the_system() {
    let authority = Authority::new().unwrap();
    let port = serve(&authority.sign("localhost", 2100).unwrap(), None).port();
    let server = format!("https://localhost:{port}");
    let trusting = json!({"server": server, "version": "v1", "caBundle": authority.pem()});
    assert_eq!(content(read(&*build(&trusting, objects(vec![])).await, "a").await), json!({"a": "b"}));
    let system = json!({"server": server, "version": "v1"});
    failure(
        read(&*build(&system, objects(vec![])).await, "a").await,
        ErrorKind::Unavailable,
        Code::ProviderUnavailable,
    );
}

#[tokio::test]
async fn a_rotated_authority_is_found_without_a_new_provider() {
    const NAME: &str = "key `ca.crt` of ConfigMap `ca`";
    let (old, new) = (Authority::new().unwrap(), Authority::new().unwrap());
    let port = serve(&new.sign("localhost", 2100).unwrap(), None).port();
    let ca = json!({"type": "ConfigMap", "name": "ca", "key": "ca.crt"});
    let config = json!({"server": format!("https://localhost:{port}"), "version": "v1", "caProvider": ca});
    let objects = objects(vec![(NAME, old.pem().to_owned())]);
    let provider = build(&config, Arc::clone(&objects) as Arc<dyn CredentialSource>).await;
    failure(read(&*provider, "a").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
    objects.0.lock().unwrap().push((NAME, new.pem().to_owned()));
    assert_eq!(content(read(&*provider, "a").await), json!({"a": "b"}));
    objects.0.lock().unwrap().push((NAME, "hunter2".to_owned()));
    provider.close().await;
    let (text, _) = failure(read(&*provider, "a").await, ErrorKind::InvalidConfig, Code::StoreInvalid);
    assert!(text.contains("the certificates of the authority cannot be used") && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_client_certificate_is_offered_where_the_store_has_one() {
    let authority = Authority::new().unwrap();
    let port = serve(&authority.sign("localhost", 2100).unwrap(), Some(&authority)).port();
    let client = authority.sign("client", 2100).unwrap();
    let objects = objects(vec![
        ("key `tls.crt` of Secret `client`", client.certificate),
        ("key `tls.key` of Secret `client`", client.key),
    ]);
    let server = format!("https://localhost:{port}");
    let tls = json!({"certSecretRef": {"name": "client"}, "keySecretRef": {"name": "client"}});
    let with = json!({"server": server, "version": "v1", "caBundle": authority.pem(), "tls": tls});
    let source = Arc::clone(&objects) as Arc<dyn CredentialSource>;
    assert_eq!(content(read(&*build(&with, source).await, "a").await), json!({"a": "b"}));
    let without = json!({"server": server, "version": "v1", "caBundle": authority.pem()});
    let (text, _) =
        failure(read(&*build(&without, objects).await, "a").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
    assert!(text.contains("no secure connection could be made"), "{text}");
}

#[tokio::test]
async fn a_server_without_tls_is_recognised() {
    let server = wiremock::MockServer::start().await;
    let config = json!({"server": server.uri().replace("http://", "https://"), "version": "v1"});
    let (text, advice) = failure(
        read(&*build(&config, objects(vec![])).await, "a").await,
        ErrorKind::Unavailable,
        Code::ProviderUnavailable,
    );
    assert!(text.contains("the server does not speak TLS"), "{text}");
    assert!(advice.contains("scheme"), "{advice}");
}
