//! What is known of each store, and where there is something to tell.

use std::collections::{BTreeMap, BTreeSet};

use super::census::Census;

/// The stores with the names `S`, and their syncs with the names `K`.
#[derive(Debug)]
pub(super) struct Stores<K, S> {
    known: BTreeMap<S, Census<K>>,
    /// Those where time matters.
    busy: BTreeSet<S>,
    /// Those whose pause has begun or ended since that was asked for.
    turned: BTreeSet<S>,
}

impl<K: Clone + Ord, S: Clone + Ord> Stores<K, S> {
    pub(super) fn new() -> Self {
        Self { known: BTreeMap::new(), busy: BTreeSet::new(), turned: BTreeSet::new() }
    }

    pub(super) fn get(&self, store: &S) -> Option<&Census<K>> {
        self.known.get(store)
    }

    /// What is known of those where time matters.
    pub(super) fn busy(&self) -> impl Iterator<Item = &Census<K>> {
        self.busy.iter().filter_map(|store| self.known.get(store))
    }

    pub(super) fn names_of_busy(&self) -> Vec<S> {
        self.busy.iter().cloned().collect()
    }

    pub(super) fn take_turned(&mut self) -> BTreeSet<S> {
        std::mem::take(&mut self.turned)
    }

    /// Changes what is known of a store, which may be a new one, and takes in what follows.
    pub(super) fn enter(&mut self, store: &S, act: impl FnOnce(&mut Census<K>)) {
        if !self.known.contains_key(store) {
            self.known.insert(store.clone(), Census::default());
        }
        self.change(store, act);
    }

    /// Changes what is known of a store, and takes in what follows.
    pub(super) fn change(&mut self, store: &S, act: impl FnOnce(&mut Census<K>)) {
        let Some(census) = self.known.get_mut(store) else { return };
        let was_paused = census.paused().is_some();
        act(census);
        if census.paused().is_some() != was_paused {
            self.turned.insert(store.clone());
        }
        let (is_busy, is_idle) = (census.is_busy(), census.is_idle());
        if is_idle {
            self.known.remove(store);
        }
        if is_busy && !is_idle {
            self.busy.insert(store.clone());
        } else {
            self.busy.remove(store);
        }
    }
}
