//! Fair shares: stores take turns, and for each store its namespaces.

use std::collections::{HashMap, VecDeque};

/// Items by store and namespace, taken out in turns.
#[derive(Debug)]
pub(super) struct Rotation<T>(Turns<Turns<VecDeque<T>>>);

/// Groups that take turns. A group that becomes empty leaves; one that comes anew waits behind the others.
#[derive(Debug)]
struct Turns<G> {
    order: VecDeque<String>,
    groups: HashMap<String, G>,
}

impl<T> Rotation<T> {
    pub(super) fn new() -> Self {
        Self(Turns::default())
    }

    pub(super) fn push(&mut self, store: &str, namespace: &str, item: T) {
        self.0.group(store).group(namespace).push_back(item);
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        self.0
            .turn(|namespaces| (namespaces.turn(|items| (items.pop_front(), items.is_empty())), namespaces.is_empty()))
    }
}

impl<G: Default> Turns<G> {
    fn group(&mut self, name: &str) -> &mut G {
        if !self.groups.contains_key(name) {
            self.order.push_back(name.to_owned());
        }
        self.groups.entry(name.to_owned()).or_default()
    }

    /// Takes an item from the group whose turn it is, and ends its turn. `take` gives the item, and whether the group is empty now.
    fn turn<T>(&mut self, take: impl FnOnce(&mut G) -> (Option<T>, bool)) -> Option<T> {
        let name = self.order.pop_front()?;
        let (item, empty) = take(self.groups.get_mut(&name)?);
        if empty {
            self.groups.remove(&name);
        } else {
            self.order.push_back(name);
        }
        item
    }

    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl<G> Default for Turns<G> {
    fn default() -> Self {
        Self { order: VecDeque::new(), groups: HashMap::new() }
    }
}
