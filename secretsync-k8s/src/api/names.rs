//! Names that External Secrets Operator and secretsync leave on a target: labels, annotations, field managers.

use std::collections::BTreeMap;

use secretsync_core::store::OwnerId;
use sha3::{Digest, Sha3_224};

/// The label of every target: its value is `true`.
pub const MANAGED_LABEL: &str = "reconcile.external-secrets.io/managed";

/// The label of a target that goes with its ExternalSecret: [`created_by`] tells its value.
pub const CREATED_BY_LABEL: &str = "reconcile.external-secrets.io/created-by";

/// The annotation in which External Secrets Operator keeps an unkeyed digest of all values. It is never written here, and removed with the first
/// write: whoever may read metadata could guess weak values with it.
pub const DATA_HASH_ANNOTATION: &str = "reconcile.external-secrets.io/data-hash";

/// kubectl's copy of the last manifest.
///
/// External Secrets Operator copies it from the ExternalSecret to the target like any other annotation. That is not done here: it describes another
/// object, and it makes `kubectl apply --prune` take the target for one of its own and delete it.
pub const LAST_APPLIED_ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The annotation of a store of which any number of targets may be deleted at once because their sources are gone: its value is `true`.
pub const ALLOW_MASS_DELETION_ANNOTATION: &str = "secretsync/allow-mass-deletion";

/// What the field managers of all ExternalSecrets begin with.
pub const FIELD_MANAGER_PREFIX: &str = "externalsecrets.external-secrets.io/";

/// The field manager of an ExternalSecret: one for each, because two under one name would erase each other's keys.
///
/// ```
/// use secretsync_k8s::api::names::field_manager;
///
/// assert_eq!(field_manager("db"), "externalsecrets.external-secrets.io/db");
/// ```
pub fn field_manager(name: &str) -> String {
    let manager = format!("{FIELD_MANAGER_PREFIX}{name}");
    if manager.len() <= LONGEST_FIELD_MANAGER {
        return manager;
    }
    format!("{FIELD_MANAGER_PREFIX}sha3/{}", digest(name))
}

/// The value of [`CREATED_BY_LABEL`] on the targets of an ExternalSecret.
pub fn created_by(owner: &OwnerId) -> String {
    digest(&format!("{}/{}", owner.namespace(), owner.name()))
}

/// What External Secrets Operator writes into `status.syncedResourceVersion`: it changes with everything of the object that a sync depends on.
///
/// ```
/// use std::collections::BTreeMap;
///
/// let nothing = BTreeMap::new();
/// let revision = secretsync_k8s::api::names::synced_revision(3, &nothing, &nothing);
/// assert_eq!(revision, "3-f47fe3c0b255b6dd8047cdffa772587bb829efe7a1cb70febeda2eb2");
/// ```
pub fn synced_revision(
    generation: i64,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> String {
    // As Go prints a map.
    let map = |texts: &BTreeMap<String, String>| {
        let pairs: Vec<_> = texts.iter().map(|(key, text)| format!("{key}:{text}")).collect();
        format!("map[{}]", pairs.join(" "))
    };
    format!("{generation}-{}", digest(&format!("{{annotations:{} labels:{}}}", map(annotations), map(labels))))
}

/// The lower-case hexadecimal SHA3-224 of a text.
fn digest(text: &str) -> String {
    use std::fmt::Write as _;
    Sha3_224::digest(text.as_bytes()).iter().fold(String::with_capacity(56), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}

/// A field manager longer than this is replaced by a hashed one; the API server takes up to 128.
const LONGEST_FIELD_MANAGER: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_external_secrets_operator() {
        assert_eq!(digest("hello there"), "f78681ec611ebaeea0689bff6c7812a83ff98a7faba986d9af76c999");
        assert_eq!(
            created_by(&OwnerId::new("default", "test-es")),
            "a8e09351ea392b727f69f63683b28619fbed1174f572e728706a9ea8"
        );
    }

    #[test]
    fn the_field_manager_is_hashed_from_28_characters_on() {
        let (longest, hashed) = ("a".repeat(27), "a".repeat(28));
        assert_eq!(field_manager(&longest), format!("externalsecrets.external-secrets.io/{longest}"));
        assert_eq!(field_manager(&hashed), format!("externalsecrets.external-secrets.io/sha3/{}", digest(&hashed)));
        assert!(field_manager(&"a".repeat(253)).len() <= 128);
    }
}
