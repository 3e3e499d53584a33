//! Who wrote what, read from `metadata.managedFields`; and how to take over what is to be ours.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::api::names::{FIELD_MANAGER_PREFIX, LAST_APPLIED_ANNOTATION, MANAGED_LABEL};

/// The entries of `metadata.managedFields`, kept as they are.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct ManagedFields(Vec<Map<String, Value>>);

impl ManagedFields {
    /// Whether a manager wrote anything at all that is still there.
    pub(crate) fn knows(&self, manager: &str) -> bool {
        self.of(manager).next().is_some()
    }

    /// Whether a manager wrote this key of the data.
    pub(crate) fn owns_key(&self, manager: &str, key: &str) -> bool {
        self.of(manager).any(|entry| has(entry, &["data", key]))
    }

    /// Whether a manager wrote a field of the object, `type` for example.
    pub(crate) fn owns(&self, manager: &str, field: &str) -> bool {
        self.of(manager).any(|entry| has(entry, &[field]))
    }

    /// Whether anybody wrote a field of the object.
    pub(crate) fn have(&self, field: &str) -> bool {
        self.0.iter().any(|entry| has(entry, &[field]))
    }

    /// Whether a manager added a finalizer.
    pub(crate) fn owns_finalizer(&self, manager: &str, finalizer: &str) -> bool {
        let item = format!("v:{}", Value::from(finalizer));
        let finalizers = |entry| field(entry, &["metadata", "finalizers"]).is_some_and(|set| set.contains_key(&item));
        self.of(manager).any(finalizers)
    }

    /// The labels that a manager wrote.
    pub(crate) fn labels<'a>(&'a self, manager: &'a str) -> BTreeSet<&'a str> {
        self.of(manager).flat_map(|entry| members(entry, &["metadata", "labels"])).collect()
    }

    /// The annotations that a manager wrote; kubectl's copy of the last manifest only where it was applied, because External Secrets Operator copies
    /// it by updates.
    pub(crate) fn annotations<'a>(&'a self, manager: &'a str) -> BTreeSet<&'a str> {
        let of = |entry| {
            members(entry, &["metadata", "annotations"])
                .filter(move |name| applied(entry) || *name != LAST_APPLIED_ANNOTATION)
        };
        self.of(manager).flat_map(of).collect()
    }

    /// The keys of the data that a manager wrote.
    pub(crate) fn keys_of<'a>(&'a self, manager: &'a str) -> BTreeSet<&'a str> {
        self.of(manager).flat_map(|entry| members(entry, &["data"])).collect()
    }

    /// The managers but `ours` that wrote one of these keys.
    pub(crate) fn others_with(&self, ours: &str, keys: &[String]) -> BTreeSet<&str> {
        let wrote = |entry: &Map<String, Value>| keys_in(entry).any(|written| keys.iter().any(|key| key == written));
        let others = self.0.iter().filter(|entry| !is_manager(entry, ours) && wrote(entry));
        others.filter_map(manager_of).collect()
    }

    /// Every key of the data that anybody wrote.
    pub(crate) fn all_keys(&self) -> BTreeSet<&str> {
        self.0.iter().flat_map(keys_in).collect()
    }

    /// The managers of other syncs that wrote keys.
    pub(crate) fn other_syncs(&self, ours: &str) -> BTreeSet<String> {
        self.syncs(ours).filter(|entry| has(entry, &["data"])).filter_map(manager_of).map(str::to_owned).collect()
    }

    /// The managers of other syncs that wrote this label.
    pub(crate) fn syncs_with_label<'a>(&'a self, ours: &'a str, label: &'a str) -> impl Iterator<Item = &'a str> {
        self.syncs(ours).filter(move |entry| has(entry, &["metadata", "labels", label])).filter_map(manager_of)
    }

    /// The entries as they must be before `ours` applies, so that the apply removes what is to go; `None` where they are so already.
    ///
    /// What the same manager wrote by updates (External Secrets Operator does) counts as applied. The keys in `remove` become ours alone, unless
    /// a `living` sync wrote them. Where nothing is recorded at all, a record is begun: else the API server would record everything that is there under a
    /// manager of its own, and nothing could be removed ever after.
    pub(crate) fn taken_over<'k>(
        &self,
        ours: &str,
        remove: impl Iterator<Item = &'k str>,
        living: &BTreeSet<String>,
    ) -> Option<Self> {
        let mut entries = self.0.clone();
        let updated: Vec<_> = extract(&mut entries, |entry| is_manager(entry, ours) && !applied(entry));
        let mut mine = extract(&mut entries, |entry| is_manager(entry, ours)).into_iter().next();
        let mut changed = !updated.is_empty() || self.0.is_empty();
        let mut fields = mine.as_ref().and_then(|entry| entry.get(FIELDS)).cloned().unwrap_or_else(|| json!({}));
        if self.0.is_empty() {
            merge(&mut fields, &json!({"f:metadata": {"f:labels": {format!("f:{MANAGED_LABEL}"): {}}}}));
        }
        for entry in &updated {
            merge(&mut fields, entry.get(FIELDS).unwrap_or(&Value::Null));
        }
        for key in remove {
            for entry in
                entries.iter_mut().filter(|entry| manager_of(entry).is_none_or(|manager| !living.contains(manager)))
            {
                changed |= forget_key(entry, key);
            }
            let path = json!({"f:data": {format!("f:{key}"): {}}});
            changed |= !covers(&fields, &path);
            merge(&mut fields, &path);
        }
        if !changed {
            return None;
        }
        let entry = mine.get_or_insert_with(|| new_entry(ours));
        entry.insert(FIELDS.to_owned(), fields);
        entries.extend(mine);
        Some(Self(entries))
    }

    fn of<'a>(&'a self, manager: &'a str) -> impl Iterator<Item = &'a Map<String, Value>> {
        self.0.iter().filter(move |entry| is_manager(entry, manager))
    }

    fn syncs<'a>(&'a self, ours: &'a str) -> impl Iterator<Item = &'a Map<String, Value>> {
        self.0.iter().filter(move |entry| is_sync(entry) && !is_manager(entry, ours))
    }
}

/// Whether a manager is that of a sync.
pub(crate) fn is_sync_manager(manager: &str) -> bool {
    manager.starts_with(FIELD_MANAGER_PREFIX)
}

fn manager_of(entry: &Map<String, Value>) -> Option<&str> {
    entry.get("manager").and_then(Value::as_str)
}

/// Whether an entry is about the object itself and of this manager.
fn is_manager(entry: &Map<String, Value>, manager: &str) -> bool {
    manager_of(entry) == Some(manager)
        && entry.get("subresource").and_then(Value::as_str).unwrap_or_default().is_empty()
}

fn is_sync(entry: &Map<String, Value>) -> bool {
    manager_of(entry).is_some_and(is_sync_manager)
}

fn applied(entry: &Map<String, Value>) -> bool {
    entry.get("operation").and_then(Value::as_str) == Some("Apply")
}

fn has(entry: &Map<String, Value>, path: &[&str]) -> bool {
    field(entry, path).is_some()
}

/// The set of fields below a path of names.
fn field<'a>(entry: &'a Map<String, Value>, path: &[&str]) -> Option<&'a Map<String, Value>> {
    let fields = entry.get(FIELDS)?.as_object()?;
    path.iter().try_fold(fields, |fields, name| fields.get(&format!("f:{name}"))?.as_object())
}

/// The names directly below a path.
fn members<'a>(entry: &'a Map<String, Value>, path: &[&str]) -> impl Iterator<Item = &'a str> {
    field(entry, path).into_iter().flat_map(Map::keys).filter_map(|name| name.strip_prefix("f:"))
}

/// The keys that somebody wrote. Whoever applies a manifest with `stringData` is recorded for those, although the keys are in the data.
fn keys_in(entry: &Map<String, Value>) -> impl Iterator<Item = &str> {
    members(entry, &["data"]).chain(members(entry, &["stringData"]))
}

fn extract(
    entries: &mut Vec<Map<String, Value>>,
    wanted: impl Fn(&Map<String, Value>) -> bool,
) -> Vec<Map<String, Value>> {
    let (taken, kept) = std::mem::take(entries).into_iter().partition(wanted);
    *entries = kept;
    taken
}

fn forget_key(entry: &mut Map<String, Value>, key: &str) -> bool {
    let Some(fields) = entry.get_mut(FIELDS).and_then(Value::as_object_mut) else { return false };
    let key = format!("f:{key}");
    let mut forget = |map: &str| fields.get_mut(map)?.as_object_mut()?.remove(&key);
    ["f:data", "f:stringData"].map(&mut forget).iter().any(Option::is_some)
}

fn new_entry(manager: &str) -> Map<String, Value> {
    let entry = json!({"manager": manager, "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1"});
    entry.as_object().cloned().unwrap_or_default()
}

/// Adds a set of fields to another.
///
/// The marks for maps as such (`.`) are left out: giving up a map that way would remove members that nobody is recorded for.
fn merge(into: &mut Value, from: &Value) {
    let (Some(into), Some(from)) = (into.as_object_mut(), from.as_object()) else { return };
    for (name, fields) in from.iter().filter(|(name, _)| *name != ".") {
        merge(into.entry(name).or_insert_with(|| json!({})), fields);
    }
}

/// Whether a set of fields holds another.
fn covers(fields: &Value, wanted: &Value) -> bool {
    wanted.as_object().is_none_or(|wanted| {
        wanted.iter().all(|(name, below)| fields.get(name).is_some_and(|held| covers(held, below)))
    })
}

const FIELDS: &str = "fieldsV1";

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "externalsecrets.external-secrets.io/db";
    const OTHER: &str = "externalsecrets.external-secrets.io/other";

    fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    fn managed(entries: &[Value]) -> ManagedFields {
        serde_json::from_value(json!(entries)).unwrap()
    }

    fn taken_over(entries: &[Value], remove: &[&str]) -> Option<Value> {
        let fields = managed(entries).taken_over(OURS, remove.iter().copied(), &BTreeSet::from([OTHER.to_owned()]))?;
        Some(serde_json::to_value(fields).unwrap())
    }

    #[test]
    fn keys_labels_and_fields_are_told_by_manager() {
        let fields = managed(&[
            entry(
                OURS,
                "Apply",
                &json!({"f:data": {"f:tls.crt": {}}, "f:type": {}, "f:metadata": {
                "f:labels": {"f:a": {}}, "f:annotations": {"f:n": {}}, "f:finalizers": {"v:\"example.com/f\"": {}}}}),
            ),
            entry(OTHER, "Apply", &json!({"f:data": {"f:b": {}}})),
            entry("kubectl-edit", "Update", &json!({"f:data": {".": {}, "f:c": {}}})),
        ]);
        assert!(fields.owns_key(OURS, "tls.crt") && !fields.owns_key(OURS, "tls") && !fields.owns_key(OURS, "b"));
        assert!(fields.owns(OURS, "type") && !fields.owns(OURS, "immutable"));
        assert!(fields.owns_finalizer(OURS, "example.com/f") && !fields.owns_finalizer(OURS, "example.com/g"));
        assert_eq!((fields.labels(OURS), fields.annotations(OURS)), (BTreeSet::from(["a"]), BTreeSet::from(["n"])));
        assert_eq!(fields.all_keys(), BTreeSet::from(["b", "c", "tls.crt"]));
        assert_eq!(fields.other_syncs(OURS), BTreeSet::from([OTHER.to_owned()]), "kubectl is no sync");
    }

    #[test]
    fn whoever_else_wrote_our_keys_is_told() {
        let fields = managed(&[
            entry(OURS, "Apply", &json!({"f:data": {"f:a": {}}})),
            entry("kubectl-edit", "Update", &json!({"f:data": {"f:a": {}, "f:b": {}}})),
            entry("helm", "Update", &json!({"f:data": {"f:c": {}}})),
        ]);
        let keys = ["a".to_owned(), "b".to_owned()];
        assert_eq!(fields.others_with(OURS, &keys), BTreeSet::from(["kubectl-edit"]));
    }

    #[test]
    fn keys_applied_as_string_data_are_keys_of_the_data() {
        let theirs = |keys: &Value| entry("kubectl", "Apply", &json!({ "f:stringData": keys }));
        let fields = managed(&[theirs(&json!({"f:a": {}, "f:b": {}}))]);
        assert_eq!(fields.all_keys(), BTreeSet::from(["a", "b"]));
        assert_eq!(fields.others_with(OURS, &["a".to_owned()]), BTreeSet::from(["kubectl"]));
        let ours = entry(OURS, "Apply", &json!({"f:data": {"f:b": {}}}));
        assert_eq!(
            taken_over(&[theirs(&json!({"f:a": {}, "f:b": {}}))], &["b"]),
            Some(json!([theirs(&json!({"f:a": {}})), ours])),
            "else nobody would be recorded for the key, and it could not be removed"
        );
    }

    #[test]
    fn entries_of_a_subresource_are_not_about_the_object() {
        let mut status = entry(OURS, "Apply", &json!({"f:data": {"f:a": {}}}));
        status["subresource"] = json!("status");
        assert!(!managed(&[status]).owns_key(OURS, "a"));
    }

    #[test]
    fn an_entry_that_is_right_already_is_left_alone() {
        let ours = entry(OURS, "Apply", &json!({"f:data": {"f:a": {}}}));
        assert_eq!(taken_over(&[ours.clone(), entry("helm", "Update", &json!({"f:data": {"f:b": {}}}))], &[]), None);
        assert_eq!(taken_over(&[ours], &["a"]), None, "a key that only we wrote goes with the apply itself");
    }

    #[test]
    fn what_external_secrets_operator_wrote_under_our_name_becomes_applied() {
        let eso = entry(
            OURS,
            "Update",
            &json!({"f:data": {".": {}, "f:old": {}}, "f:type": {}, "f:metadata": {"f:ownerReferences": {".": {}, "k:{\"uid\":\"1\"}": {}}}}),
        );
        let expected = json!([entry(
            OURS,
            "Apply",
            &json!({"f:data": {"f:old": {}}, "f:type": {}, "f:metadata": {"f:ownerReferences": {"k:{\"uid\":\"1\"}": {}}}}),
        )]);
        assert_eq!(taken_over(&[eso], &[]), Some(expected));
    }

    #[test]
    fn a_foreign_key_that_goes_becomes_ours_alone() {
        let helm = entry("helm", "Update", &json!({"f:data": {"f:a": {}, "f:b": {}}}));
        let first = entry("before-first-apply", "Update", &json!({"f:data": {"f:a": {}}}));
        assert_eq!(
            taken_over(&[helm, first], &["a"]),
            Some(json!([
                entry("helm", "Update", &json!({"f:data": {"f:b": {}}})),
                entry("before-first-apply", "Update", &json!({"f:data": {}})),
                entry(OURS, "Apply", &json!({"f:data": {"f:a": {}}})),
            ]))
        );
    }

    #[test]
    fn a_key_of_another_sync_is_taken_from_it_only_when_it_is_gone() {
        let other = entry(OTHER, "Apply", &json!({"f:data": {"f:a": {}}}));
        let after = taken_over(std::slice::from_ref(&other), &["a"]).unwrap();
        assert_eq!(after[0], other);
        let after = managed(&[other]).taken_over(OURS, ["a"].into_iter(), &BTreeSet::new()).unwrap();
        assert!(after.owns_key(OURS, "a") && !after.owns_key(OTHER, "a"));
    }

    #[test]
    fn a_record_is_begun_where_there_is_none() {
        assert_eq!(
            taken_over(&[], &["x"]),
            Some(json!([entry(
                OURS,
                "Apply",
                &json!({"f:data": {"f:x": {}}, "f:metadata": {"f:labels": {"f:reconcile.external-secrets.io/managed": {}}}}),
            )]))
        );
    }

    #[test]
    fn kubectls_copy_counts_only_where_it_was_applied() {
        let fields = json!({"f:metadata": {"f:annotations": {"f:kubectl.kubernetes.io/last-applied-configuration": {}, "f:n": {}}}});
        assert_eq!(managed(&[entry(OURS, "Update", &fields)]).annotations(OURS), BTreeSet::from(["n"]));
        assert_eq!(managed(&[entry(OURS, "Apply", &fields)]).annotations(OURS).len(), 2);
    }
}
