//! Where credentials come from: service accounts, roles, the environment and its endpoints.

use std::fs;
use std::sync::Arc;

use secretsync_core::error::{Code, ErrorKind, chain};
use secretsync_core::provider::{BuildContext, ProviderFactory as _, RawConfig, StoreOrigin};
use secretsync_provider_aws::AwsFactory;
use serde_json::{Value, json};
use wiremock::matchers::{body_string_contains, header, header_exists, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::{Cluster, an_hour_ahead, build, config, context, environment, factory, failure, raw, read, text};

const REGION: &str = "eu-central-1";
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/app";

/// STS and Secrets Manager in one: each access key reads its own name.
pub(crate) async fn aws(lifetime: u64) -> MockServer {
    let server = MockServer::start().await;
    for action in ["AssumeRole", "AssumeRoleWithWebIdentity"] {
        Mock::given(method("POST"))
            .and(body_string_contains(format!("Action={action}&")))
            .respond_with(move |request: &Request| {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                let role = field(&body, "RoleArn").rsplit('/').next().unwrap().to_owned();
                let end = std::time::SystemTime::now() + std::time::Duration::from_secs(lifetime);
                let end = aws_smithy_types::DateTime::from(end).fmt(aws_smithy_types::date_time::Format::DateTime).unwrap();
                // None is like another.
                let token = request.headers.get("amz-sdk-invocation-id").map_or("t", |id| id.to_str().unwrap());
                let answer = format!(
                    "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
                     <AccessKeyId>AKIA{role}</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>{token}</SessionToken>\
                     <Expiration>{end}</Expiration></Credentials></{action}Result></{action}Response>"
                );
                ResponseTemplate::new(200).set_body_raw(answer, "text/xml")
            })
            .mount(&server)
            .await;
    }
    Mock::given(header("x-amz-target", "secretsmanager.GetSecretValue"))
        .respond_with(|request: &Request| {
            let key = who(request);
            ResponseTemplate::new(200)
                .set_body_raw(json!({"Name": "app", "SecretString": key}).to_string(), "application/x-amz-json-1.1")
        })
        .mount(&server)
        .await;
    server
}

/// The access key that signed a request.
fn who(request: &Request) -> String {
    let authorization = request.headers.get("authorization").map(|value| value.to_str().unwrap()).unwrap_or_default();
    authorization.split("Credential=").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned()
}

fn field(body: &str, name: &str) -> String {
    let found = body.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    found.unwrap_or_default().replace("%3A", ":").replace("%2F", "/").replace("%40", "@")
}

pub(crate) async fn logins(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let bodies = requests.iter().map(|request| String::from_utf8_lossy(&request.body).into_owned());
    bodies.filter(|body| body.contains("Action=")).collect()
}

pub(crate) fn bare(more: &Value) -> Value {
    let mut config = json!({"service": "SecretsManager", "region": REGION});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

fn with_account(more: &Value) -> Value {
    let mut all = json!({"auth": {"jwt": {"serviceAccountRef": {"name": "app", "audiences": ["extra"]}}}});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    bare(&all)
}

pub(crate) fn own(pairs: &[(&str, &str)]) -> BuildContext {
    let mut all = vec![("AWS_EC2_METADATA_DISABLED", "true")];
    all.extend_from_slice(pairs);
    context(Arc::new(Cluster::new())).with_own_identity(Some(environment(&all)))
}

#[tokio::test]
async fn a_service_account_takes_the_role_that_it_names() {
    let server = aws(3600).await;
    let cluster = Arc::new(
        Cluster::new().annotated("eks.amazonaws.com/role-arn", ROLE).annotated("eks.amazonaws.com/audience", "aud"),
    );
    let provider =
        build(&factory(&server.uri()), &with_account(&json!({})), context(Arc::clone(&cluster))).await.unwrap();
    assert_eq!(text(&read(&*provider, "app").await), "AKIAapp");
    assert_eq!(cluster.asked(), ["token of service account `app` for aud,extra"]);
    let logins = logins(&server).await;
    assert_eq!(logins.len(), 1);
    assert_eq!(field(&logins[0], "RoleSessionName"), "external-secrets-provider-aws");
    assert_eq!(field(&logins[0], "RoleArn"), ROLE);
    assert_eq!(field(&logins[0], "WebIdentityToken"), "eyJ0.eyJ0.c2ln");
    // The token is the proof: nothing is signed.
    assert!(!server.received_requests().await.unwrap()[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_service_account_without_a_role_is_told_what_it_lacks() {
    let server = aws(3600).await;
    let provider =
        build(&factory(&server.uri()), &with_account(&json!({})), context(Arc::new(Cluster::new()))).await.unwrap();
    let (text, advice) = failure(read(&*provider, "app").await, ErrorKind::InvalidConfig, Code::AwsRoleRefused);
    assert!(text.contains("an IAM role must be associated with it"), "{text}");
    assert!(advice.contains("eks.amazonaws.com/role-arn"), "{advice}");
}

#[tokio::test]
async fn roles_are_taken_one_after_the_other_and_the_last_one_with_everything() {
    let server = aws(3600).await;
    let more = json!({
        "role": "arn:aws:iam::1:role/last", "additionalRoles": ["arn:aws:iam::1:role/first"], "externalID": "ext-1",
        "sessionTagsPolicy": "Custom", "customSessionTags": {"team": "a", "empty": ""}, "transitiveTagKeys": ["team"],
    });
    let provider =
        build(&factory(&server.uri()), &config("SecretsManager", REGION, &more), context(Arc::new(Cluster::new())))
            .await
            .unwrap();
    assert_eq!(text(&read(&*provider, "app").await), "AKIAlast");
    let requests = server.received_requests().await.unwrap();
    let signers: Vec<_> = requests.iter().map(who).collect();
    assert_eq!(signers, ["AKIATESTTESTTESTTEST", "AKIAfirst", "AKIAlast"]);
    let logins = logins(&server).await;
    assert!(!logins[0].contains("Tags") && !logins[0].contains("ExternalId"));
    assert_eq!(field(&logins[1], "ExternalId"), "ext-1");
    let tag = |index: usize| {
        let part = |name: &str| field(&logins[1], &format!("Tags.member.{index}.{name}"));
        (part("Key"), part("Value"))
    };
    let tags: Vec<_> = (1..=5).map(tag).collect();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        tags,
        [
            pair("esoNamespace", "shop"),
            pair("esoStoreKind", "SecretStore"),
            pair("esoStoreName", "aws"),
            pair("team", "a"),
            pair("", "")
        ]
    );
    assert_eq!(field(&logins[1], "TransitiveTagKeys.member.1"), "team");
}

#[tokio::test]
async fn stores_of_one_identity_share_one_session_and_others_do_not() {
    let server = aws(3600).await;
    let factory = factory(&server.uri());
    let cluster = Arc::new(Cluster::new().annotated("eks.amazonaws.com/role-arn", ROLE));
    let mut providers = Vec::new();
    for name in ["one", "two"] {
        let context = BuildContext::new(StoreOrigin::namespaced("shop", name), Arc::clone(&cluster) as _);
        providers.push(build(&factory, &with_account(&json!({})), context).await.unwrap());
    }
    let other = with_account(&json!({"role": "arn:aws:iam::1:role/other"}));
    let other = build(&factory, &other, context(Arc::clone(&cluster))).await.unwrap();
    for provider in &providers {
        let reads = (0..8).map(|_| read(&**provider, "app"));
        assert!(futures::future::join_all(reads).await.iter().all(|answer| text(answer) == "AKIAapp"));
    }
    assert_eq!(logins(&server).await.len(), 1);
    assert_eq!(text(&read(&*other, "app").await), "AKIAother");
    assert_eq!(logins(&server).await.len(), 3);
}

#[tokio::test]
async fn a_session_that_has_ended_is_replaced() {
    let server = aws(3600).await;
    let over = json!({"__type": "ExpiredTokenException"}).to_string();
    Mock::given(header("x-amz-target", "secretsmanager.GetSecretValue"))
        .respond_with(ResponseTemplate::new(400).set_body_raw(over, "application/x-amz-json-1.1"))
        .up_to_n_times(1)
        .with_priority(1)
        .mount(&server)
        .await;
    let cluster = Arc::new(Cluster::new().annotated("eks.amazonaws.com/role-arn", ROLE));
    let provider = build(&factory(&server.uri()), &with_account(&json!({})), context(cluster)).await.unwrap();
    assert_eq!(text(&read(&*provider, "app").await), "AKIAapp");
    assert_eq!(logins(&server).await.len(), 2);
}

#[tokio::test]
async fn credentials_that_have_ended_by_our_clock_are_used_until_aws_says_so() {
    let server = aws(0).await;
    let cluster = Arc::new(Cluster::new().annotated("eks.amazonaws.com/role-arn", ROLE));
    let provider = build(&factory(&server.uri()), &with_account(&json!({})), context(cluster)).await.unwrap();
    for _ in 0..8 {
        assert_eq!(text(&read(&*provider, "app").await), "AKIAapp");
    }
    assert_eq!(logins(&server).await.len(), 1);
}

pub(crate) fn sts_refusal(code: &str, message: &str) -> ResponseTemplate {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    );
    ResponseTemplate::new(403).set_body_raw(body, "text/xml")
}

/// An STS whose clock is an hour ahead, in front of the rest of AWS.
pub(crate) async fn sts_ahead(server: &MockServer) {
    let answer = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials><AccessKeyId>AKIALATE</AccessKeyId>\
         <SecretAccessKey>x</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>\
         </AssumeRoleResponse>";
    let answer = ResponseTemplate::new(200).set_body_raw(answer, "text/xml");
    let refusal = || sts_refusal("SignatureDoesNotMatch", "Signature expired: 1 is now earlier than 2");
    Mock::given(body_string_contains("Action=AssumeRole&"))
        .respond_with(an_hour_ahead(answer, refusal))
        .with_priority(1)
        .mount(server)
        .await;
}

#[tokio::test]
async fn a_role_is_taken_although_the_clock_differs() {
    let server = aws(3600).await;
    sts_ahead(&server).await;
    let keys = config("SecretsManager", REGION, &json!({"role": ROLE}));
    let provider = build(&factory(&server.uri()), &keys, context(Arc::new(Cluster::new()))).await.unwrap();
    assert_eq!(text(&read(&*provider, "app").await), "AKIALATE");
}

#[tokio::test]
async fn a_refused_role_says_what_its_trust_policy_needs() {
    let server = MockServer::start().await;
    let denied = "User: arn:aws:iam::1:user/a is not authorized to perform: sts:TagSession on resource: x";
    Mock::given(method("POST")).respond_with(sts_refusal("AccessDenied", denied)).mount(&server).await;
    let more = json!({"role": ROLE});
    let provider =
        build(&factory(&server.uri()), &config("SecretsManager", REGION, &more), context(Arc::new(Cluster::new())))
            .await
            .unwrap();
    let (text, advice) = failure(read(&*provider, "app").await, ErrorKind::PermissionDenied, Code::AwsRoleRefused);
    assert!(text.contains(&format!("failed to take the role `{ROLE}`")), "{text}");
    assert!(advice.contains("allow `sts:TagSession` to `arn:aws:iam::1:user/a`"), "{advice}");
}

#[tokio::test]
async fn a_role_that_is_asked_for_in_a_wrong_way_says_what_to_look_at() {
    for code in ["ValidationError", "InvalidParameterValue", "MalformedPolicyDocument"] {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(sts_refusal(code, "Duplicate tag keys found.")).mount(&server).await;
        let keys = config("SecretsManager", REGION, &json!({"role": ROLE}));
        let provider = build(&factory(&server.uri()), &keys, context(Arc::new(Cluster::new()))).await.unwrap();
        let (_, advice) = failure(read(&*provider, "app").await, ErrorKind::InvalidConfig, Code::StoreInvalid);
        assert!(advice.contains("session tags"), "{advice}");
    }
}

#[tokio::test]
async fn a_store_without_credentials_borrows_the_process_only_where_it_is_lent() {
    let factory = AwsFactory::with_endpoints_from(&environment(&[]));
    let error = build(&factory, &bare(&json!({})), context(Arc::new(Cluster::new()))).await.unwrap_err();
    assert_eq!(error.hint().unwrap().code(), Code::CredentialMissing);
    assert!(chain(&error).contains("does not lend its own"), "{}", chain(&error));
    let server = aws(3600).await;
    let lent = own(&[("AWS_ACCESS_KEY_ID", "AKIAOWN"), ("AWS_SECRET_ACCESS_KEY", "x")]);
    let provider = build(&crate::support::factory(&server.uri()), &bare(&json!({})), lent).await.unwrap();
    assert_eq!(text(&read(&*provider, "app").await), "AKIAOWN");
}

#[tokio::test]
async fn what_a_store_configures_wins_over_the_process_unless_the_user_asks() {
    let server = aws(3600).await;
    let variables = [("AWS_ACCESS_KEY_ID", "AKIAOWN"), ("AWS_SECRET_ACCESS_KEY", "x")];
    let keys = config("SecretsManager", REGION, &json!({}));
    let provider = build(&factory(&server.uri()), &keys, own(&variables)).await.unwrap();
    assert_eq!(text(&read(&*provider, "app").await), "AKIATESTTESTTESTTEST");
    let asked = context(Arc::new(Cluster::new())).with_ambient(Some(environment(&variables)));
    let provider = build(&factory(&server.uri()), &keys, asked).await.unwrap();
    assert_eq!(text(&read(&*provider, "app").await), "AKIAOWN");
}

#[tokio::test]
async fn a_pod_of_irsa_reads_its_token_file() {
    let server = aws(3600).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "tok.en\n").unwrap();
    let pairs = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_ROLE_SESSION_NAME", "pod"),
    ];
    let provider = build(&factory(&server.uri()), &bare(&json!({})), own(&pairs)).await.unwrap();
    assert_eq!(text(&read(&*provider, "app").await), "AKIAapp");
    let logins = logins(&server).await;
    assert_eq!(
        (field(&logins[0], "WebIdentityToken"), field(&logins[0], "RoleSessionName")),
        ("tok.en".to_owned(), "pod".to_owned())
    );
}

fn handed_out(key: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "Code": "Success", "AccessKeyId": key, "SecretAccessKey": "x", "Token": "t", "Expiration": "2099-01-01T00:00:00Z",
    }))
}

#[tokio::test]
async fn pod_identity_is_asked_with_the_token_of_the_moment() {
    let server = aws(3600).await;
    let agent = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/v1/credentials"))
        .and(header("authorization", "pod.token"))
        .respond_with(handed_out("AKIAPOD"))
        .expect(1)
        .mount(&agent)
        .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "pod.token\n").unwrap();
    let uri = format!("{}/v1/credentials", agent.uri());
    let pairs = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap()),
    ];
    let provider = build(&factory(&server.uri()), &bare(&json!({})), own(&pairs)).await.unwrap();
    assert_eq!(text(&read(&*provider, "app").await), "AKIAPOD");
    assert_eq!(text(&read(&*provider, "app").await), "AKIAPOD");
}

#[tokio::test]
async fn a_container_endpoint_that_refuses_ends_the_search() {
    let agent = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(403).set_body_string("hunter2")).mount(&agent).await;
    let pairs = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.uri())];
    let pairs = pairs.each_ref().map(|(name, value)| (*name, value.as_str()));
    let provider = build(&factory("http://127.0.0.1:9"), &bare(&json!({})), own(&pairs)).await.unwrap();
    let (text, _) = failure(read(&*provider, "app").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
    assert!(text.contains("it answers with status 403") && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_container_endpoint_that_answers_without_end_is_left() {
    let agent = raw(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{{", 33 << 20).into_bytes()).await;
    let pairs = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.as_str())];
    let provider = build(&factory("http://127.0.0.1:9"), &bare(&json!({})), own(&pairs)).await.unwrap();
    let (text, _) = failure(read(&*provider, "app").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
    assert!(text.ends_with("the answer is bigger than 32 MiB"), "{text}");
}

#[tokio::test]
async fn an_instance_is_asked_with_a_session_token() {
    let server = aws(3600).await;
    let metadata = MockServer::start().await;
    Mock::given(method("PUT"))
        .and(path("/latest/api/token"))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_string("imds")
                .insert_header("x-aws-ec2-metadata-token-ttl-seconds", "21600"),
        )
        .mount(&metadata)
        .await;
    let roles = "/latest/meta-data/iam/security-credentials/";
    Mock::given(path(roles))
        .and(header("x-aws-ec2-metadata-token", "imds"))
        .respond_with(ResponseTemplate::new(200).set_body_string("node"))
        .mount(&metadata)
        .await;
    Mock::given(path(format!("{roles}node")))
        .and(header_exists("x-aws-ec2-metadata-token"))
        .respond_with(handed_out("AKIANODE"))
        .mount(&metadata)
        .await;
    let uri = metadata.uri();
    let pairs = [("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", uri.as_str())];
    let lent = context(Arc::new(Cluster::new())).with_own_identity(Some(environment(&pairs)));
    let provider = build(&factory(&server.uri()), &bare(&json!({})), lent).await.unwrap();
    assert_eq!(text(&read(&*provider, "app").await), "AKIANODE");
}

#[tokio::test]
async fn an_environment_without_credentials_says_how_to_get_some() {
    let provider = build(&factory("http://127.0.0.1:9"), &bare(&json!({})), own(&[])).await.unwrap();
    let (_, advice) = failure(read(&*provider, "app").await, ErrorKind::NotFound, Code::CredentialMissing);
    assert!(advice.contains("AWS_PROFILE"), "{advice}");
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused_by_its_field() {
    let factory = AwsFactory::with_endpoints_from(&environment(&[]));
    for (more, field) in [
        (json!({"service": "CertificateManager"}), "service"),
        (json!({"region": "noop."}), "region"),
        (json!({"role": "app"}), "role"),
        (json!({"additionalRoles": ["x"]}), "additionalRoles[0]"),
        (json!({"auth": {"secretRef": {}}}), "auth.secretRef.accessKeyIDSecretRef"),
        (
            json!({"auth": {"jwt": {"serviceAccountRef": {"name": "app", "namespace": "other"}}}}),
            "auth.jwt.serviceAccountRef",
        ),
        (json!({"secretsManager": {"recoveryWindowInDays": 3}}), "secretsManager"),
        (json!({"role": ROLE, "customSessionTags": {"esoNamespace": "x"}}), "customSessionTags"),
        (json!({"customSessionTags": {"esoStoreName": "x"}}), "customSessionTags"),
    ] {
        let error = build(&factory, &config("SecretsManager", REGION, &more), context(Arc::new(Cluster::new())))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(&format!("`spec.provider.aws.{field}` of SecretStore shop/aws")), "{error}");
        assert!(error.hint().is_some());
    }
    let error = build(
        &factory,
        &json!({"service": "SecretsManager", "region": REGION, "regoin": 1}),
        context(Arc::new(Cluster::new())),
    )
    .await
    .unwrap_err();
    assert!(error.to_string().contains("unknown field `regoin`"), "{error}");
}

#[tokio::test]
async fn session_tags_of_a_cluster_store_depend_on_the_namespace() {
    let factory = AwsFactory::with_endpoints_from(&environment(&[]));
    let depends = |policy: &str| {
        let config = json!({"service": "SecretsManager", "region": REGION, "role": ROLE, "sessionTagsPolicy": policy});
        factory.depends_on_consumer(&RawConfig::from_json(config.to_string()), &StoreOrigin::cluster("aws")).unwrap()
    };
    assert!(depends("Simple") && depends("Custom") && !depends("None"));
}
