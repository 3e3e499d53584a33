//! Secrets Manager, on moto.

use secretsync_core::error::{Code, ErrorKind};
use secretsync_core::provider::{Absence, Asked, Fetched, Query, RemoteRef};
use serde_json::json;

use crate::support::{MOTO, assert_absent, bytes, failure, find, provider, read, read_all, read_ref, secret, text};

#[tokio::test]
async fn strings_are_kept_byte_for_byte_and_binaries_are_decoded() {
    let region = "eu-west-1";
    let raw = "{ \"n\": 1.50,\t\"a.b\": \"x\" }\n";
    MOTO.secret(region, "raw", raw).unwrap();
    let body = json!({"Name": "bin", "SecretBinary": "AAH/"});
    MOTO.call(region, "secretsmanager.CreateSecret", &body).unwrap();
    let provider = provider(MOTO.address(), "SecretsManager", region).await;
    assert_eq!(text(&read(&*provider, "raw").await), raw);
    assert_eq!(bytes(&read(&*provider, "bin").await), [0, 1, 255]);
}

#[tokio::test]
async fn versions_are_named_by_id_and_by_stage() {
    let region = "eu-west-2";
    MOTO.secret(region, "app", "one").unwrap();
    let body = json!({"SecretId": "app", "SecretString": "two"});
    MOTO.call(region, "secretsmanager.PutSecretValue", &body).unwrap();
    let provider = provider(MOTO.address(), "SecretsManager", region).await;
    let current = read(&*provider, "app").await;
    assert_eq!(text(&current), "two");
    let id = secret(&current).version.unwrap().as_str().to_owned();
    let pinned = |version: &str| RemoteRef::new("app").with_version(version);
    assert_eq!(text(&read_ref(&*provider, &pinned("AWSPREVIOUS")).await), "one");
    assert_eq!(text(&read_ref(&*provider, &pinned(&format!("uuid/{id}"))).await), "two");
    assert_absent(&read_ref(&*provider, &pinned("AWSPENDING")).await);
}

#[tokio::test]
async fn what_waits_for_deletion_is_absent_for_values_batches_and_searches() {
    let region = "eu-west-3";
    MOTO.secret(region, "gone", "x").unwrap();
    MOTO.secret(region, "here", "y").unwrap();
    MOTO.call(region, "secretsmanager.DeleteSecret", &json!({"SecretId": "gone"})).unwrap();
    let provider = provider(MOTO.address(), "SecretsManager", region).await;
    assert_absent(&read(&*provider, "gone").await);
    let metadata = read_ref(&*provider, &RemoteRef::new("gone").with_metadata()).await;
    let (told, advice) = failure(metadata, ErrorKind::NotFound, Code::SecretMissing);
    assert!(told.contains("marked for deletion") && advice.contains("restore-secret"), "{told}: {advice}");
    let both = read_all(&*provider, &["gone", "here"]).await;
    assert_absent(&both[0]);
    assert_eq!(text(&both[1]), "y");
    assert_eq!(find(&*provider, None, Some(""), &[]).await, ["here"]);
}

#[tokio::test]
async fn metadata_are_the_tags() {
    let region = "eu-north-1";
    let body =
        json!({"Name": "app", "SecretString": "x", "Tags": [{"Key": "z", "Value": "1"}, {"Key": "a", "Value": "<2>"}]});
    MOTO.call(region, "secretsmanager.CreateSecret", &body).unwrap();
    let provider = provider(MOTO.address(), "SecretsManager", region).await;
    let answer = read_ref(&*provider, &RemoteRef::new("app").with_metadata().with_version("uuid/unknown")).await;
    assert_eq!(text(&answer), r#"{"a":"<2>","z":"1"}"#);
}

#[tokio::test]
async fn many_are_read_at_once_by_name_arn_and_partial_arn_and_the_missing_ones_spoil_nothing() {
    let region = "eu-south-1";
    let arn = MOTO.secret(region, "batch/one", "1").unwrap();
    let other = MOTO.secret(region, "batch/two", "2").unwrap();
    MOTO.secret(region, "batch/three", "3").unwrap();
    let partial = other.rsplit_once('-').unwrap().0;
    let provider = provider(MOTO.address(), "SecretsManager", region).await;
    let answers = read_all(&*provider, &[&arn, "batch/never", partial, "batch/three", "batch/one"]).await;
    assert_eq!(text(&answers[0]), "1");
    assert_absent(&answers[1]);
    assert_eq!(text(&answers[2]), "2");
    assert_eq!(text(&answers[3]), "3");
    assert_eq!(text(&answers[4]), "1");
    assert!(secret(&answers[0]).version.is_some());
}

#[tokio::test]
async fn an_arn_is_read_in_its_own_region() {
    let arn = MOTO.secret("us-west-1", "far", "away").unwrap();
    MOTO.secret("us-west-2", "near", "by").unwrap();
    let provider = provider(MOTO.address(), "SecretsManager", "us-west-2").await;
    let answers = read_all(&*provider, &[&arn, "near", "far"]).await;
    assert_eq!((text(&answers[0]), text(&answers[1])), ("away".to_owned(), "by".to_owned()));
    assert_absent(&answers[2]);
}

#[tokio::test]
async fn searches_match_name_path_and_tags_exactly() {
    let region = "ca-central-1";
    for (name, env) in [("app/db", "prod"), ("app/api", "production"), ("other/db", "prod"), ("app/cross", "x")] {
        let body = json!({"Name": name, "SecretString": "v", "Tags": [{"Key": "env", "Value": env}, {"Key": "owner", "Value": "prod"}]});
        MOTO.call(region, "secretsmanager.CreateSecret", &body).unwrap();
    }
    let provider = provider(MOTO.address(), "SecretsManager", region).await;
    assert_eq!(find(&*provider, None, Some("db$"), &[]).await, ["app/db", "other/db"]);
    assert_eq!(find(&*provider, Some("app/"), Some("db"), &[]).await, ["app/db"]);
    assert_eq!(find(&*provider, None, Some("^app/(db|api)$"), &[]).await, ["app/api", "app/db"]);
    // AWS's own filters would give all four: they look at beginnings, and at keys and values apart.
    assert_eq!(find(&*provider, None, None, &[("env", "prod")]).await, ["app/db", "other/db"]);
    assert_eq!(find(&*provider, Some("app/"), None, &[("env", "prod"), ("owner", "prod")]).await, ["app/db"]);
    assert!(find(&*provider, None, Some("nothing"), &[]).await.is_empty());
}

#[tokio::test]
async fn long_lists_are_read_to_their_end() {
    let region = "sa-east-1";
    for index in 0..120 {
        MOTO.secret(region, &format!("page/{index:03}"), "v").unwrap();
    }
    let provider = provider(MOTO.address(), "SecretsManager", region).await;
    assert_eq!(find(&*provider, Some("page/"), Some("."), &[]).await.len(), 120);
}

#[tokio::test]
async fn a_search_that_is_no_expression_is_refused() {
    let provider = provider(MOTO.address(), "SecretsManager", "eu-west-1").await;
    let mut query = Query::default();
    query.name = Some("(".to_owned());
    let error = provider.find(&query).await.unwrap_err();
    assert_eq!(error.hint().unwrap().code(), Code::ManifestInvalid);
    let long = "a".repeat(3000);
    failure(read(&*provider, &long).await, ErrorKind::InvalidConfig, Code::ManifestInvalid);
}

#[tokio::test]
async fn a_search_for_nothing_in_particular_is_refused_before_anything_is_sent() {
    for service in ["SecretsManager", "ParameterStore"] {
        let provider = provider("http://127.0.0.1:1", service, "eu-west-1").await;
        for path in [None, Some("app/".to_owned())] {
            let mut query = Query::default();
            query.path = path;
            assert_eq!(provider.requests(Asked::Find(&query)), []);
            let found = provider.find(&query).await.map(|_| Fetched::Absent(Absence::default()));
            let (told, advice) = failure(found, ErrorKind::InvalidConfig, Code::ManifestInvalid);
            assert!(told.contains("unexpected find operator") && advice.contains("regexp: .*"), "{told}: {advice}");
        }
    }
}

#[tokio::test]
async fn a_path_that_is_no_hierarchy_is_refused_before_anything_is_sent() {
    let provider = provider("http://127.0.0.1:1", "ParameterStore", "eu-west-1").await;
    let mut query = Query::default();
    (query.path, query.name) = (Some("app".to_owned()), Some(".*".to_owned()));
    assert_eq!(provider.requests(Asked::Find(&query)), []);
    let found = provider.find(&query).await.map(|_| Fetched::Absent(Absence::default()));
    let (told, _) = failure(found, ErrorKind::InvalidConfig, Code::ManifestInvalid);
    assert!(told.contains("does not begin with a slash"), "{told}");
}
