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
mod stores;

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use self::stores::Stores;
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
    stores: Stores<K, S>,
    syncs: BTreeMap<K, Box<[S]>>,
}

impl<K: Clone + Ord, S: Clone + Ord + ToString> Guard<K, S> {
    /// A guard that knows no syncs.
    pub fn new() -> Self {
        Self { stores: Stores::new(), syncs: BTreeMap::new() }
    }

    /// Makes a sync known, or takes in that it is another one now.
    pub fn enroll(&mut self, sync: &K, stores: impl IntoIterator<Item = S>, exposure: Exposure) {
        let stores: BTreeSet<S> = stores.into_iter().collect();
        let before = self.syncs.remove(sync).unwrap_or_default();
        for store in before.iter().filter(|store| !stores.contains(store)) {
            self.stores.change(store, |census| census.dismiss(sync));
        }
        for store in &stores {
            self.stores.enter(store, |census| census.enroll(sync, exposure));
        }
        self.syncs.insert(sync.clone(), stores.into_iter().collect());
    }

    /// Forgets a sync.
    pub fn dismiss(&mut self, sync: &K) {
        for store in self.syncs.remove(sync).unwrap_or_default() {
            self.stores.change(&store, |census| census.dismiss(sync));
        }
    }

    /// Forgets a store that is gone. Its syncs keep it in mind until they go.
    pub fn forget(&mut self, store: &S, now: Instant) {
        self.allow(store, false, now);
    }

    /// Takes a store as paused from the beginning, as an earlier process left it: its syncs are asked whether that is still right.
    pub fn resume(&mut self, store: &S, now: Instant) {
        self.stores.enter(store, |census| census.resume(now));
    }

    /// Sets whether somebody allows mass deletions of a store.
    pub fn allow(&mut self, store: &S, allowed: bool, now: Instant) {
        self.stores.enter(store, |census| census.allow(allowed, now));
    }

    /// Whether the target of a sync may be deleted if its sources turn out to be gone.
    pub fn removal(&self, sync: &K) -> Removal {
        let mut removal = Removal::Allowed;
        for store in stores_of(&self.syncs, sync) {
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
        for store in stores_of(&self.syncs, sync) {
            self.stores.change(store, |census| census.answered(sync, answer, now));
        }
    }

    /// The syncs that are to run now, each told once: those that have to be asked as well, and those about which a decision has fallen. Who cannot be asked now,
    /// outside of its windows for example, says so by `can_run`, and is not waited for.
    pub fn summon(&mut self, now: Instant, can_run: impl Fn(&K) -> bool) -> Vec<K> {
        let mut syncs = Vec::new();
        for store in self.stores.names_of_busy() {
            self.stores.change(&store, |census| syncs.extend(census.summon(now, &can_run)));
        }
        syncs
    }

    /// When to ask [`summon`](Self::summon) next, if nothing else happens.
    pub fn wake(&self, now: Instant) -> Option<Instant> {
        self.stores.busy().filter_map(|census| census.wake(now)).min()
    }

    /// What keeps a store from having targets deleted, if it is paused.
    pub fn paused(&self, store: &S) -> Option<MassDeletion> {
        let (due, of) = self.stores.get(store)?.paused()?;
        Some(MassDeletion { store: store.to_string(), due, of })
    }

    /// The stores whose pause has begun or ended, each told once.
    pub fn turned(&mut self) -> BTreeSet<S> {
        self.stores.take_turned()
    }
}

/// The stores that a sync reads from.
fn stores_of<'a, K: Ord, S>(syncs: &'a BTreeMap<K, Box<[S]>>, sync: &K) -> &'a [S] {
    syncs.get(sync).map_or(&[], |stores| stores)
}

impl<K: Clone + Ord, S: Clone + Ord + ToString> Default for Guard<K, S> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
