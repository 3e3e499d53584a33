//! Profiles: `~/.aws/config` and `~/.aws/credentials`, read by the SDK.

use std::error::Error as StdError;
use std::path::PathBuf;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_runtime::env_config::section::EnvConfigSections;
use aws_runtime::env_config::{EnvConfigValue, source};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::retry::RetryConfig;
use aws_types::os_shim_internal::{Env, Fs};
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result, causes};
use secretsync_core::provider::Ambient;

use super::ambient::{Environment, Link, LinkKind};
use super::sts::{self, Sts};
use crate::client::{endpoint_text as text, timeouts};
use crate::error::Failure;

/// The credentials of the profile, if there is one with credentials.
pub(super) async fn obtain(environment: &Environment, sts: &Sts<'_>) -> Result<Option<Credentials>> {
    let Environment { variables, .. } = environment;
    let named = text(variables, "AWS_PROFILE");
    let Some(files) = files(variables) else {
        return match named {
            Some(name) => Err(refused(&name, "there is no file with profiles")),
            None => Ok(None),
        };
    };
    let name = named.clone().unwrap_or_else(|| "default".to_owned());
    let link = |kind| Link { environment: environment.clone(), kind };
    let surroundings = ProviderConfig::without_region()
        .with_region(Some(aws_config::Region::new(sts.region().name.clone())))
        .with_http_client(sts.network().http()?)
        .with_timeout_config(timeouts())
        // A second try for a clock that the first one has set.
        .with_retry_config(RetryConfig::standard().with_max_attempts(2));
    let provider = ProfileFileCredentialsProvider::builder()
        .profile_files(files)
        .profile_name(&*name)
        .with_custom_provider("Environment", link(LinkKind::Variables))
        .with_custom_provider("EcsContainer", link(LinkKind::Container))
        .with_custom_provider("Ec2InstanceMetadata", link(LinkKind::Instance))
        .configure(&surroundings)
        .build();
    let error = match provider.provide_credentials().await {
        Ok(found) => return Ok(Some(found)),
        Err(CredentialsError::CredentialsNotLoaded(_)) if named.is_none() => return Ok(None),
        Err(error) => error,
    };
    let known = causes(&error).find_map(|cause| told(cause, &name));
    Err(match known {
        Some(known) => known,
        None => refused(&name, flaw(variables, &name).await),
    })
}

/// What the profile says of endpoints, by the name of a service: `endpoint_url` of its `services` section, or its own. Files that cannot be read say nothing here; whoever
/// needs credentials of them tells.
pub(crate) async fn endpoints(environment: &Environment) -> impl Fn(&'static str) -> Option<String> + use<> {
    let sections = sections(&environment.variables).await;
    move |service| {
        let (nothing, sections) = (Env::from_slice(&[]), sections.as_ref()?);
        let switched_off = sections.get("ignore_configured_endpoint_urls").is_some_and(|text| text == "true");
        let value = EnvConfigValue::new().profile("endpoint_url").service_id(service);
        value.load(&nothing, Some(sections)).filter(|_| !switched_off).map(|(url, _)| url.into_owned())
    }
}

async fn sections(variables: &Ambient) -> Option<EnvConfigSections> {
    let mut source = source::load(&Env::from_slice(&[]), &Fs::real(), &files(variables)?).await.ok()?;
    if let Some(name) = text(variables, "AWS_PROFILE") {
        source.profile = name.into();
    }
    EnvConfigSections::parse(source).ok()
}

/// The files with profiles that are there.
fn files(variables: &Ambient) -> Option<EnvConfigFiles> {
    let home = variables.path("HOME");
    // No shell has looked at what a container's environment says.
    let at_home = |path: PathBuf| match (path.strip_prefix("~"), &home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    };
    let file = |variable: &str, name: &str| {
        let named = variables.path(variable).map(at_home);
        named.or_else(|| Some(home.as_ref()?.join(".aws").join(name))).filter(|path| path.is_file())
    };
    let config = file("AWS_CONFIG_FILE", "config").map(|path| (EnvConfigFileKind::Config, path));
    let secrets = file("AWS_SHARED_CREDENTIALS_FILE", "credentials").map(|path| (EnvConfigFileKind::Credentials, path));
    if config.is_none() && secrets.is_none() {
        return None;
    }
    let add = |files: aws_runtime::env_config::file::Builder, (kind, path)| files.with_file(kind, path);
    Some(config.into_iter().chain(secrets).fold(EnvConfigFiles::builder(), add).build())
}

/// What one of ours, or STS, has to say.
fn told(error: &(dyn StdError + 'static), profile: &str) -> Option<Error> {
    let not_taken = |failure| sts::not_taken(failure, format!("of the AWS profile `{profile}`"));
    let by_keys = error.downcast_ref::<SdkError<AssumeRoleError, HttpResponse>>().map(Failure::of);
    let by_token = || error.downcast_ref::<SdkError<AssumeRoleWithWebIdentityError, HttpResponse>>().map(Failure::of);
    by_keys.or_else(by_token).map(not_taken).or_else(|| error.downcast_ref::<Error>().cloned())
}

/// What is wrong with a profile of which the SDK makes nothing.
async fn flaw(variables: &Ambient, profile: &str) -> &'static str {
    match sections(variables).await {
        None if files(variables).is_none() => "there is no file with profiles",
        None => "the files with profiles cannot be understood",
        Some(sections) if sections.get_profile(profile).is_none() => "there is none of this name",
        Some(_) => "it gives no credentials",
    }
}

/// The SDK's own words are left out: they may quote a line of the files.
fn refused(profile: &str, reason: &'static str) -> Error {
    Error::new(ErrorKind::Unauthenticated, "use").on(format!("the AWS profile `{profile}`")).because(reason).with_hint(Hint::new(
        Code::AwsCredentialsInvalid,
        "check it with `aws sts get-caller-identity`; profiles of IAM Identity Center and `credential_process` work by `eval \"$(aws configure \
         export-credentials --format env)\"`",
    ))
}
