//! Credentials of stores, read from Secrets and ConfigMaps of the cluster.

mod account;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::Client;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::{
    AccountToken, CredentialKind, CredentialRef, CredentialSource, StoreOrigin, TokenRequest,
};
use secretsync_core::secret::SecretValue;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

pub use template::KubeTemplates;

use crate::problems::{plain, quote};
use crate::request::{Call, Failure, Server, Target, Verb, View};

/// The credentials of one store, from the cluster.
///
/// A namespaced store reads in its own namespace and nowhere else, whatever its configuration says: else whoever may write a SecretStore could have
/// the Secrets of other namespaces sent to a server of his own.
pub struct KubeCredentials {
    server: Server,
    scope: CredentialScope,
    cluster: Option<String>,
}

/// Where the references of a store may lead (`eso-compat.md` 1.2), for every source of credentials.
#[derive(Clone, Debug)]
pub struct CredentialScope(Reach);

#[derive(Clone, Debug)]
enum Reach {
    /// To this namespace only: that of the store.
    Bound(String),
    /// To the namespace that a reference names, else to this one: that of the ExternalSecret.
    Referent(String),
}

impl KubeCredentials {
    /// The credentials that a store may reach.
    pub fn new(client: Client, scope: CredentialScope) -> Self {
        Self::over(client.into(), scope)
    }

    /// The same, behind what bounds the requests of a program.
    pub(crate) fn over(server: Server, scope: CredentialScope) -> Self {
        Self { server, scope, cluster: None }
    }

    /// Names the cluster, so that stores which may use the same object of it can share a login. Two clusters MUST NOT have one name.
    #[must_use]
    pub fn of_cluster(mut self, name: impl Into<String>) -> Self {
        self.cluster = Some(name.into());
        self
    }
}

impl fmt::Debug for KubeCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubeCredentials").field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[async_trait]
impl CredentialSource for KubeCredentials {
    async fn resolve(&self, reference: &CredentialRef) -> Result<SecretValue> {
        let namespace = self.scope.namespace(reference)?;
        let object = Holding::read(&self.server, reference, namespace).await?;
        let object = object.ok_or_else(|| missing_object(reference, namespace))?;
        object.take(reference).ok_or_else(|| missing_key(reference, namespace))
    }

    async fn keys(&self, object: &CredentialRef) -> Result<Vec<String>> {
        let namespace = self.scope.namespace(object)?;
        let found = Holding::read(&self.server, object, namespace).await?;
        Ok(found.ok_or_else(|| missing_object(object, namespace))?.keys())
    }

    fn identity(&self, reference: &CredentialRef) -> Option<String> {
        Some(format!("{} of cluster {}", self.scope.identity(reference)?, self.cluster.as_ref()?))
    }

    async fn token(&self, account: &CredentialRef, request: &TokenRequest) -> Result<AccountToken> {
        account::token(&self.server, account, self.scope.namespace(account)?, request).await
    }

    async fn annotations(&self, account: &CredentialRef) -> Result<BTreeMap<String, String>> {
        account::annotations(&self.server, account, self.scope.namespace(account)?).await
    }
}

impl CredentialScope {
    /// What `store` may reach on behalf of ExternalSecrets of `namespace`, which matters to cluster stores only.
    pub fn new(store: &StoreOrigin, namespace: impl Into<String>) -> Self {
        Self(match store.namespace() {
            Some(own) => Reach::Bound(own.to_owned()),
            None => Reach::Referent(namespace.into()),
        })
    }

    /// The namespace that a reference means. A namespaced store that names another one is refused.
    pub fn namespace<'a>(&'a self, reference: &'a CredentialRef) -> Result<&'a str> {
        match (&self.0, reference.namespace()) {
            (Reach::Bound(own), Some(named)) if named != own => Err(Error::new(ErrorKind::InvalidConfig, "resolve")
                .on(reference)
                .because("namespace should either be empty or match the namespace of the SecretStore for a namespaced SecretStore")
                .with_hint(Hint::new(Code::StoreInvalid, "remove the namespace, or use a ClusterSecretStore"))),
            (Reach::Bound(own), _) => Ok(own),
            (Reach::Referent(_), Some(named)) => Ok(named),
            (Reach::Referent(referent), None) => Ok(referent),
        }
    }

    /// What a reference means, in words that are the same in every scope; `None` where it is refused.
    pub fn identity(&self, reference: &CredentialRef) -> Option<String> {
        let namespace = self.namespace(reference).ok()?;
        Some(reference.clone().in_namespace(Some(namespace)).to_string())
    }
}

fn target<'a>(reference: &'a CredentialRef, namespace: &'a str) -> Target<'a> {
    match reference.kind() {
        CredentialKind::ConfigMap => {
            Target { kind: "ConfigMap", api: "/api/v1", resource: "configmaps", namespace, name: reference.name() }
        }
        _ => Target::secret(namespace, reference.name()),
    }
}

fn kind_of(reference: &CredentialRef) -> &'static str {
    if reference.kind() == CredentialKind::ConfigMap { "configmap" } else { "secret" }
}

fn missing_object(reference: &CredentialRef, namespace: &str) -> Error {
    let (kind, name, namespace) = (kind_of(reference), plain(reference.name()), plain(namespace));
    Error::new(ErrorKind::NotFound, "resolve")
        .on(reference)
        .because(format!("cannot get Kubernetes {kind} \"{name}\" from namespace \"{namespace}\""))
        .with_hint(Hint::new(
            Code::CredentialMissing,
            format!("create {kind} `{namespace}/{name}`, or correct the reference in the store"),
        ))
}

fn missing_key(reference: &CredentialRef, namespace: &str) -> Error {
    let (kind, key) = (kind_of(reference), plain(reference.key()));
    let object = quote(&format!("{namespace}/{}", reference.name()));
    Error::new(ErrorKind::NotFound, "resolve")
        .on(reference)
        .because(format!("cannot find {kind} data for key: \"{key}\""))
        .with_hint(Hint::new(
            Code::CredentialMissing,
            format!("add the key to {kind} {object}, or correct the reference in the store"),
        ))
}

/// A Secret or ConfigMap: its values are wiped when it is dropped.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Holding {
    #[serde(default)]
    data: Option<BTreeMap<String, Text>>,
    #[serde(default)]
    binary_data: Option<BTreeMap<String, Text>>,
}

impl Holding {
    /// The object of a reference, or `None` if it does not exist.
    async fn read(server: &Server, reference: &CredentialRef, namespace: &str) -> Result<Option<Self>> {
        let target = target(reference, namespace);
        let answer = match Call::new(Verb::Get, target, View::Whole).send(server).await {
            Ok(answer) => answer,
            Err(Failure::Refused(refusal)) if refusal.is_absent() => return Ok(None),
            Err(failure) => return Err(failure.into_error(Verb::Get, &target)),
        };
        serde_json::from_slice(&answer.body).map(Some).map_err(|_| {
            Error::new(ErrorKind::InvalidData, "read")
                .on(target)
                .because("the answer is none of a Kubernetes API server")
        })
    }

    fn keys(self) -> Vec<String> {
        let maps = [self.data, self.binary_data];
        let keys: BTreeSet<String> = maps.into_iter().flatten().flat_map(BTreeMap::into_keys).collect();
        keys.into_iter().collect()
    }

    fn take(self, reference: &CredentialRef) -> Option<SecretValue> {
        let of = |data: Option<BTreeMap<String, Text>>| data?.remove(reference.key());
        let (text, encoded) = match reference.kind() {
            CredentialKind::ConfigMap => match of(self.data) {
                Some(text) => (text, false),
                None => (of(self.binary_data)?, true),
            },
            _ => (of(self.data)?, true),
        };
        if !encoded {
            return Some(SecretValue::from(text.0.as_bytes()));
        }
        let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.0.len())]);
        let length = STANDARD.decode_slice(text.0.as_bytes(), &mut bytes).ok()?;
        Some(SecretValue::from(&bytes[..length]))
    }
}

/// A text that is wiped when it is dropped; `null` is an empty one.
pub(crate) struct Text(pub(crate) Zeroizing<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<String>::deserialize(deserializer).map(|text| Self(Zeroizing::new(text.unwrap_or_default())))
    }
}

#[cfg(test)]
mod tests {
    use secretsync_core::error::chain;

    use super::*;

    #[test]
    fn a_namespaced_store_reads_in_its_own_namespace_only() {
        let own = CredentialScope::new(&StoreOrigin::namespaced("shop", "vault"), "ignored");
        let plain = CredentialRef::secret("token", "t");
        assert_eq!(own.namespace(&plain).unwrap(), "shop");
        assert_eq!(own.namespace(&plain.clone().in_namespace(Some("shop"))).unwrap(), "shop");
        assert_eq!(own.namespace(&plain.clone().in_namespace(Some(""))).unwrap(), "shop");
        for foreign in ["kube-system", "Shop", "../shop", "shop/../kube-system"] {
            let error = own.namespace(&plain.clone().in_namespace(Some(foreign))).unwrap_err();
            let rule = "namespace should either be empty or match the namespace of the SecretStore for a namespaced SecretStore";
            assert!(chain(&error).ends_with(rule), "{error}");
        }
    }

    #[test]
    fn a_cluster_store_reads_where_the_reference_says_else_beside_the_external_secret() {
        let scope = CredentialScope::new(&StoreOrigin::cluster("vault"), "shop");
        let plain = CredentialRef::config_map("ca", "ca.crt");
        assert_eq!(scope.namespace(&plain).unwrap(), "shop");
        assert_eq!(scope.namespace(&plain.in_namespace(Some("vault"))).unwrap(), "vault");
    }

    #[test]
    fn an_identity_is_the_same_credential_in_every_scope() {
        let plain = CredentialRef::secret("token", "t");
        let own = CredentialScope::new(&StoreOrigin::namespaced("shop", "vault"), "ignored");
        let referent = |consumer: &str| CredentialScope::new(&StoreOrigin::cluster("vault"), consumer);
        assert_eq!(own.identity(&plain).unwrap(), "key `t` of Secret `shop/token`");
        assert_eq!(own.identity(&plain), referent("shop").identity(&plain));
        assert_ne!(own.identity(&plain), referent("bank").identity(&plain));
        assert_eq!(own.identity(&plain.in_namespace(Some("bank"))), None, "what is refused is nobody's");
    }

    fn take(json: &str, reference: &CredentialRef) -> Option<Vec<u8>> {
        serde_json::from_str::<Holding>(json).unwrap().take(reference).map(|value| value.expose().to_vec())
    }

    #[test]
    fn keys_of_texts_and_bytes_are_listed_together() {
        let keys = |json| serde_json::from_str::<Holding>(json).unwrap().keys();
        assert_eq!(keys(r#"{"data": {"b": "x", "a": null}, "binaryData": {"c": "/w=="}}"#), ["a", "b", "c"]);
        assert!(keys(r"{}").is_empty());
    }

    #[test]
    fn values_are_taken_as_they_are() {
        let secret = CredentialRef::secret("s", "k");
        assert_eq!(take(r#"{"data": {"k": "IHQK"}}"#, &secret).unwrap(), b" t\n");
        assert_eq!(take(r#"{"data": {"other": "IHQK"}}"#, &secret), None);
        assert_eq!(take(r"{}", &secret), None);
        let map = CredentialRef::config_map("c", "k");
        assert_eq!(take(r#"{"data": {"k": "IHQK"}}"#, &map).unwrap(), b"IHQK");
        assert_eq!(take(r#"{"binaryData": {"k": "/w=="}}"#, &map).unwrap(), [0xff]);
    }
}
