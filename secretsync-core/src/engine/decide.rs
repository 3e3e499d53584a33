//! What to do, as a pure function of what is wanted and what is there.

use super::assemble::Keep;
use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::secret::{Fingerprint, SecretKey, SecretMap};
use crate::store::{Desired, Holder, KeyState, Observed, Present, not_owned};
use crate::sync::{Change, Changes, CreationPolicy, DeletionPolicy, Outcome, Reason, RefreshPolicy, SyncSpec};

/// What to do with a target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Decision {
    /// Write it: the changes, and the keys that go.
    Apply { outcome: Outcome, changes: Changes, remove: Vec<SecretKey> },
    /// Write what marks it and leave its data: it is to stay as it is, or cannot be changed, which is then the failure.
    Mark { refused: bool },
    /// Leave it as it is, for this reason.
    Leave { reason: Reason, changes: Changes },
    /// Remove it.
    Remove { changes: Changes },
}

impl Decision {
    /// Whether keys go that this sync wrote.
    pub(crate) fn takes_from(&self, observed: &Observed) -> bool {
        let Observed::Present(present) = observed else { return false };
        match self {
            Self::Apply { remove, .. } => {
                remove.iter().any(|key| present.keys.get(key.as_str()).is_some_and(|state| state.owned))
            }
            Self::Leave { .. } | Self::Mark { .. } => false,
            Self::Remove { .. } => true,
        }
    }
}

/// What can be decided before anything is read: `None` when the sources are needed.
pub(crate) fn before_reading(spec: &SyncSpec, observed: &Observed) -> Result<Option<Decision>> {
    if spec.suspended {
        return Ok(Some(leave(Reason::Suspended)));
    }
    let Observed::Present(present) = observed else { return Ok(None) };
    if spec.refresh == RefreshPolicy::CreatedOnce && present.holder == Holder::Ours && present.finished {
        return Ok(Some(leave(Reason::KeptOnce)));
    }
    if let Some(holder) = present.controller.as_ref().filter(|_| spec.creation.replaces_foreign_keys()) {
        let hint = Hint::new(Code::TargetControlled, ELSEWHERE);
        return Err(not_owned(format!("target `{}`", spec.target), holder, ELSEWHERE).with_hint(hint));
    }
    match &present.holder {
        Holder::Other(holder) => Err(not_owned(format!("target `{}`", spec.target), holder, ELSEWHERE)),
        Holder::Nobody | Holder::Ours => Ok(None),
    }
}

/// What can be decided before something is issued, so that it is not issued in vain.
pub(crate) fn before_issuing(spec: &SyncSpec, observed: &Observed) -> Option<Decision> {
    match observed {
        Observed::Absent if !spec.creation.creates() => Some(leave(Reason::TargetMissing)),
        Observed::Present(present) if spec.meta.immutable => Some(stays(spec, present)),
        _ => None,
    }
}

/// Whether a target is as the last apply of its sync left it, as far as can be seen without its values.
pub(crate) fn untouched(observed: &Observed) -> bool {
    let Observed::Present(present) = observed else { return false };
    let owned = present.keys.values().filter(|state| state.owned).count();
    present.holder == Holder::Ours && present.intact && present.finished && owned > 0
}

/// What to do when there is nothing to write at all.
pub(crate) fn when_empty(spec: &SyncSpec, observed: &Observed, keep: &Keep) -> Result<Option<Decision>> {
    match spec.deletion {
        DeletionPolicy::Merge => Ok(None),
        // A missing entry that keeps what there is keeps the target; what other entries made of it may go.
        DeletionPolicy::Delete if keep.any() => Ok(match observed {
            Observed::Present(present) if present.holder == Holder::Ours => None,
            _ => Some(leave(Reason::Kept)),
        }),
        DeletionPolicy::Retain => Ok(Some(leave(Reason::Retained))),
        DeletionPolicy::Delete if spec.creation != CreationPolicy::Owner => Err(not_deletable(spec)),
        DeletionPolicy::Delete => match observed {
            Observed::Absent => Ok(Some(leave(Reason::Deleted))),
            Observed::Present(present) if present.holder == Holder::Ours => {
                let keys = present.keys.iter().filter(|(_, state)| state.owned);
                let keys = keys.map(|(key, _)| (key.clone(), Change::Removed)).collect();
                Ok(Some(Decision::Remove { changes: Changes { keys, metadata: false } }))
            }
            Observed::Present(_) => Err(not_owned(
                format!("target `{}`", spec.target),
                "no sync that is known here",
                "remove the target yourself: this sync never wrote it, so it does not delete it",
            )),
        },
    }
}

/// What to do with a desired target. Nothing that `keep` holds is removed.
pub(crate) fn decide(spec: &SyncSpec, observed: &Observed, desired: &Desired, keep: &Keep) -> Result<Decision> {
    let Observed::Present(present) = observed else {
        return Ok(if spec.creation.creates() { create(&desired.data) } else { leave(Reason::TargetMissing) });
    };
    let (changes, remove) = compare(spec, present, desired, keep);
    if !changes.any() {
        return Ok(Decision::Leave { reason: Reason::Synced, changes });
    }
    let same_keys = changes.keys.iter().all(|(_, change)| *change == Change::Unchanged);
    let unmarked = !is_marked(spec, present);
    // Made immutable as it is; what is immutable already stays so, whatever the sources say.
    if spec.meta.immutable && (!same_keys || present.immutable) {
        return Ok(stays(spec, present));
    }
    if present.immutable && !same_keys {
        return if unmarked { Ok(Decision::Mark { refused: true }) } else { Err(immutable(spec)) };
    }
    Ok(Decision::Apply { outcome: Outcome::Updated, changes, remove })
}

/// What becomes of a target that is to stay as it is.
fn stays(spec: &SyncSpec, present: &Present) -> Decision {
    let open = present.meta.as_ref().is_some_and(|meta| !meta.immutable);
    let marked = is_marked(spec, present) && !open;
    if marked { leave(Reason::Immutable) } else { Decision::Mark { refused: false } }
}

fn leave(reason: Reason) -> Decision {
    Decision::Leave { reason, changes: Changes::default() }
}

fn create(data: &SecretMap) -> Decision {
    let keys = data.keys().map(|key| (key.clone(), Change::Created)).collect();
    Decision::Apply { outcome: Outcome::Created, changes: Changes { keys, metadata: false }, remove: Vec::new() }
}

fn compare(spec: &SyncSpec, present: &Present, desired: &Desired, keep: &Keep) -> (Changes, Vec<SecretKey>) {
    let goes = |state: &KeyState| state.owned || state.removable && spec.creation.replaces_foreign_keys();
    let remove: Vec<_> = present
        .keys
        .iter()
        .filter(|(key, state)| desired.data.get(key.as_str()).is_none() && goes(state) && !keep.holds(key))
        .map(|(key, _)| key.clone())
        .collect();
    let mut keys: Vec<_> = desired
        .data
        .iter()
        .map(|(key, value)| {
            let change = match present.keys.get(key).map(|state| state.fingerprint) {
                None => Change::Created,
                Some(Some(seen)) if desired.varied.get(key) == Some(&seen) => Change::Unchanged,
                Some(seen) if seen == Some(Fingerprint::of(value)) => Change::Unchanged,
                Some(_) => Change::Updated,
            };
            (key.clone(), change)
        })
        .chain(remove.iter().map(|key| (key.clone(), Change::Removed)))
        .collect();
    keys.sort_by(|(one, _), (other, _)| one.cmp(other));
    (Changes { keys, metadata: metadata_differs(spec, present, desired) }, remove)
}

/// Whether anything but the values differs: type, labels, annotations, immutability, or the marks that make it ours.
fn metadata_differs(spec: &SyncSpec, present: &Present, desired: &Desired) -> bool {
    let adopted = !is_marked(spec, present)
        || desired.data.keys().any(|key| present.keys.get(key).is_some_and(|state| !state.owned));
    let Some(meta) = &present.meta else { return adopted };
    let wanted = &desired.meta;
    adopted
        || wanted.secret_type.is_some() && wanted.secret_type != meta.secret_type
        || wanted.immutable && !meta.immutable
        || wanted.labels != meta.labels
        || wanted.annotations != meta.annotations
        || wanted.finalizers.iter().any(|finalizer| !meta.finalizers.contains(finalizer))
}

/// Whether the target bears the marks of this sync, those of its policy.
fn is_marked(spec: &SyncSpec, present: &Present) -> bool {
    present.holder == Holder::Ours
        && present.intact
        // The policy was changed: what marks the target as owned comes or goes.
        && present.sole.is_none_or(|sole| sole == (spec.creation == CreationPolicy::Owner))
}

/// `eso-compat.md` 2.8: only an owner may delete.
fn not_deletable(spec: &SyncSpec) -> Error {
    Error::new(ErrorKind::InvalidConfig, "delete")
        .on(format!("target `{}`", spec.target))
        .because("its sources are gone and `deletionPolicy` is Delete, but `creationPolicy` is not Owner")
        .with_hint(Hint::new(
            Code::ManifestInvalid,
            "set `creationPolicy: Owner`, or `deletionPolicy: Merge` or `Retain`",
        ))
}

pub(crate) fn immutable(spec: &SyncSpec) -> Error {
    Error::new(ErrorKind::InvalidConfig, "update")
        .on(format!("target `{}`", spec.target))
        .because("it is immutable and its data would change")
        .with_hint(Hint::new(
            Code::TargetImmutable,
            "delete the target so that it is made anew, or set `target.immutable: true` to keep it as it is",
        ))
}

const ELSEWHERE: &str = "choose another `target.name`, or remove the target from its owner first";

#[cfg(test)]
mod tests;
