//! No mass deletion in one pass: [`crate::guard`] for syncs that all run now, where nobody has to be asked as well.

use std::collections::{BTreeMap, BTreeSet};

use crate::guard::{Answer, Exposure};
use crate::sync::{MassDeletion, ProviderKey, Reason, Removal, SyncReport, SyncSpec};

/// Which syncs of a pass are held back until each of them has been read.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    /// Those that are held back, by their place in the pass.
    held: BTreeMap<usize, SyncSpec>,
    /// Of each sync of the pass, the stores it reads from that have enough targets for a mass deletion.
    stores: Vec<BTreeSet<String>>,
}

impl Deletions {
    /// Holds back the deletions of each store that has enough targets for a mass deletion. What somebody else holds already is left to them.
    pub(super) fn hold(specs: &mut [SyncSpec]) -> Self {
        let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for spec in specs.iter().filter(|spec| !spec.suspended) {
            for store in stores_of(spec) {
                let (could, of) = counts.entry(store).or_default();
                (*could, *of) = (*could + usize::from(deletes(spec)), *of + 1);
            }
        }
        counts.retain(|_, (could, of)| MassDeletion::is(*could, *of));
        if counts.is_empty() {
            return Self::default();
        }
        let threatened = |spec| stores_of(spec).into_iter().filter(|store| counts.contains_key(store));
        let stores: Vec<BTreeSet<_>> = specs.iter().map(|spec| threatened(spec).map(str::to_owned).collect()).collect();
        let mut held = BTreeMap::new();
        for (index, (spec, stores)) in specs.iter_mut().zip(&stores).enumerate() {
            if spec.removal == Removal::Allowed && deletes(spec) && !stores.is_empty() {
                spec.removal = Removal::Held;
                held.insert(index, spec.clone());
            }
        }
        Self { held, stores }
    }

    /// Whether this is about a deletion that is held back here.
    pub(super) fn is_held(&self, index: usize, report: &SyncReport) -> bool {
        report.reason == Reason::DeletionHeld && self.held.contains_key(&index)
    }

    /// What runs again to learn what becomes of its deletion, now that every sync has run. Nothing is held back any more.
    pub(super) fn decide(&mut self, reports: &[Option<SyncReport>]) -> Vec<(usize, SyncSpec)> {
        let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        let mut due = BTreeSet::new();
        for (index, (stores, report)) in self.stores.iter().zip(reports).enumerate() {
            // Who failed says nothing, and who has no target can lose none.
            let heard = |report: &&SyncReport| !matches!(Answer::of(report), Answer::Absent | Answer::Unknown);
            let Some(report) = report.as_ref().filter(heard) else { continue };
            let goes = self.is_held(index, report);
            for store in stores {
                let (due, of) = counts.entry(store).or_default();
                (*due, *of) = (*due + usize::from(goes), *of + 1);
            }
            if goes {
                due.insert(index);
            }
        }
        let removal = |index: usize| {
            let mass = self.stores[index].iter().find_map(|store| {
                let (due, of) = *counts.get(store.as_str())?;
                MassDeletion::is(due, of).then(|| MassDeletion { store: store.clone(), due, of })
            });
            mass.map_or(Removal::Allowed, Removal::Paused)
        };
        let mut held = std::mem::take(&mut self.held);
        held.retain(|index, _| due.contains(index));
        held.into_iter().map(|(index, spec)| (index, SyncSpec { removal: removal(index), ..spec })).collect()
    }
}

fn deletes(spec: &SyncSpec) -> bool {
    Exposure::of(spec) != Exposure::Safe
}

/// The stores that a sync reads from, however many identities it has there.
fn stores_of(spec: &SyncSpec) -> BTreeSet<&str> {
    spec.providers().map(ProviderKey::store).collect()
}
