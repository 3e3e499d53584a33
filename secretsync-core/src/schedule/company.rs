//! Who is read in one request with others, although they need no object in common.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::num::NonZeroUsize;

use tokio::time::Instant;

use crate::sync::ProviderKey;

/// How many objects somebody reads at each provider of which one request reads many.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Luggage(BTreeMap<ProviderKey, Piece>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Piece {
    objects: usize,
    per_request: NonZeroUsize,
}

impl Luggage {
    /// Adds an object of a provider of which one request reads so many.
    pub fn add(&mut self, provider: &ProviderKey, per_request: NonZeroUsize) {
        if per_request.get() > 1 {
            self.0.entry(provider.clone()).or_insert(Piece { objects: 0, per_request }).objects += 1;
        }
    }

    fn objects(&self, provider: &ProviderKey) -> usize {
        self.0.get(provider).map_or(0, |piece| piece.objects)
    }
}

/// Those who can fill requests of others up, by when they may: when they are due, or as good as.
#[derive(Debug)]
pub struct Company<K> {
    luggage: HashMap<K, Luggage>,
    since: HashMap<K, Instant>,
    waiting: HashMap<ProviderKey, BTreeSet<(Instant, K)>>,
}

impl<K: Clone + Eq + Hash + Ord> Company<K> {
    /// Nobody.
    pub fn new() -> Self {
        Self { luggage: HashMap::new(), since: HashMap::new(), waiting: HashMap::new() }
    }

    /// Says what a key reads, in the place of what was said before.
    pub fn carry(&mut self, key: &K, luggage: Luggage) {
        if self.luggage.get(key) == Some(&luggage) {
            return;
        }
        let since = self.since.get(key).copied();
        self.leave(key);
        self.luggage.insert(key.clone(), luggage);
        if let Some(since) = since {
            self.join(key, since);
        }
    }

    /// Lets a key go along with others from a moment on, whatever was said before.
    pub fn join(&mut self, key: &K, from: Instant) {
        self.leave(key);
        for provider in self.luggage.get(key).into_iter().flat_map(|luggage| luggage.0.keys()) {
            self.waiting.entry(provider.clone()).or_default().insert((from, key.clone()));
        }
        self.since.insert(key.clone(), from);
    }

    /// Takes a key out: it runs, is about to, or has no reason to.
    pub fn leave(&mut self, key: &K) {
        let Some(from) = self.since.remove(key) else { return };
        let place = (from, key.clone());
        for provider in self.luggage.get(key).into_iter().flat_map(|luggage| luggage.0.keys()) {
            if let Some(waiting) = self.waiting.get_mut(provider) {
                waiting.remove(&place);
                if waiting.is_empty() {
                    self.waiting.remove(provider);
                }
            }
        }
    }

    /// Forgets a key.
    pub fn remove(&mut self, key: &K) {
        self.leave(key);
        self.luggage.remove(key);
    }

    /// Takes out those who fill the requests of a key up, as many as there is room for; those first who have waited longest. `may_run` has the last word about each.
    pub fn take_along(&mut self, key: &K, now: Instant, mut may_run: impl FnMut(&K) -> bool) -> Vec<K> {
        let mut taken = Vec::new();
        for (provider, own) in self.luggage.get(key).into_iter().flat_map(|luggage| &luggage.0) {
            let mut room = own.objects.next_multiple_of(own.per_request.get()) - own.objects;
            let due = self.waiting.get(provider).into_iter().flatten().take_while(|(from, _)| *from <= now);
            for (_, other) in due {
                if room == 0 {
                    break;
                }
                if other != key && !taken.contains(other) && may_run(other) {
                    room = room.saturating_sub(self.luggage.get(other).map_or(0, |luggage| luggage.objects(provider)));
                    taken.push(other.clone());
                }
            }
        }
        for other in &taken {
            self.leave(other);
        }
        taken
    }
}

impl<K: Clone + Eq + Hash + Ord> Default for Company<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn luggage(objects: usize) -> Luggage {
        let mut luggage = Luggage::default();
        for _ in 0..objects {
            luggage.add(&ProviderKey::new("aws"), NonZeroUsize::new(4).unwrap());
        }
        luggage
    }

    #[test]
    fn a_request_is_filled_up_with_those_who_wait_longest_and_may_run() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut company = Company::new();
        for (key, from) in [(1, 0), (2, 3), (3, 1), (4, 2), (5, 9)] {
            company.carry(&key, luggage(1));
            company.join(&key, at(from));
        }
        assert_eq!(company.take_along(&1, at(4), |key| *key != 3), [4, 2]);
        assert_eq!(company.take_along(&1, at(4), |_| true), [3], "who was taken is gone, and who is not due stays");
    }

    #[test]
    fn a_full_request_takes_nobody_along_and_what_cannot_be_read_with_others_is_no_luggage() {
        let now = Instant::now();
        let mut alone = Luggage::default();
        alone.add(&ProviderKey::new("vault"), NonZeroUsize::MIN);
        let mut company = Company::new();
        for (key, carries) in [(1, luggage(4)), (2, luggage(1)), (3, alone.clone()), (4, alone)] {
            company.join(&key, now);
            company.carry(&key, carries);
        }
        assert!(company.take_along(&1, now, |_| true).is_empty());
        assert!(company.take_along(&3, now, |_| true).is_empty());
        assert_eq!(company.take_along(&2, now, |_| true), [1]);
    }

    #[test]
    fn who_reads_something_else_now_is_found_there() {
        let now = Instant::now();
        let mut company = Company::new();
        for key in [1, 2] {
            company.carry(&key, luggage(1));
            company.join(&key, now);
        }
        company.carry(&2, Luggage::default());
        assert!(company.take_along(&1, now, |_| true).is_empty());
        company.carry(&2, luggage(1));
        company.remove(&2);
        assert!(company.take_along(&1, now, |_| true).is_empty());
    }
}
