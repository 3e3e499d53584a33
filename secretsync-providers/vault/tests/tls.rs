//! What can be wrong between us and the server's certificate, told apart.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use secretsync_core::error::{Code, Error, ErrorKind, Result, Retry};
use secretsync_core::provider::{CredentialRef, CredentialSource};
use secretsync_core::secret::SecretValue;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[path = "support/store.rs"]
mod store;

use store::{build, content, failure, read};

/// An authority and what it signs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, as PEM.
struct Signed {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = named("authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn sign(&self, name: &str, until: i32) -> Signed {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name = named(name);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Signed { certificate, key: key.serialize_pem() }
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// A server that answers every request with one KV version 1 object; `clients` sign who may connect.
async fn serve(signed: &Signed, clients: Option<&Authority>) -> SocketAddr {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let certificate = CertificateDer::from_pem_slice(signed.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder();
    let config = match clients {
        None => config.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
            config.with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap())
        }
    };
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate], key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _length = stream.read(&mut request).await;
            let body = r#"{"data":{"a":"b"}}"#;
            let answer =
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _written = stream.write_all(answer.as_bytes()).await;
            let _ended = stream.shutdown().await;
        }
    });
    address
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
    let (known, unknown) = (Authority::new(), Authority::new());
    for (signed, says, advises) in [
        (unknown.sign("localhost", 2100), "comes from an unknown authority", "caBundle"),
        (known.sign("vault.example.com", 2100), "is for another name", "the name"),
        (known.sign("localhost", 2020), "has expired", "renew"),
    ] {
        let port = serve(&signed, None).await.port();
        let config = json!({"server": format!("https://localhost:{port}"), "version": "v1", "caBundle": known.pem});
        let answer = read(&*build(&config, objects(vec![])).await, "a").await;
        assert_eq!(answer.as_ref().unwrap_err().retry(), Retry::Never);
        let (text, advice) = failure(answer, ErrorKind::Unavailable, Code::ProviderUnavailable);
        assert!(text.contains(says), "{text}");
        assert!(advice.contains(advises), "{advice}");
    }
}

#[tokio::test]
async fn the_authority_of_the_store_replaces_those_of_the_system() {
    let authority = Authority::new();
    let port = serve(&authority.sign("localhost", 2100), None).await.port();
    let server = format!("https://localhost:{port}");
    let trusting = json!({"server": server, "version": "v1", "caBundle": authority.pem});
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
    let (old, new) = (Authority::new(), Authority::new());
    let port = serve(&new.sign("localhost", 2100), None).await.port();
    let ca = json!({"type": "ConfigMap", "name": "ca", "key": "ca.crt"});
    let config = json!({"server": format!("https://localhost:{port}"), "version": "v1", "caProvider": ca});
    let objects = objects(vec![(NAME, old.pem)]);
    let provider = build(&config, Arc::clone(&objects) as Arc<dyn CredentialSource>).await;
    failure(read(&*provider, "a").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
    objects.0.lock().unwrap().push((NAME, new.pem));
    assert_eq!(content(read(&*provider, "a").await), json!({"a": "b"}));
    objects.0.lock().unwrap().push((NAME, "hunter2".to_owned()));
    provider.close().await;
    let (text, _) = failure(read(&*provider, "a").await, ErrorKind::InvalidConfig, Code::StoreInvalid);
    assert!(text.contains("the certificates of the authority cannot be used") && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_client_certificate_is_offered_where_the_store_has_one() {
    let authority = Authority::new();
    let port = serve(&authority.sign("localhost", 2100), Some(&authority)).await.port();
    let client = authority.sign("client", 2100);
    let objects = objects(vec![
        ("key `tls.crt` of Secret `client`", client.certificate),
        ("key `tls.key` of Secret `client`", client.key),
    ]);
    let server = format!("https://localhost:{port}");
    let tls = json!({"certSecretRef": {"name": "client"}, "keySecretRef": {"name": "client"}});
    let with = json!({"server": server, "version": "v1", "caBundle": authority.pem, "tls": tls});
    let source = Arc::clone(&objects) as Arc<dyn CredentialSource>;
    assert_eq!(content(read(&*build(&with, source).await, "a").await), json!({"a": "b"}));
    let without = json!({"server": server, "version": "v1", "caBundle": authority.pem});
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
