//! Whether a target is as the last apply left it, told from its metadata alone (design 8). Pure.

use std::collections::BTreeSet;

use kube::api::DynamicObject;
use secretsync_core::sync::{Change, Changes, CreationPolicy, SyncSpec};

use crate::problems::quote;
use crate::store::ownership::Marks;
use crate::store::snapshot::Snapshot;

/// Reads what a watch told; `None` where it makes no sense.
pub(super) fn read(object: &DynamicObject) -> Option<Snapshot> {
    let json = serde_json::json!({"metadata": object.metadata});
    serde_json::from_value(json).ok()
}

/// Whether nobody has touched what the sync wrote: its marks are there, its record has exactly the keys of the last apply as far as these are known, and
/// where the policy replaces foreign keys, there are none.
fn is_untouched(target: &Snapshot, spec: &SyncSpec, written: Option<&[String]>) -> bool {
    let marks = Marks::new(&spec.owner);
    if !marks.are_on(target) || (spec.creation == CreationPolicy::Owner && marks.lack_owner(target)) {
        return false;
    }
    let fields = &target.metadata.managed_fields;
    let own = fields.keys_of(&marks.manager);
    let whole = written.is_none_or(|written| own.iter().copied().eq(written.iter().map(String::as_str)));
    whole && (!spec.creation.replaces_foreign_keys() || fields.all_keys().is_subset(&own))
}

/// Whether a target needs no repair. A target that is left to others never does; one that survives its ExternalSecret counts as it is until its next
/// refresh, even when it is gone (`eso-compat.md` 2.4).
pub(super) fn is_valid(target: Option<&Snapshot>, spec: &SyncSpec, written: Option<&[String]>) -> bool {
    match spec.creation {
        CreationPolicy::None | CreationPolicy::Orphan => true,
        _ => target.is_some_and(|target| is_untouched(target, spec, written)),
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
