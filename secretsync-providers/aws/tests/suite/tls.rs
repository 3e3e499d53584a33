//! What can be wrong between us and an endpoint's certificate, told apart.

use std::path::Path;
use std::sync::Arc;

use secretsync_core::error::{Code, ErrorKind, Retry};
use secretsync_core::provider::Provider;
use secretsync_provider_aws::AwsFactory;
use serde_json::json;
use wiremock::MockServer;
use xtask::rig::tls::{Authority, serve};

use crate::support::{Cluster, build, config, context, environment, failure, provider, read, text};

const REGION: &str = "eu-central-1";
const SECRET: &str =
    r#"{"ARN":"arn:aws:secretsmanager:eu-central-1:1:secret:a-AbCdEf","Name":"a","VersionId":"v","SecretString":"x"}"#;

/// A store at an endpoint, with authorities of its own.
async fn trusting(endpoint: &str, bundle: &Path) -> Arc<dyn Provider> {
    let variables = [("AWS_ENDPOINT_URL", endpoint), ("AWS_CA_BUNDLE", bundle.to_str().unwrap())];
    let factory = AwsFactory::with_endpoints_from(&environment(&variables));
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
