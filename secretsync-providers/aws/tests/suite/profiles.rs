//! Profiles: keys, roles and endpoints of `~/.aws`.

use std::fs;
use std::sync::Arc;

use secretsync_core::error::{Code, ErrorKind};
use secretsync_core::provider::Provider;
use secretsync_provider_aws::AwsFactory;
use serde_json::json;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer};

use crate::credentials::{ROLE, aws, bare, logins, own, sts_ahead, sts_refusal};
use crate::support::{build, environment, factory, failure, read, text};

#[tokio::test]
async fn profiles_give_keys_and_take_roles() {
    let server = aws(3600).await;
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".aws")).unwrap();
    fs::write(home.path().join(".aws/credentials"), "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = x\n[work]\naws_access_key_id = AKIAWORK\naws_secret_access_key = x\n").unwrap();
    let home = home.path().to_str().unwrap();
    for (profile, key) in [(None, "AKIADEFAULT"), (Some("work"), "AKIAWORK")] {
        let mut pairs = vec![("HOME", home)];
        pairs.extend(profile.map(|profile| ("AWS_PROFILE", profile)));
        let provider = build(&factory(&server.uri()), &bare(&json!({})), own(&pairs)).await.unwrap();
        assert_eq!(text(&read(&*provider, "app").await), key);
    }
    let provider = build(&factory(&server.uri()), &bare(&json!({})), own(&[("HOME", home), ("AWS_PROFILE", "none")]))
        .await
        .unwrap();
    let (text, _) = failure(read(&*provider, "app").await, ErrorKind::Unauthenticated, Code::AwsCredentialsInvalid);
    assert!(text.ends_with("failed to use the AWS profile `none`: there is none of this name"), "{text}");
}

#[tokio::test]
async fn a_tilde_is_the_home_although_no_shell_has_seen_it() {
    let server = aws(3600).await;
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("keys"), "[default]\naws_access_key_id = AKIAHOME\naws_secret_access_key = x\n")
        .unwrap();
    let pairs = [("HOME", home.path().to_str().unwrap()), ("AWS_SHARED_CREDENTIALS_FILE", "~/keys")];
    let provider = build(&factory(&server.uri()), &bare(&json!({})), own(&pairs)).await.unwrap();
    assert_eq!(text(&read(&*provider, "app").await), "AKIAHOME");
}

/// A store that uses the role of a profile, taken at an endpoint of its own for STS.
async fn store_of_profile(server: &MockServer, sts: &str) -> (tempfile::TempDir, Arc<dyn Provider>) {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".aws")).unwrap();
    let profiles = format!(
        "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = x\n[default]\nrole_arn = {ROLE}\nsource_profile = base\n\
         services = odd\n[services odd]\nsts =\n  endpoint_url = {sts}\n"
    );
    fs::write(home.path().join(".aws/config"), profiles).unwrap();
    let server = server.uri();
    let endpoints = environment(&[("AWS_ENDPOINT_URL_SECRETS_MANAGER", &server)]);
    let factory = AwsFactory::with_endpoints_from(&endpoints);
    let provider = build(&factory, &bare(&json!({})), own(&[("HOME", home.path().to_str().unwrap())])).await.unwrap();
    (home, provider)
}

#[tokio::test]
async fn the_role_of_a_profile_is_taken_although_the_clock_differs() {
    let server = aws(3600).await;
    sts_ahead(&server).await;
    let (_home, provider) = store_of_profile(&server, &server.uri()).await;
    assert_eq!(text(&read(&*provider, "app").await), "AKIALATE");
}

#[tokio::test]
async fn the_sts_of_a_profile_may_be_no_address_that_is_refused_elsewhere() {
    let server = aws(3600).await;
    for sts in ["http://169.254.169.254", "https://169.254.169.254", "http://192.0.2.1", "https://[fd00:ec2::254]"] {
        let (_home, provider) = store_of_profile(&server, sts).await;
        let (text, _) = failure(read(&*provider, "app").await, ErrorKind::InvalidConfig, Code::StoreInvalid);
        assert!(text.contains("the role of the AWS profile `default`") && text.contains("refused"), "{text}");
    }
}

#[tokio::test]
async fn what_hinders_the_role_of_a_profile_is_told_apart() {
    let server = aws(3600).await;
    let (_home, provider) = store_of_profile(&server, "http://127.0.0.1:9").await;
    let (text, _) = failure(read(&*provider, "app").await, ErrorKind::Unavailable, Code::ProviderUnavailable);
    assert!(text.contains("nobody listens at the server's address"), "{text}");
    for (code, kind, hint) in [
        ("AccessDenied", ErrorKind::PermissionDenied, Code::AwsRoleRefused),
        ("Throttling", ErrorKind::RateLimited, Code::ProviderRateLimited),
        ("InvalidClientTokenId", ErrorKind::Unauthenticated, Code::AwsCredentialsInvalid),
    ] {
        let sts = MockServer::start().await;
        Mock::given(method("POST")).respond_with(sts_refusal(code, "hunter2")).mount(&sts).await;
        let (_home, provider) = store_of_profile(&server, &sts.uri()).await;
        let (text, _) = failure(read(&*provider, "app").await, kind, hint);
        assert!(text.contains(code) && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn the_role_of_a_profile_is_taken_at_the_endpoint_of_the_profile() {
    let server = aws(3600).await;
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".aws")).unwrap();
    let profiles = format!(
        "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = x\n[default]\nrole_arn = {ROLE}\nsource_profile = base\n\
         endpoint_url = {}\n",
        server.uri()
    );
    fs::write(home.path().join(".aws/config"), profiles).unwrap();
    let factory = AwsFactory::with_endpoints_from(&environment(&[]));
    let home = [("HOME", home.path().to_str().unwrap())];
    let provider = build(&factory, &bare(&json!({})), own(&home)).await.unwrap();
    assert_eq!(text(&read(&*provider, "app").await), "AKIAapp");
    assert_eq!(logins(&server).await.len(), 1);
}
