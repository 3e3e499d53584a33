//! What a sync sees of a Secret. Pure.

use std::collections::{BTreeMap, BTreeSet};

use secretsync_core::secret::SecretKey;
use secretsync_core::store::{Holder, KeyState, Present, TargetMeta};

use super::ownership::Marks;
use super::snapshot::Snapshot;
use crate::api::names::{CREATED_BY_LABEL, DATA_HASH_ANNOTATION, MANAGED_LABEL};

/// What a sync sees of a Secret. Keys that only a living sync wrote are left out: they are not for this one to decide about.
pub(super) fn present(holder: Holder, secret: &Snapshot, marks: &Marks<'_>, living: &BTreeSet<String>) -> Present {
    let fields = &secret.metadata.managed_fields;
    let mut present = Present::new(holder);
    for (key, fingerprint) in secret.keys() {
        let owned = fields.owns_key(&marks.manager, key);
        if let Ok(name) = SecretKey::new(key)
            && (owned || !living.iter().any(|manager| fields.owns_key(manager, key)))
        {
            present
                .keys
                .insert(name, if owned { KeyState::owned(fingerprint) } else { KeyState::foreign(fingerprint) });
        }
    }
    let mut meta = TargetMeta::default();
    meta.secret_type.clone_from(&secret.secret_type);
    // Metadata do not show it; but they show that somebody set it.
    meta.immutable = secret.immutable || !secret.is_whole() && fields.have("immutable");
    meta.finalizers.clone_from(&secret.metadata.finalizers);
    let kept = |names: BTreeSet<&str>, values: &BTreeMap<String, String>| {
        names
            .into_iter()
            .filter(|name| !MARKS.contains(name))
            .filter_map(|name| Some((name.to_owned(), values.get(name)?.clone())))
            .collect()
    };
    meta.labels = kept(fields.labels(&marks.manager), &secret.metadata.labels);
    meta.annotations = kept(fields.annotations(&marks.manager), &secret.metadata.annotations);
    present.meta = Some(meta);
    present.intact = marks.are_on(secret);
    present.sole = Some(marks.own(secret));
    present.immutable = secret.immutable;
    present
}

/// Labels and annotations that are no part of what a sync asks for.
const MARKS: [&str; 3] = [CREATED_BY_LABEL, DATA_HASH_ANNOTATION, MANAGED_LABEL];
