//! Who is read in one request with others, although they need no object in common.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroUsize;

use tokio::time::Instant;

use crate::sync::ProviderKey;

/// Units of stores of which one request reads many objects, by when they may go along with others.
#[derive(Debug, Default)]
pub(super) struct Company {
    stores: HashMap<ProviderKey, BTreeSet<(Instant, usize)>>,
    since: HashMap<usize, Instant>,
}

/// How many objects a unit reads at each store of which one request reads many, and how many that is.
pub(super) type Luggage = BTreeMap<ProviderKey, (usize, NonZeroUsize)>;

impl Company {
    /// Lets a unit go along from a moment on.
    pub(super) fn join(&mut self, unit: usize, luggage: &Luggage, from: Instant) {
        self.leave(unit, luggage);
        if luggage.is_empty() {
            return;
        }
        for store in luggage.keys() {
            self.stores.entry(store.clone()).or_default().insert((from, unit));
        }
        self.since.insert(unit, from);
    }

    /// Takes a unit out: it runs, or is about to.
    pub(super) fn leave(&mut self, unit: usize, luggage: &Luggage) {
        let Some(from) = self.since.remove(&unit) else { return };
        for store in luggage.keys() {
            if let Some(waiting) = self.stores.get_mut(store) {
                waiting.remove(&(from, unit));
            }
        }
    }

    /// The units that may go along at a store now, those first who have waited longest.
    pub(super) fn at<'c>(&'c self, store: &ProviderKey, now: Instant) -> impl Iterator<Item = usize> + 'c {
        let waiting = self.stores.get(store).into_iter().flatten();
        waiting.take_while(move |(from, _)| *from <= now).map(|(_, unit)| *unit)
    }
}
