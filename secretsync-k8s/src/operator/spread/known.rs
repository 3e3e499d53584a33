//! What is known of ClusterExternalSecrets and of what they made.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use kube::api::DynamicObject;

use super::object::{Produced, SpreadObject};
use super::plan::{Plan, View};
use crate::operator::watch::Id;

/// ClusterExternalSecrets, and the ExternalSecrets that they made.
#[derive(Default)]
pub(in crate::operator) struct Spreads {
    objects: BTreeMap<String, Spread>,
    produced: HashMap<Id, Produced>,
    /// What each ClusterExternalSecret made.
    by_owner: HashMap<String, BTreeSet<Id>>,
    /// Namespaces that are being deleted.
    leaving: BTreeSet<String>,
    hasher: RandomState,
}

/// A ClusterExternalSecret, and what this process remembers of it.
pub(in crate::operator) struct Spread {
    pub(in crate::operator) object: SpreadObject,
    digest: Option<u64>,
    /// Passes in a row that failed.
    pub(in crate::operator) failures: u32,
    /// How often somebody changed what it made, since it was looked at for another reason.
    pub(in crate::operator) repairs: u32,
}

/// Labels of all namespaces.
pub(in crate::operator) type Namespaces = HashMap<String, BTreeMap<String, String>>;

/// What became of an ExternalSecret, as far as its ClusterExternalSecret is concerned.
#[derive(Debug, Eq, PartialEq)]
pub(in crate::operator) enum Touched {
    /// Nothing.
    No,
    /// It is not as this one made it.
    Changed(String),
    /// It came or went.
    Moved(String),
}

impl Spreads {
    /// Takes in a ClusterExternalSecret; says whether it is new or asks for something else.
    pub(in crate::operator) fn put(&mut self, object: SpreadObject) -> bool {
        let digest = object.wish.as_ref().ok().map(|wish| wish.content.digest(&self.hasher));
        if let Some(known) = self.objects.get_mut(&object.name)
            && object.asks_as(&known.object)
        {
            known.object = object;
            return false;
        }
        let spread = Spread { digest, failures: 0, repairs: 0, object };
        self.objects.insert(spread.object.name.clone(), spread);
        true
    }

    pub(in crate::operator) fn remove(&mut self, name: &str) {
        self.objects.remove(name);
    }

    pub(in crate::operator) fn get(&self, name: &str) -> Option<&Spread> {
        self.objects.get(name)
    }

    pub(in crate::operator) fn get_mut(&mut self, name: &str) -> Option<&mut Spread> {
        self.objects.get_mut(name)
    }

    pub(in crate::operator) fn names(&self) -> Vec<String> {
        self.objects.keys().cloned().collect()
    }

    /// Takes in an ExternalSecret.
    pub(in crate::operator) fn put_produced(&mut self, object: &DynamicObject) -> Touched {
        let id = Id::of(object);
        let now = Produced::read(object, &self.hasher);
        let before = self.forget(&id);
        let touched = match (&before, &now) {
            (None, None) => Touched::No,
            // Somebody took it away from its owner.
            (Some(before), None) => Touched::Moved(before.owner.0.clone()),
            (before, Some(now)) => {
                let is_as_made = self.objects.get(&now.owner.0).is_some_and(|owner| owner.digest == Some(now.digest));
                let same =
                    before.as_ref().is_some_and(|before| before.digest == now.digest && before.owner == now.owner);
                let name = now.owner.0.clone();
                match before {
                    _ if same => Touched::No,
                    None => Touched::Moved(name),
                    Some(_) if is_as_made => Touched::No,
                    Some(_) => Touched::Changed(name),
                }
            }
        };
        if let Some(now) = now {
            self.by_owner.entry(now.owner.0.clone()).or_default().insert(id.clone());
            self.produced.insert(id, now);
        }
        touched
    }

    /// An ExternalSecret is gone: gives those who made it or want one of that name there.
    pub(in crate::operator) fn remove_produced(&mut self, id: &Id) -> Vec<String> {
        let owner = self.forget(id).map(|produced| produced.owner.0);
        let waits = |(name, spread): (&String, &Spread)| {
            spread.object.wish.as_ref().is_ok_and(|wish| wish.name == id.name).then(|| name.clone())
        };
        let mut names: Vec<_> = self.objects.iter().filter_map(waits).collect();
        names.extend(owner.filter(|owner| self.objects.contains_key(owner)));
        names.sort();
        names.dedup();
        names
    }

    fn forget(&mut self, id: &Id) -> Option<Produced> {
        let before = self.produced.remove(id)?;
        if let Some(ids) = self.by_owner.get_mut(&before.owner.0) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_owner.remove(&before.owner.0);
            }
        }
        Some(before)
    }

    /// A namespace is there with these labels, or is being deleted: gives those whom that concerns. `before` are its labels as they were.
    pub(in crate::operator) fn put_namespace(
        &mut self,
        name: &str,
        labels: &BTreeMap<String, String>,
        before: Option<&BTreeMap<String, String>>,
        deleting: bool,
    ) -> Vec<String> {
        let left = if deleting { self.leaving.insert(name.to_owned()) } else { self.leaving.remove(name) };
        let concerned = |spread: &Spread| {
            let Ok(wish) = &spread.object.wish else { return false };
            let selected = wish.selects(name, labels);
            let was = before.is_some_and(|before| wish.selects(name, before));
            selected != was || (selected && left)
        };
        let concerned = self.objects.iter().filter(|(_, spread)| concerned(spread));
        concerned.map(|(name, _)| name.clone()).collect()
    }

    /// A namespace is gone: gives those who say that they are in it.
    pub(in crate::operator) fn remove_namespace(&mut self, name: &str) -> Vec<String> {
        self.leaving.remove(name);
        let told = |spread: &Spread| {
            let status = &spread.object.status;
            status.provisioned.contains(name) || status.failed.contains_key(name)
        };
        self.objects.iter().filter(|(_, spread)| told(spread)).map(|(name, _)| name.clone()).collect()
    }

    /// What is to be done for a ClusterExternalSecret.
    pub(in crate::operator) fn plan(
        &self,
        spread: &Spread,
        namespaces: &Namespaces,
        exists: impl Fn(&Id) -> bool,
    ) -> Plan {
        let object = &spread.object;
        let mut staying = namespaces
            .iter()
            .filter(|(name, _)| !self.leaving.contains(*name))
            .map(|(name, labels)| (name.as_str(), labels));
        let made = self.by_owner.get(&object.name).into_iter().flatten();
        let view = View {
            namespaces: &mut staying,
            produced: made.filter_map(|id| Some((id, self.produced.get(id)?))).collect(),
            is_foreign: &exists,
            digest: spread.digest.unwrap_or_default(),
        };
        let mut plan = Plan::new(&object.uid, &object.wish, &object.status, view);
        plan.create.sort();
        plan
    }
}

#[cfg(test)]
mod tests;
