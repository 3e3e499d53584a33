//! A Secret as it was seen: everything but its values.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secretsync_core::secret::Fingerprint;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use zeroize::Zeroizing;

use super::managed_fields::ManagedFields;

/// A Secret as it was seen.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) metadata: Metadata,
    /// `None` where only metadata was read.
    #[serde(rename = "type")]
    pub(crate) secret_type: Option<String>,
    #[serde(default)]
    pub(crate) immutable: bool,
    /// Keys with fingerprints; `None` where only metadata was read.
    #[serde(default)]
    data: Option<BTreeMap<String, Digested>>,
}

/// The metadata of a Secret.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Metadata {
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) deletion_timestamp: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) finalizers: Vec<String>,
    pub(crate) owner_references: Vec<OwnerReference>,
    pub(crate) managed_fields: ManagedFields,
}

/// An owner of a Secret.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct OwnerReference {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) controller: bool,
}

/// Where only metadata is known.
impl From<Metadata> for Snapshot {
    fn from(metadata: Metadata) -> Self {
        Self { metadata, ..Self::default() }
    }
}

impl Snapshot {
    /// Reads the API server's answer. Values are digested while they are parsed, and nothing of them is kept.
    pub(crate) fn read(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// The keys that are there, with fingerprints where values were read.
    pub(crate) fn keys(&self) -> BTreeMap<&str, Option<Fingerprint>> {
        match &self.data {
            Some(data) => data.iter().map(|(key, digested)| (key.as_str(), Some(digested.0))).collect(),
            None => self.metadata.managed_fields.all_keys().into_iter().map(|key| (key, None)).collect(),
        }
    }

    /// The fingerprint of a key, where values were read and it is there.
    pub(crate) fn fingerprint(&self, key: &str) -> Option<Fingerprint> {
        self.data.as_ref()?.get(key).map(|digested| digested.0)
    }

    /// Whether values were read.
    pub(crate) fn is_whole(&self) -> bool {
        self.secret_type.is_some()
    }
}

/// A value of which only the fingerprint is left.
#[derive(Clone, Copy)]
struct Digested(Fingerprint);

impl fmt::Debug for Digested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digested(..)")
    }
}

impl<'de> Deserialize<'de> for Digested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Digest)
    }
}

struct Digest;

impl Visitor<'_> for Digest {
    type Value = Digested;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Digested, E> {
        let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
        let length = STANDARD.decode_slice(text, &mut bytes).map_err(|_| E::custom("not base64"))?;
        Ok(Digested(Fingerprint::of_bytes(&bytes[..length])))
    }

    /// An empty value may come as `null`.
    fn visit_unit<E: de::Error>(self) -> Result<Digested, E> {
        Ok(Digested(Fingerprint::of_bytes(b"")))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(crate) fn snapshot(secret: &Value) -> Snapshot {
        Snapshot::read(secret.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn values_become_fingerprints() {
        let secret = snapshot(
            &json!({"metadata": {"uid": "1"}, "type": "Opaque", "data": {"a": "czNjcjN0", "b": "", "c": null}}),
        );
        assert_eq!(secret.fingerprint("a"), Some(Fingerprint::of_bytes(b"s3cr3t")));
        assert_eq!(secret.fingerprint("b"), Some(Fingerprint::of_bytes(b"")));
        assert_eq!(secret.fingerprint("c"), secret.fingerprint("b"));
        assert_eq!(secret.keys().len(), 3);
        assert!(!format!("{secret:?}").contains("czNjcjN0"));
    }

    #[test]
    fn metadata_alone_gives_the_keys_that_managers_wrote() {
        let fields = json!([{"manager": "m", "fieldsV1": {"f:data": {".": {}, "f:a": {}}}}]);
        let secret = snapshot(&json!({"kind": "PartialObjectMetadata", "metadata": {"managedFields": fields}}));
        assert_eq!(secret.keys(), BTreeMap::from([("a", None)]));
        assert!(!secret.is_whole());
    }

    #[test]
    fn what_is_no_secret_is_not_read() {
        assert!(Snapshot::read(b"[]").is_none());
        assert!(Snapshot::read(br#"{"metadata": {}, "data": {"a": "!"}}"#).is_none());
    }
}
