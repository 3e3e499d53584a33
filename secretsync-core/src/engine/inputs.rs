//! What random templates were made of the last time, so that they are made anew when that changes. In memory only.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ledger::SyncKey;
use crate::secret::{Fingerprint, SecretKey};
use crate::store::{OwnerId, TargetRef};

/// What was made of each sync whose templates give another result each time, and of what.
#[derive(Debug, Default)]
pub(crate) struct Inputs(Mutex<HashMap<OwnerId, HashMap<TargetRef, Made>>>);

/// What random templates made, and of what.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) inputs: Fingerprint,
    /// The results that merely vary, by their keys.
    pub(crate) varied: BTreeMap<SecretKey, Fingerprint>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Inputs {
    /// What the target holds of random results, if these are the inputs that they were made of.
    pub(crate) fn made(&self, (owner, target): &SyncKey, inputs: &Fingerprint) -> Option<Made> {
        self.known().get(owner)?.get(target).filter(|made| made.inputs == *inputs).cloned()
    }

    /// The target holds this now.
    pub(crate) fn set(&self, (owner, target): SyncKey, made: Made) {
        self.known().entry(owner).or_default().insert(target, made);
    }

    /// The target may not hold what was made of them.
    pub(crate) fn forget(&self, (owner, target): &SyncKey) {
        if let Some(targets) = self.known().get_mut(owner) {
            targets.remove(target);
        }
    }

    /// The owner may be gone, with whatever targets it had.
    pub(crate) fn release(&self, owner: &OwnerId) {
        self.known().remove(owner);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<OwnerId, HashMap<TargetRef, Made>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
