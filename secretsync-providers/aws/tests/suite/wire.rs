//! Exact requests and rare faults, on a scripted server.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use secretsync_core::error::{Code, ErrorKind, Retry};
use secretsync_core::provider::{Fetched, Query};
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, header};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::{
    Cluster, an_hour_ahead, assert_absent, build, config, context, factory, failure, provider, raw, read, read_all,
    text,
};

const REGION: &str = "eu-central-1";

fn target(operation: &str) -> wiremock::matchers::HeaderExactMatcher {
    header("x-amz-target", format!("secretsmanager.{operation}").as_str())
}

fn refusal(status: u16, code: &str, message: &str) -> ResponseTemplate {
    let body = json!({"__type": code, "Message": message});
    ResponseTemplate::new(status).set_body_raw(body.to_string(), "application/x-amz-json-1.1")
}

fn answer(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body.to_string(), "application/x-amz-json-1.1")
}

fn value(name: &str, text: &str) -> Value {
    json!({"ARN": format!("arn:aws:secretsmanager:{REGION}:1:secret:{name}-AbCdEf"), "Name": name, "VersionId": "v1", "SecretString": text})
}

async fn refusing(code: &str, message: &str) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(target("GetSecretValue")).respond_with(refusal(400, code, message)).mount(&server).await;
    server
}

fn operations(requests: &[Request]) -> Vec<String> {
    let name =
        |request: &Request| request.headers["x-amz-target"].to_str().unwrap().rsplit('.').next().unwrap().to_owned();
    requests.iter().map(name).collect()
}

#[tokio::test]
async fn a_request_is_signed_for_service_and_region_and_carries_the_session_token() {
    let server = MockServer::start().await;
    Mock::given(target("GetSecretValue"))
        .and(body_partial_json(json!({"SecretId": "team/a", "VersionStage": "blue"})))
        .respond_with(answer(&value("team/a", "x")))
        .expect(1)
        .mount(&server)
        .await;
    let selector = |key: &str| json!({"name": "aws", "key": key});
    let auth = json!({"prefix": "team/", "auth": {"secretRef": {
        "accessKeyIDSecretRef": selector("id"), "secretAccessKeySecretRef": selector("secret"), "sessionTokenSecretRef": selector("token"),
    }}});
    let provider =
        build(&factory(&server.uri()), &config("SecretsManager", REGION, &auth), context(Arc::new(Cluster::new())))
            .await
            .unwrap();
    let object = provider.address(&secretsync_core::provider::RemoteRef::new("a").with_version("blue")).unwrap();
    assert_eq!(text(&crate::support::fetch(&*provider, &[object]).await[0]), "x");
    let request = &server.received_requests().await.unwrap()[0];
    let authorization = request.headers["authorization"].to_str().unwrap();
    assert!(authorization.contains(&format!("/{REGION}/secretsmanager/aws4_request")), "{authorization}");
    assert!(authorization.contains("Credential=AKIATESTTESTTESTTEST/"), "{authorization}");
    assert_eq!(request.headers["x-amz-security-token"], "t0k3n");
}

#[tokio::test]
async fn each_refusal_says_what_happened_and_what_to_do() {
    use ErrorKind::{InvalidConfig, InvalidData, PermissionDenied, RateLimited, Unauthenticated, Unavailable};
    for (code, message, kind, hint, says) in [
        ("ThrottlingException", "Rate exceeded", RateLimited, Code::ProviderRateLimited, "too many requests"),
        ("InternalServiceError", "", Unavailable, Code::ProviderUnavailable, "cannot answer now"),
        ("DecryptionFailure", "", InvalidData, Code::AwsKmsDenied, "could not be decrypted"),
        (
            "AccessDeniedException",
            "Access to KMS is not allowed",
            PermissionDenied,
            Code::AwsKmsDenied,
            "KMS key refuses",
        ),
        (
            "UnrecognizedClientException",
            "The security token is invalid",
            Unauthenticated,
            Code::AwsCredentialsInvalid,
            "not accepted",
        ),
        ("ExpiredTokenException", "", Unauthenticated, Code::AwsCredentialsInvalid, "expired"),
        (
            "InvalidSignatureException",
            "Signature expired: 1 is now earlier than 2",
            Unavailable,
            Code::AwsClockSkewed,
            "clock",
        ),
        ("RegionDisabledException", "", InvalidConfig, Code::StoreInvalid, "region"),
        (
            "InvalidSignatureException",
            "Credential should be scoped to a valid region, not 'eu-cental-1'.",
            InvalidConfig,
            Code::StoreInvalid,
            "another region",
        ),
        ("ValidationException", "", InvalidConfig, Code::StoreInvalid, "invalid"),
    ] {
        let server = refusing(code, message).await;
        let provider = provider(&server.uri(), "SecretsManager", REGION).await;
        let (text, _) = failure(read(&*provider, "app").await, kind, hint);
        assert!(
            text.contains(says) && text.contains(code) && text.contains("`app` from SecretStore shop/aws"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_denial_names_both_possibilities_unless_describing_tells_them_apart() {
    let denied =
        "User: arn:aws:iam::1:user/app is not authorized to perform: secretsmanager:GetSecretValue on resource: app";
    let server = refusing("AccessDeniedException", denied).await;
    let described = Mock::given(target("DescribeSecret")).respond_with(refusal(400, "AccessDeniedException", "no"));
    let guard = server.register_as_scoped(described).await;
    let provider = provider(&server.uri(), "SecretsManager", REGION).await;
    let (text, advice) = failure(read(&*provider, "app").await, ErrorKind::PermissionDenied, Code::AwsAccessDenied);
    assert!(text.contains("access is denied, or it does not exist"), "{text}");
    assert!(advice.contains("allow `secretsmanager:GetSecretValue` to `arn:aws:iam::1:user/app`"), "{advice}");
    drop(guard);
    Mock::given(target("DescribeSecret"))
        .respond_with(refusal(400, "ResourceNotFoundException", "none"))
        .mount(&server)
        .await;
    assert_absent(&read(&*provider, "app").await);
}

#[tokio::test]
async fn throttling_honours_the_pause_that_aws_asks_for() {
    // A pause without end is cut: it must neither keep the store closed nor run past what a clock can say.
    for (asked, seconds) in [("7", 7), ("18446744073709551615", 3600)] {
        let server = MockServer::start().await;
        let slow = refusal(400, "ThrottlingException", "").insert_header("retry-after", asked);
        Mock::given(target("GetSecretValue")).respond_with(slow).expect(1).mount(&server).await;
        let provider = provider(&server.uri(), "SecretsManager", REGION).await;
        // One request: trying again is the engine's business.
        let error = read(&*provider, "app").await.unwrap_err();
        assert_eq!(error.retry(), Retry::After(Duration::from_secs(seconds)));
    }
}

#[tokio::test]
async fn what_is_not_there_says_whether_it_can_be_brought_back() {
    let error = |id: &str, code: &str, message: &str| json!({"SecretId": id, "ErrorCode": code, "Message": message});
    let errors = [
        error("deleted", "InvalidRequestException", "because it was marked for deletion."),
        error(
            "empty",
            "ResourceNotFoundException",
            "can't find the specified secret value for staging label: AWSCURRENT",
        ),
        error("missing", "ResourceNotFoundException", "can't find the specified secret."),
    ];
    let server = MockServer::start().await;
    let body = json!({"SecretValues": [], "Errors": errors});
    Mock::given(target("BatchGetSecretValue")).respond_with(answer(&body)).mount(&server).await;
    let provider = provider(&server.uri(), "SecretsManager", REGION).await;
    let answers = read_all(&*provider, &["deleted", "empty", "missing"]).await;
    let says = ["marked for deletion", "no value of this version", "it does not exist"];
    for ((answer, says), advice) in answers.iter().zip(says).zip(["restore-secret", "remoteRef.version", "`region`"]) {
        let Ok(Fetched::Absent(absence)) = answer else { panic!("{answer:?}") };
        assert!(absence.reason.contains(says) && absence.advice.contains(advice), "{absence:?}");
    }
}

#[tokio::test]
async fn a_pause_counts_whoever_asks_for_it_and_however_it_is_written() {
    let soon = DateTime::from(SystemTime::now() + Duration::from_secs(90)).fmt(Format::HttpDate).unwrap();
    for (status, asked, least) in [(429, "7", 7), (503, "7", 7), (503, &*soon, 60)] {
        let server = MockServer::start().await;
        let busy =
            ResponseTemplate::new(status).insert_header("retry-after", asked).set_body_string("<html>busy</html>");
        Mock::given(target("GetSecretValue")).respond_with(busy).mount(&server).await;
        let provider = provider(&server.uri(), "SecretsManager", REGION).await;
        let error = read(&*provider, "app").await.unwrap_err();
        let Retry::After(pause) = error.retry() else { panic!("{error:?}") };
        assert!((least..=90).contains(&pause.as_secs()), "{pause:?}");
    }
}

#[tokio::test]
async fn a_list_that_goes_round_in_a_circle_is_left() {
    for (service, operation, list) in [
        ("SecretsManager", "secretsmanager.ListSecrets", "SecretList"),
        ("ParameterStore", "AmazonSSM.DescribeParameters", "Parameters"),
    ] {
        let server = MockServer::start().await;
        let pages = |request: &Request| {
            let body: Value = request.body_json().unwrap();
            let next = if body["NextToken"] == "a" { "b" } else { "a" };
            answer(&json!({list: [], "NextToken": next}))
        };
        Mock::given(header("x-amz-target", operation)).respond_with(pages).expect(3).mount(&server).await;
        let provider = provider(&server.uri(), service, REGION).await;
        let mut everything = Query::default();
        everything.name = Some(".*".to_owned());
        let error = provider.find(&everything).await.unwrap_err();
        assert_eq!((error.kind(), error.hint().unwrap().code()), (ErrorKind::InvalidData, Code::DataInvalid));
    }
}

#[tokio::test]
async fn an_empty_answer_is_no_list_of_nothing_and_no_metadata() {
    for (service, path) in
        [("SecretsManager", None), ("ParameterStore", None), ("ParameterStore", Some("/aws/service"))]
    {
        for (status, body) in [(200, ""), (200, "{}"), (204, "")] {
            let server = MockServer::start().await;
            let empty = ResponseTemplate::new(status).set_body_raw(body, "application/x-amz-json-1.1");
            Mock::given(wiremock::matchers::any()).respond_with(empty).mount(&server).await;
            let provider = provider(&server.uri(), service, REGION).await;
            let mut query = Query::default();
            (query.path, query.name) = (path.map(str::to_owned), Some(".".to_owned()));
            assert_eq!(
                provider.find(&query).await.unwrap_err().kind(),
                ErrorKind::InvalidData,
                "{service} {status} {body}"
            );
            let metadata = secretsync_core::provider::RemoteRef::new("app").with_metadata();
            let answer = crate::support::read_ref(&*provider, &metadata).await;
            failure(answer, ErrorKind::InvalidData, Code::DataInvalid);
        }
    }
}

#[tokio::test]
async fn a_search_that_aws_refuses_is_told_to_look_at_the_search() {
    let server = MockServer::start().await;
    let refused = refusal(400, "ValidationException", "bad filter");
    Mock::given(target("ListSecrets")).respond_with(refused).mount(&server).await;
    let provider = provider(&server.uri(), "SecretsManager", REGION).await;
    let mut query = Query::default();
    query.name = Some(".*".to_owned());
    let error = provider.find(&query).await.unwrap_err();
    assert!(error.hint().unwrap().advice().contains("find.path"), "{error:?}");
}

#[tokio::test]
async fn an_answer_from_somebody_else_is_no_absence() {
    for status in [404, 502, 200] {
        let server = MockServer::start().await;
        Mock::given(target("GetSecretValue"))
            .respond_with(ResponseTemplate::new(status).set_body_string("<html>hunter2</html>"))
            .mount(&server)
            .await;
        let provider = provider(&server.uri(), "SecretsManager", REGION).await;
        let error = read(&*provider, "app").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn one_batch_carries_twenty_and_a_single_secret_needs_no_batch() {
    let server = MockServer::start().await;
    Mock::given(target("BatchGetSecretValue"))
        .respond_with(|request: &Request| {
            let body: Value = request.body_json().unwrap();
            let ids = body["SecretIdList"].as_array().unwrap();
            assert!(ids.len() <= 20, "{}", ids.len());
            let values: Vec<_> = ids.iter().rev().map(|id| value(id.as_str().unwrap(), id.as_str().unwrap())).collect();
            answer(&json!({"SecretValues": values, "Errors": []}))
        })
        .mount(&server)
        .await;
    Mock::given(target("GetSecretValue")).respond_with(answer(&value("s40", "s40"))).mount(&server).await;
    let provider = provider(&server.uri(), "SecretsManager", REGION).await;
    let names: Vec<_> = (0..41).map(|index| format!("s{index}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let answers = read_all(&*provider, &names).await;
    for (name, answer) in names.iter().zip(&answers) {
        assert_eq!(text(answer), *name);
    }
    let mut sent = operations(&server.received_requests().await.unwrap());
    sent.sort();
    assert_eq!(sent, ["BatchGetSecretValue", "BatchGetSecretValue", "GetSecretValue"]);
}

#[tokio::test]
async fn each_secret_of_a_batch_has_its_own_failure() {
    let server = MockServer::start().await;
    let error = |id: &str, code: &str, message: &str| json!({"SecretId": id, "ErrorCode": code, "Message": message});
    let errors = [
        error("missing", "ResourceNotFoundException", "none"),
        error("deleted", "InvalidRequestException", "it was marked for deletion"),
        error("sealed", "DecryptionFailure", ""),
        error("slow", "InternalServiceError", ""),
        error("denied", "AccessDeniedException", ""),
    ];
    let first = json!({"SecretValues": [], "Errors": errors, "NextToken": "more"});
    Mock::given(target("BatchGetSecretValue"))
        .and(body_partial_json(json!({"NextToken": "more"})))
        .respond_with(answer(&json!({"SecretValues": [value("good", "g")], "Errors": []})))
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(target("BatchGetSecretValue")).respond_with(answer(&first)).mount(&server).await;
    let denied =
        "User: arn:aws:iam::1:user/app is not authorized to perform: secretsmanager:GetSecretValue on resource: denied";
    Mock::given(target("GetSecretValue"))
        .respond_with(refusal(400, "AccessDeniedException", denied))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(target("DescribeSecret")).respond_with(answer(&json!({"Name": "denied"}))).mount(&server).await;
    let provider = provider(&server.uri(), "SecretsManager", REGION).await;
    let mut answers = read_all(&*provider, &["missing", "deleted", "good", "sealed", "slow", "denied"]).await;
    failure(answers.pop().unwrap(), ErrorKind::PermissionDenied, Code::AwsAccessDenied);
    failure(answers.pop().unwrap(), ErrorKind::Unavailable, Code::ProviderUnavailable);
    failure(answers.pop().unwrap(), ErrorKind::InvalidData, Code::AwsKmsDenied);
    assert_eq!(text(&answers[2]), "g");
    assert_absent(&answers[0]);
    assert_absent(&answers[1]);
}

#[tokio::test]
async fn a_policy_without_batch_is_remembered_and_secrets_are_read_one_by_one() {
    let server = MockServer::start().await;
    let denied = "User: arn:aws:iam::1:user/app is not authorized to perform: secretsmanager:BatchGetSecretValue";
    Mock::given(target("BatchGetSecretValue"))
        .respond_with(refusal(400, "AccessDeniedException", denied))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(target("GetSecretValue")).respond_with(answer(&value("any", "x"))).expect(6).mount(&server).await;
    let provider = provider(&server.uri(), "SecretsManager", REGION).await;
    for _ in 0..2 {
        let answers = read_all(&*provider, &["a", "b", "c"]).await;
        assert!(answers.iter().all(|answer| text(answer) == "x"));
    }
}

#[tokio::test]
async fn one_bad_id_that_spoils_a_batch_fails_alone() {
    let server = MockServer::start().await;
    Mock::given(target("BatchGetSecretValue"))
        .respond_with(refusal(400, "ValidationException", "bad id"))
        .expect(2)
        .mount(&server)
        .await;
    Mock::given(target("GetSecretValue"))
        .and(body_partial_json(json!({"SecretId": "a"})))
        .respond_with(answer(&value("a", "x")))
        .mount(&server)
        .await;
    Mock::given(target("GetSecretValue"))
        .respond_with(refusal(400, "ValidationException", "bad id"))
        .mount(&server)
        .await;
    let provider = provider(&server.uri(), "SecretsManager", REGION).await;
    for _ in 0..2 {
        let mut answers = read_all(&*provider, &["a", "b ad"]).await;
        failure(answers.pop().unwrap(), ErrorKind::InvalidConfig, Code::StoreInvalid);
        assert_eq!(text(&answers[0]), "x");
    }
}

#[tokio::test]
async fn an_arn_that_stands_for_another_secret_than_access_rules_saw_is_refused() {
    let server = MockServer::start().await;
    // Whole, it is that of `db`; without AWS's own letters, that of `db-AbC1dE`.
    let arn = format!("arn:aws:secretsmanager:{REGION}:1:secret:db-AbC1dE");
    let mut other = value("db-AbC1dE", "hunter2");
    other["ARN"] = json!(format!("{arn}-XyZ2aB"));
    Mock::given(target("GetSecretValue")).respond_with(answer(&other)).mount(&server).await;
    Mock::given(target("DescribeSecret")).respond_with(answer(&json!({"Name": "db-AbC1dE"}))).mount(&server).await;
    let many = json!({"SecretValues": [other, value("b", "b")], "Errors": []});
    Mock::given(target("BatchGetSecretValue")).respond_with(answer(&many)).mount(&server).await;
    let provider = provider(&server.uri(), "SecretsManager", REGION).await;
    let (_, advice) = failure(read(&*provider, &arn).await, ErrorKind::InvalidConfig, Code::ManifestInvalid);
    assert!(advice.contains("whole ARN"), "{advice}");
    let metadata = secretsync_core::provider::RemoteRef::new(&arn).with_metadata();
    let answer = crate::support::read_ref(&*provider, &metadata).await;
    failure(answer, ErrorKind::InvalidConfig, Code::ManifestInvalid);
    let mut answers = read_all(&*provider, &[&arn, "b"]).await;
    assert_eq!(text(&answers.pop().unwrap()), "b");
    failure(answers.pop().unwrap(), ErrorKind::InvalidConfig, Code::ManifestInvalid);
}

#[tokio::test]
async fn a_secret_of_another_account_never_stands_for_ours_of_the_same_name() {
    let arn = format!("arn:aws:secretsmanager:{REGION}:2:secret:app/db-ZyXwVu");
    let mut theirs = value("app/db", "theirs");
    theirs["ARN"] = json!(arn);
    let ours = value("app/db", "ours");
    let gone = json!({"SecretId": "app/db", "ErrorCode": "ResourceNotFoundException", "Message": ""});
    for body in [
        json!({"SecretValues": [theirs, ours], "Errors": []}),
        json!({"SecretValues": [ours, theirs], "Errors": []}),
        json!({"SecretValues": [theirs], "Errors": [gone]}),
    ] {
        let server = MockServer::start().await;
        Mock::given(target("BatchGetSecretValue")).respond_with(answer(&body)).expect(1).mount(&server).await;
        let provider = provider(&server.uri(), "SecretsManager", REGION).await;
        let answers = read_all(&*provider, &["app/db", &arn]).await;
        assert_eq!(text(&answers[1]), "theirs");
        if body["Errors"] == json!([]) {
            assert_eq!(text(&answers[0]), "ours");
        } else {
            assert_absent(&answers[0]);
        }
    }
}

#[tokio::test]
async fn keys_that_were_rotated_are_resolved_anew_once() {
    let server = MockServer::start().await;
    Mock::given(target("GetSecretValue"))
        .respond_with(|request: &Request| {
            let fresh = request.headers["authorization"].to_str().unwrap().contains("Credential=AKIANEW/");
            if fresh { answer(&value("app", "x")) } else { refusal(400, "UnrecognizedClientException", "") }
        })
        .mount(&server)
        .await;
    let cluster = Arc::new(Cluster::new());
    let provider =
        build(&factory(&server.uri()), &config("SecretsManager", REGION, &json!({})), context(Arc::clone(&cluster)))
            .await
            .unwrap();
    failure(read(&*provider, "app").await, ErrorKind::Unauthenticated, Code::AwsCredentialsInvalid);
    cluster.rotate("id", "AKIANEW\n");
    assert_eq!(text(&read(&*provider, "app").await), "x");
    // Keys that stay the same are not sent a second time.
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_huge_answer_is_given_up_whether_announced_or_not() {
    let huge = 33 * 1024 * 1024;
    let announced = format!("HTTP/1.1 200 OK\r\ncontent-length: {huge}\r\n\r\n{{").into_bytes();
    let mut endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"SecretString\":\"".to_vec();
    endless.resize(endless.len() + huge, b'a');
    for answer in [announced, endless] {
        let provider = provider(&raw(answer).await, "SecretsManager", REGION).await;
        let (text, advice) = failure(read(&*provider, "app").await, ErrorKind::InvalidData, Code::DataInvalid);
        assert!(text.ends_with("the answer is bigger than 32 MiB") && advice.contains("endpoint"), "{text}: {advice}");
    }
}

#[tokio::test]
async fn an_answer_that_ends_too_early_is_no_answer_of_somebody_else() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"SecretString\":\"hun".to_vec();
    let provider = provider(&raw(cut).await, "SecretsManager", REGION).await;
    let (text, _) = failure(read(&*provider, "app").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
    assert!(text.ends_with("the connection ended before the answer was complete"), "{text}");
}

#[tokio::test]
async fn a_clock_that_differs_is_corrected_by_the_answer_that_says_so() {
    let server = MockServer::start().await;
    Mock::given(target("GetSecretValue"))
        .respond_with(an_hour_ahead(answer(&value("app", "x")), || {
            refusal(400, "InvalidSignatureException", "Signature expired: 1 is now earlier than 2")
        }))
        .mount(&server)
        .await;
    let provider = provider(&server.uri(), "SecretsManager", REGION).await;
    for _ in 0..2 {
        assert_eq!(text(&read(&*provider, "app").await), "x");
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 3, "the clock stays corrected");
}

#[tokio::test]
async fn an_empty_token_is_the_end_of_a_batch() {
    let server = MockServer::start().await;
    let page = json!({"SecretValues": [value("a", "1"), value("b", "2")], "Errors": [], "NextToken": ""});
    Mock::given(target("BatchGetSecretValue")).respond_with(answer(&page)).expect(1).mount(&server).await;
    let provider = provider(&server.uri(), "SecretsManager", REGION).await;
    assert!(read_all(&*provider, &["a", "b"]).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn metadata_of_what_is_not_there_are_a_failure_and_no_absence() {
    let metadata = secretsync_core::provider::RemoteRef::new("app").with_metadata();
    for (service, operation, code) in [
        ("SecretsManager", "secretsmanager.DescribeSecret", "ResourceNotFoundException"),
        ("ParameterStore", "AmazonSSM.ListTagsForResource", "InvalidResourceId"),
    ] {
        let server = MockServer::start().await;
        Mock::given(header("x-amz-target", operation)).respond_with(refusal(400, code, "")).mount(&server).await;
        let provider = provider(&server.uri(), service, REGION).await;
        let answer = crate::support::read_ref(&*provider, &metadata).await;
        let (text, _) = failure(answer, ErrorKind::NotFound, Code::SecretMissing);
        assert!(text.contains("it does not exist"), "{text}");
    }
}

#[tokio::test]
async fn a_secret_of_another_account_under_the_default_key_is_told_to_need_another_key() {
    let words = "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.";
    let server = refusing("InvalidRequestException", words).await;
    let provider = provider(&server.uri(), "SecretsManager", REGION).await;
    let (_, advice) = failure(read(&*provider, "app").await, ErrorKind::PermissionDenied, Code::AwsKmsDenied);
    assert!(advice.contains("default key"), "{advice}");
}

#[tokio::test]
async fn nobody_at_the_endpoint_is_told_as_such() {
    let provider = provider("http://127.0.0.1:9", "SecretsManager", REGION).await;
    let (text, _) = failure(read(&*provider, "app").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
    assert!(text.contains("nobody listens at the server's address"), "{text}");
}

#[tokio::test]
async fn an_endpoint_of_the_environment_may_not_lead_to_metadata() {
    for bad in ["http://169.254.169.254", "https://2852039166", "http://example.com"] {
        let provider = provider(bad, "SecretsManager", REGION).await;
        failure(read(&*provider, "app").await, ErrorKind::InvalidConfig, Code::StoreInvalid);
    }
}
