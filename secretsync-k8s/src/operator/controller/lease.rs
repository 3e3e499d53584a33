//! What was issued: taken over after a restart, told in the status as long as it is there, given back when nobody wants it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secretsync_core::engine::EngineObserver;
use secretsync_core::guard::Answer;
use secretsync_core::schedule::Lane;
use secretsync_core::store::{OwnerId, TargetRef};
use secretsync_core::sync::{Issued, Outcome, SyncReport, after_end};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

use super::plan::Refusal;
use super::world::SyncState;
use super::{Chore, Controller, Key};
use crate::operator::job::{self, Done, Ended};
use crate::operator::lease::{self, Issuances};
use crate::operator::object::{FINALIZER, SyncObject};
use crate::operator::target::written;
use crate::operator::watch::Id;

/// Hears of the syncs that the engine runs by itself.
#[derive(Debug)]
pub(crate) struct Replacements(UnboundedSender<SyncReport>);

impl Replacements {
    pub(crate) fn new() -> (Self, UnboundedReceiver<SyncReport>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }
}

impl EngineObserver for Replacements {
    fn finished(&self, _report: &SyncReport) {}

    fn replaced(&self, report: &SyncReport) {
        // Nobody listens any more at the end.
        drop(self.0.send(report.clone()));
    }
}

/// What this process remembers of what was issued for an ExternalSecret.
#[derive(Debug)]
pub(super) struct Issuance {
    /// What the engine did by itself and the status does not tell yet.
    pub(super) replaced: Option<Box<SyncReport>>,
    /// Whether what an earlier process was issued is looked after, or there was nothing.
    pub(super) adopted: bool,
    /// When to look whether the status tells the ends.
    pub(super) look_at: Option<SystemTime>,
}

impl Issuance {
    /// Of an object whose status tells this.
    pub(super) fn new(told: &Issuances) -> Self {
        Self { replaced: None, adopted: told.is_empty(), look_at: None }
    }
}

impl Controller {
    /// The engine has synced by itself: the status is told when the object's turn comes.
    pub(super) fn replaced(&mut self, report: SyncReport) {
        let id = Id { namespace: report.owner.namespace().to_owned(), name: report.owner.name().to_owned() };
        let Some(state) = self.world.syncs.get_mut(&id) else { return };
        if state.spec.as_ref().is_ok_and(|spec| spec.owner == report.owner && spec.target == report.target) {
            state.issuance.replaced = Some(Box::new(report));
            self.driver.scheduler().request(&Key::Sync(id), Lane::Urgent, Instant::now());
        }
    }

    /// What the engine did by itself is told now. It knows only the manifest that was synced last, and tries again by itself, too.
    pub(super) fn replacement_told(&mut self, done: &Done, report: &SyncReport) {
        if self.counted(&done.id, report) == Answer::Due {
            return self.held(&done.id);
        }
        let Some(state) = self.world.syncs.get_mut(&done.id) else { return };
        if report.outcome != Outcome::Failed {
            state.note_ends(report, SystemTime::now());
            state.settle(written(&report.changes));
        }
        let revision = state.status.synced_revision.clone().unwrap_or_else(|| done.revision.clone());
        self.tell(done, report, &revision);
        self.schedule(&done.id);
    }

    /// The status is told what is issued now, where that is news.
    pub(super) fn looked(&mut self, done: &Done, issued: &[Issued]) {
        let Some(state) = self.world.syncs.get_mut(&done.id) else { return };
        state.status.issued = state.status.issued.followed_by(issued, done.started);
        let now = SystemTime::now();
        state.ends_at = state.status.issued.first_end().map(|end| after_end(end, true, now));
        let before = self.outbox.latest(&done.id).unwrap_or(&state.object.status);
        if state.status.issued.is_news(&before.issued, done.started) {
            self.outbox.status(&done.id, &done.uid, state.status.clone());
        }
        state.look_again();
        self.schedule(&done.id);
    }

    /// Sees to it that an object whose status tells of leases stays until they are given back, and that nothing holds one that had some `before` and has
    /// none any more.
    pub(super) fn hold(&mut self, id: &Id, before: bool) {
        let Some(state) = self.world.syncs.get(id) else { return };
        let wanted = state.object.status.issued.has_leases();
        let is_held = state.object.finalizers.iter().any(|it| it == FINALIZER);
        if wanted == is_held || !wanted && !before {
            return;
        }
        let (context, id, uid) = (Arc::clone(&self.context), id.clone(), state.object.uid.clone());
        self.chores.spawn(async move {
            lease::hold(&context, &id, &uid, wanted).await;
            Chore::Cleaned
        });
    }

    /// What was issued earlier is taken over, or could not be.
    pub(super) fn adoption_ended(&mut self, id: &Id, adopted: bool) {
        let Some(state) = self.world.syncs.get_mut(id) else { return };
        state.issuance.adopted = adopted;
        if !adopted {
            return self.driver.scheduler().request(&Key::Sync(id.clone()), Lane::Refresh, Instant::now() + UNADOPTED);
        }
        let end = state.status.issued.first_end();
        // What ended while nobody looked after it is missed now.
        state.ends_at = end.map(|end| after_end(end, false, SystemTime::now()));
        state.look_again();
        self.consider(id);
    }

    /// Gives back what is issued for an object that goes, if it waits for that, and takes the finalizer off.
    pub(super) fn depart(&mut self, object: SyncObject) {
        if !self.is_ready() {
            // What it takes to give something back is not known yet.
            return self.leaving.push(object);
        }
        if self.departing.contains(&object.uid) {
            return;
        }
        let id = object.id.clone();
        if let Some(target) = self.world.target(&id) {
            self.departed.insert(id.clone(), target);
        }
        let held = object.finalizers.iter().any(|finalizer| finalizer == FINALIZER);
        if !held {
            if let Some(state) = self.forget(&id) {
                self.give_back(state);
            }
            return;
        }
        let foreign = self.world.is_of_other_class(&object, &self.context.settings);
        let resolved = self.world.resolve(&self.context, &SyncState::new(object.clone(), None), &id);
        let known = self.forget(&id).filter(|known| known.object.uid == object.uid);
        if foreign {
            // The other controller does the same.
            return;
        }
        let (spec, needed, issued) = match (known, resolved) {
            (Some(known), _) if known.issuance.adopted => (known.spec.ok(), Vec::new(), Issuances::default()),
            (_, Ok((spec, needed))) => (Some(spec), needed, object.status.issued.clone()),
            (_, Err(Refusal::Pending | Refusal::Failed(_))) => {
                if object.status.issued.has_leases() {
                    tracing::warn!(sync = %id, "its leases are not given back, for its store cannot be used: they end by themselves");
                }
                (None, Vec::new(), Issuances::default())
            }
        };
        self.departing.insert(object.uid.clone());
        let context = Arc::clone(&self.context);
        self.chores.spawn(async move {
            if let Some(spec) = spec {
                lease::release(&context, &spec, &needed, &issued).await;
            }
            job::release(&context, &object).await;
            Chore::Departed(object.uid)
        });
    }

    /// Gives back what is issued for an object that is gone.
    pub(super) fn give_back(&mut self, state: SyncState) {
        if let Ok(spec) = state.spec {
            self.release(spec.owner, spec.target);
        }
    }

    /// Gives back what was issued for a run that nobody wanted any more when it ended: its object went meanwhile, or writes to another target now.
    pub(super) fn give_back_leftovers(&mut self, done: &Done) {
        let (Ended::Synced(report) | Ended::Replaced(report)) = &done.ended else { return };
        let wanted = self.world.syncs.get(&done.id).filter(|state| state.object.uid == done.uid).is_some_and(|state| {
            state.spec.as_ref().map_or(true, |spec| (&spec.owner, &spec.target) == (&report.owner, &report.target))
        });
        if !wanted {
            self.release(report.owner.clone(), report.target.clone());
        }
    }

    /// Gives back what is issued for a sync, if something is.
    fn release(&mut self, owner: OwnerId, target: TargetRef) {
        let context = Arc::clone(&self.context);
        self.chores.spawn(async move {
            context.engine.release(&owner, &target).await;
            Chore::Cleaned
        });
    }

    /// Takes in an object; what was issued for another target than it writes now is given back.
    pub(super) fn take_in(&mut self, object: SyncObject) -> bool {
        let id = object.id.clone();
        let before = self.world.syncs.get(&id).and_then(|state| state.spec.as_ref().ok()).cloned();
        let news = self.world.put_sync(object);
        let now = self.world.syncs.get(&id).and_then(|state| state.spec.as_ref().ok());
        if let (Some(before), Some(now)) = (before, now)
            && (&before.owner, &before.target) != (&now.owner, &now.target)
        {
            self.release(before.owner, before.target);
        }
        news
    }
}

impl SyncState {
    /// Whether it is time to see whether the status tells the ends of what is issued.
    pub(super) fn wants_look(&self, now: SystemTime) -> bool {
        self.issuance.look_at.is_some_and(|at| at <= now)
    }

    /// Plans the next look.
    pub(super) fn look_again(&mut self) {
        let told = &self.object.status.issued;
        let told = if told.is_empty() { &self.status.issued } else { told };
        self.issuance.look_at = told.next_look(SystemTime::now());
    }
}

/// When what could not be taken over is tried again, if its store does not heal before.
const UNADOPTED: Duration = Duration::from_secs(30);
