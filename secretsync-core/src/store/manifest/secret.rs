//! One Secret document.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use zeroize::{Zeroize, Zeroizing};

use crate::secret::{Fingerprint, SecretKey, SecretMap, SecretValue};
use crate::store::share::{Share, Shares};
use crate::store::{KeyState, OwnerId, TargetMeta, TargetRef};
use crate::yaml::emit;

/// The label by which an operator knows Secrets that it may adopt.
pub(super) const MANAGED: &str = "reconcile.external-secrets.io/managed";
/// How comments begin that say which sync wrote what. They are gone when the document is applied to a cluster.
pub(super) const MARK: &str = "# secretsync ";

/// A Secret as it stands in a manifest.
// No `Debug`: it would print values.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct SecretDocument {
    pub(super) target: TargetRef,
    secret_type: String,
    immutable: bool,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    finalizers: Vec<String>,
    /// Keys with base64 texts.
    data: BTreeMap<String, Zeroizing<String>>,
    /// What each sync wrote.
    marks: BTreeMap<String, Mark>,
}

/// What one sync wrote into a document: names only.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    owner: String,
    #[serde(default)]
    owns: bool,
    keys: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    labels: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    annotations: BTreeSet<String>,
}

/// What a sync wants to be in a document.
// No `Debug`: it would print values.
#[derive(Clone)]
pub(super) struct Update {
    pub(super) owner: String,
    pub(super) owns: bool,
    pub(super) set: BTreeMap<String, Zeroizing<String>>,
    pub(super) unset: BTreeSet<String>,
    pub(super) meta: TargetMeta,
}

impl Mark {
    /// Reads a comment. `None` if it is not one that we write.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mark: Self = serde_json::from_str(line.strip_prefix(MARK)?.trim_end()).ok()?;
        // It ends up in messages on terminals.
        (!mark.owner.contains(char::is_control)).then_some(mark)
    }

    fn write(&self, text: &mut String) {
        text.push_str(MARK);
        let json = serde_json::to_string(self).expect("texts and truth values are always JSON");
        for c in json.chars() {
            // Some characters beyond ASCII are line breaks to YAML, and would end the comment.
            if c.is_ascii() {
                text.push(c);
            } else {
                let mut units = [0; 2];
                text.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
        text.push('\n');
    }
}

impl SecretDocument {
    fn new(target: TargetRef) -> Self {
        Self {
            target,
            secret_type: "Opaque".to_owned(),
            immutable: false,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            finalizers: Vec::new(),
            data: BTreeMap::new(),
            marks: BTreeMap::new(),
        }
    }

    /// Reads a document. What we do not write there is left out: it is no longer the text that [`text`](Self::text) gives.
    pub(super) fn from_value(target: TargetRef, mut value: Value, marks: Vec<Mark>) -> Self {
        let mut document = Self::new(target);
        if let Some(Value::Object(data)) = value.get_mut("data").map(Value::take) {
            document.data = data.into_iter().map(|(key, value)| (key, Zeroizing::new(into_text(value)))).collect();
        }
        if let Some(secret_type) = value["type"].as_str() {
            secret_type.clone_into(&mut document.secret_type);
        }
        document.immutable = value["immutable"] == Value::Bool(true);
        document.labels = texts(&value["metadata"]["labels"]);
        document.annotations = texts(&value["metadata"]["annotations"]);
        let finalizers = value["metadata"]["finalizers"].as_array();
        document.finalizers =
            finalizers.into_iter().flatten().filter_map(|name| name.as_str().map(ToOwned::to_owned)).collect();
        document.marks = marks.into_iter().map(|mark| (mark.owner.clone(), mark)).collect();
        wipe(&mut value);
        document
    }

    /// The document with its separator and, if wanted, its comments.
    pub(super) fn text(&self, with_marks: bool) -> Zeroizing<String> {
        let mut marks = String::new();
        for mark in self.marks.values().filter(|_| with_marks) {
            mark.write(&mut marks);
        }
        let mut value = self.to_value();
        let body = emit::document(&value);
        wipe(&mut value);
        let mut text = Zeroizing::new(String::with_capacity(marks.len() + body.len() + 4));
        text.push_str("---\n");
        text.push_str(&marks);
        text.push_str(std::str::from_utf8(&body).unwrap_or_default());
        text
    }

    /// Replaces each value.
    pub(super) fn mask(&mut self) {
        for text in self.data.values_mut() {
            *text = Zeroizing::new("<hidden>".to_owned());
        }
    }

    pub(super) fn shares(&self) -> Shares {
        let mut shares = Shares::default();
        for (owner, mark) in &self.marks {
            let there = mark.keys.iter().filter(|key| self.data.contains_key(*key));
            let keys = there.filter_map(|key| SecretKey::new(key.as_str()).ok()).collect();
            shares.insert(owner.clone(), Share { owns: mark.owns, keys });
        }
        shares
    }

    /// Keys as `owner` sees them: its own, and those that no sync wrote. `false` if a value is not base64.
    pub(super) fn keys(&self, owner: &OwnerId) -> (BTreeMap<SecretKey, KeyState>, bool) {
        let (owner, mut whole, mut keys) = (owner.to_string(), true, BTreeMap::new());
        for (name, text) in &self.data {
            let mine = self.marks.get(&owner).is_some_and(|mark| mark.keys.contains(name));
            if !mine && self.marks.values().any(|mark| mark.keys.contains(name)) {
                continue;
            }
            let fingerprint =
                STANDARD.decode(text.as_bytes()).ok().map(Zeroizing::new).map(|bytes| Fingerprint::of_bytes(&bytes));
            whole &= fingerprint.is_some();
            let state = if mine { KeyState::owned(fingerprint) } else { KeyState::foreign(fingerprint) };
            keys.extend(SecretKey::new(name.as_str()).ok().map(|key| (key, state)));
        }
        (keys, whole)
    }

    /// The values of the keys that `owner` wrote, as far as they are base64.
    pub(super) fn own_values(&self, owner: &OwnerId) -> SecretMap {
        let value = |name: &String| {
            let bytes = Zeroizing::new(STANDARD.decode(self.data.get(name)?.as_bytes()).ok()?);
            Some((SecretKey::new(name.as_str()).ok()?, SecretValue::from(bytes)))
        };
        let mark = self.marks.get(&owner.to_string());
        mark.into_iter().flat_map(|mark| &mark.keys).filter_map(value).collect()
    }

    /// Type, labels and annotations on behalf of `owner`.
    pub(super) fn meta(&self, owner: &OwnerId) -> TargetMeta {
        let mark = self.marks.get(&owner.to_string());
        let of = |all: &BTreeMap<String, String>, mine: Option<&BTreeSet<String>>| {
            let mine = mine.into_iter().flatten();
            mine.filter_map(|name| all.get_key_value(name)).map(|(name, text)| (name.clone(), text.clone())).collect()
        };
        TargetMeta {
            secret_type: Some(self.secret_type.clone()),
            immutable: self.immutable,
            labels: of(&self.labels, mark.map(|mark| &mark.labels)),
            annotations: of(&self.annotations, mark.map(|mark| &mark.annotations)),
            finalizers: self.finalizers.clone(),
        }
    }

    /// What becomes of a document, or of none, with an update.
    pub(super) fn updated(before: Option<&Self>, target: &TargetRef, update: &Update) -> Self {
        let mut after = before.cloned().unwrap_or_else(|| Self::new(target.clone()));
        let mut mark = after.withdraw(&update.owner, |key| update.unset.contains(key));
        for other in after.marks.values_mut() {
            // Theirs and gone, or the write would have been refused.
            other.keys.retain(|key| !update.set.contains_key(key));
        }
        after
            .data
            .retain(|key, _| !update.unset.contains(key) || after.marks.values().any(|mark| mark.keys.contains(key)));
        after.data.extend(update.set.clone());
        mark.keys.retain(|key| !update.unset.contains(key));
        mark.keys.extend(update.set.keys().cloned());
        let labels = after.free(&update.meta.labels, &after.labels, |mark| &mark.labels);
        let annotations = after.free(&update.meta.annotations, &after.annotations, |mark| &mark.annotations);
        mark.labels = labels.keys().cloned().collect();
        mark.annotations = annotations.keys().cloned().collect();
        after.labels.extend(labels);
        after.labels.insert(MANAGED.to_owned(), "true".to_owned());
        after.annotations.extend(annotations);
        for name in &update.meta.finalizers {
            if !after.finalizers.contains(name) {
                after.finalizers.push(name.clone());
            }
        }
        after.secret_type = update.meta.secret_type.clone().unwrap_or(after.secret_type);
        after.immutable = update.meta.immutable || (after.immutable && !after.marks.is_empty());
        mark.owner.clone_from(&update.owner);
        mark.owns = update.owns;
        after.marks.insert(update.owner.clone(), mark);
        after
    }

    /// What of `wanted` a sync can have: not what another one gives another text, or the two would take turns.
    fn free(
        &self,
        wanted: &BTreeMap<String, String>,
        there: &BTreeMap<String, String>,
        names: fn(&Mark) -> &BTreeSet<String>,
    ) -> BTreeMap<String, String> {
        let taken = |name: &String| self.marks.values().any(|mark| names(mark).contains(name));
        let free = wanted.iter().filter(|(name, text)| !taken(name) || there.get(*name) == Some(*text));
        free.map(|(name, text)| (name.clone(), text.clone())).collect()
    }

    /// What is left without a sync. `None` if nobody else wrote into it.
    pub(super) fn without(&self, owner: &str) -> Option<Self> {
        let mut after = self.clone();
        after.withdraw(owner, |_| true);
        (!after.marks.is_empty()).then_some(after)
    }

    /// Takes out what a sync wrote and no other did: labels, annotations, and the keys that go.
    fn withdraw(&mut self, owner: &str, goes: impl Fn(&str) -> bool) -> Mark {
        let mark = self.marks.remove(owner).unwrap_or_default();
        let others = &self.marks;
        let only = |names: fn(&Mark) -> &BTreeSet<String>, name: &String| {
            names(&mark).contains(name) && !others.values().any(|mark| names(mark).contains(name))
        };
        self.data.retain(|key, _| !(goes(key) && only(|mark| &mark.keys, key)));
        self.labels.retain(|name, _| !only(|mark| &mark.labels, name));
        self.annotations.retain(|name, _| !only(|mark| &mark.annotations, name));
        mark
    }

    fn to_value(&self) -> Value {
        let mut metadata = Map::new();
        metadata.insert("name".to_owned(), json!(self.target.name()));
        metadata.insert("namespace".to_owned(), json!(self.target.namespace()));
        for (field, entries) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            if !entries.is_empty() {
                metadata.insert(field.to_owned(), json!(entries));
            }
        }
        if !self.finalizers.is_empty() {
            metadata.insert("finalizers".to_owned(), json!(self.finalizers));
        }
        let data: Map<String, Value> =
            self.data.iter().map(|(key, text)| (key.clone(), Value::String(text.to_string()))).collect();
        let mut document = Map::new();
        document.insert("apiVersion".to_owned(), json!("v1"));
        document.insert("kind".to_owned(), json!("Secret"));
        document.insert("metadata".to_owned(), Value::Object(metadata));
        document.insert("type".to_owned(), json!(self.secret_type));
        if self.immutable {
            document.insert("immutable".to_owned(), json!(true));
        }
        document.insert("data".to_owned(), Value::Object(data));
        Value::Object(document)
    }
}

/// The base64 text of a value.
pub(super) fn encode(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(bytes))
}

fn into_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        _ => String::new(),
    }
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned()))).collect()
}

/// Wipes the texts that may be secret: JSON values do not do it themselves.
fn wipe(document: &mut Value) {
    for field in ["data", "stringData"] {
        for text in document.get_mut(field).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
            if let Value::String(text) = text {
                text.zeroize();
            }
        }
    }
}
