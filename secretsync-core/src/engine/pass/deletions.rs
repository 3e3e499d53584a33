//! No mass deletion in one pass: [`crate::guard`] for syncs that all run now, where nobody has to be asked as well.

use std::collections::{BTreeMap, BTreeSet};

use crate::guard::{Answer, Exposure};
use crate::sync::{MassDeletion, ProviderKey, Reason, Removal, SyncReport, SyncSpec};

/// Which syncs of a pass are held back until each of them has been read.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    /// The stores of those that are held back, by their place in the pass.
    held: BTreeMap<usize, BTreeSet<String>>,
}

impl Deletions {
    /// Holds back the deletions of each store that has enough targets for a mass deletion. What somebody else holds already is left to them.
    pub(super) fn hold(specs: &mut [SyncSpec]) -> Self {
        let mut stores: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for spec in specs.iter().filter(|spec| !spec.suspended) {
            for store in stores_of(spec) {
                let (could, of) = stores.entry(store.to_owned()).or_default();
                (*could, *of) = (*could + usize::from(deletes(spec)), *of + 1);
            }
        }
        stores.retain(|_, (could, of)| MassDeletion::is(*could, *of));
        let mut held = BTreeMap::new();
        for (index, spec) in specs.iter_mut().enumerate() {
            let theirs = stores_of(spec).into_iter().filter(|store| stores.contains_key(*store));
            let theirs: BTreeSet<_> = theirs.map(str::to_owned).collect();
            if spec.removal == Removal::Allowed && deletes(spec) && !theirs.is_empty() {
                spec.removal = Removal::Held;
                held.insert(index, theirs);
            }
        }
        Self { held }
    }

    /// Whether this is about a deletion that was held back here.
    pub(super) fn is_held(&self, index: usize, report: &SyncReport) -> bool {
        report.reason == Reason::DeletionHeld && self.held.contains_key(&index)
    }

    /// What becomes of the deletions that were held back, now that every sync has run.
    pub(super) fn decide(&self, specs: &[SyncSpec], reports: &[Option<SyncReport>]) -> Vec<(usize, Removal)> {
        let mut stores: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        let mut due = Vec::new();
        for (index, (spec, report)) in specs.iter().zip(reports).enumerate() {
            // Who failed says nothing, and who has no target can lose none.
            let heard = |report: &&SyncReport| !matches!(Answer::of(report), Answer::Absent | Answer::Unknown);
            let Some(report) = report.as_ref().filter(heard) else { continue };
            let goes = self.is_held(index, report);
            for store in stores_of(spec) {
                let (due, of) = stores.entry(store).or_default();
                (*due, *of) = (*due + usize::from(goes), *of + 1);
            }
            if goes {
                due.push(index);
            }
        }
        let removal = |index: usize| {
            let theirs = self.held.get(&index).into_iter().flatten();
            let masses = theirs.filter_map(|store| {
                let (due, of) = *stores.get(store.as_str())?;
                MassDeletion::is(due, of).then(|| MassDeletion { store: store.clone(), due, of })
            });
            masses.into_iter().next().map_or(Removal::Allowed, Removal::Paused)
        };
        due.into_iter().map(|index| (index, removal(index))).collect()
    }
}

fn deletes(spec: &SyncSpec) -> bool {
    Exposure::of(spec) != Exposure::Safe
}

/// The stores that a sync reads from, however many identities it has there.
fn stores_of(spec: &SyncSpec) -> BTreeSet<&str> {
    spec.providers().map(ProviderKey::store).collect()
}
