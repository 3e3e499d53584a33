//! Parameter Store, on moto.

use secretsync_core::error::{Code, ErrorKind};
use secretsync_core::provider::{Asked, RemoteRef};
use serde_json::json;
use wiremock::matchers::{body_partial_json, header};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{MOTO, assert_absent, failure, find, provider, read, read_all, read_ref, secret, text};

#[tokio::test]
async fn every_type_is_read_decrypted_and_raw() {
    let region = "eu-west-1";
    for (kind, value) in [("String", " a=b\n"), ("StringList", "a,b,c"), ("SecureString", "s3cr3t")] {
        MOTO.parameter(region, &format!("/types/{kind}"), kind, value).unwrap();
    }
    let provider = provider(MOTO.address(), "ParameterStore", region).await;
    assert_eq!(text(&read(&*provider, "/types/String").await), " a=b\n");
    assert_eq!(text(&read(&*provider, "/types/StringList").await), "a,b,c");
    assert_eq!(text(&read(&*provider, "/types/SecureString").await), "s3cr3t");
    assert_absent(&read(&*provider, "/types/Never").await);
}

#[tokio::test]
async fn versions_and_labels_are_pinned_alone_and_in_batches() {
    let region = "eu-west-2";
    for value in ["one", "two", "three"] {
        MOTO.parameter(region, "/v/app", "SecureString", value).unwrap();
    }
    let body = json!({"Name": "/v/app", "ParameterVersion": 2, "Labels": ["prod"]});
    MOTO.call(region, "AmazonSSM.LabelParameterVersion", &body).unwrap();
    let provider = provider(MOTO.address(), "ParameterStore", region).await;
    let pinned = |version: &str| RemoteRef::new("/v/app").with_version(version);
    let current = read(&*provider, "/v/app").await;
    assert_eq!(
        (text(&current), secret(&current).version.unwrap().as_str().to_owned()),
        ("three".to_owned(), "3".to_owned())
    );
    assert_eq!(text(&read_ref(&*provider, &pinned("1")).await), "one");
    assert_eq!(text(&read_ref(&*provider, &pinned("prod")).await), "two");
    assert_absent(&read_ref(&*provider, &RemoteRef::new("/v/never").with_version("9")).await);
    let many = read_all(&*provider, &["/v/app:1", "/v/app", "/v/never", "/v/app:2", "/v/app:9", "/v/never:9"]).await;
    assert_eq!(
        (text(&many[0]), text(&many[1]), text(&many[3])),
        ("one".to_owned(), "three".to_owned(), "two".to_owned())
    );
    assert_absent(&many[2]);
    assert_absent(&many[5]);
    // External Secrets Operator deletes nothing for the lack of a version.
    for missing in [many[4].clone(), read_ref(&*provider, &pinned("9")).await] {
        let (text, advice) = failure(missing, ErrorKind::NotFound, Code::SecretMissing);
        assert!(text.contains("no such version or label") && advice.contains("version"), "{text}: {advice}");
    }
}

#[tokio::test]
async fn an_arn_is_the_parameter_of_its_name() {
    let region = "eu-west-2";
    for name in ["flat", "/path/app"] {
        MOTO.parameter(region, name, "String", name).unwrap();
        let body = json!({"ResourceType": "Parameter", "ResourceId": name, "Tags": [{"Key": "of", "Value": name}]});
        MOTO.call(region, "AmazonSSM.AddTagsToResource", &body).unwrap();
    }
    let provider = provider(MOTO.address(), "ParameterStore", region).await;
    let arn = |name: &str| format!("arn:aws:ssm:{region}:123456789012:parameter/{name}");
    for (name, arn) in [("flat", arn("flat")), ("/path/app", arn("path/app"))] {
        assert_eq!(text(&read(&*provider, &arn).await), name);
        let metadata = read_ref(&*provider, &RemoteRef::new(&arn).with_metadata()).await;
        assert_eq!(text(&metadata), format!(r#"{{"of":"{name}"}}"#));
        let object = provider.address(&RemoteRef::new(&arn).with_metadata()).unwrap();
        let asked: Vec<_> = provider.requests(Asked::Fetch(&[object])).iter().map(|request| request.kind).collect();
        assert_eq!(asked, ["GetParameter", "ListTagsForResource"]);
        let elsewhere = RemoteRef::new(arn.replace("123456789012", "999999999999")).with_metadata();
        failure(read_ref(&*provider, &elsewhere).await, ErrorKind::InvalidConfig, Code::ManifestInvalid);
    }
}

#[tokio::test]
async fn public_parameters_are_found_by_path() {
    let server = MockServer::start().await;
    let body = json!({"Parameters": [{"Name": "/aws/service/a/x86", "Value": "1"}, {"Name": "/aws/service/a/arm", "Value": "1"}]});
    Mock::given(header("x-amz-target", "AmazonSSM.GetParametersByPath"))
        .and(body_partial_json(json!({"Path": "/aws/service/a", "Recursive": true})))
        .respond_with(ResponseTemplate::new(200).set_body_raw(body.to_string(), "application/x-amz-json-1.1"))
        .expect(1)
        .mount(&server)
        .await;
    let provider = provider(&server.uri(), "ParameterStore", "eu-west-1").await;
    assert_eq!(find(&*provider, Some("/aws/service/a"), Some("x86"), &[]).await, ["/aws/service/a/x86"]);
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn searches_walk_hierarchies_by_name_or_by_tags() {
    let region = "eu-west-3";
    for name in ["/app/db", "/app/deep/db", "/other/db", "flat"] {
        MOTO.parameter(region, name, "String", "v").unwrap();
    }
    let body = json!({"ResourceType": "Parameter", "ResourceId": "/app/db", "Tags": [{"Key": "env", "Value": "prod"}]});
    MOTO.call(region, "AmazonSSM.AddTagsToResource", &body).unwrap();
    let provider = provider(MOTO.address(), "ParameterStore", region).await;
    assert_eq!(find(&*provider, Some("/app"), Some("db$"), &[]).await, ["/app/db", "/app/deep/db"]);
    for path in ["/app/", "/app/deep/", "/app/deep"] {
        assert!(find(&*provider, Some(path), Some("db$"), &[]).await.contains(&"/app/deep/db".to_owned()), "{path}");
    }
    assert_eq!(find(&*provider, Some("/"), Some("^/other"), &[]).await, ["/other/db"]);
    assert_eq!(find(&*provider, None, Some("^/other/"), &[]).await, ["/other/db"]);
    assert_eq!(find(&*provider, None, None, &[("env", "prod")]).await, ["/app/db"]);
    assert_eq!(find(&*provider, None, Some(".*"), &[]).await, ["/app/db", "/app/deep/db", "/other/db", "flat"]);
    let metadata = read_ref(&*provider, &RemoteRef::new("/app/db").with_metadata()).await;
    assert_eq!(text(&metadata), r#"{"env":"prod"}"#);
    let never = read_ref(&*provider, &RemoteRef::new("/app/never").with_metadata()).await;
    failure(never, ErrorKind::NotFound, Code::SecretMissing);
}

#[tokio::test]
async fn many_parameters_are_read_ten_at_a_time() {
    let region = "eu-north-1";
    let names: Vec<_> = (0..21).map(|index| format!("/many/{index}")).collect();
    for name in &names {
        MOTO.parameter(region, name, "SecureString", name).unwrap();
    }
    let provider = provider(MOTO.address(), "ParameterStore", region).await;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let answers = read_all(&*provider, &names).await;
    assert!(names.iter().zip(&answers).all(|(name, answer)| text(answer) == *name));
}

fn refusal(code: &str, message: &str) -> ResponseTemplate {
    let body = json!({"__type": code, "message": message});
    ResponseTemplate::new(400).set_body_raw(body.to_string(), "application/x-amz-json-1.1")
}

#[tokio::test]
async fn a_policy_without_get_parameters_is_remembered() {
    let server = MockServer::start().await;
    let denied = "User: arn:aws:iam::1:user/a is not authorized to perform: ssm:GetParameters on resource: x";
    Mock::given(header("x-amz-target", "AmazonSSM.GetParameters"))
        .respond_with(refusal("AccessDeniedException", denied))
        .expect(1)
        .mount(&server)
        .await;
    let body = json!({"Parameter": {"Name": "a", "Value": "x", "Version": 1}});
    Mock::given(header("x-amz-target", "AmazonSSM.GetParameter"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(body.to_string(), "application/x-amz-json-1.1"))
        .expect(4)
        .mount(&server)
        .await;
    let provider = provider(&server.uri(), "ParameterStore", "eu-west-1").await;
    for _ in 0..2 {
        assert!(read_all(&*provider, &["a", "b"]).await.iter().all(|answer| text(answer) == "x"));
    }
}

#[tokio::test]
async fn a_parameter_of_another_account_never_stands_for_ours_of_the_same_name() {
    let arn = |account: u8| format!("arn:aws:ssm:eu-west-1:{account}:parameter/app/db");
    let parameter =
        |account: u8, value: &str| json!({"Name": "/app/db", "ARN": arn(account), "Value": value, "Version": 1});
    let (ours, theirs) = (parameter(1, "ours"), parameter(2, "theirs"));
    for parameters in [[&theirs, &ours], [&ours, &theirs]] {
        let server = MockServer::start().await;
        let body = json!({"Parameters": parameters, "InvalidParameters": []});
        Mock::given(header("x-amz-target", "AmazonSSM.GetParameters"))
            .respond_with(ResponseTemplate::new(200).set_body_raw(body.to_string(), "application/x-amz-json-1.1"))
            .expect(1)
            .mount(&server)
            .await;
        let provider = provider(&server.uri(), "ParameterStore", "eu-west-1").await;
        let answers = read_all(&*provider, &["/app/db", &arn(2)]).await;
        assert_eq!((text(&answers[0]), text(&answers[1])), ("ours".to_owned(), "theirs".to_owned()));
    }
}

#[tokio::test]
async fn names_that_cannot_be_are_not_taken_for_absent() {
    let server = MockServer::start().await;
    let body = json!({"Parameters": [], "InvalidParameters": ["/gone", "/no good", "not/rooted"]});
    Mock::given(header("x-amz-target", "AmazonSSM.GetParameters"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(body.to_string(), "application/x-amz-json-1.1"))
        .mount(&server)
        .await;
    Mock::given(header("x-amz-target", "AmazonSSM.GetParameter"))
        .respond_with(refusal("ValidationException", ""))
        .mount(&server)
        .await;
    let provider = provider(&server.uri(), "ParameterStore", "eu-west-1").await;
    let mut answers = read_all(&*provider, &["/gone", "/no good", "not/rooted"]).await;
    for _ in 0..2 {
        failure(answers.pop().unwrap(), ErrorKind::InvalidConfig, Code::StoreInvalid);
    }
    assert_absent(&answers[0]);
}

#[tokio::test]
async fn a_search_without_describe_goes_by_path() {
    let server = MockServer::start().await;
    Mock::given(header("x-amz-target", "AmazonSSM.DescribeParameters"))
        .respond_with(refusal("AccessDeniedException", ""))
        .mount(&server)
        .await;
    let body = json!({"Parameters": [{"Name": "/app/db", "Value": "x"}, {"Name": "/app/x", "Value": "x"}]});
    Mock::given(header("x-amz-target", "AmazonSSM.GetParametersByPath"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(body.to_string(), "application/x-amz-json-1.1"))
        .mount(&server)
        .await;
    let provider = provider(&server.uri(), "ParameterStore", "eu-west-1").await;
    assert_eq!(find(&*provider, Some("/app"), Some("db"), &[]).await, ["/app/db"]);
}
