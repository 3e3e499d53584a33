//! What this process wrote, as fingerprints: a store that never reads values knows by them what is unchanged.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use secretsync_core::secret::{Fingerprint, SecretKey};
use secretsync_core::store::{OwnerId, Present, TargetRef, Write};

use super::snapshot::Snapshot;

/// The last write to each target for each owner.
#[derive(Debug, Default)]
pub(crate) struct Written(Mutex<All>);

/// Few owners share a target.
type All = HashMap<TargetRef, Vec<(OwnerId, Last)>>;

#[derive(Debug)]
struct Last {
    /// Of the Secret: one that was made anew has nothing of it.
    uid: String,
    /// Sorted.
    keys: Box<[(SecretKey, Fingerprint)]>,
    secret_type: Option<String>,
    immutable: bool,
}

impl Written {
    /// Remembers a write to the Secret with this uid.
    pub(crate) fn remember(&self, write: &Write<'_>, uid: &str) {
        let keys = write.desired.data.iter().map(|(key, value)| (key.clone(), Fingerprint::of(value))).collect();
        let meta = &write.desired.meta;
        let last = Last { uid: uid.to_owned(), keys, secret_type: meta.secret_type.clone(), immutable: meta.immutable };
        let mut all = self.all();
        let owners = all.entry(write.target.clone()).or_default();
        // One of an earlier ExternalSecret of the name goes as well.
        let ours = |owner: &OwnerId| (owner.namespace(), owner.name()) == (write.owner.namespace(), write.owner.name());
        owners.retain(|(owner, _)| !ours(owner));
        owners.reserve_exact(1);
        owners.push((write.owner.clone(), last));
    }

    /// Forgets a target that is gone.
    pub(crate) fn forget(&self, target: &TargetRef) {
        self.all().remove(target);
    }

    /// Adds to what metadata tell. A key that somebody else changed has left our record there, so what is still in it is as it was written.
    pub(crate) fn complete(&self, present: &mut Present, target: &TargetRef, owner: &OwnerId, secret: &Snapshot) {
        let all = self.all();
        let last = all.get(target).and_then(|owners| owners.iter().find(|(of, _)| of == owner));
        let Some(last) = last.map(|(_, last)| last).filter(|last| last.uid == secret.metadata.uid) else { return };
        for (key, state) in present.keys.iter_mut().filter(|(_, state)| state.owned) {
            let known = last.keys.binary_search_by(|(known, _)| known.as_str().cmp(key.as_str()));
            state.fingerprint = known.ok().map(|index| last.keys[index].1);
        }
        present.immutable |= last.immutable;
        if let Some(meta) = &mut present.meta {
            // Neither can be taken back in the cluster.
            meta.immutable |= last.immutable;
            meta.secret_type = meta.secret_type.take().or_else(|| last.secret_type.clone());
        }
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
