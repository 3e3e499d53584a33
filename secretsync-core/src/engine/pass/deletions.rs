//! No mass deletion in one pass: [`crate::guard`] for syncs that all run now, where nobody has to be asked as well.

use std::collections::{BTreeMap, BTreeSet};

use crate::sync::{
    CreationPolicy, DeletionPolicy, MassDeletion, Outcome, ProviderKey, Reason, Removal, SyncReport, SyncSpec,
};

/// Which syncs of a pass are held back until each of them has been read.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    /// The stores of those that are held back, by their place in the pass.
    held: BTreeMap<usize, BTreeSet<ProviderKey>>,
}

impl Deletions {
    /// Holds back the deletions of each store that has enough targets for a mass deletion. What somebody else holds already is left to them.
    pub(super) fn hold(specs: &mut [SyncSpec]) -> Self {
        let mut stores: BTreeMap<ProviderKey, (usize, usize)> = BTreeMap::new();
        for spec in specs.iter().filter(|spec| !spec.suspended) {
            for store in spec.providers().collect::<BTreeSet<_>>() {
                let (could, of) = stores.entry(store.clone()).or_default();
                (*could, *of) = (*could + usize::from(deletes(spec)), *of + 1);
            }
        }
        stores.retain(|_, (could, of)| MassDeletion::is(*could, *of));
        let mut held = BTreeMap::new();
        for (index, spec) in specs.iter_mut().enumerate() {
            let theirs: BTreeSet<_> = spec.providers().filter(|store| stores.contains_key(*store)).cloned().collect();
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
        let mut stores: BTreeMap<&ProviderKey, (usize, usize)> = BTreeMap::new();
        let mut due = Vec::new();
        for (index, (spec, report)) in specs.iter().zip(reports).enumerate() {
            let Some(report) = report.as_ref().filter(|report| !is_absent(report)) else { continue };
            let goes = self.is_held(index, report);
            for store in spec.providers().collect::<BTreeSet<_>>() {
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
                let (due, of) = *stores.get(store)?;
                MassDeletion::is(due, of).then(|| MassDeletion { store: store.to_string(), due, of })
            });
            masses.into_iter().next().map_or(Removal::Allowed, Removal::Paused)
        };
        due.into_iter().map(|index| (index, removal(index))).collect()
    }
}

fn deletes(spec: &SyncSpec) -> bool {
    spec.creation == CreationPolicy::Owner && spec.deletion == DeletionPolicy::Delete
}

/// Whether it has no target to lose.
fn is_absent(report: &SyncReport) -> bool {
    report.reason == Reason::Deleted && report.outcome == Outcome::Unchanged
}
