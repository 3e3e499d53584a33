//! What can be wrong between us and an endpoint's certificate, told apart.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use secretsync_core::error::{Code, ErrorKind, Retry};
use secretsync_core::provider::Provider;
use secretsync_provider_aws::AwsFactory;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use wiremock::MockServer;
use xtask::rig::tls::{Authority, serve};

use crate::support::{Cluster, build, config, context, environment, failure, provider, read, text};

const REGION: &str = "eu-central-1";
const SECRET: &str =
    r#"{"ARN":"arn:aws:secretsmanager:eu-central-1:1:secret:a-AbCdEf","Name":"a","VersionId":"v","SecretString":"x"}"#;

/// A store at an endpoint, with authorities of its own.
async fn trusting(endpoint: &str, bundle: &Path) -> Arc<dyn Provider> {
    trusting_by(endpoint, bundle, &[]).await
}

/// The same, with more variables.
async fn trusting_by(endpoint: &str, bundle: &Path, more: &[(&str, &str)]) -> Arc<dyn Provider> {
    let variables = [("AWS_ENDPOINT_URL", endpoint), ("AWS_CA_BUNDLE", bundle.to_str().unwrap())];
    let factory = AwsFactory::with_endpoints_from(&environment(&[&variables, more].concat()));
    let config = config("SecretsManager", REGION, &json!({}));
    build(&factory, &config, context(Arc::new(Cluster::new()))).await.unwrap()
}

#[tokio::test]
async fn the_reasons_to_refuse_a_certificate_are_told_apart() {
    let (known, unknown) = (Authority::new().unwrap(), Authority::new().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("ca.pem");
    std::fs::write(&bundle, known.pem()).unwrap();
    for (signed, says, advises) in [
        (unknown.sign("localhost", 2100), "comes from an unknown authority", "AWS_CA_BUNDLE"),
        (known.sign("aws.example.com", 2100), "is for another name", "the name"),
        (known.sign("localhost", 2020), "has expired", "renew"),
    ] {
        let port = serve(&signed.unwrap(), None, SECRET).unwrap().port();
        let answer = read(&*trusting(&format!("https://localhost:{port}"), &bundle).await, "a").await;
        assert_eq!(answer.as_ref().unwrap_err().retry(), Retry::Never);
        let (told, advice) = failure(answer, ErrorKind::Unavailable, Code::ProviderUnavailable);
        assert!(told.contains(says) && advice.contains(advises), "{told}: {advice}");
    }
    let port = serve(&known.sign("localhost", 2100).unwrap(), None, SECRET).unwrap().port();
    let endpoint = format!("https://localhost:{port}");
    assert_eq!(text(&read(&*trusting(&endpoint, &bundle).await, "a").await), "x");
    let of_the_system = provider(&endpoint, "SecretsManager", REGION).await;
    let (told, _) = failure(read(&*of_the_system, "a").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
    assert!(told.contains("comes from an unknown authority"), "{told}");
}

#[tokio::test]
async fn a_bundle_that_cannot_be_used_is_told_to_whoever_connects() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("ca.pem");
    for (content, says) in [
        (None, "cannot be read"),
        (Some("hunter2"), "holds no PEM certificate"),
        (Some("-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n"), "cannot be used"),
    ] {
        if let Some(content) = content {
            std::fs::write(&bundle, content).unwrap();
        }
        let answer = read(&*trusting("https://localhost:1", &bundle).await, "a").await;
        let (told, _) = failure(answer, ErrorKind::InvalidConfig, Code::StoreInvalid);
        assert!(told.contains("AWS_CA_BUNDLE") && told.contains(says) && !told.contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn an_endpoint_without_tls_is_recognised() {
    let server = MockServer::start().await;
    let provider = provider(&server.uri().replace("http://", "https://"), "SecretsManager", REGION).await;
    let (told, advice) = failure(read(&*provider, "a").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
    assert!(told.contains("the server does not speak TLS") && advice.contains("scheme"), "{told}: {advice}");
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_told_as_such() {
    let provider = provider("https://nobody.invalid", "SecretsManager", REGION).await;
    let (told, advice) = failure(read(&*provider, "a").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
    assert!(told.contains("could not be resolved") && advice.contains("name service"), "{told}: {advice}");
}

/// A proxy that leads to one server whatever it is asked for, and writes down what that was.
async fn proxy(server: SocketAddr) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (listener.local_addr().unwrap().to_string(), Arc::<Mutex<Vec<String>>>::default());
    let told = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await.unwrap());
            }
            told.lock().unwrap().push(String::from_utf8(head).unwrap().lines().next().unwrap().to_owned());
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut server = TcpStream::connect(server).await.unwrap();
            copy_bidirectional(&mut client, &mut server).await.ok();
        }
    });
    (address, asked)
}

#[tokio::test]
async fn the_proxy_of_the_environment_leads_to_aws() {
    let authority = Authority::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("ca.pem");
    std::fs::write(&bundle, authority.pem()).unwrap();
    let server = serve(&authority.sign("aws.test", 2100).unwrap(), None, SECRET).unwrap();
    let (address, asked) = proxy(server).await;
    for url in [address.clone(), format!("http://{address}")] {
        let provider = trusting_by("https://aws.test", &bundle, &[("HTTPS_PROXY", &url)]).await;
        assert_eq!(text(&read(&*provider, "a").await), "x");
    }
    assert_eq!(*asked.lock().unwrap(), ["CONNECT aws.test:443 HTTP/1.1"; 2]);
    let direct = [("https_proxy", address.as_str()), ("NO_PROXY", "other,.test")];
    let provider = trusting_by("https://aws.test", &bundle, &direct).await;
    failure(read(&*provider, "a").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
    let provider = trusting_by("https://aws.test", &bundle, &[("HTTPS_PROXY", "gopher://x")]).await;
    failure(read(&*provider, "a").await, ErrorKind::InvalidConfig, Code::StoreInvalid);
    assert_eq!(asked.lock().unwrap().len(), 2);
}
