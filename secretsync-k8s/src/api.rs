//! External Secrets Operator's kinds as plain data: groups, versions, and reading a manifest.

mod cluster_external_secret;
mod duration;
pub mod external_secret;
mod generator;
mod metadata;
pub mod names;
pub(crate) mod read;
mod schema;
mod secret_store;
mod suggest;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use serde::de::DeserializeOwned;

pub use cluster_external_secret::{ClusterExternalSecret, ClusterExternalSecretSpec, ExternalSecretMetadata};
pub use duration::{GoDuration, StoreInterval};
pub use external_secret::ExternalSecret;
pub use generator::{GeneratorSpec, VaultDynamicSecret};
pub use metadata::Metadata;
pub use secret_store::{
    ClusterSecretStore, Condition, LabelSelector, ProviderConfig, RetrySettings, SecretStore, SecretStoreSpec,
    SelectorOperator, SelectorRequirement,
};
pub(crate) use suggest::closest;

use crate::problems::subject;

/// The group of the kinds that describe syncs and configure providers.
pub const GROUP: &str = "external-secrets.io";

/// The version of [`GROUP`] that is read here.
pub const API_VERSION: &str = "external-secrets.io/v1";

/// A kind that can be read from a manifest.
pub trait Manifest: DeserializeOwned {
    /// Group and version, as manifests write them.
    const API_VERSION: &'static str = API_VERSION;

    /// The kind, as manifests write it.
    const KIND: &'static str;

    /// Name, namespace, labels and annotations.
    fn metadata(&self) -> &Metadata;
}

/// What a manifest's `apiVersion` and `kind` say it is.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ObjectKind {
    /// Configures a provider for the whole cluster.
    ClusterSecretStore,
    /// May hold certificates or documents that stores refer to.
    ConfigMap,
    /// Describes a sync.
    ExternalSecret,
    /// Its labels decide about cluster stores.
    Namespace,
    /// Nothing of ours.
    Other,
    /// May hold credentials that stores refer to.
    Secret,
    /// Configures a provider for one namespace.
    SecretStore,
    /// Asks Vault for something, without a store.
    VaultDynamicSecret,
}

impl ObjectKind {
    /// Says what an object is. Objects of other groups are [`ObjectKind::Other`].
    ///
    /// A kind or version of External Secrets Operator's groups that cannot be read here is an error: leaving it out silently would look like success.
    pub fn classify(api_version: &str, kind: &str) -> Result<Self> {
        match (api_version, kind) {
            ("v1", "ConfigMap") => return Ok(Self::ConfigMap),
            ("v1", "Namespace") => return Ok(Self::Namespace),
            ("v1", "Secret") => return Ok(Self::Secret),
            (API_VERSION, "ClusterSecretStore") => return Ok(Self::ClusterSecretStore),
            (API_VERSION, "ExternalSecret") => return Ok(Self::ExternalSecret),
            (API_VERSION, "SecretStore") => return Ok(Self::SecretStore),
            (GENERATORS_API_VERSION, VaultDynamicSecret::KIND) => return Ok(Self::VaultDynamicSecret),
            _ => {}
        }
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        if group != GROUP && group != GENERATORS_GROUP {
            return Ok(Self::Other);
        }
        Err(unreadable_kind(group, api_version, kind))
    }
}

/// Reads one manifest.
///
/// Every unknown field is reported, with its path and the known field that it resembles. A value of the wrong type is reported by its path and
/// what is expected there. No value of the manifest appears in the error.
pub fn parse<T: Manifest>(manifest: serde_json::Value) -> Result<T> {
    let text = |pointer: &str| manifest.pointer(pointer).and_then(serde_json::Value::as_str);
    let subject = subject(T::KIND, text("/metadata/namespace"), text("/metadata/name").unwrap_or_default());
    let invalid = |detail: String| {
        Error::new(ErrorKind::InvalidConfig, "read")
            .on(&subject)
            .because(detail)
            .with_hint(Hint::new(Code::ManifestInvalid, "correct the manifest; it was not applied"))
    };
    if text("/apiVersion") != Some(T::API_VERSION) || text("/kind") != Some(T::KIND) {
        return Err(invalid(format!("expected `apiVersion: {}` and `kind: {}`", T::API_VERSION, T::KIND)));
    }
    read::read(manifest).map_err(|complaints| invalid(complaints.join("; ")))
}

fn unreadable_kind(group: &str, api_version: &str, kind: &str) -> Error {
    let shown = crate::problems::quote(kind);
    let error = |error_kind: ErrorKind| {
        Error::new(error_kind, "read").on(format!("{shown} of `{}`", crate::problems::plain(api_version)))
    };
    if group == GROUP && READ_HERE.contains(&kind) {
        return error(ErrorKind::Unsupported).because("this version of the API is not read here").with_hint(Hint::new(
            Code::ManifestKindUnknown,
            format!("write `apiVersion: {API_VERSION}`; the fields are the same"),
        ));
    }
    if group == GENERATORS_GROUP && kind == VaultDynamicSecret::KIND {
        return error(ErrorKind::Unsupported).because("this version of the API is not read here").with_hint(Hint::new(
            Code::ManifestKindUnknown,
            format!("write `apiVersion: {GENERATORS_API_VERSION}`; the fields are the same"),
        ));
    }
    if api_version == API_VERSION && kind == ClusterExternalSecret::KIND {
        return error(ErrorKind::Unsupported)
            .because("only the operator spreads it over the namespaces of a cluster")
            .with_hint(Hint::new(
                Code::ManifestKindUnknown,
                "give an ExternalSecret with its `externalSecretSpec` for each namespace",
            ));
    }
    let known = if group == GROUP { KNOWN_KINDS } else { KNOWN_GENERATORS };
    if known.contains(&kind) {
        return error(ErrorKind::Unsupported).because("this kind is not supported").with_hint(Hint::new(
            Code::ManifestKindUnknown,
            "remove the object, or leave it to External Secrets Operator",
        ));
    }
    let advice = match closest(kind, READ_HERE.iter().chain(known).copied()) {
        Some(close) => format!("write `{close}` if that is what you meant"),
        None => format!("use one of {}", READ_HERE.join(", ")),
    };
    error(ErrorKind::InvalidConfig)
        .because("there is no such kind")
        .with_hint(Hint::new(Code::ManifestKindUnknown, advice))
}

/// The group of the generators.
pub const GENERATORS_GROUP: &str = "generators.external-secrets.io";

/// The version of [`GENERATORS_GROUP`] that is read here.
pub const GENERATORS_API_VERSION: &str = "generators.external-secrets.io/v1alpha1";

const READ_HERE: &[&str] = &["ClusterSecretStore", "ExternalSecret", "SecretStore"];

/// Kinds of [`GROUP`] that exist and are not supported.
const KNOWN_KINDS: &[&str] = &["ClusterExternalSecret", "ClusterPushSecret", "PushSecret"];

/// Kinds of [`GENERATORS_GROUP`] that exist and are not supported.
pub(crate) const KNOWN_GENERATORS: &[&str] = &[
    "ACRAccessToken",
    "BeyondtrustWorkloadCredentialsDynamicSecret",
    "CloudsmithAccessToken",
    "ClusterGenerator",
    "ECRAuthorizationToken",
    "Fake",
    "GCRAccessToken",
    "GeneratorState",
    "GithubAccessToken",
    "GitlabDeployToken",
    "Grafana",
    "MFA",
    "Password",
    "QuayAccessToken",
    "SSHKey",
    "STSSessionToken",
    "UUID",
    "Webhook",
];

#[cfg(test)]
mod tests {
    use secretsync_core::error::chain;
    use serde_json::json;

    use super::*;

    fn refusal(api_version: &str, kind: &str) -> (String, String) {
        let error = ObjectKind::classify(api_version, kind).unwrap_err();
        assert_eq!(error.hint().unwrap().code(), Code::ManifestKindUnknown);
        (chain(&error), error.hint().unwrap().advice().to_owned())
    }

    #[test]
    fn objects_are_told_apart_by_group_version_and_kind() {
        for (api_version, kind, expected) in [
            ("external-secrets.io/v1", "ExternalSecret", ObjectKind::ExternalSecret),
            ("external-secrets.io/v1", "SecretStore", ObjectKind::SecretStore),
            ("external-secrets.io/v1", "ClusterSecretStore", ObjectKind::ClusterSecretStore),
            ("v1", "Secret", ObjectKind::Secret),
            ("v1", "ConfigMap", ObjectKind::ConfigMap),
            ("v1", "Namespace", ObjectKind::Namespace),
            ("apps/v1", "Deployment", ObjectKind::Other),
            ("example.com/v1", "ExternalSecret", ObjectKind::Other),
            ("v1", "Pod", ObjectKind::Other),
        ] {
            assert_eq!(ObjectKind::classify(api_version, kind).unwrap(), expected, "{api_version} {kind}");
        }
    }

    #[test]
    fn known_but_unsupported_kinds_old_versions_and_unknown_kinds_are_refused_differently() {
        let (text, _) = refusal("external-secrets.io/v1alpha1", "PushSecret");
        assert_eq!(text, "failed to read `PushSecret` of `external-secrets.io/v1alpha1`: this kind is not supported");
        let (text, _) = refusal("generators.external-secrets.io/v1alpha1", "Password");
        assert_eq!(
            text,
            "failed to read `Password` of `generators.external-secrets.io/v1alpha1`: this kind is not supported"
        );
        let (text, advice) = refusal("external-secrets.io/v1", "ClusterExternalSecret");
        assert_eq!(
            text,
            "failed to read `ClusterExternalSecret` of `external-secrets.io/v1`: only the operator spreads it over the namespaces of a cluster"
        );
        assert_eq!(advice, "give an ExternalSecret with its `externalSecretSpec` for each namespace");
        let (text, advice) = refusal("external-secrets.io/v1beta1", "ExternalSecret");
        assert_eq!(
            text,
            "failed to read `ExternalSecret` of `external-secrets.io/v1beta1`: this version of the API is not read here"
        );
        assert_eq!(advice, "write `apiVersion: external-secrets.io/v1`; the fields are the same");
        let (text, advice) = refusal("external-secrets.io/v1", "ExternalSercet");
        assert_eq!(text, "failed to read `ExternalSercet` of `external-secrets.io/v1`: there is no such kind");
        assert_eq!(advice, "write `ExternalSecret` if that is what you meant");
    }

    #[test]
    fn another_kind_is_not_read_as_this_one() {
        let manifest = json!({"apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": "a", "namespace": "shop"}});
        assert_eq!(
            parse::<ExternalSecret>(manifest).unwrap_err().to_string(),
            "failed to read ExternalSecret `shop/a`: expected `apiVersion: external-secrets.io/v1` and `kind: ExternalSecret`"
        );
    }
}
