//! Counting requests.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::super::Shared;
use super::super::reads::ObjectKey;
use super::{Bill, Member, StoreForecast};
use crate::layer::{Coalesce, Rehearsal};
use crate::object::{ObjectRef, Read};
use crate::provider::{Asked, Provider as _, Request};
use crate::sync::ProviderKey;

/// What was counted so far.
pub(super) struct Tally<'e> {
    shared: &'e Shared,
    stores: BTreeMap<String, StoreForecast>,
}

/// How often something is done.
#[derive(Clone, Copy)]
pub(super) enum Rate {
    /// Once, in a run over everything.
    Run,
    /// So often a day.
    Daily(f64),
}

impl<'e> Tally<'e> {
    pub(super) fn new(shared: &'e Shared) -> Self {
        Self { shared, stores: BTreeMap::new() }
    }

    /// Counts one run over everything, and what every run has once only.
    pub(super) fn run<'m>(&mut self, members: impl Iterator<Item = &'m Member<'m>>) {
        let members: Vec<_> = members.collect();
        for member in &members {
            for (key, object) in member.reads.every() {
                if object.read() == Read::Issuing {
                    self.store(&key).issuing += 1;
                } else {
                    self.store(&key).run.wanted += 1.0;
                }
            }
            for (key, _) in member.searches() {
                self.store(key).searches += 1;
            }
            if member.spec.timing.windows.is_some() {
                member.reads.objects.keys().for_each(|key| self.store(key).windowed += 1);
            }
        }
        self.pass(&members, &mut HashSet::new(), Rate::Run);
    }

    /// Counts a day of passes: who reads together, by how often. What a more frequent pass reads, a less frequent one need not.
    pub(super) fn days(&mut self, passes: &BTreeMap<Duration, Vec<&Member<'_>>>) {
        let mut covered = HashSet::new();
        for (period, members) in passes {
            for member in members {
                let times = member.interval().map_or(0.0, |interval| DAY.div_duration_f64(interval));
                for (key, _) in member.reads.every().filter(|(_, object)| object.read() == Read::Repeatable) {
                    self.store(&key).day.wanted += times;
                }
            }
            self.pass(members, &mut covered, Rate::Daily(DAY.div_duration_f64(*period)));
        }
    }

    pub(super) fn finish(self) -> Vec<StoreForecast> {
        self.stores.into_values().collect()
    }

    /// One pass: everything is announced before the first one asks, as the engine does it.
    fn pass(&mut self, members: &[&Member<'_>], covered: &mut HashSet<ObjectKey>, rate: Rate) {
        let mut rehearsals: HashMap<&ProviderKey, Rehearsal> = HashMap::new();
        let mut asking = Vec::new();
        for member in members {
            for (key, objects) in &member.reads.objects {
                let due = |object: &&ObjectRef| match object.read() {
                    Read::Issuing => matches!(rate, Rate::Run),
                    Read::Repeatable => !covered.contains(&(key.clone(), (*object).clone())),
                };
                let objects: Vec<_> = objects.iter().filter(due).cloned().collect();
                let Some(provider) = self.provider(key) else { continue };
                let rehearsal = rehearsals.entry(key).or_insert_with(|| Rehearsal::new(provider.info()));
                rehearsal.announce(objects.iter().filter(|object| object.read() == Read::Repeatable));
                asking.push((key, objects));
            }
            for (key, query) in member.searches() {
                if let Some(provider) = self.provider(key) {
                    self.count(key, &provider.requests(Asked::Find(query)), rate);
                }
            }
        }
        for (key, objects) in asking {
            let (Some(provider), Some(rehearsal)) = (self.provider(key), rehearsals.get_mut(key)) else { continue };
            for call in rehearsal.ask(&objects) {
                let requests = provider.requests(Asked::Fetch(&call));
                self.count(key, &requests, rate);
                if call.iter().all(|object| object.read() == Read::Repeatable) {
                    self.note(key, call.len(), requests.len(), rate);
                }
            }
            covered.extend(objects.into_iter().map(|object| (key.clone(), object)));
        }
    }

    fn count(&mut self, key: &ProviderKey, requests: &[Request], rate: Rate) {
        for request in requests {
            let entry = self.store(key).requests.entry(request.kind).or_default();
            let (run, day) = match rate {
                Rate::Run => (1.0, 0.0),
                Rate::Daily(times) => (0.0, times),
            };
            entry.run += run;
            entry.day += day;
            if let Some(cost) = request.cost {
                let bill = entry.bill.get_or_insert(Bill { least: 0.0, most: 0.0, list: cost.list });
                bill.least += day * f64::from(cost.least) / BILLION;
                bill.most += day * f64::from(cost.most) / BILLION;
            }
        }
    }

    fn note(&mut self, key: &ProviderKey, read: usize, sent: usize, rate: Rate) {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let store = self.store(key);
        let (noted, times) = match rate {
            Rate::Run => (&mut store.run, 1.0),
            Rate::Daily(times) => (&mut store.day, times),
        };
        noted.shared += f64::from(count(read)) * times;
        noted.sent += f64::from(count(sent)) * times;
    }

    /// Syncs whose provider does not work are told as failed before anything is counted.
    fn provider(&self, key: &ProviderKey) -> Option<std::sync::Arc<Coalesce>> {
        self.shared.provider(key).ok()
    }

    fn store(&mut self, key: &ProviderKey) -> &mut StoreForecast {
        let name = self.provider(key).map_or_else(|| key.to_string(), |provider| provider.info().name.clone());
        self.stores.entry(name.clone()).or_insert_with(|| StoreForecast::new(name))
    }
}

impl StoreForecast {
    fn new(name: String) -> Self {
        let (requests, run, day) = Default::default();
        Self { name, requests, run, day, searches: 0, issuing: 0, windowed: 0 }
    }
}

const DAY: Duration = Duration::from_hours(24);
const BILLION: f64 = 1e9;
