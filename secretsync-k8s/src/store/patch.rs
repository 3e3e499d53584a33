//! What is sent to the API server.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secretsync_core::secret::SecretMap;
use secretsync_core::store::Write;
use secretsync_core::sync::CreationPolicy;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::managed_fields::ManagedFields;
use super::ownership::Marks;
use super::snapshot::Snapshot;
use crate::api::names::{CREATED_BY_LABEL, DATA_HASH_ANNOTATION, MANAGED_LABEL};
use crate::api::{API_VERSION, Manifest};

/// What a server-side apply of a write consists of, besides the values.
#[derive(Clone, Debug)]
pub(crate) struct Apply {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    rest: Map<String, Value>,
    metadata: Map<String, Value>,
    /// The uid of an earlier ExternalSecret of the name that is the controller still.
    former: Option<String>,
}

impl Apply {
    /// The apply of `write` over `present`. `uid` is that of our ExternalSecret in this cluster.
    ///
    /// What an apply leaves out that we applied before is removed by the API server. So type, immutability and finalizers that we applied once are
    /// applied again: they can or should not be taken back.
    pub(crate) fn new(write: &Write<'_>, marks: &Marks<'_>, uid: Option<&str>, present: Option<&Snapshot>) -> Self {
        let meta = &write.desired.meta;
        let mut apply = Self {
            labels: meta.labels.clone(),
            annotations: meta.annotations.clone(),
            rest: Map::new(),
            metadata: object(json!({"name": write.target.name(), "namespace": write.target.namespace()})),
            former: None,
        };
        apply.annotations.remove(DATA_HASH_ANNOTATION);
        apply.labels.remove(CREATED_BY_LABEL);
        apply.labels.insert(MANAGED_LABEL.to_owned(), "true".to_owned());
        if write.creation == CreationPolicy::Owner {
            apply.labels.insert(CREATED_BY_LABEL.to_owned(), marks.created_by().to_owned());
            apply.own(marks, uid, present);
        }
        if let Some(secret_type) = meta.secret_type.as_ref().or_else(|| kept_type(marks, present)) {
            apply.rest.insert("type".to_owned(), json!(secret_type));
        }
        let kept = present.is_some_and(|present| {
            present.immutable && present.metadata.managed_fields.owns(&marks.manager, "immutable")
        });
        if meta.immutable || kept {
            apply.rest.insert("immutable".to_owned(), json!(true));
        }
        apply.finalizers(&meta.finalizers, marks, present);
        if let Some(present) = present {
            apply.metadata.insert("uid".to_owned(), json!(present.metadata.uid));
            apply.expect_version(&present.metadata.resource_version);
        }
        apply
    }

    /// Makes the apply fail when the object is no longer in this version.
    pub(crate) fn expect_version(&mut self, version: &str) {
        self.metadata.insert("resourceVersion".to_owned(), json!(version));
    }

    /// Makes the apply fail when there is such an object: none ever has this version.
    pub(crate) fn expect_none(&mut self) {
        self.expect_version("1");
    }

    /// Leaves out a label or annotation that another sync holds, by its path in a conflict: two syncs must not fight over one.
    pub(crate) fn yield_field(&mut self, path: &str) -> bool {
        if let Some(label) = path.strip_prefix(".metadata.labels.") {
            return self.labels.remove(label).is_some();
        }
        path.strip_prefix(".metadata.annotations.").is_some_and(|name| self.annotations.remove(name).is_some())
    }

    /// The body. The values are written straight into a buffer of the right size that is wiped when dropped, so no copy of them stays behind.
    pub(crate) fn body(&self, data: &SecretMap) -> Zeroizing<Vec<u8>> {
        let mut metadata = self.metadata.clone();
        metadata.insert("labels".to_owned(), json!(self.labels));
        if !self.annotations.is_empty() {
            metadata.insert("annotations".to_owned(), json!(self.annotations));
        }
        let mut whole = object(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata}));
        whole.extend(self.rest.clone());
        let mut head = Value::Object(whole).to_string();
        head.pop();
        let size: usize = data.iter().map(|(key, value)| key.as_str().len() + encoded(value.expose().len()) + 6).sum();
        let mut body = Zeroizing::new(Vec::with_capacity(head.len() + size + 12));
        body.extend_from_slice(head.as_bytes());
        if !data.is_empty() {
            body.extend_from_slice(b",\"data\":{");
            for (index, (key, value)) in data.iter().enumerate() {
                if index > 0 {
                    body.push(b',');
                }
                // A key consists of letters, digits, `-`, `.` and `_`: nothing to escape.
                body.extend_from_slice(format!("\"{key}\":\"").as_bytes());
                append_base64(&mut body, value.expose());
                body.push(b'"');
            }
            body.push(b'}');
        }
        body.push(b'}');
        body
    }

    /// A strategic merge patch of everything but data and type.
    pub(crate) fn marks(&self) -> Vec<u8> {
        let mut metadata = self.metadata.clone();
        metadata.insert("labels".to_owned(), json!(self.labels));
        metadata.insert("annotations".to_owned(), json!(self.annotations));
        if let (Some(uid), Some(owners)) =
            (&self.former, metadata.get_mut("ownerReferences").and_then(Value::as_array_mut))
        {
            owners.push(json!({"$patch": "delete", "uid": uid}));
        }
        let mut patch = json!({ "metadata": metadata });
        if let Some(immutable) = self.rest.get("immutable") {
            patch["immutable"] = immutable.clone();
        }
        patch.to_string().into_bytes()
    }

    fn own(&mut self, marks: &Marks<'_>, uid: Option<&str>, present: Option<&Snapshot>) {
        let references = present.into_iter().flat_map(|present| &present.metadata.owner_references);
        // Where our ExternalSecret cannot be looked up, the reference that is there stays.
        let kept = || {
            references
                .into_iter()
                .find(|reference| reference.controller && marks.is_ours(reference))
                .map(|reference| &*reference.uid)
        };
        let Some(uid) = uid.or_else(kept) else { return };
        self.former = present.and_then(|present| marks.former(present, uid)).map(|(_, former)| former.uid.clone());
        self.metadata.insert(
            "ownerReferences".to_owned(),
            json!([{
                "apiVersion": API_VERSION,
                "kind": crate::api::ExternalSecret::KIND,
                "name": marks.owner.name(),
                "uid": uid,
                "controller": true,
                "blockOwnerDeletion": true,
            }]),
        );
    }

    fn finalizers(&mut self, wanted: &[String], marks: &Marks<'_>, present: Option<&Snapshot>) {
        let mut finalizers: Vec<&String> = Vec::new();
        if let Some(present) = present {
            let ours = |finalizer: &&String| present.metadata.managed_fields.owns_finalizer(&marks.manager, finalizer);
            finalizers.extend(present.metadata.finalizers.iter().filter(ours));
        }
        // None can be added to an object that is being deleted.
        if present.is_none_or(|present| present.metadata.deletion_timestamp.is_none()) {
            for finalizer in wanted {
                if !finalizers.contains(&finalizer) {
                    finalizers.push(finalizer);
                }
            }
        }
        if !finalizers.is_empty() {
            self.metadata.insert("finalizers".to_owned(), json!(finalizers));
        }
    }
}

/// The patch that replaces the record of who wrote what, and removes the owner at a place, and fails when the object is no longer in this version.
pub(crate) fn take_over(fields: Option<&ManagedFields>, former: Option<usize>, version: &str) -> Vec<u8> {
    let version = json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version});
    let fields = fields.map(|fields| json!({"op": "add", "path": "/metadata/managedFields", "value": fields}));
    let former = former.map(|place| json!({"op": "remove", "path": format!("/metadata/ownerReferences/{place}")}));
    let steps: Vec<_> = [Some(version), fields, former].into_iter().flatten().collect();
    json!(steps).to_string().into_bytes()
}

/// The body of a deletion that fails when the object is another one or no longer in this version.
pub(crate) fn deletion(present: &Snapshot) -> Vec<u8> {
    let preconditions = json!({"uid": present.metadata.uid, "resourceVersion": present.metadata.resource_version});
    json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}).to_string().into_bytes()
}

fn kept_type<'a>(marks: &Marks<'_>, present: Option<&'a Snapshot>) -> Option<&'a String> {
    let present = present.filter(|present| present.metadata.managed_fields.owns(&marks.manager, "type"))?;
    present.secret_type.as_ref()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The length of base64 with padding.
fn encoded(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

fn append_base64(body: &mut Vec<u8>, bytes: &[u8]) {
    let start = body.len();
    body.resize(start + encoded(bytes.len()), 0);
    let written = STANDARD.encode_slice(bytes, &mut body[start..]).expect("there is room for base64 with padding");
    body.truncate(start + written);
}

#[cfg(test)]
mod tests {
    use secretsync_core::secret::SecretKey;
    use secretsync_core::store::{Desired, OwnerId, TargetMeta, TargetRef};

    use super::super::snapshot::tests::snapshot;
    use super::*;

    const CREATED_BY: &str = "reconcile.external-secrets.io/created-by";

    fn body(
        creation: CreationPolicy,
        meta: TargetMeta,
        data: &[(&str, &str)],
        uid: Option<&str>,
        present: Option<&Value>,
    ) -> Value {
        let (owner, target) = (OwnerId::new("default", "test-es"), TargetRef::new("default", "db"));
        let data = data.iter().map(|(key, value)| (SecretKey::new(*key).unwrap(), (*value).into())).collect();
        let desired = Desired::new(data, meta);
        let write = Write::new(&target, &owner, &desired).under(creation);
        let present = present.map(snapshot);
        let text = Apply::new(&write, &Marks::new(&owner), uid, present.as_ref()).body(&desired.data);
        assert!(text.capacity() >= text.len());
        serde_json::from_slice(&text).unwrap()
    }

    fn ours(fields: &Value) -> Value {
        json!([{"manager": "externalsecrets.external-secrets.io/test-es", "operation": "Apply", "fieldsV1": fields}])
    }

    #[test]
    fn an_owned_secret_carries_marks_and_owner() {
        let mut meta = TargetMeta::default();
        meta.labels.insert("app".into(), "web".into());
        meta.annotations.insert("note".into(), "n".into());
        meta.annotations.insert(DATA_HASH_ANNOTATION.into(), "x".into());
        meta.secret_type = Some("kubernetes.io/tls".into());
        meta.immutable = true;
        meta.finalizers.push("example.com/f".into());
        assert_eq!(
            body(CreationPolicy::Owner, meta, &[("tls.crt", "a"), ("tls.key", "")], Some("u-1"), None),
            json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": {
                    "name": "db", "namespace": "default",
                    "labels": {"app": "web", MANAGED_LABEL: "true", CREATED_BY: "a8e09351ea392b727f69f63683b28619fbed1174f572e728706a9ea8"},
                    "annotations": {"note": "n"},
                    "finalizers": ["example.com/f"],
                    "ownerReferences": [{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "test-es", "uid": "u-1",
                        "controller": true, "blockOwnerDeletion": true}],
                },
                "type": "kubernetes.io/tls", "immutable": true, "data": {"tls.crt": "YQ==", "tls.key": ""},
            })
        );
    }

    #[test]
    fn other_policies_leave_no_owner() {
        for creation in [CreationPolicy::Orphan, CreationPolicy::Merge, CreationPolicy::CreateOrMerge] {
            assert_eq!(
                body(creation, TargetMeta::default(), &[], Some("u-1"), None),
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "default", "labels": {MANAGED_LABEL: "true"}}})
            );
        }
    }

    #[test]
    fn what_cannot_be_taken_back_is_applied_again() {
        let fields =
            json!({"f:type": {}, "f:immutable": {}, "f:metadata": {"f:finalizers": {"v:\"example.com/ours\"": {}}}});
        let present = json!({
            "metadata": {"uid": "s-1", "resourceVersion": "7", "managedFields": ours(&fields), "finalizers": ["example.com/ours", "example.com/theirs"]},
            "type": "kubernetes.io/tls", "immutable": true,
        });
        let body = body(CreationPolicy::Orphan, TargetMeta::default(), &[], None, Some(&present));
        assert_eq!((&body["type"], &body["immutable"]), (&json!("kubernetes.io/tls"), &json!(true)));
        assert_eq!(body["metadata"]["finalizers"], json!(["example.com/ours"]));
        assert_eq!((&body["metadata"]["uid"], &body["metadata"]["resourceVersion"]), (&json!("s-1"), &json!("7")));
    }

    #[test]
    fn what_others_decided_is_not_applied() {
        let present = json!({
            "metadata": {"uid": "s-1", "resourceVersion": "7", "finalizers": ["example.com/theirs"]}, "type": "kubernetes.io/tls", "immutable": true,
        });
        let body = body(CreationPolicy::Orphan, TargetMeta::default(), &[], None, Some(&present));
        assert_eq!((body.get("type"), body.get("immutable"), body["metadata"].get("finalizers")), (None, None, None));
    }

    #[test]
    fn an_owner_that_cannot_be_looked_up_keeps_its_reference() {
        let reference = json!([{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "test-es", "uid": "u-9", "controller": true}]);
        let present = json!({"metadata": {"uid": "s-1", "resourceVersion": "7", "ownerReferences": reference}});
        let owned = body(CreationPolicy::Owner, TargetMeta::default(), &[], None, Some(&present));
        assert_eq!(owned["metadata"]["ownerReferences"][0]["uid"], "u-9");
        let orphan = body(CreationPolicy::Orphan, TargetMeta::default(), &[], None, Some(&present));
        assert_eq!(orphan["metadata"].get("ownerReferences"), None);
    }

    #[test]
    fn no_finalizer_is_added_to_an_object_that_is_being_deleted() {
        let mut meta = TargetMeta::default();
        meta.finalizers.push("example.com/f".into());
        let present =
            json!({"metadata": {"uid": "s-1", "resourceVersion": "7", "deletionTimestamp": "2026-01-01T00:00:00Z"}});
        assert_eq!(body(CreationPolicy::Orphan, meta, &[], None, Some(&present))["metadata"].get("finalizers"), None);
    }
}
