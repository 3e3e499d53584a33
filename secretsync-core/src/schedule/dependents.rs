//! Who needs what: from an object to those that read it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;

/// The objects of each key, and the keys of each object.
#[derive(Debug)]
pub struct Dependents<O, K> {
    objects: HashMap<K, Vec<O>>,
    keys: HashMap<O, HashSet<K>>,
}

impl<O: Clone + Eq + Hash, K: Clone + Eq + Hash + Ord> Dependents<O, K> {
    /// Nobody needs anything.
    pub fn new() -> Self {
        Self { objects: HashMap::new(), keys: HashMap::new() }
    }

    /// Says what a key needs, in the place of what was said before.
    pub fn set(&mut self, key: &K, objects: Vec<O>) {
        if self.objects.get(key).is_some_and(|known| *known == objects) {
            return;
        }
        self.remove(key);
        for object in &objects {
            self.keys.entry(object.clone()).or_default().insert(key.clone());
        }
        self.objects.insert(key.clone(), objects);
    }

    /// Forgets a key.
    pub fn remove(&mut self, key: &K) {
        for object in self.objects.remove(key).unwrap_or_default() {
            if let Some(keys) = self.keys.get_mut(&object) {
                keys.remove(key);
                if keys.is_empty() {
                    self.keys.remove(&object);
                }
            }
        }
    }

    /// What a key needs.
    pub fn of(&self, key: &K) -> &[O] {
        self.objects.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// The others that need something of what a key needs.
    pub fn sharers(&self, key: &K) -> BTreeSet<K> {
        let mut sharers: BTreeSet<_> =
            self.of(key).iter().filter_map(|object| self.keys.get(object)).flatten().cloned().collect();
        sharers.remove(key);
        sharers
    }
}

impl<O: Clone + Eq + Hash, K: Clone + Eq + Hash + Ord> Default for Dependents<O, K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sharers_are_those_with_an_object_in_common_as_of_now() {
        let mut dependents = Dependents::new();
        dependents.set(&1, vec!["a", "b"]);
        dependents.set(&2, vec!["b"]);
        dependents.set(&3, vec!["c"]);
        assert_eq!(dependents.sharers(&1), BTreeSet::from([2]));
        dependents.set(&1, vec!["c"]);
        assert_eq!((dependents.sharers(&1), dependents.sharers(&2)), (BTreeSet::from([3]), BTreeSet::new()));
        dependents.remove(&3);
        assert_eq!(dependents.sharers(&1), BTreeSet::new());
    }
}
