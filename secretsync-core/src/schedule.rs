//! When each sync runs: two lanes, fair shares, no clock and no I/O of its own.
//!
//! *Urgent* is what somebody waits for: a target that was never written, a changed manifest, a first repair. *Refresh* is everything else, retries
//! too. While both wait, seven urgent syncs run for each refresh. Inside a lane the stores take turns, and for each store the namespaces, so a slow store or a
//! namespace with ten thousand syncs delays its own only. A refresh that has waited for a whole interval goes before everything else, so
//! nobody waits longer than two.

mod backoff;
mod company;
mod dependents;
mod driver;
mod rotation;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

pub use backoff::Backoff;
pub use company::{Company, Luggage};
pub use dependents::Dependents;
pub use driver::{Driver, Turn, reached};

use self::rotation::Rotation;

/// Which queue a sync waits in.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Lane {
    /// Somebody waits for it.
    Urgent,
    /// Regular work and retries.
    Refresh,
}

/// Whose turn a sync takes: stores share the slots equally, and so do the namespaces of one store.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Place {
    store: String,
    namespace: String,
}

impl Place {
    /// A place by store and namespace.
    pub fn new(store: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self { store: store.into(), namespace: namespace.into() }
    }
}

/// Decides which sync runs next. Time is told to it, so it is the same in tests and in production.
///
/// ```
/// use std::time::Duration;
///
/// use secretsync_core::schedule::{Lane, Place, Scheduler};
/// use tokio::time::Instant;
///
/// let now = Instant::now();
/// let mut scheduler = Scheduler::new();
/// scheduler.add("db", Place::new("vault", "shop"), Duration::from_secs(60));
/// scheduler.request(&"db", Lane::Refresh, now + Duration::from_secs(60));
/// assert_eq!(scheduler.next(now), None);
/// assert_eq!(scheduler.next(now + Duration::from_secs(60)), Some("db"));
/// ```
#[derive(Debug)]
pub struct Scheduler<K> {
    entries: HashMap<K, Entry>,
    /// What becomes due later, by time; the number tells entries of one moment apart.
    timers: BTreeMap<(Instant, u64), K>,
    urgent: Rotation<(K, u64)>,
    refresh: Rotation<(K, u64)>,
    /// Waiting refreshes by the moment from which they go before everything else.
    patience: BTreeSet<(Instant, u64, K)>,
    /// Urgent syncs that were let through since the last refresh.
    favoured: u32,
    tickets: u64,
}

#[derive(Debug)]
struct Entry {
    place: Place,
    interval: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    /// Due later.
    Timed {
        at: Instant,
        ticket: u64,
        lane: Lane,
    },
    Waiting {
        ticket: u64,
        lane: Lane,
        until: Instant,
    },
    /// At work, and whether it was asked for again meanwhile.
    Running {
        again: Option<(Instant, Lane)>,
    },
}

/// How many urgent syncs run for each refresh while both wait.
const FAVOUR: u32 = 7;

impl<K: Clone + Eq + Hash + Ord> Scheduler<K> {
    /// A scheduler without syncs.
    pub fn new() -> Self {
        Self {
            entries: HashMap::new(),
            timers: BTreeMap::new(),
            urgent: Rotation::new(),
            refresh: Rotation::new(),
            patience: BTreeSet::new(),
            favoured: 0,
            tickets: 0,
        }
    }

    /// Makes a sync known; it runs when it is [requested](Self::request). One that is known already takes the new place and interval from its next
    /// request on.
    pub fn add(&mut self, key: K, place: Place, interval: Duration) {
        let state = self.entries.get(&key).map_or(State::Idle, |known| known.state);
        self.entries.insert(key, Entry { place, interval, state });
    }

    /// Forgets a sync. One that is running is not stopped; its [`finish`](Self::finish) means nothing then.
    pub fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.unqueue(key, entry.state);
        }
    }

    /// Asks for a run at a moment, or as soon as possible after it. An earlier or more urgent request stands; one for a sync that is running is served after
    /// it has finished. Unknown syncs are ignored.
    pub fn request(&mut self, key: &K, lane: Lane, at: Instant) {
        let Some(entry) = self.entries.get(key) else { return };
        match entry.state {
            State::Running { again } => {
                let again = again.map_or((at, lane), |(earlier, before)| (earlier.min(at), before.min(lane)));
                self.set(key, State::Running { again: Some(again) });
            }
            State::Waiting { lane: before, .. } if before <= lane => {}
            State::Timed { at: earlier, lane: before, .. } if earlier <= at && before <= lane => {}
            State::Timed { at: earlier, lane: before, .. } => {
                self.unqueue(key, entry.state);
                self.enqueue(key, lane.min(before), at.min(earlier));
            }
            state => {
                self.unqueue(key, state);
                self.enqueue(key, lane, at);
            }
        }
    }

    /// The sync that runs now, if one is due. It counts as running until [`finish`](Self::finish), and is not given out again before.
    pub fn next(&mut self, now: Instant) -> Option<K> {
        self.next_in_lane(now).map(|(key, _)| key)
    }

    /// As [`next`](Self::next), with the lane that it waited in.
    pub fn next_in_lane(&mut self, now: Instant) -> Option<(K, Lane)> {
        self.fall_due(now);
        let key = self.out_of_patience(now).or_else(|| self.by_turn())?;
        let state = self.entries.get(&key)?.state;
        self.unqueue(&key, state);
        self.set(&key, State::Running { again: None });
        let State::Waiting { lane, .. } = state else { return Some((key, Lane::Refresh)) };
        Some((key, lane))
    }

    /// Says that a run is over: the sync can run again.
    pub fn finish(&mut self, key: &K) {
        let Some(Entry { state: State::Running { again }, .. }) = self.entries.get(key) else { return };
        let again = *again;
        self.set(key, State::Idle);
        if let Some((at, lane)) = again {
            self.enqueue(key, lane, at);
        }
    }

    /// Whether a sync neither waits nor runs, so that it could be asked for earlier than planned.
    pub fn is_idle(&self, key: &K) -> bool {
        matches!(self.entries.get(key), Some(Entry { state: State::Idle | State::Timed { .. }, .. }))
    }

    /// Whether a sync is due and waits for its turn.
    pub fn is_waiting(&self, key: &K) -> bool {
        matches!(self.entries.get(key), Some(Entry { state: State::Waiting { .. }, .. }))
    }

    /// How many syncs are due and wait for their turn, as far as it was looked who is due.
    pub fn waiting(&self) -> usize {
        self.patience.len()
    }

    /// When to ask [`next`](Self::next) again at the latest, if nothing else happens; `None` when nothing will become due by itself.
    pub fn wake(&self) -> Option<Instant> {
        self.timers.keys().next().map(|(at, _)| *at)
    }

    fn set(&mut self, key: &K, state: State) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.state = state;
        }
    }

    fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    fn enqueue(&mut self, key: &K, lane: Lane, at: Instant) {
        let ticket = self.ticket();
        self.timers.insert((at, ticket), key.clone());
        self.set(key, State::Timed { at, ticket, lane });
    }

    /// Takes a sync out of the queues; what is left of it in a rotation is passed over later, since its ticket is no longer valid.
    fn unqueue(&mut self, key: &K, state: State) {
        match state {
            State::Timed { at, ticket, .. } => drop(self.timers.remove(&(at, ticket))),
            State::Waiting { ticket, until, .. } => drop(self.patience.remove(&(until, ticket, key.clone()))),
            State::Idle | State::Running { .. } => {}
        }
    }

    /// Moves everything that is due into its lane.
    fn fall_due(&mut self, now: Instant) {
        while let Some(timer) = self.timers.first_entry().filter(|timer| timer.key().0 <= now) {
            let key = timer.remove();
            let ticket = self.ticket();
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            let State::Timed { at, lane, .. } = entry.state else { continue };
            // From the moment it was due: how late somebody looked does not matter.
            let until = at + entry.interval;
            entry.state = State::Waiting { ticket, lane, until };
            let queue = if lane == Lane::Urgent { &mut self.urgent } else { &mut self.refresh };
            queue.push(&entry.place.store, &entry.place.namespace, (key.clone(), ticket));
            self.patience.insert((until, ticket, key));
        }
    }

    fn out_of_patience(&self, now: Instant) -> Option<K> {
        let (until, _, key) = self.patience.first()?;
        (*until <= now).then(|| key.clone())
    }

    fn by_turn(&mut self) -> Option<K> {
        let refresh_first = self.favoured >= FAVOUR;
        let lanes = if refresh_first { [Lane::Refresh, Lane::Urgent] } else { [Lane::Urgent, Lane::Refresh] };
        for lane in lanes {
            while let Some((key, ticket)) = self.queue(lane).pop() {
                if !self.holds(&key, ticket) {
                    continue;
                }
                self.favoured = if lane == Lane::Urgent { (self.favoured + 1).min(FAVOUR) } else { 0 };
                return Some(key);
            }
        }
        None
    }

    fn queue(&mut self, lane: Lane) -> &mut Rotation<(K, u64)> {
        if lane == Lane::Urgent { &mut self.urgent } else { &mut self.refresh }
    }

    fn holds(&self, key: &K, ticket: u64) -> bool {
        let state = self.entries.get(key).map(|entry| entry.state);
        matches!(state, Some(State::Waiting { ticket: valid, .. }) if valid == ticket)
    }
}

impl<K: Clone + Eq + Hash + Ord> Default for Scheduler<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
