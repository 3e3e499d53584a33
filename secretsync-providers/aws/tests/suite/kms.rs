//! KMS as a key service, on moto.

use std::sync::Arc;

use secretsync_core::error::{Code, ErrorKind};
use secretsync_core::provider::{KeyKind, KeyService, KeyServiceFactory as _, RawConfig, StoreOrigin, WrappedKey};
use secretsync_provider_aws::KmsFactory;
use serde_json::{Value, json};
use wiremock::matchers::header;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{Cluster, MOTO, context, factory};

const REGION: &str = "eu-west-1";

async fn service(more: &Value) -> secretsync_core::Result<Arc<dyn KeyService>> {
    service_at(MOTO.address(), more).await
}

async fn service_at(server: &str, more: &Value) -> secretsync_core::Result<Arc<dyn KeyService>> {
    let selector = |key: &str| json!({"name": "aws", "key": key});
    let mut config = json!({
        "region": REGION,
        "auth": {"secretRef": {"accessKeyIDSecretRef": selector("id"), "secretAccessKeySecretRef": selector("secret")}},
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let factory = KmsFactory::beside(&factory(server));
    factory.build(&RawConfig::from_json(config.to_string()), context(Arc::new(Cluster::new()))).await
}

fn wrapped(context: &Value) -> (WrappedKey, String) {
    let key = MOTO.call(REGION, "TrentService.CreateKey", &json!({})).unwrap();
    let arn = key["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    // 32 bytes of `a`.
    let body = json!({"KeyId": arn, "Plaintext": "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=", "EncryptionContext": context});
    let encrypted = MOTO.call(REGION, "TrentService.Encrypt", &body).unwrap();
    let key =
        WrappedKey::new(KeyKind::AwsKms, encrypted["CiphertextBlob"].as_str().unwrap()).with_attribute("arn", &arn);
    (key, arn)
}

#[tokio::test]
async fn a_data_key_is_unwrapped_with_its_context() {
    let (key, arn) = wrapped(&json!({"app": "shop"}));
    let service = service(&json!({"keys": [arn]})).await.unwrap();
    let right = key.clone().with_context([("app".to_owned(), "shop".to_owned())].into());
    assert_eq!(service.serves(&right), Ok(()));
    assert_eq!(service.unwrap(&right).await.unwrap().expose(), [b'a'; 32]);
    let error = service.unwrap(&key).await.unwrap_err();
    assert_eq!(error.hint().unwrap().code(), Code::AwsKmsDenied, "{error:?}");
}

#[tokio::test]
async fn a_document_never_decides_whom_we_ask() {
    let (key, arn) = wrapped(&json!({}));
    let open = service(&json!({})).await.unwrap();
    assert_eq!(open.serves(&key), Ok(()));
    // Its roles and profiles are not even looked at.
    let strange = key.clone().with_attribute("role", "arn:aws:iam::666:role/x").with_attribute("aws_profile", "evil");
    assert_eq!(open.unwrap(&strange).await.unwrap().expose(), [b'a'; 32]);
    let bound = service(&json!({"keys": ["arn:aws:kms:eu-west-1:1:key/other"]})).await.unwrap();
    assert!(bound.serves(&key).unwrap_err().contains("not among"));
    bound.unwrap(&key).await.unwrap_err();
    let account = service(&json!({"role": "arn:aws:iam::999999999999:role/sops"})).await.unwrap();
    assert!(account.serves(&key).unwrap_err().contains("another account"));
    let elsewhere = key.clone().with_attribute("arn", arn.replace(REGION, "us-east-1"));
    assert!(open.serves(&elsewhere).unwrap_err().contains("another region"));
    assert!(open.serves(&key.clone().with_attribute("arn", "http://evil.example")).is_err());
}

#[test]
fn session_tags_of_a_cluster_store_depend_on_the_namespace_for_keys_too() {
    let factory = KmsFactory::beside(&factory(MOTO.address()));
    let depends = |policy: &str| {
        let config = json!({"region": REGION, "role": "arn:aws:iam::1:role/sops", "sessionTagsPolicy": policy});
        factory.depends_on_consumer(&RawConfig::from_json(config.to_string()), &StoreOrigin::cluster("docs")).unwrap()
    };
    assert!(depends("Simple") && !depends("None"));
}

#[tokio::test]
async fn keys_of_another_region_are_refused_when_the_service_is_built() {
    let error = service(&json!({"keys": ["arn:aws:kms:us-east-1:1:key/x"]})).await.unwrap_err();
    assert_eq!(error.hint().unwrap().code(), Code::StoreInvalid);
}

#[tokio::test]
async fn a_key_that_is_disabled_is_told_with_what_to_check() {
    let (key, _) = wrapped(&json!({}));
    for code in ["DisabledException", "KMSInvalidStateException"] {
        let server = MockServer::start().await;
        let answer =
            ResponseTemplate::new(400).set_body_raw(json!({"__type": code}).to_string(), "application/x-amz-json-1.1");
        Mock::given(header("x-amz-target", "TrentService.Decrypt")).respond_with(answer).expect(1).mount(&server).await;
        let error = service_at(&server.uri(), &json!({})).await.unwrap().unwrap(&key).await.unwrap_err();
        let hint = error.hint().unwrap();
        assert_eq!((error.kind(), hint.code()), (ErrorKind::InvalidData, Code::AwsKmsDenied), "{error:?}");
        assert!(hint.advice().contains("it is disabled"), "{error:?}");
    }
}
