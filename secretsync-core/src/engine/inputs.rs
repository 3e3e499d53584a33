//! What random templates were made of the last time, so that they are made anew when that changes. In memory only.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ledger::SyncKey;
use crate::secret::{Fingerprint, SecretKey};

/// What was made of each sync whose templates give another result each time, and of what.
#[derive(Debug, Default)]
pub(crate) struct Inputs(Mutex<HashMap<SyncKey, Made>>);

/// What random templates made, and of what.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) inputs: Fingerprint,
    /// The results that merely vary, by their keys.
    pub(crate) varied: BTreeMap<SecretKey, Fingerprint>,
}

impl Inputs {
    /// What merely varied of the results that the target holds, if these are the inputs that they were made of.
    pub(crate) fn varied(&self, sync: &SyncKey, inputs: &Fingerprint) -> Option<BTreeMap<SecretKey, Fingerprint>> {
        self.known().get(sync).filter(|made| made.inputs == *inputs).map(|made| made.varied.clone())
    }

    /// The target holds this now.
    pub(crate) fn set(&self, sync: SyncKey, made: Made) {
        self.known().insert(sync, made);
    }

    /// The target may not hold what was made of them.
    pub(crate) fn forget(&self, sync: &SyncKey) {
        self.known().remove(sync);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<SyncKey, Made>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
