//! The metadata service of instances (`IMDSv2`), spoken by the SDK.

use std::time::Duration;

use aws_config::imds::Client;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::Ambient;

use super::ambient::unusable;
use super::container::parse;
use crate::client::{endpoint_text as text, nearby};

/// The credentials of the instance's role, where there is an instance.
pub(super) async fn obtain(variables: &Ambient) -> Result<Option<Credentials>> {
    if text(variables, "AWS_EC2_METADATA_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let chosen = text(variables, ENDPOINT);
    let six =
        text(variables, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").is_some_and(|mode| mode.eq_ignore_ascii_case("ipv6"));
    let endpoint = chosen.as_deref().unwrap_or(if six { "http://[fd00:ec2::254]" } else { "http://169.254.169.254" });
    let builder = Client::builder().endpoint(endpoint).map_err(|_| unusable(ENDPOINT, "it is no URL"))?;
    let client = builder
        .configure(&ProviderConfig::without_region().with_http_client(nearby()))
        .connect_timeout(SOON)
        .read_timeout(SOON)
        .operation_attempt_timeout(SOON)
        .operation_timeout(SOON)
        .max_attempts(1)
        .build();
    // Whoever asked for this endpoint wants to know that it fails; elsewhere it is a look whether one is there.
    let Ok(roles) = client.get(ROLES).await else {
        return if chosen.is_some() { Err(failed("it gives no answer")) } else { Ok(None) };
    };
    let Some(role) = roles.as_ref().lines().next().filter(|role| !role.is_empty()) else { return Ok(None) };
    let body = client
        .get(format!("{ROLES}{role}"))
        .await
        .map_err(|_| failed("it has no credentials for the instance's role"))?;
    parse(body.as_ref().as_bytes()).map(Some).ok_or_else(|| failed("its answer holds no credentials"))
}

fn failed(reason: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, "get credentials")
        .on("from the instance's metadata service")
        .because(reason)
        .with_hint(Hint::new(
            Code::ProviderUnavailable,
            "check the instance profile; a pod reaches the service only with a hop limit of 2",
        ))
}

const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
const SOON: Duration = Duration::from_secs(1);
