//! A configuration, checked: what is wrong with it is told when the provider is built, field by field.

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::StoreOrigin;

use super::{AwsConfig, SecretsManagerOptions, Service};
use crate::KIND;

/// What a provider needs to know beside its identity.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) service: Service,
    pub(crate) region: Region,
    pub(crate) prefix: String,
}

impl Settings {
    pub(crate) fn new(config: &AwsConfig, origin: &StoreOrigin) -> Result<Self> {
        if config.service == Service::CertificateManager {
            return Err(Error::new(ErrorKind::Unsupported, "use")
                .on(format!("`spec.provider.{KIND}.service` of {origin}"))
                .because("`CertificateManager` is not supported")
                .with_hint(Hint::new(Code::Unsupported, "use `SecretsManager` or `ParameterStore`")));
        }
        if let Some(options) = &config.secrets_manager {
            check_deletion(origin, options)?;
        }
        Ok(Self {
            service: config.service,
            region: Region::parse(&config.region).ok_or_else(|| {
                invalid(
                    origin,
                    "region",
                    "it is no name of a region",
                    "write it as AWS does, `eu-central-1` for example",
                )
            })?,
            prefix: config.prefix.clone().unwrap_or_default(),
        })
    }
}

/// A region, and whether its FIPS endpoints are meant.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) fips: bool,
}

impl Region {
    /// Reads a region; the older spellings `fips-us-east-1` and `us-east-1-fips` are understood. It becomes a part of host names, so nothing else may
    /// be in it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let stripped = text.strip_prefix("fips-").or_else(|| text.strip_suffix("-fips"));
        let name = stripped.unwrap_or(text);
        let plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
        let valid = !name.is_empty()
            && name.len() <= 63
            && name.bytes().all(plain)
            && !name.starts_with('-')
            && !name.ends_with('-');
        valid.then(|| Self { name: name.to_owned(), fips: stripped.is_some() })
    }
}

fn check_deletion(origin: &StoreOrigin, options: &SecretsManagerOptions) -> Result<()> {
    let days = options.recovery_window_in_days.unwrap_or_default();
    let field = "secretsManager";
    if days != 0 && !(7..=30).contains(&days) {
        let detail = "invalid DeleteSecretInput: RecoveryWindowInDays must be between 7 and 30 days";
        return Err(invalid(origin, field, detail, "correct `recoveryWindowInDays`"));
    }
    if days != 0 && options.force_delete_without_recovery == Some(true) {
        let detail = "invalid DeleteSecretInput: ForceDeleteWithoutRecovery conflicts with RecoveryWindowInDays";
        return Err(invalid(origin, field, detail, "keep one of the two"));
    }
    Ok(())
}

/// The error of a field that cannot work.
pub(crate) fn invalid(origin: &StoreOrigin, field: &str, detail: &'static str, advice: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfig, "use")
        .on(format!("`spec.provider.{KIND}.{field}` of {origin}"))
        .because(detail)
        .with_hint(Hint::new(Code::StoreInvalid, advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_becomes_a_part_of_a_host_name_and_of_nothing_else() {
        for (text, name, fips) in [
            ("eu-central-1", "eu-central-1", false),
            ("us-gov-west-1", "us-gov-west-1", false),
            ("us-east-1-fips", "us-east-1", true),
            ("fips-us-east-1", "us-east-1", true),
        ] {
            assert_eq!(Region::parse(text), Some(Region { name: name.to_owned(), fips }));
        }
        for bad in ["", "noop.", "us-east-1.evil.example/", "US-EAST-1", "a b", "-a", "fips-", "a#"] {
            assert_eq!(Region::parse(bad), None, "{bad}");
        }
    }
}
