//! Secrets and ConfigMaps among the manifests: credentials and certificates that stores refer to, and texts of templates.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::{CredentialKind, CredentialRef};
use secretsync_core::secret::SecretValue;
use secretsync_k8s::api::ObjectKind;
use serde_json::Value;
use zeroize::Zeroizing;

use super::Object;

/// The values of Secrets and ConfigMaps, by kind, namespace and name. What cannot be used is an error only for those who ask for it.
#[derive(Debug, Default)]
pub(crate) struct References {
    objects: BTreeMap<ObjectId, BTreeMap<String, Result<SecretValue>>>,
    /// Keys of `binaryData` of ConfigMaps: these are no texts.
    binary: BTreeSet<(ObjectId, String)>,
}

type ObjectId = (CredentialKind, String, String);

impl References {
    /// The value that a reference means in a namespace, or `None` if it was not among the manifests.
    pub(crate) fn value(&self, reference: &CredentialRef, namespace: &str) -> Option<Result<SecretValue>> {
        let object = self.objects.get(&id(reference, namespace))?;
        Some(object.get(reference.key())?.as_ref().map(SecretValue::duplicate).map_err(Clone::clone))
    }

    /// The keys of the object that a reference names, or `None` if it was not among the manifests.
    pub(crate) fn keys(&self, object: &CredentialRef, namespace: &str) -> Option<impl Iterator<Item = String>> {
        self.objects.get(&id(object, namespace)).map(|values| values.keys().cloned())
    }

    /// The same for a text of a template: of a ConfigMap only `data` counts.
    pub(crate) fn template(&self, reference: &CredentialRef, namespace: &str) -> Option<Result<SecretValue>> {
        let binary = self.binary.contains(&(id(reference, namespace), reference.key().to_owned()));
        if binary { None } else { self.value(reference, namespace) }
    }

    /// Whether the object that a reference means was among the manifests.
    pub(crate) fn has(&self, reference: &CredentialRef, namespace: &str) -> bool {
        self.objects.contains_key(&id(reference, namespace))
    }

    pub(super) fn add(&mut self, object: &Object) -> Result<()> {
        let (kind, encoded, plain) = match object.kind {
            ObjectKind::ConfigMap => (CredentialKind::ConfigMap, "binaryData", "data"),
            _ => (CredentialKind::Secret, "data", "stringData"),
        };
        let encrypted = object.manifest.get("sops").is_some();
        let mut values = BTreeMap::new();
        for (key, text) in members(object, encoded)? {
            let compact: Zeroizing<String> =
                Zeroizing::new(text.chars().filter(|c| !c.is_ascii_whitespace()).collect());
            let bytes = STANDARD.decode(compact.as_bytes()).map(|bytes| SecretValue::from(Zeroizing::new(bytes)));
            values.insert(key.clone(), bytes.map_err(|_| unusable(object, encoded, key, "is not base64")));
        }
        let id = (kind, object.namespace.clone().unwrap_or_default(), object.name.clone());
        if kind == CredentialKind::ConfigMap {
            self.binary.extend(values.keys().map(|key| (id.clone(), key.clone())));
        }
        // As in the API server, plain texts win.
        for (key, text) in members(object, plain)? {
            self.binary.remove(&(id.clone(), key.clone()));
            values.insert(key.clone(), Ok(SecretValue::from(text)));
        }
        if encrypted {
            for (key, value) in &mut values {
                *value = Err(unusable(object, encoded, key, "is encrypted by sops: decrypt the manifest first"));
            }
        }
        self.objects.insert(id, values);
        Ok(())
    }
}

fn id(reference: &CredentialRef, namespace: &str) -> ObjectId {
    (reference.kind(), namespace.to_owned(), reference.name().to_owned())
}

fn members<'a>(object: &'a Object, field: &str) -> Result<Vec<(&'a String, &'a str)>> {
    let members = match object.manifest.get(field) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(value) => value.as_object().ok_or_else(|| unusable(object, field, "", "is no mapping"))?,
    };
    let text =
        |key: &str, value: &'a Value| value.as_str().ok_or_else(|| unusable(object, field, key, "is not a text"));
    members.iter().map(|(key, value)| Ok((key, text(key, value)?))).collect()
}

fn unusable(object: &Object, field: &str, key: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidConfig, "read")
        .on(format!("{object} at {}", object.place))
        .because(format!("`{field}{}{}` {why}", if key.is_empty() { "" } else { "." }, key.escape_debug()))
        .with_hint(Hint::new(Code::ManifestInvalid, "quote texts, and encode the values of `data` as base64"))
}
