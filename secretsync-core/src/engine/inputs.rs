//! What random templates were made of the last time, so that they are made anew when that changes. In memory only.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ledger::SyncKey;
use crate::secret::Fingerprint;

/// The inputs of each sync that makes something random of its data.
#[derive(Debug, Default)]
pub(crate) struct Inputs(Mutex<HashMap<SyncKey, Fingerprint>>);

impl Inputs {
    /// Whether these are the ones that are known.
    pub(crate) fn are(&self, sync: &SyncKey, inputs: &Fingerprint) -> bool {
        self.known().get(sync) == Some(inputs)
    }

    /// The target holds what was made of these now.
    pub(crate) fn set(&self, sync: SyncKey, inputs: Fingerprint) {
        self.known().insert(sync, inputs);
    }

    /// The target may not hold what was made of them.
    pub(crate) fn forget(&self, sync: &SyncKey) {
        self.known().remove(sync);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<SyncKey, Fingerprint>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
