//! Passes: many syncs at once, over one store, each in a task of its own.

mod deletions;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio_util::sync::CancellationToken;

use self::deletions::Deletions;
use super::ledger::{Keeping, SyncKey};
use super::run::{Mode, Run};
use super::{Shared, panicked};
use crate::layer::Expectation;
use crate::store::{Pass, TargetRef};
use crate::sync::{Outcome, Reason, Removal, SyncReport, SyncSpec};

/// A sync to be run in a pass.
struct Work {
    /// Its place among the reports.
    index: usize,
    spec: SyncSpec,
    /// Where something that it was issued ends: then the newest spec counts when its turn comes, and nothing is done once this is cancelled.
    superseded: Option<CancellationToken>,
    _expectations: Vec<Expectation>,
}

/// What a pass has come to.
struct Progress {
    deletions: Deletions,
    reports: Vec<Option<SyncReport>>,
    /// What is only staged is not yet in a target: what was issued for it is kept, or given back, at the end of the pass.
    staged: BTreeMap<SyncKey, Keeping>,
}

/// One pass over the store, from its beginning to what ends it.
pub(super) async fn run_all(shared: &Arc<Shared>, mut specs: Vec<SyncSpec>, mode: Mode) -> Vec<SyncReport> {
    let deletions = if shared.mass_deletion { Deletions::default() } else { Deletions::hold(&mut specs) };
    run(shared, specs, None, deletions, mode).await
}

/// Syncs again what was issued something that is about to end, by the newest spec that is known when its turn comes. `None` where that is not wanted any
/// more.
pub(super) async fn replace(
    shared: &Arc<Shared>,
    sync: &SyncKey,
    superseded: &CancellationToken,
) -> Option<SyncReport> {
    let spec = shared.ledger.page(sync)?.entry().spec()?;
    run(shared, vec![spec], Some(superseded), Deletions::default(), Mode::Sync).await.pop()
}

async fn run(
    shared: &Arc<Shared>,
    specs: Vec<SyncSpec>,
    superseded: Option<&CancellationToken>,
    deletions: Deletions,
    mode: Mode,
) -> Vec<SyncReport> {
    let store = &shared.store;
    // Every sync keeps it, so that the next pass begins when the last one has ended, even if this future is dropped.
    let pass = Arc::new(store.begin().await);
    let mut progress = Progress { deletions, reports: vec![None; specs.len()], staged: BTreeMap::new() };
    // Announced before the first read, so that one answer serves every sync of this pass, whenever its turn comes.
    let work = |(index, spec): (usize, SyncSpec)| {
        let superseded = superseded.cloned();
        Work { index, _expectations: shared.announce(&spec), spec, superseded }
    };
    let all = specs.into_iter().enumerate().map(work).collect();
    run_each(shared, all, mode, &pass, &mut progress).await;
    let again = progress.deletions.decide(&progress.reports).into_iter().map(work).collect();
    run_each(shared, again, mode, &pass, &mut progress).await;
    let mut reports: Vec<_> = progress.reports.into_iter().flatten().collect();
    let end = match mode {
        Mode::Plan => store.verify().await,
        Mode::Sync => store.flush().await,
    };
    match end {
        Ok(()) => progress.staged.into_iter().for_each(|(sync, keeping)| keeping.finish(shared, &sync)),
        Err(error) => {
            for (sync, keeping) in progress.staged {
                keeping.give_up(shared, &sync);
            }
            for report in &mut reports {
                if !matches!(report.outcome, Outcome::Failed | Outcome::Unchanged) {
                    shared.inputs.forget(&(report.owner.clone(), report.target.clone()));
                    *report = SyncReport::failed(
                        report.owner.clone(),
                        report.target.clone(),
                        Reason::WriteFailed,
                        error.clone(),
                    );
                }
            }
        }
    }
    reports
}

async fn run_each(shared: &Arc<Shared>, work: Vec<Work>, mode: Mode, pass: &Arc<Pass>, progress: &mut Progress) {
    let mut groups: BTreeMap<TargetRef, Vec<Work>> = BTreeMap::new();
    for work in work {
        groups.entry(work.spec.target.clone()).or_default().push(work);
    }
    // Syncs of one target run one after the other, in their order: the first one to claim a target wins, every time.
    let Progress { deletions, reports, staged } = progress;
    let mut running: FuturesUnordered<_> = groups
        .into_values()
        .map(|group| {
            let keepings = group.iter().filter_map(|work| staged.remove_entry(&work.sync())).collect();
            run_group(shared, group, mode, pass, deletions, keepings)
        })
        .collect();
    while let Some((done, keepings)) = running.next().await {
        for (index, report) in done {
            reports[index] = Some(report);
        }
        staged.extend(keepings);
    }
}

async fn run_group(
    shared: &Arc<Shared>,
    group: Vec<Work>,
    mode: Mode,
    pass: &Arc<Pass>,
    deletions: &Deletions,
    mut staged: BTreeMap<SyncKey, Keeping>,
) -> (Vec<(usize, SyncReport)>, BTreeMap<SyncKey, Keeping>) {
    let mut reports = Vec::with_capacity(group.len());
    for work in group {
        let sync = work.sync();
        let Work { index, spec, superseded, _expectations } = work;
        let (report, keeping) = run_guarded(shared, spec, superseded, mode, pass, staged.remove(&sync)).await;
        staged.extend(keeping.map(|keeping| (sync, keeping)));
        let Some(report) = report else { continue };
        if !deletions.is_held(index, &report) {
            shared.observer.finished(&report);
        }
        reports.push((index, report));
    }
    (reports, staged)
}

impl Work {
    fn sync(&self) -> SyncKey {
        (self.spec.owner.clone(), self.spec.target.clone())
    }
}

/// Runs a sync as a task of its own: a panic ends it and nothing else, and a caller that goes away leaves no half of it behind.
async fn run_guarded(
    shared: &Arc<Shared>,
    spec: SyncSpec,
    superseded: Option<CancellationToken>,
    mode: Mode,
    pass: &Arc<Pass>,
    keeping: Option<Keeping>,
) -> (Option<SyncReport>, Option<Keeping>) {
    let sync = (spec.owner.clone(), spec.target.clone());
    let (task_shared, task_sync, pass) = (Arc::clone(shared), sync.clone(), Arc::clone(pass));
    let task = shared.tasks.spawn(async move {
        let _pass = pass;
        let _slot = task_shared.slots.acquire().await;
        let (mut spec, mut keeping) = (spec, keeping);
        if let Some(superseded) = superseded {
            let entered = task_shared.ledger.enter(&task_sync).await;
            let newest = entered.spec().filter(|_| !superseded.is_cancelled());
            let Some(newest) = newest else {
                entered.finish(&task_shared, &task_sync);
                return (None, None);
            };
            (spec, keeping) = (newest, Some(entered));
            // Whether something may be deleted is for those to say who know of the others.
            if !task_shared.mass_deletion && spec.removal == Removal::Allowed {
                spec.removal = Removal::Held;
            }
        }
        let (report, keeping) = Run::new(&task_shared, &spec, mode, keeping).report().await;
        if task_shared.store.stages() {
            return (Some(report), keeping);
        }
        // The target is written, whether or not anybody still waits for the report.
        if let Some(keeping) = keeping {
            keeping.finish(&task_shared, &task_sync);
        }
        (Some(report), None)
    });
    let (owner, target) = sync;
    match task.await {
        Ok((report, keeping)) => {
            if let Some(report) = &report {
                tracing::info!(sync = %owner, target = %target, outcome = report.outcome.as_str(), reason = report.reason.as_str());
            }
            (report, keeping)
        }
        Err(_) => (Some(SyncReport::failed(owner, target.clone(), Reason::SourceFailed, panicked(&target))), None),
    }
}
