//! Objects of our kinds as lists and watches give them, read so that none of them can spoil the answer that it came with.
//!
//! Whoever may write one object may nest it as deeply as they like (a provider that nobody knows, the parameters of a generator), and a reader that gives up
//! there gives up the whole list. So the parts that may hold anything are taken as text first, and each is read on its own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use kube::Resource;
use kube::api::{ApiResource, DynamicObject, ObjectMeta};
use kube::core::DynamicResourceScope;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// An object, its contents still text.
#[derive(Clone, Deserialize)]
pub(super) struct Listed {
    #[serde(deserialize_with = "metadata")]
    metadata: ObjectMeta,
    spec: Option<Box<RawValue>>,
    status: Option<Box<RawValue>>,
}

impl Listed {
    /// The object, read. What cannot be read is left out; where that is the spec, [`is_unreadable`] says so.
    pub(super) fn into_object(self) -> DynamicObject {
        let spec = self.spec.as_deref().map_or(Some(Value::Null), read);
        let mut data = json!({ UNREADABLE: spec.is_none() });
        data["spec"] = spec.unwrap_or_default();
        data["status"] = self.status.as_deref().and_then(read).unwrap_or_default();
        DynamicObject { types: None, metadata: self.metadata, data }
    }
}

/// Whether the spec of an object is there, and is nothing that can be read.
pub(super) fn is_unreadable(object: &DynamicObject) -> bool {
    object.data[UNREADABLE] == true
}

fn read(text: &RawValue) -> Option<Value> {
    let depth = nesting(text.get());
    (depth <= DEEPEST).then(|| serde_json::from_str(text.get()).ok())?
}

/// How many lists and objects are within each other at most, in JSON.
fn nesting(json: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The metadata that matter. The record of managers is left out: it is as deep as what they manage.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    finalizers: Option<Vec<String>>,
    owner_references: Option<Vec<OwnerReference>>,
    deletion_timestamp: Option<Time>,
}

fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let read = Metadata::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name: read.name,
        namespace: read.namespace,
        uid: read.uid,
        resource_version: read.resource_version,
        generation: read.generation,
        labels: read.labels,
        annotations: read.annotations,
        finalizers: read.finalizers,
        owner_references: read.owner_references,
        deletion_timestamp: read.deletion_timestamp,
        ..ObjectMeta::default()
    })
}

impl Resource for Listed {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.kind)
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.group)
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.version)
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.api_version)
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.plural)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl std::fmt::Debug for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret may have been pasted into the wrong field.
        f.debug_struct("Listed").field("name", &self.metadata.name).finish_non_exhaustive()
    }
}

/// Marks an object whose spec could not be read.
const UNREADABLE: &str = "unreadable";

/// Deep enough for every manifest; what reads them takes no more.
const DEEPEST: usize = 64;

#[cfg(test)]
mod tests {
    use kube::ResourceExt;
    use kube::api::{ObjectList, WatchEvent};

    use super::*;

    /// A text with lists in lists, far deeper than JSON readers take.
    fn deep() -> String {
        format!("{}{}", "[".repeat(5_000), "]".repeat(5_000))
    }

    fn object(name: &str, spec: &str, status: &str) -> String {
        let fields = r#"{"f:spec":"#.to_owned() + &r#"{"f:a":"#.repeat(500) + "{}" + &"}".repeat(501);
        format!(
            r#"{{"apiVersion":"external-secrets.io/v1","kind":"SecretStore","metadata":{{"name":"{name}","resourceVersion":"7","generation":3,"labels":{{"a":"b"}},
            "managedFields":[{{"manager":"kubectl","fieldsV1":{fields}}}]}},"spec":{spec},"status":{status}}}"#
        )
    }

    #[test]
    fn one_that_is_too_deep_says_so_and_its_list_is_read_all_the_same() {
        let items = [
            object("good", r#"{"a":"]["}"#, r#"{"b":1}"#),
            object("deep", &deep(), "{}"),
            object("odd", "{}", &deep()),
        ];
        let text = format!(
            r#"{{"kind":"SecretStoreList","apiVersion":"external-secrets.io/v1","metadata":{{"resourceVersion":"9"}},"items":[{}]}}"#,
            items.join(",")
        );
        let list: ObjectList<Listed> = serde_json::from_str(&text).unwrap();
        let [good, deep, odd] =
            <[DynamicObject; 3]>::try_from(list.items.into_iter().map(Listed::into_object).collect::<Vec<_>>())
                .unwrap();
        assert_eq!(
            (good.name_any(), good.resource_version(), good.metadata.generation),
            ("good".into(), Some("7".into()), Some(3))
        );
        assert_eq!(
            (&good.data["spec"], &good.data["status"], good.labels()["a"].as_str()),
            (&json!({"a": "]["}), &json!({"b": 1}), "b")
        );
        assert_eq!([&good, &deep, &odd].map(is_unreadable), [false, true, false]);
        assert_eq!(odd.data["status"], Value::Null);
    }

    #[test]
    fn an_event_about_it_is_read_as_well() {
        let text = format!(r#"{{"type":"MODIFIED","object":{}}}"#, object("deep", &deep(), "{}"));
        let WatchEvent::Modified(object) = serde_json::from_str::<WatchEvent<Listed>>(&text).unwrap() else {
            panic!("another event")
        };
        assert!(is_unreadable(&object.into_object()));
    }

    #[test]
    fn brackets_in_texts_are_no_nesting() {
        for (text, depth) in [("1", 0), ("[[],[]]", 2), (r#"{"[[[":"\"[[["}"#, 1), (r#"["\\",[]]"#, 2)] {
            assert_eq!(nesting(text), depth, "{text}");
        }
    }
}
