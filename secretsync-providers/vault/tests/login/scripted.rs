//! Methods that the OpenBao binary does not have, against scripted answers.

use std::ffi::OsString;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secretsync_core::error::{Code, ErrorKind};
use secretsync_core::provider::{
    Ambient, BuildContext, CredentialSource, Provider, ProviderFactory as _, RawConfig, StoreOrigin,
};
use secretsync_provider_vault::VaultFactory;
use serde_json::{Value, json};
use wiremock::matchers::{body_json, body_string_contains, header, header_exists, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::documented;
use crate::store::{Secrets, build, content, failure, read};

fn granted() -> ResponseTemplate {
    let auth = json!({"client_token": "s.granted", "lease_duration": 3600, "renewable": true, "token_type": "service"});
    ResponseTemplate::new(200).set_body_json(json!({ "auth": auth }))
}

/// A server with the object `kv1/app` for the token that logins give.
async fn vault() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/v1/kv1/app"))
        .and(header("x-vault-token", "s.granted"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": {"a": "b"}})))
        .mount(&server)
        .await;
    server
}

fn store(server: &MockServer, auth: &Value) -> Value {
    json!({"server": server.uri(), "path": "kv1", "version": "v1", "auth": auth})
}

#[tokio::test]
async fn the_manifests_of_the_page_log_in() {
    let secrets = Secrets::new(&[("vault-user/password", "pw"), ("aws/id", "AKID"), ("aws/secret", "hunter2")]);
    for (name, login) in [("with-ldap", "/v1/auth/ldap/login/shop"), ("with-aws", "/v1/auth/aws/login")] {
        let server = vault().await;
        Mock::given(method("POST")).and(path(login)).respond_with(granted()).expect(1).mount(&server).await;
        let mut config = documented::store(name, &server.uri(), "kv1");
        config["version"] = json!("v1");
        let provider = build(&config, Arc::clone(&secrets) as _).await;
        assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}), "{name}");
    }
}

#[tokio::test]
async fn ldap_sends_the_password_and_no_token() {
    let server = vault().await;
    Mock::given(method("POST"))
        .and(path("/v1/auth/ldap/login/anna%20b@corp"))
        .and(body_json(json!({"password": "pässword"})))
        .and(header("x-vault-request", "true"))
        .and(header("x-vault-namespace", "people"))
        .respond_with(granted())
        .expect(1)
        .mount(&server)
        .await;
    let ldap = json!({"path": "ldap", "username": "anna b@corp", "secretRef": {"name": "anna", "key": "pw"}});
    let auth = json!({"namespace": "people", "ldap": ldap});
    let provider = build(&store(&server, &auth), Secrets::new(&[("anna/pw", "pässword")])).await;
    assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}));
    let requests = server.received_requests().await.unwrap();
    let login = requests.iter().find(|request| request.method.as_str() == "POST").unwrap();
    assert!(!login.headers.contains_key("x-vault-token"));
}

#[tokio::test]
async fn a_login_that_wants_a_second_factor_or_gives_nothing_is_named() {
    for (answer, kind, says) in [
        (
            json!({"auth": {"client_token": "", "mfa_requirement": {"mfa_request_id": "r"}}}),
            ErrorKind::Unsupported,
            "wants a second factor",
        ),
        (json!({"auth": null}), ErrorKind::Unavailable, "has no token"),
        (json!({"auth": {"client_token": "hunter2\n2"}}), ErrorKind::Unavailable, "has no token"),
    ] {
        let server = vault().await;
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(200).set_body_json(answer)).mount(&server).await;
        let ldap = json!({"path": "ldap", "username": "anna", "secretRef": {"name": "anna", "key": "pw"}});
        let provider = build(&store(&server, &json!({ "ldap": ldap })), Secrets::new(&[("anna/pw", "pw")])).await;
        let error = read(&*provider, "app").await.unwrap_err();
        let text = secretsync_core::error::chain(&error);
        assert_eq!(error.kind(), kind, "{text}");
        assert!(text.contains(says) && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_until_the_account_is_locked() {
    let server = vault().await;
    let refused = ResponseTemplate::new(400).set_body_json(json!({"errors": ["ldap operation failed"]}));
    Mock::given(method("POST")).respond_with(refused).expect(1).mount(&server).await;
    let ldap = json!({"path": "ldap", "username": "anna", "secretRef": {"name": "anna", "key": "pw"}});
    let provider = build(&store(&server, &json!({ "ldap": ldap })), Secrets::new(&[("anna/pw", "wrong")])).await;
    for _ in 0..100 {
        failure(read(&*provider, "app").await, ErrorKind::Unauthenticated, Code::VaultLoginRefused);
    }
}

/// A cluster store, which may use the identity of the process.
async fn lent(
    config: &Value,
    credentials: Arc<dyn CredentialSource>,
    variables: Vec<(&'static str, String)>,
) -> Arc<dyn Provider> {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let own = Ambient::new(move |name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
    });
    let context = BuildContext::new(StoreOrigin::cluster("vault"), credentials).with_own_identity(Some(own));
    VaultFactory::new().build(&RawConfig::from_json(config.to_string()), context).await.unwrap()
}

/// The headers of the signed request in a login.
fn proof(login: &Request) -> Value {
    let body: Value = serde_json::from_slice(&login.body).unwrap();
    let text = |name: &str| String::from_utf8(STANDARD.decode(body[name].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(body["iam_http_request_method"], "POST");
    assert_eq!(text("iam_request_body"), "Action=GetCallerIdentity&Version=2011-06-15");
    let mut proof: Value = serde_json::from_str(&text("iam_request_headers")).unwrap();
    proof["url"] = text("iam_request_url").into();
    proof["role"] = body["role"].clone();
    proof
}

async fn login(server: &MockServer) -> Value {
    let requests = server.received_requests().await.unwrap();
    proof(requests.iter().find(|request| request.url.path() == "/v1/auth/aws/login").unwrap())
}

async fn accepting() -> MockServer {
    let server = vault().await;
    Mock::given(method("POST")).and(path("/v1/auth/aws/login")).respond_with(granted()).mount(&server).await;
    Mock::given(method("POST"))
        .and(path("/v1/auth/token/revoke-self"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    server
}

fn keys() -> Value {
    json!({"accessKeyIDSecretRef": {"name": "aws", "key": "id"}, "secretAccessKeySecretRef": {"name": "aws", "key": "secret"},
        "sessionTokenSecretRef": {"name": "aws", "key": "session"}})
}

#[tokio::test]
async fn iam_proves_the_identity_by_a_signed_request_and_sends_no_key() {
    let server = accepting().await;
    let iam = json!({"vaultRole": "app", "region": "eu-central-1", "vaultAwsIamServerID": "vault.example.com", "secretRef": keys()});
    let secrets = Secrets::new(&[("aws/id", "AKID\n"), ("aws/secret", "hunter2"), ("aws/session", "session")]);
    let provider = build(&store(&server, &json!({ "iam": iam })), secrets).await;
    assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}));
    let proof = login(&server).await;
    assert_eq!((&proof["url"], &proof["role"]), (&json!("https://sts.eu-central-1.amazonaws.com/"), &json!("app")));
    assert_eq!(proof["host"], json!(["sts.eu-central-1.amazonaws.com"]));
    assert_eq!(proof["x-vault-aws-iam-server-id"], json!(["vault.example.com"]));
    assert_eq!(proof["x-amz-security-token"], json!(["session"]));
    let authorization = proof["authorization"][0].as_str().unwrap();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"), "{authorization}");
    let signed = "/eu-central-1/sts/aws4_request, SignedHeaders=content-length;content-type;host;x-amz-date;x-amz-security-token;x-vault-aws-iam-server-id, Signature=";
    assert!(authorization.contains(signed), "{authorization}");
    let requests = server.received_requests().await.unwrap();
    assert!(requests.iter().all(|request| !String::from_utf8_lossy(&request.body).contains("hunter2")));
}

fn assumed(id: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string(format!(
        "<R><Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t+/=</SessionToken></Credentials></R>"
    ))
}

#[tokio::test]
async fn iam_takes_a_role_with_keys_of_this_process_where_they_may_be_lent() {
    let (server, sts) = (accepting().await, MockServer::start().await);
    Mock::given(method("POST"))
        .and(path("/"))
        .and(header_exists("authorization"))
        .and(body_string_contains("Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fvault&RoleSessionName=external-secrets-provider-vault&Version=2011-06-15&ExternalId=ex%3Dt"))
        .respond_with(assumed("ASSUMED"))
        .expect(1)
        .mount(&sts)
        .await;
    let iam = json!({"vaultRole": "app", "role": "arn:aws:iam::1:role/vault", "externalID": "ex=t"});
    let own = vec![
        ("AWS_ACCESS_KEY_ID", "OWN".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "own".to_owned()),
        ("AWS_ENDPOINT_URL_STS", sts.uri()),
    ];
    let provider = lent(&store(&server, &json!({ "iam": iam })), Secrets::new(&[]), own).await;
    assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}));
    let proof = login(&server).await;
    assert_eq!(proof["url"], "https://sts.amazonaws.com/", "what Vault is sent names AWS itself");
    assert!(proof["authorization"][0].as_str().unwrap().contains("Credential=ASSUMED/"));
    assert_eq!(proof["x-amz-security-token"], json!(["t+/="]));
}

#[tokio::test]
async fn iam_takes_the_role_of_a_service_account_or_of_the_pod() {
    const ROLE: &str = "arn:aws:iam::1:role/shop";
    let sts = MockServer::start().await;
    let exchange = |token: &str, id: &str| {
        Mock::given(method("POST"))
            .and(body_string_contains("Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fshop"))
            .and(body_string_contains(format!("WebIdentityToken={token}")))
            .respond_with(assumed(id))
            .expect(1)
    };
    exchange("issued", "ACCOUNT").mount(&sts).await;
    exchange("mounted", "POD").mount(&sts).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "mounted\n").unwrap();
    let own = || {
        vec![
            ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap().to_owned()),
            ("AWS_ROLE_ARN", ROLE.to_owned()),
            ("AWS_ENDPOINT_URL_STS", sts.uri()),
        ]
    };
    let secrets = Secrets::new(&[("app", "issued"), ("app@eks.amazonaws.com/role-arn", ROLE)]);
    let account = json!({"vaultRole": "app", "jwt": {"serviceAccountRef": {"name": "app"}}});
    for (iam, id) in [(account, "ACCOUNT"), (json!({"vaultRole": "app"}), "POD")] {
        let server = accepting().await;
        let provider = lent(&store(&server, &json!({ "iam": iam })), Arc::clone(&secrets) as _, own()).await;
        assert_eq!(content(read(&*provider, "app").await), json!({"a": "b"}));
        let authorization = login(&server).await["authorization"][0].as_str().unwrap().to_owned();
        assert!(authorization.contains(&format!("Credential={id}/")), "{authorization}");
    }
    assert_eq!(secrets.requests()[0].1.audiences, ["sts.amazonaws.com"]);
}

#[tokio::test]
async fn iam_says_what_aws_refused_or_what_is_missing() {
    let (server, sts) = (accepting().await, MockServer::start().await);
    let denied = ResponseTemplate::new(403).set_body_string("<Error><Code>AccessDenied</Code>hunter2</Error>");
    Mock::given(method("POST")).respond_with(denied).mount(&sts).await;
    let secrets = Secrets::new(&[("app", "issued"), ("app@eks.amazonaws.com/role-arn", "arn"), ("bare", "issued")]);
    let endpoint = || vec![("AWS_ENDPOINT_URL_STS", sts.uri())];
    let account = |name: &str| json!({"iam": {"vaultRole": "app", "jwt": {"serviceAccountRef": {"name": name}}}});
    let provider = lent(&store(&server, &account("app")), Arc::clone(&secrets) as _, endpoint()).await;
    let (text, _) = failure(read(&*provider, "app").await, ErrorKind::Unauthenticated, Code::VaultLoginRefused);
    assert!(text.contains("AWS refused to give keys (status 403)") && !text.contains("hunter2"), "{text}");
    let provider = lent(&store(&server, &account("bare")), Arc::clone(&secrets) as _, endpoint()).await;
    let (text, _) = failure(read(&*provider, "app").await, ErrorKind::InvalidConfig, Code::CredentialMissing);
    assert!(text.contains("no annotation `eks.amazonaws.com/role-arn`"), "{text}");
    let provider = lent(&store(&server, &json!({"iam": {"vaultRole": "app"}})), secrets, vec![]).await;
    failure(read(&*provider, "app").await, ErrorKind::NotFound, Code::CredentialMissing);
}
