//! Secrets and ConfigMaps among the manifests: credentials and certificates that stores refer to.

use std::collections::BTreeMap;

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
pub(crate) struct References(BTreeMap<(CredentialKind, String, String), BTreeMap<String, Result<SecretValue>>>);

impl References {
    /// The value that a reference means in a namespace, or `None` if it was not among the manifests.
    pub(crate) fn value(&self, reference: &CredentialRef, namespace: &str) -> Option<Result<SecretValue>> {
        let object = self.0.get(&(reference.kind(), namespace.to_owned(), reference.name().to_owned()))?;
        Some(object.get(reference.key())?.as_ref().map(SecretValue::duplicate).map_err(Clone::clone))
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
        // As in the API server, plain texts win.
        for (key, text) in members(object, plain)? {
            values.insert(key.clone(), Ok(SecretValue::from(text)));
        }
        if encrypted {
            for (key, value) in &mut values {
                *value = Err(unusable(object, encoded, key, "is encrypted by sops: decrypt the manifest first"));
            }
        }
        self.0.insert((kind, object.namespace.clone().unwrap_or_default(), object.name.clone()), values);
        Ok(())
    }
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
