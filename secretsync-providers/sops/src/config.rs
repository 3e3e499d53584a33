//! The configuration of a store, and what it means once it is checked.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use secretsync_core::provider::{CredentialRef, RawConfig};
use secretsync_core::schema::{NamespaceName, ObjectName, SecretKey};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Error, quoted};

/// `spec.provider.sops` of a store.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[non_exhaustive]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SopsConfig {
    /// Where the documents are.
    pub source: SopsSource,
    /// The keys that open them, in the order in which they are tried.
    #[serde(default)]
    pub keys: Vec<SopsKey>,
    /// Whether a document must name the namespace that it is for. Default `None`.
    #[serde(default)]
    pub bind: SopsBind,
}

/// Where the documents of a store are: exactly one member is set.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[non_exhaustive]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct SopsSource {
    /// A file, which is the only document, or a folder, whose files are documents. Relative to the folder of the manifest.
    pub path: Option<String>,
    /// A `ConfigMap` whose keys are documents.
    pub config_map_ref: Option<SopsObjectRef>,
    /// A Secret whose keys are documents.
    pub secret_ref: Option<SopsObjectRef>,
    /// The only document itself, called `inline`.
    pub inline: Option<String>,
}

/// A `ConfigMap` or Secret.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[non_exhaustive]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SopsObjectRef {
    /// Its name.
    #[schemars(with = "ObjectName")]
    pub name: String,
    /// Its namespace; only a `ClusterSecretStore` may name one.
    #[schemars(with = "Option<NamespaceName>")]
    pub namespace: Option<String>,
}

/// A key that opens documents: exactly one member is set.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[non_exhaustive]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct SopsKey {
    /// age identities.
    pub age: Option<SopsAge>,
    /// The transit engine of Vault or OpenBao: server and login as the Vault provider has them.
    ///
    /// It is read by the service that [`SopsFactory::with_key_service`](crate::SopsFactory::with_key_service) was given.
    #[schemars(with = "Option<Value>")]
    pub vault_transit: Option<Box<RawValue>>,
    /// AWS KMS: login and role as the AWS provider has them, read in the same way.
    #[schemars(with = "Option<Value>")]
    pub aws_kms: Option<Box<RawValue>>,
}

/// age identities.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[non_exhaustive]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SopsAge {
    /// The key of a Secret that holds them as `age-keygen` writes them.
    pub secret_ref: SopsSecretKeyRef,
}

/// A key of a Secret.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[non_exhaustive]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SopsSecretKeyRef {
    /// The Secret.
    #[schemars(with = "ObjectName")]
    pub name: String,
    /// The key in it.
    #[schemars(with = "SecretKey")]
    pub key: String,
    /// Its namespace; only a `ClusterSecretStore` may name one.
    #[schemars(with = "Option<NamespaceName>")]
    pub namespace: Option<String>,
}

/// Whether a document must name the namespace that it is for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[non_exhaustive]
pub enum SopsBind {
    /// Any namespace that can use the store can use its documents.
    #[default]
    None,
    /// The document must carry the namespace in an encrypted value.
    Namespace,
}

impl fmt::Debug for SopsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Somebody may have put a token where its reference belongs.
        f.debug_struct("SopsKey")
            .field("age", &self.age)
            .field("vault_transit", &self.vault_transit.as_ref().map(|_| ".."))
            .field("aws_kms", &self.aws_kms.as_ref().map(|_| ".."))
            .finish()
    }
}

impl fmt::Debug for SopsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A document that somebody forgot to encrypt is a secret.
        f.debug_struct("SopsSource")
            .field("path", &self.path)
            .field("config_map_ref", &self.config_map_ref)
            .field("secret_ref", &self.secret_ref)
            .field("inline", &self.inline.as_ref().map(|_| ".."))
            .finish()
    }
}

/// A checked configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) source: Source,
    pub(crate) keys: Vec<Key>,
    pub(crate) bind: SopsBind,
}

/// A checked key.
#[derive(Debug)]
pub(crate) enum Key {
    /// age identities in a Secret.
    Age(CredentialRef),
    /// A service: its member, its place `keys[1].awsKms`, and its own configuration.
    Service { member: &'static str, place: String, config: RawConfig },
}

/// The source of a checked configuration.
pub(crate) enum Source {
    ConfigMap(SopsObjectRef),
    Inline(String),
    Path(String),
    Secret(SopsObjectRef),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfigMap(object) => write!(f, "ConfigMap({})", object.name),
            Self::Inline(_) => f.write_str("Inline(..)"),
            Self::Path(path) => write!(f, "Path({path})"),
            Self::Secret(object) => write!(f, "Secret({})", object.name),
        }
    }
}

impl TryFrom<SopsConfig> for Settings {
    type Error = Error;

    fn try_from(config: SopsConfig) -> Result<Self, Error> {
        let SopsConfig { source, keys, bind } = config;
        let keys = keys.into_iter().enumerate().map(|(index, key)| key.checked(index)).collect::<Result<_, _>>()?;
        Ok(Self { source: source.checked()?, keys, bind })
    }
}

impl SopsSource {
    fn checked(self) -> Result<Source, Error> {
        let Self { path, config_map_ref, secret_ref, inline } = self;
        let mut given = [
            path.map(Source::Path),
            config_map_ref.map(Source::ConfigMap),
            secret_ref.map(Source::Secret),
            inline.map(Source::Inline),
        ]
        .into_iter()
        .flatten();
        match (given.next(), given.next()) {
            (Some(source), None) => Ok(source),
            _ => Err(Error::settings(
                "must set exactly one member of `source`",
                "set one of `source.path`, `source.configMapRef`, `source.secretRef` and `source.inline`",
            )),
        }
    }
}

impl SopsKey {
    fn checked(self, index: usize) -> Result<Key, Error> {
        let service = |member, config: &RawValue| Key::Service {
            member,
            place: format!("keys[{index}].{member}"),
            config: RawConfig::from_json(config.get()),
        };
        match (self.age, self.vault_transit, self.aws_kms) {
            (Some(age), None, None) => {
                let SopsSecretKeyRef { name, key, namespace } = age.secret_ref;
                Ok(Key::Age(CredentialRef::secret(name, key).in_namespace(namespace)))
            }
            (None, Some(config), None) => Ok(service("vaultTransit", &config)),
            (None, None, Some(config)) => Ok(service("awsKms", &config)),
            _ => Err(Error::settings(
                format!("must set exactly one member of `keys[{index}]`"),
                "set one of `age`, `vaultTransit` and `awsKms` in each entry of `keys`",
            )),
        }
    }
}

/// The path of a source below the folder that it starts from; empty for that folder itself.
pub(crate) fn below(base: &Path, path: &str) -> Result<PathBuf, Error> {
    let given = Path::new(path);
    let given = if given.is_absolute() { given.strip_prefix(base).map_err(|_| leaves(path))? } else { given };
    let mut inside = PathBuf::new();
    for component in given.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => inside.push(name),
            _ => return Err(leaves(path)),
        }
    }
    if path.is_empty() || path.contains('\0') {
        return Err(Error::settings(
            "has an empty or unusable `source.path`",
            "name a file or folder; `.` is the manifest's own folder",
        ));
    }
    Ok(inside)
}

fn leaves(path: &str) -> Error {
    Error::PathRefused {
        what: format!("`source.path` is `{}`, which leaves the folder that it starts from", quoted(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Settings, Error> {
        let config: SopsConfig = serde_json::from_str(text).map_err(|_| Error::NotEncrypted)?;
        config.try_into()
    }

    const KEYS: &str = r#""keys": [{"age": {"secretRef": {"name": "sops-age", "key": "key.txt"}}}]"#;

    #[test]
    fn a_store_names_one_source_and_its_keys() {
        let settings = settings(&format!(r#"{{"source": {{"path": "secrets/"}}, {KEYS}, "bind": "None"}}"#)).unwrap();
        assert!(matches!(settings.source, Source::Path(path) if path == "secrets/"));
        assert!(
            matches!(settings.keys.as_slice(), [Key::Age(key)] if *key == CredentialRef::secret("sops-age", "key.txt"))
        );
        assert_eq!(settings.bind, SopsBind::None);
    }

    #[test]
    fn none_or_two_of_what_must_be_one_are_refused() {
        for source in
            ["{}", r#"{"path": "a", "inline": "b"}"#, r#"{"configMapRef": {"name": "a"}, "secretRef": {"name": "a"}}"#]
        {
            let error = settings(&format!(r#"{{"source": {source}, {KEYS}}}"#)).unwrap_err();
            assert!(error.to_string().contains("exactly one member of `source`"), "{source}");
        }
        let error = settings(r#"{"source": {"path": "a"}, "keys": [{}]}"#).unwrap_err();
        assert!(error.to_string().contains("exactly one member of `keys[0]`"));
    }

    #[test]
    fn services_keep_their_own_configuration_and_their_place() {
        let settings = settings(
            r#"{"source": {"path": "a"}, "keys": [{"vaultTransit": {"server": "x"}}, {"awsKms": {"region": "y"}}], "bind": "Namespace"}"#,
        )
        .unwrap();
        let places: Vec<_> = settings
            .keys
            .iter()
            .map(|key| match key {
                Key::Service { member, place, .. } => (*member, place.as_str()),
                Key::Age(_) => ("age", ""),
            })
            .collect();
        assert_eq!(places, [("vaultTransit", "keys[0].vaultTransit"), ("awsKms", "keys[1].awsKms")]);
        assert_eq!(settings.bind, SopsBind::Namespace);
    }

    #[test]
    fn unknown_fields_are_refused_at_every_level() {
        for text in [
            r#"{"source": {"path": "a"}, "key": []}"#,
            r#"{"source": {"paths": "a"}}"#,
            r#"{"source": {"path": "a"}, "keys": [{"pgp": {}}]}"#,
            r#"{"source": {"path": "a"}, "keys": [{"age": {"secretRef": {"name": "a", "key": "b", "optional": true}}}]}"#,
        ] {
            assert!(
                serde_json::from_str::<SopsConfig>(text).unwrap_err().to_string().contains("unknown field"),
                "{text}"
            );
        }
    }

    #[test]
    fn source_paths_stay_below_their_folder() {
        let base = Path::new("/app/manifests");
        for (path, inside) in
            [("secrets", "secrets"), ("./a//b/", "a/b"), (".", ""), ("/app/manifests/x", "x"), ("a/./b", "a/b")]
        {
            assert_eq!(below(base, path).unwrap(), Path::new(inside), "{path}");
        }
        for path in ["..", "a/../..", "a/../b", "/etc/passwd", "/app/manifests/../x", "/app/manifestsx"] {
            assert!(matches!(below(base, path), Err(Error::PathRefused { .. })), "{path}");
        }
        assert!(below(base, "").is_err());
    }

    #[test]
    fn debug_shows_no_inline_document() {
        let config: SopsConfig = serde_json::from_str(r#"{"source": {"inline": "password: hunter2"}}"#).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
        let key: SopsKey = serde_json::from_str(r#"{"awsKms": {"secret": "hunter2"}}"#).unwrap();
        assert!(!format!("{key:?}").contains("hunter2"));
        assert!(!format!("{:?}", Settings::try_from(config).unwrap()).contains("hunter2"));
    }
}
