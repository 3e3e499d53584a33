//! Secrets and ConfigMaps among the manifests: credentials and certificates that stores refer to.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::CredentialKind;
use secretsync_core::secret::SecretValue;
use secretsync_k8s::api::ObjectKind;
use serde_json::Value;

use super::Object;

/// The values of Secrets and ConfigMaps, by kind, namespace and name.
#[derive(Debug, Default)]
pub(crate) struct References(BTreeMap<(CredentialKind, String, String), BTreeMap<String, SecretValue>>);

impl References {
    /// The keys of an object, or `None` if it was not among the manifests.
    pub(crate) fn get(
        &self,
        kind: CredentialKind,
        namespace: &str,
        name: &str,
    ) -> Option<&BTreeMap<String, SecretValue>> {
        self.0.get(&(kind, namespace.to_owned(), name.to_owned()))
    }

    pub(super) fn add(&mut self, object: &Object) -> Result<()> {
        let (kind, encoded, plain) = match object.kind {
            ObjectKind::ConfigMap => (CredentialKind::ConfigMap, "binaryData", "data"),
            _ => (CredentialKind::Secret, "data", "stringData"),
        };
        let mut values = BTreeMap::new();
        for (key, text) in members(object, encoded)? {
            let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            let bytes = STANDARD.decode(compact).map_err(|_| unusable(object, encoded, key, "is not base64"))?;
            values.insert(key.clone(), SecretValue::new(bytes));
        }
        // As in the API server, plain texts win.
        for (key, text) in members(object, plain)? {
            values.insert(key.clone(), SecretValue::from(text));
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
