//! Keeps a store that lost its secrets from taking their targets with it.
//!
//! A provider that answers "there is no such secret" for everything, because somebody restored an old snapshot, moved a mount or pointed a store elsewhere, is
//! believed by `deletionPolicy: Delete`. So who runs many syncs again and again asks a [`Guard`] first: while more than ten and more than a fifth of a
//! store's targets are due for deletion, none is deleted.
//!
//! A store's syncs do not run all at once, so the first one that finds its sources gone says little. Where a store has enough targets for a mass
//! deletion, a deletion is *held*: some seconds later, when whatever is going on may be over, the other syncs that could lose their target are asked as well. When
//! all of them have answered, or five minutes have passed, either all that is due is deleted, or nothing is: the store is *paused*. Who did not answer counts
//! neither way. A pause ends when none of the store's targets is due for deletion any more, or when somebody allows it. A store with few targets is never held up.

mod census;

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use self::census::Census;
use crate::sync::{
    CreationPolicy, DeletionPolicy, MassDeletion, Outcome, Reason, RefreshPolicy, Removal, SyncReport, SyncSpec,
};

/// What a run of a sync told of its target.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// It stays.
    Stays,
    /// Its sources are gone: it is due for deletion.
    Due,
    /// It was deleted.
    Deleted,
    /// There is no target, and none is wanted.
    Absent,
    /// The sync failed: nothing is known.
    Unknown,
}

impl Answer {
    /// What a report tells.
    pub fn of(report: &SyncReport) -> Self {
        match (report.reason, report.outcome) {
            (Reason::DeletionHeld | Reason::DeletionPaused, _) => Self::Due,
            (_, Outcome::Failed) => Self::Unknown,
            (_, Outcome::Removed) => Self::Deleted,
            (Reason::Deleted, _) => Self::Absent,
            _ => Self::Stays,
        }
    }
}

/// Whether the target of a sync could be deleted because its sources are gone.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exposure {
    /// It could not.
    Safe,
    /// It could, when the sync runs, which it does for reasons of its own only: its policy is not to follow its sources.
    Exposed,
    /// It could, and the sync can be asked at any time, since it follows its sources.
    Refreshed,
}

impl Exposure {
    /// That of a sync.
    pub fn of(spec: &SyncSpec) -> Self {
        if spec.suspended || spec.creation != CreationPolicy::Owner || spec.deletion != DeletionPolicy::Delete {
            return Self::Safe;
        }
        match spec.refresh {
            RefreshPolicy::Periodic if spec.timing.interval.is_some() => Self::Refreshed,
            _ => Self::Exposed,
        }
    }
}

/// Decides which deletions are carried out, for syncs with the names `K` that read from stores with the names `S`. Time is told to it.
#[derive(Debug)]
pub struct Guard<K, S> {
    stores: BTreeMap<S, Census<K>>,
    syncs: BTreeMap<K, Box<[S]>>,
    /// Stores of which something is due: those where time matters.
    busy: BTreeSet<S>,
}

impl<K: Clone + Ord, S: Clone + Ord + ToString> Guard<K, S> {
    /// A guard that knows no syncs.
    pub fn new() -> Self {
        Self { stores: BTreeMap::new(), syncs: BTreeMap::new(), busy: BTreeSet::new() }
    }

    /// Makes a sync known, or takes in that it is another one now. Gives the stores that it reads from no longer.
    pub fn enroll(&mut self, sync: &K, stores: impl IntoIterator<Item = S>, exposure: Exposure) -> Vec<S> {
        let stores: BTreeSet<S> = stores.into_iter().collect();
        let mut left = self.syncs.remove(sync).unwrap_or_default().into_vec();
        left.retain(|store| !stores.contains(store));
        self.leave(sync, &left);
        for store in &stores {
            self.stores.entry(store.clone()).or_default().enroll(sync, exposure);
        }
        self.syncs.insert(sync.clone(), stores.into_iter().collect());
        left
    }

    /// Forgets a sync.
    pub fn dismiss(&mut self, sync: &K) {
        let stores = self.syncs.remove(sync).unwrap_or_default();
        self.leave(sync, &stores);
    }

    /// Forgets a store that is gone. Its syncs keep it in mind until they go.
    pub fn forget(&mut self, store: &S, now: Instant) {
        self.allow(store, false, now);
        self.tidy(store);
    }

    /// Takes a store as paused from the beginning, as an earlier process left it: its syncs are asked whether that is still right.
    pub fn resume(&mut self, store: &S, now: Instant) {
        self.stores.entry(store.clone()).or_default().resume(now);
        self.busy.insert(store.clone());
    }

    /// Sets whether somebody allows mass deletions of a store.
    pub fn allow(&mut self, store: &S, allowed: bool, now: Instant) {
        let census = self.stores.entry(store.clone()).or_default();
        census.allow(allowed, now);
        if census.wake(now).is_some() {
            self.busy.insert(store.clone());
        }
    }

    /// Whether the sources of a sync were gone when it ran last.
    pub fn is_due(&self, sync: &K) -> bool {
        let mut stores = self.syncs.get(sync).into_iter().flat_map(|stores| &**stores);
        stores.any(|store| self.stores.get(store).is_some_and(|census| census.is_due(sync)))
    }

    /// Takes in that a sync cannot be asked now, outside of its windows for example.
    pub fn excuse(&mut self, sync: &K) {
        for store in self.syncs.get(sync).into_iter().flat_map(|stores| &**stores) {
            if let Some(census) = self.stores.get_mut(store) {
                census.excuse(sync);
            }
        }
    }

    /// Whether the target of a sync may be deleted if its sources turn out to be gone.
    pub fn removal(&self, sync: &K) -> Removal {
        let mut removal = Removal::Allowed;
        for store in self.syncs.get(sync).into_iter().flat_map(|stores| &**stores) {
            let Some(census) = self.stores.get(store) else { continue };
            match census.paused() {
                // An earlier process counted them, and they are counted again.
                Some((0, _)) => removal = Removal::Held,
                Some((due, of)) => return Removal::Paused(MassDeletion { store: store.to_string(), due, of }),
                None if census.allows(sync) => {}
                None => removal = Removal::Held,
            }
        }
        removal
    }

    /// Takes in what a run told.
    pub fn answered(&mut self, sync: &K, answer: Answer, now: Instant) {
        for store in self.syncs.get(sync).into_iter().flat_map(|stores| &**stores) {
            if let Some(census) = self.stores.get_mut(store) {
                census.answered(sync, answer, now);
                if census.wake(now).is_some() {
                    self.busy.insert(store.clone());
                }
            }
        }
    }

    /// The syncs that are to run now, each told once: those that have to be asked as well, and those about which a decision has fallen.
    pub fn summon(&mut self, now: Instant) -> Vec<K> {
        let mut syncs = Vec::new();
        self.busy.retain(|store| {
            let Some(census) = self.stores.get_mut(store) else { return false };
            syncs.extend(census.summon(now));
            census.wake(now).is_some()
        });
        syncs
    }

    /// When to ask [`summon`](Self::summon) next, if nothing else happens.
    pub fn wake(&self, now: Instant) -> Option<Instant> {
        self.busy.iter().filter_map(|store| self.stores.get(store)?.wake(now)).min()
    }

    /// What keeps a store from having targets deleted, if it is paused.
    pub fn paused(&self, store: &S) -> Option<MassDeletion> {
        let (due, of) = self.stores.get(store)?.paused()?;
        Some(MassDeletion { store: store.to_string(), due, of })
    }

    fn leave(&mut self, sync: &K, stores: &[S]) {
        for store in stores {
            if let Some(census) = self.stores.get_mut(store) {
                census.dismiss(sync);
            }
            self.tidy(store);
        }
    }

    fn tidy(&mut self, store: &S) {
        if self.stores.get(store).is_some_and(Census::is_idle) {
            self.stores.remove(store);
        }
    }
}

impl<K: Clone + Ord, S: Clone + Ord + ToString> Default for Guard<K, S> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
