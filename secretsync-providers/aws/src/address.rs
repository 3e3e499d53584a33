//! From keys to the one name of an object. AWS names are opaque: `/a/b` is not `a/b`, and an ARN stays an ARN.

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::object::{ObjectRef, Part};
use secretsync_core::provider::RemoteRef;

use crate::config::{Region, Service, Settings};

/// The object that a reference means.
pub(crate) fn object(settings: &Settings, reference: &RemoteRef) -> Result<ObjectRef> {
    let id = format!("{}{}", settings.prefix, reference.key);
    check(settings.service, &reference.key, &id)?;
    let version = reference.version.as_deref().filter(|version| !version.is_empty());
    let (id, version) = match settings.service {
        Service::ParameterStore => selected(&reference.key, id, version)?,
        // A plain read answers with this stage.
        _ => (id, version.filter(|version| *version != CURRENT).map(str::to_owned)),
    };
    let object = match arn_name(&id) {
        Some(name) => ObjectRef::new(&id).known_as(name),
        None => ObjectRef::new(id),
    };
    if reference.metadata {
        // Tags belong to the whole object.
        return Ok(object.with_part(Part::Metadata));
    }
    Ok(match version {
        Some(version) => object.with_version(version),
        None => object,
    })
}

/// The region that an ARN names, if it is one.
pub(crate) fn region(id: &str) -> Option<Region> {
    let mut parts = id.strip_prefix("arn:")?.split(':');
    let (_partition, _service) = (parts.next()?, parts.next()?);
    Region::parse(parts.next()?)
}

/// The name inside an ARN, which access rules look at: of a secret without the six letters at its end, of a parameter with its slash where it has a path.
pub(crate) fn arn_name(id: &str) -> Option<String> {
    let mut parts = id.strip_prefix("arn:")?.splitn(5, ':');
    let (service, resource) = (parts.nth(1)?, parts.nth(2)?);
    if service == "ssm" {
        let name = resource.strip_prefix("parameter/")?;
        // `flat` and `/flat` have the same ARN; few write the slash.
        return Some(if name.contains('/') { format!("/{name}") } else { name.to_owned() });
    }
    let name = resource.strip_prefix("secret:")?;
    let random = |letters: &str| letters.len() == 6 && letters.bytes().all(|letter| letter.is_ascii_alphanumeric());
    Some(name.rsplit_once('-').filter(|(_, letters)| random(letters)).map_or(name, |(name, _)| name).to_owned())
}

/// Whether what AWS handed out is the object whose name access rules looked at. A secret's ARN with a hyphen and six letters at its end is whole, or lacks AWS's own six
/// and is that of a secret whose name ends so; a parameter's may be that of `/flat`. (A parameter of another account may be called by its ARN.)
pub(crate) fn is_meant(object: &ObjectRef, name: Option<&str>) -> bool {
    arn_name(object.name()).is_none_or(|meant| name == Some(&*meant) || name == Some(object.name()))
}

/// A pinned version of Secrets Manager: `uuid/<id>` is a version's id, everything else a stage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pin<'a> {
    Id(&'a str),
    Stage(&'a str),
}

/// How Secrets Manager knows the version of an object.
pub(crate) fn pin(object: &ObjectRef) -> Option<Pin<'_>> {
    let version = object.version()?;
    Some(version.strip_prefix("uuid/").map_or(Pin::Stage(version), Pin::Id))
}

/// The name that Parameter Store knows an object by: `name`, or `name:version`.
pub(crate) fn parameter(object: &ObjectRef) -> String {
    match object.version() {
        Some(version) => format!("{}:{version}", object.name()),
        None => object.name().to_owned(),
    }
}

/// Takes the version out of a parameter's name, where it may stand as well.
fn selected(key: &str, id: String, version: Option<&str>) -> Result<(String, Option<String>)> {
    let start = if id.starts_with("arn:") { id.find('/').unwrap_or(id.len()) } else { 0 };
    let Some(colon) = id[start..].find(':').map(|place| place + start) else {
        return Ok((id, version.map(str::to_owned)));
    };
    let (name, inside) = (id[..colon].to_owned(), id[colon + 1..].to_owned());
    if inside.is_empty() || name.is_empty() || inside.contains(':') || version.is_some_and(|version| version != inside)
    {
        return Err(refused(
            key,
            "it names more than one version, or none",
            "write the version in `remoteRef.version` only",
        ));
    }
    Ok((name, Some(inside)))
}

fn check(service: Service, key: &str, id: &str) -> Result<()> {
    const ADVICE: &str = "write the name, or the ARN, as AWS shows it";
    if key.is_empty() {
        return Err(refused(key, "it is empty", ADVICE));
    }
    if id.chars().any(char::is_control) {
        return Err(refused(key, "it has control characters", ADVICE));
    }
    if id.len() > LONGEST {
        return Err(refused(key, "it is longer than any name", ADVICE));
    }
    if id.starts_with("arn:") && region(id).is_none() {
        return Err(refused(key, "it is an ARN without a region", ADVICE));
    }
    let own = if service == Service::ParameterStore { "ssm" } else { "secretsmanager" };
    if id.starts_with("arn:") && id.split(':').nth(2) != Some(own) {
        // The other service would answer that it does not exist.
        return Err(refused(
            key,
            "it is the ARN of another service than the store's",
            "read it from a store with the `service` that the ARN names",
        ));
    }
    Ok(())
}

fn refused(key: &str, reason: &'static str, advice: &'static str) -> Error {
    let shown: String = key.chars().filter(|letter| !letter.is_control()).take(100).collect();
    Error::new(ErrorKind::InvalidConfig, "use")
        .on(format!("the key `{shown}`"))
        .because(reason)
        .with_hint(Hint::new(Code::ManifestInvalid, advice))
}

const CURRENT: &str = "AWSCURRENT";
/// AWS's own bound on ids of secrets and parameters.
const LONGEST: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(service: Service, prefix: &str) -> Settings {
        Settings { service, region: Region::parse("eu-west-1").unwrap(), prefix: prefix.to_owned() }
    }

    fn secret(key: &str, version: &str) -> ObjectRef {
        object(&settings(Service::SecretsManager, ""), &RemoteRef::new(key).with_version(version)).unwrap()
    }

    fn named(key: &str, version: &str) -> Option<String> {
        let reference = RemoteRef::new(key).with_version(version);
        object(&settings(Service::ParameterStore, ""), &reference).ok().map(|object| parameter(&object))
    }

    #[test]
    fn names_are_opaque_and_the_prefix_is_no_folder() {
        assert_ne!(secret("/a/b", ""), secret("a/b", ""));
        assert_ne!(secret("a//b", ""), secret("a/b", ""));
        let found = object(&settings(Service::SecretsManager, "team-"), &RemoteRef::new("a")).unwrap();
        assert_eq!(found.name(), "team-a");
    }

    #[test]
    fn the_current_stage_is_the_plain_read() {
        assert_eq!(secret("a", "AWSCURRENT"), secret("a", ""));
        assert_eq!(pin(&secret("a", "AWSPREVIOUS")), Some(Pin::Stage("AWSPREVIOUS")));
        assert_eq!(pin(&secret("a", "uuid/1-2")), Some(Pin::Id("1-2")));
    }

    #[test]
    fn a_parameter_has_one_version_wherever_it_is_written() {
        assert_eq!(named("/a/b", "3").as_deref(), Some("/a/b:3"));
        assert_eq!(named("/a/b:3", "").as_deref(), Some("/a/b:3"));
        assert_eq!(named("/a/b:prod", "prod").as_deref(), Some("/a/b:prod"));
        let arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/a/b";
        assert_eq!(named(arn, "").as_deref(), Some(arn));
        assert_eq!(named(&format!("{arn}:2"), ""), Some(format!("{arn}:2")));
        for (key, version) in [("/a:1", "2"), ("/a:", ""), (":1", ""), ("/a:1:2", "")] {
            assert_eq!(named(key, version), None, "{key}");
        }
    }

    #[test]
    fn an_arn_tells_the_name_that_access_rules_look_at() {
        let secret = "arn:aws:secretsmanager:eu-west-1:1:secret:teams/shop/db";
        assert_eq!(arn_name(&format!("{secret}-AbC1dE")).as_deref(), Some("teams/shop/db"));
        assert_eq!(arn_name(secret).as_deref(), Some("teams/shop/db"));
        assert_eq!(arn_name("arn:aws:ssm:eu-west-1:1:parameter/a/b").as_deref(), Some("/a/b"));
        assert_eq!(arn_name("arn:aws:ssm:eu-west-1:1:parameter/flat").as_deref(), Some("flat"));
        assert_eq!(arn_name("teams/shop/db-AbC1dE"), None);
    }

    #[test]
    fn an_arn_means_the_secret_of_the_name_in_it_and_no_other() {
        let arn = |rest: &str| secret(&format!("arn:aws:secretsmanager:eu-west-1:1:secret:{rest}"), "");
        assert!(is_meant(&arn("app/db-AbC1dE"), Some("app/db")));
        assert!(is_meant(&arn("app/db"), Some("app/db")));
        assert!(!is_meant(&arn("app/db-AbC1dE"), Some("app/db-AbC1dE")));
        assert!(!is_meant(&arn("app/db"), None));
        assert!(is_meant(&secret("app/db-AbC1dE", ""), Some("app/db-AbC1dE")));
        let flat = RemoteRef::new("arn:aws:ssm:eu-west-1:1:parameter/flat");
        let flat = object(&settings(Service::ParameterStore, ""), &flat).unwrap();
        assert!(is_meant(&flat, Some("flat")) && is_meant(&flat, Some(flat.name())) && !is_meant(&flat, Some("/flat")));
    }

    #[test]
    fn an_arn_of_another_service_is_refused_and_no_missing_object() {
        let (secret, parameter) =
            ("arn:aws:secretsmanager:eu-west-1:1:secret:a-AbC1dE", "arn:aws:ssm:eu-west-1:1:parameter/a");
        for (service, key, good) in [
            (Service::SecretsManager, secret, true),
            (Service::SecretsManager, parameter, false),
            (Service::ParameterStore, parameter, true),
            (Service::ParameterStore, secret, false),
        ] {
            assert_eq!(object(&settings(service, ""), &RemoteRef::new(key)).is_ok(), good, "{key}");
        }
    }

    #[test]
    fn an_arn_names_its_region_and_nothing_may_hide_in_it() {
        assert_eq!(region("arn:aws:secretsmanager:eu-north-1:1:secret:a-b").unwrap().name, "eu-north-1");
        assert_eq!(region("a/b"), None);
        let settings = settings(Service::SecretsManager, "");
        for bad in ["", "a\nb", "arn:aws:secretsmanager:evil.example/:1:secret:a", "arn:x", &"a".repeat(2049)] {
            assert!(object(&settings, &RemoteRef::new(bad)).is_err(), "{bad}");
        }
    }
}
