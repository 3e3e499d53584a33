//! Whether a target is as the last apply left it, told from its metadata alone (design 8). Pure.

use std::collections::BTreeSet;

use kube::api::DynamicObject;
use secretsync_core::sync::{Change, Changes, CreationPolicy, DataEntry, DeletionPolicy, OnMissing, SyncSpec};

use super::due::is_refreshed;
use crate::problems::quote;
use crate::store::ownership::Marks;
use crate::store::snapshot::Snapshot;

/// Reads what a watch told; `None` where it makes no sense.
pub(super) fn read(object: &DynamicObject) -> Option<Snapshot> {
    let json = serde_json::json!({"metadata": object.metadata});
    serde_json::from_value(json).ok()
}

/// Which keys the last apply of a sync left.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keys<'a> {
    /// These, sorted.
    Written(&'a [String]),
    /// Those that the manifest names, as far as it names them: an earlier process applied it.
    Named,
    /// Only an earlier process knew: the manifest was changed since.
    Unknown,
}

/// Whether nobody has touched what the sync wrote: its record has exactly the keys of the last apply, and where the policy replaces foreign keys, there are
/// none. Its marks must be there only if it is refreshed anyway: a repair reads the sources anew, which is too much for a label (`eso-compat.md` 2.4).
fn is_untouched(target: &Snapshot, spec: &SyncSpec, keys: Keys<'_>) -> bool {
    let marks = Marks::new(&spec.owner);
    let lacks_owner = || spec.creation == CreationPolicy::Owner && marks.lack_owner(target, spec.owner.uid());
    let is_marked = || marks.are_on(target) && !lacks_owner();
    if is_refreshed(spec) && !is_marked() {
        return false;
    }
    let fields = &target.metadata.managed_fields;
    let own = fields.keys_of(&marks.manager);
    let whole = match keys {
        Keys::Written(written) => own.iter().copied().eq(written.iter().map(String::as_str)),
        Keys::Named => !has_all_it_names(spec) || spec.named_keys().is_subset(&own),
        Keys::Unknown => true,
    };
    whole && (!spec.creation.replaces_foreign_keys() || fields.all_keys().is_subset(&own))
}

/// Whether the last apply of a sync has left every key that its manifest names: none may be missing, and nothing stays as it was found.
fn has_all_it_names(spec: &SyncSpec) -> bool {
    let fails = |entry: &DataEntry| entry.on_missing.is_none_or(|choice| choice == OnMissing::Fail);
    !spec.meta.immutable && spec.deletion == DeletionPolicy::Retain && spec.data.iter().all(fails)
}

/// Whether a target needs no repair. A target that is left to others never does; one that survives its ExternalSecret counts as it is until its next
/// refresh, even when it is gone (`eso-compat.md` 2.4).
pub(super) fn is_valid(target: Option<&Snapshot>, spec: &SyncSpec, keys: Keys<'_>) -> bool {
    match spec.creation {
        CreationPolicy::None | CreationPolicy::Orphan => true,
        _ => target.is_some_and(|target| is_untouched(target, spec, keys)),
    }
}

/// Who else wrote keys of a sync, in words for a message; `None` where the record does not tell.
pub(super) fn rivals(target: &Snapshot, spec: &SyncSpec, written: &[String]) -> Option<String> {
    let marks = Marks::new(&spec.owner);
    let others = target.metadata.managed_fields.others_with(&marks.manager, written);
    let named: Vec<_> = others.into_iter().map(quote).collect();
    (!named.is_empty()).then(|| named.join(", "))
}

/// The keys that are there on behalf of a sync after a run, sorted.
pub(super) fn written(changes: &Changes) -> Box<[String]> {
    let there = changes.keys.iter().filter(|(_, change)| *change != Change::Removed);
    there.map(|(key, _)| key.as_str().to_owned()).collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use secretsync_core::provider::RemoteRef;
    use secretsync_core::store::{OwnerId, TargetRef};
    use std::time::Duration;

    use secretsync_core::sync::{ProviderKey, RefreshPolicy, Timing};
    use serde_json::{Value, json};

    use super::*;
    use crate::store::snapshot::tests::snapshot;

    fn spec(creation: CreationPolicy, deletion: DeletionPolicy) -> SyncSpec {
        let entry = |key: &str| DataEntry::new(key, ProviderKey::new("p"), RemoteRef::new("app"));
        SyncSpec::new(OwnerId::new("shop", "db"), TargetRef::new("shop", "db"))
            .with_data(entry("a"))
            .with_data(entry("b"))
            .with_policies(creation, deletion, RefreshPolicy::Periodic)
    }

    /// A target on which our manager and another one wrote these keys.
    fn target(ours: &[&str], theirs: &[&str]) -> Snapshot {
        let fields = |keys: &[&str]| -> Value {
            let keys: serde_json::Map<_, _> = keys.iter().map(|key| (format!("f:{key}"), json!({}))).collect();
            json!({"f:data": keys})
        };
        snapshot(&json!({"metadata": {
            "labels": {"reconcile.external-secrets.io/managed": "true"},
            "managedFields": [
                {"manager": "externalsecrets.external-secrets.io/db", "operation": "Apply", "fieldsV1": fields(ours)},
                {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": fields(theirs)},
            ],
        }}))
    }

    #[test]
    fn what_changed_while_nobody_looked_is_seen_in_the_keys_that_the_manifest_names() {
        use CreationPolicy::{CreateOrMerge, Merge, Owner};
        for creation in [Owner, Merge, CreateOrMerge] {
            let valid = |ours: &[&str], theirs: &[&str]| {
                is_valid(Some(&target(ours, theirs)), &spec(creation, DeletionPolicy::Retain), Keys::Named)
            };
            assert!(valid(&["a", "b"], &[]), "{creation:?}");
            assert!(!valid(&["a"], &[]), "{creation:?}: a key was removed");
            assert!(!valid(&["a"], &["b"]), "{creation:?}: a key was edited");
            assert_eq!(valid(&["a", "b"], &["c"]), creation != Owner, "{creation:?}: a key was added");
        }
    }

    #[test]
    fn a_key_that_may_be_missing_is_not_missed_after_a_restart() {
        for deletion in [DeletionPolicy::Delete, DeletionPolicy::Merge] {
            assert!(is_valid(Some(&target(&["a"], &[])), &spec(CreationPolicy::Owner, deletion), Keys::Named));
        }
        let written = ["a", "b"].map(str::to_owned);
        let spec = spec(CreationPolicy::Owner, DeletionPolicy::Merge);
        assert!(!is_valid(Some(&target(&["a"], &[])), &spec, Keys::Written(&written)), "here it was written");
    }

    #[test]
    fn a_manifest_that_was_changed_since_says_nothing_of_the_keys_that_were_written() {
        let valid = |ours: &[&str], theirs: &[&str]| {
            is_valid(Some(&target(ours, theirs)), &spec(CreationPolicy::Owner, DeletionPolicy::Retain), Keys::Unknown)
        };
        assert!(valid(&["a", "old"], &[]), "keys that it does not name any more, and lacks one that it names now");
        assert!(!valid(&["a"], &["old"]), "a key was edited");
    }

    #[test]
    fn marks_alone_are_put_back_only_where_the_sources_are_read_again_anyway() {
        let bare = snapshot(&json!({"metadata": {"managedFields": [{
            "manager": "externalsecrets.external-secrets.io/db", "operation": "Apply",
            "fieldsV1": {"f:data": {"f:a": {}, "f:b": {}}},
        }]}}));
        let written = ["a", "b"].map(str::to_owned);
        let hour = Some(Duration::from_hours(1));
        for (refresh, interval, expected) in [
            (RefreshPolicy::CreatedOnce, hour, true),
            (RefreshPolicy::OnChange, hour, true),
            (RefreshPolicy::Periodic, None, true),
            (RefreshPolicy::Periodic, hour, false),
        ] {
            let spec = spec(CreationPolicy::Owner, DeletionPolicy::Retain)
                .with_policies(CreationPolicy::Owner, DeletionPolicy::Retain, refresh)
                .with_timing(Timing::new(interval));
            assert_eq!(is_valid(Some(&bare), &spec, Keys::Written(&written)), expected, "{refresh:?} {interval:?}");
        }
    }
}
