//! Profiles: `~/.aws/config` and `~/.aws/credentials`, read by the SDK.

use std::error::Error as StdError;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};

use super::ambient::{Environment, Link, LinkKind};
use super::sts::Sts;
use crate::client::endpoint_text as text;

/// The credentials of the profile, if there is one with credentials.
pub(super) async fn obtain(environment: &Environment, sts: &Sts<'_>) -> Result<Option<Credentials>> {
    let Environment { variables, .. } = environment;
    let home = variables.path("HOME");
    let file = |variable: &str, name: &str| {
        variables.path(variable).or_else(|| Some(home.as_ref()?.join(".aws").join(name))).filter(|path| path.is_file())
    };
    let config = file("AWS_CONFIG_FILE", "config");
    let secrets = file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
    let named = text(variables, "AWS_PROFILE");
    if config.is_none() && secrets.is_none() {
        return match named {
            Some(name) => Err(refused(&name, "there is no file with profiles")),
            None => Ok(None),
        };
    }
    let mut files = EnvConfigFiles::builder();
    for (kind, path) in [(EnvConfigFileKind::Config, config), (EnvConfigFileKind::Credentials, secrets)] {
        if let Some(path) = path {
            files = files.with_file(kind, path);
        }
    }
    let name = named.clone().unwrap_or_else(|| "default".to_owned());
    let link = |kind| Link { environment: environment.clone(), kind };
    let surroundings = ProviderConfig::without_region()
        .with_region(Some(aws_config::Region::new(sts.region().name.clone())))
        .with_http_client(sts.network().secure());
    let provider = ProfileFileCredentialsProvider::builder()
        .profile_files(files.build())
        .profile_name(&*name)
        .with_custom_provider("Environment", link(LinkKind::Variables))
        .with_custom_provider("EcsContainer", link(LinkKind::Container))
        .with_custom_provider("Ec2InstanceMetadata", link(LinkKind::Instance))
        .configure(&surroundings)
        .build();
    match provider.provide_credentials().await {
        Ok(found) => Ok(Some(found)),
        Err(CredentialsError::CredentialsNotLoaded(_)) if named.is_none() => Ok(None),
        Err(error) => Err(own(&error).unwrap_or_else(|| refused(&name, "it gives no credentials"))),
    }
}

/// An error of ours inside one of the SDK's.
fn own(error: &CredentialsError) -> Option<Error> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(own) = error.downcast_ref::<Error>() {
            return Some(own.clone());
        }
        next = error.source();
    }
    None
}

/// The SDK's own words are left out: they may quote a line of the files.
fn refused(profile: &str, reason: &'static str) -> Error {
    Error::new(ErrorKind::Unauthenticated, "use").on(format!("the AWS profile `{profile}`")).because(reason).with_hint(Hint::new(
        Code::AwsCredentialsInvalid,
        "check it with `aws sts get-caller-identity`; profiles of IAM Identity Center and `credential_process` work by `eval \"$(aws configure \
         export-credentials --format env)\"`",
    ))
}
