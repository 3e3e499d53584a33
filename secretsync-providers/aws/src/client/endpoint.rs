//! Where AWS is: its own hosts, or those that the environment names.

use std::net::IpAddr;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::net;
use secretsync_core::provider::Ambient;

/// An API of AWS that is called here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Api {
    #[cfg(feature = "kms")]
    Kms,
    SecretsManager,
    Ssm,
    Sts,
}

/// The endpoints that the environment names, with what is wrong about them: told to the store that needs one.
#[derive(Debug)]
pub(crate) struct Endpoints {
    secrets_manager: Result<Option<String>>,
    ssm: Result<Option<String>>,
    sts: Result<Option<String>>,
    #[cfg(feature = "kms")]
    kms: Result<Option<String>>,
    pub(crate) fips: bool,
    pub(crate) dual_stack: bool,
    /// Whether those that AWS's own tools read are switched off.
    ignored: bool,
}

impl Endpoints {
    /// Reads the variables of AWS's own tools and those of External Secrets Operator. The more special one wins.
    pub(crate) fn new(environment: &Ambient) -> Self {
        let is_set = |name| text(environment, name).is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let ignored = is_set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        let find = |names: &[&'static str]| {
            // What only External Secrets Operator reads comes first: AWS's switch is not about it.
            let names = names.iter().filter(|name| !ignored || !name.starts_with("AWS_ENDPOINT_URL"));
            let found = names.copied().find_map(|name| Some((name, text(environment, name)?)));
            found.map(|(name, url)| check(&url).map_err(|reason| invalid(name, reason)).map(|()| url)).transpose()
        };
        Self {
            secrets_manager: find(&[
                "AWS_SECRETSMANAGER_ENDPOINT",
                "AWS_ENDPOINT_URL_SECRETS_MANAGER",
                "AWS_ENDPOINT_URL",
            ]),
            ssm: find(&["AWS_SSM_ENDPOINT", "AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL"]),
            sts: find(&["AWS_STS_ENDPOINT", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"]),
            #[cfg(feature = "kms")]
            kms: find(&["AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL"]),
            fips: is_set("AWS_USE_FIPS_ENDPOINT"),
            dual_stack: is_set("AWS_USE_DUALSTACK_ENDPOINT"),
            ignored,
        }
    }

    /// These endpoints, and those of a profile where the environment names none: `found` gives what a profile has for a service, by the name that it has there.
    pub(crate) fn or_of_profile(&self, found: impl Fn(&'static str) -> Option<String>) -> Self {
        let of = |known: &Result<Option<String>>, service| match known {
            Ok(None) if !self.ignored => {
                let url = found(service).filter(|url| !url.is_empty());
                url.map(|url| check(&url).map_err(invalid_in_profile).map(|()| url)).transpose()
            }
            known => known.clone(),
        };
        Self {
            secrets_manager: of(&self.secrets_manager, "secrets_manager"),
            ssm: of(&self.ssm, "ssm"),
            sts: of(&self.sts, "sts"),
            #[cfg(feature = "kms")]
            kms: of(&self.kms, "kms"),
            ..*self
        }
    }

    /// The endpoint of an API, if not AWS's own. Fails with what is wrong about it.
    pub(crate) fn of(&self, api: Api) -> Result<Option<&str>> {
        let endpoint = match api {
            #[cfg(feature = "kms")]
            Api::Kms => &self.kms,
            Api::SecretsManager => &self.secrets_manager,
            Api::Ssm => &self.ssm,
            Api::Sts => &self.sts,
        };
        endpoint.as_ref().map(Option::as_deref).map_err(Clone::clone)
    }
}

/// Whether nothing protects what is sent to an endpoint.
pub(crate) fn is_plain(url: &str) -> bool {
    scheme(url).is_some_and(|(scheme, _)| scheme == Scheme::Http)
}

/// The host of a URL, without the brackets of an IPv6 address.
pub(crate) fn host(url: &str) -> Option<&str> {
    let (_, rest) = scheme(url)?;
    let authority = rest.split(['/', '?', '#']).next().filter(|authority| !authority.contains('@'))?;
    let host = match authority.strip_prefix('[') {
        Some(six) => six.split_once(']')?.0,
        None => authority.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => net::is_loopback(address),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Scheme {
    Http,
    Https,
}

fn scheme(url: &str) -> Option<(Scheme, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Some((Scheme::Http, rest)),
        "https" => Some((Scheme::Https, rest)),
        _ => None,
    }
}

/// Judges literal addresses; names are judged whenever they are resolved.
fn check(url: &str) -> Result<(), &'static str> {
    let host = host(url).ok_or("it is no http or https URL of a host")?;
    match host.parse::<IpAddr>() {
        Ok(address) => {
            if let Some(reason) = net::refused(address) {
                return Err(reason);
            }
        }
        // Other spellings of an address: `2852039166`, `0xa9fea9fe`, `169.254.43518`.
        Err(_)
            if host.rsplit('.').next().is_some_and(|label| label.starts_with(|first: char| first.is_ascii_digit())) =>
        {
            return Err("it is no name of a host, and no address in its usual form");
        }
        Err(_) => {}
    }
    if is_plain(url) && !is_loopback(host) {
        return Err("plain http would send the secrets unprotected over the network");
    }
    Ok(())
}

pub(crate) fn text(environment: &Ambient, name: &str) -> Option<String> {
    let text = environment.secret(name)?;
    let text = text.expose_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn invalid(name: &str, reason: &'static str) -> Error {
    unusable(format!("the endpoint in the variable {name}"), reason)
}

fn invalid_in_profile(reason: &'static str) -> Error {
    unusable("the `endpoint_url` of the AWS profile".to_owned(), reason)
}

fn unusable(which: String, reason: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfig, "use").on(which).because(reason).with_hint(Hint::new(
        Code::StoreInvalid,
        "write it as `https://host`; plain http is accepted for loopback addresses only",
    ))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn endpoints(pairs: &'static [(&str, &str)]) -> Endpoints {
        let find = |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, text)| OsString::from(text));
        Endpoints::new(&Ambient::new(find))
    }

    #[test]
    fn the_more_special_variable_wins() {
        let found = endpoints(&[
            ("AWS_ENDPOINT_URL", "https://all.example"),
            ("AWS_ENDPOINT_URL_STS", "https://sts.example"),
            ("AWS_SSM_ENDPOINT", "http://127.0.0.1:4566"),
        ]);
        assert_eq!(found.of(Api::SecretsManager).unwrap(), Some("https://all.example"));
        assert_eq!(found.of(Api::Sts).unwrap(), Some("https://sts.example"));
        assert_eq!(found.of(Api::Ssm).unwrap(), Some("http://127.0.0.1:4566"));
        assert_eq!(endpoints(&[]).of(Api::Sts).unwrap(), None);
    }

    #[test]
    fn aws_endpoint_variables_can_be_switched_off() {
        let found =
            endpoints(&[("AWS_ENDPOINT_URL", "https://a.example"), ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]);
        assert_eq!(found.of(Api::Sts).unwrap(), None);
    }

    #[test]
    fn a_profile_fills_in_what_the_environment_leaves_open() {
        let profile = |service: &str| Some(format!("https://{service}.example"));
        let known = endpoints(&[("AWS_ENDPOINT_URL_STS", "https://own.example")]);
        let found = known.or_of_profile(profile);
        assert_eq!(found.of(Api::Sts).unwrap(), Some("https://own.example"));
        assert_eq!(found.of(Api::SecretsManager).unwrap(), Some("https://secrets_manager.example"));
        let off = endpoints(&[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]).or_of_profile(profile);
        assert_eq!(off.of(Api::Ssm).unwrap(), None);
        let bad = known.or_of_profile(|_| Some("http://169.254.169.254".to_owned()));
        assert!(bad.of(Api::Ssm).is_err() && bad.of(Api::Sts).is_ok());
    }

    #[test]
    fn no_endpoint_leads_to_metadata_or_sends_secrets_in_clear() {
        for bad in [
            "http://169.254.169.254",
            "https://169.254.170.2/x",
            "https://[fd00:ec2::254]",
            "https://[::ffff:169.254.169.254]:80",
            "https://2852039166",
            "https://0xA9FEA9FE/",
            "https://169.254.43518",
            "http://example.com",
            "http://127.0.0.1.example.com",
            "https://user@host",
            "ftp://host",
            "host",
            "https://",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        for good in [
            "https://vpce-1.example",
            "http://127.0.0.1:5000",
            "http://localhost:1",
            "http://[::1]:1",
            "HTTPS://10.0.0.1",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }
}
