//! What becomes of what has run.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use secretsync_core::error::{Error, ErrorKind, one_line};
use secretsync_core::schedule::{Backoff, Lane};
use secretsync_core::sync::{Outcome, Reason, SyncReport};
use tokio::time::Instant;

use super::{Chore, Controller, Finished, Key, origin};
use crate::operator::event::Note;
use crate::operator::job::{Done, Ended};
use crate::operator::outbox::Told;
use crate::operator::status::Run;
use crate::operator::store::Validated;
use crate::operator::target::written;
use crate::operator::watch::{Id, Kind};

impl Controller {
    pub(super) fn finished(&mut self, key: &Key, result: Option<Finished>) {
        match result {
            Some(Finished::Spread(done)) => self.spread_done(*done),
            Some(Finished::Store(validated)) => self.store_validated(*validated),
            Some(Finished::Sync(done)) => self.sync_done(&done),
            None => self.failed_itself(key),
        }
    }

    pub(super) fn chore_done(&mut self, chore: Option<Chore>) {
        let told = match chore {
            Some(Chore::Told(told)) => told,
            Some(Chore::Departed(uid)) => {
                self.departing.remove(&uid);
                return;
            }
            Some(Chore::Prepared(needed)) => return self.prepared(&needed),
            Some(Chore::Cleaned) | None => return,
        };
        self.outbox.told(&told);
        if let Told::Status { id, uid, status: Some(status) } = told
            && let Some(state) = self.world.syncs.get_mut(&id).filter(|state| state.object.uid == uid)
        {
            let before = std::mem::replace(&mut state.object.status, *status);
            state.look_again();
            self.hold(&id, before.issued.has_leases());
        }
    }

    fn sync_done(&mut self, done: &Done) {
        let id = done.id.clone();
        self.give_back_leftovers(done);
        if self.world.syncs.get(&id).is_none_or(|state| state.object.uid != done.uid) {
            return;
        }
        if let Some(objects) = &done.objects {
            self.reads(&id, objects.clone());
        }
        let Some(state) = self.world.syncs.get_mut(&id) else { return };
        state.running = false;
        if let Ended::Replaced(report) | Ended::Synced(report) = &done.ended {
            let holds = report.outcome != Outcome::Failed;
            self.context.metrics.count(Kind::ExternalSecret, &id, holds, done.took);
        }
        let report = match &done.ended {
            Ended::Synced(report) => report,
            Ended::Adopted(adopted) => return self.adoption_ended(&id, *adopted),
            Ended::Looked(issued) => return self.looked(done, issued),
            Ended::Replaced(report) => return self.replacement_told(done, report),
        };
        state.last = Some(report.reason);
        state.note_ends(report, SystemTime::now());
        self.counted(&id, report);
        if report.reason == Reason::DeletionHeld {
            return self.held(&id);
        }
        self.tell(done, report, &done.revision);
        if report.outcome == Outcome::Failed {
            return self.sync_failed(&id, report);
        }
        let Some(state) = self.world.syncs.get_mut(&id) else { return };
        state.issuance.adopted = true;
        state.settle(written(&report.changes));
        if std::mem::take(&mut state.touched) {
            // Somebody was at the target meanwhile; what the watch tells of our own write comes first.
            self.look_after(&report.target);
        }
        self.schedule(&id);
    }

    /// Has the status written where it is news, and then what happened.
    pub(super) fn tell(&mut self, done: &Done, report: &SyncReport, revision: &str) {
        let Some(state) = self.world.syncs.get_mut(&done.id) else { return };
        let interval = state.spec.as_ref().ok().and_then(|spec| spec.timing.interval).unwrap_or_default();
        let mut fresh = state.status.after(Run { report, revision, started: done.started });
        if let (Some(rivals), true) = (&state.rivals, state.repairs >= FIGHT)
            && let Some(ready) = fresh.ready.as_mut().filter(|ready| ready.holds)
        {
            ready.message = format!("{}; it is changed again and again by field manager {rivals}", ready.message);
        }
        let heartbeat = self.context.settings.heartbeat;
        let heartbeat = if heartbeat.is_zero() { heartbeat } else { heartbeat.max(interval) };
        let before = self.outbox.latest(&done.id).unwrap_or(&state.object.status);
        if fresh.is_news(before, heartbeat) {
            self.outbox.status(&done.id, &done.uid, fresh.clone());
        }
        state.status = fresh;
        state.look_again();
        let mut notes = Note::of(report, state.told.as_deref());
        notes.extend(done.notes.iter().cloned());
        state.told = report.error.as_ref().map(|error| one_line(error));
        self.outbox.notes(&done.id, &done.uid, notes);
    }

    /// A task of ours panicked: a defect, which must cost nobody but its own object, and that one a pause.
    fn failed_itself(&mut self, key: &Key) {
        tracing::error!(?key, "a task of the operator itself failed; please report it");
        if let Key::Sync(id) = key
            && let Some(state) = self.world.syncs.get_mut(id)
        {
            state.running = false;
            state.forced = true;
        }
        self.driver.scheduler().request(key, Lane::Refresh, Instant::now() + LONGEST_PAUSE);
    }

    fn store_validated(&mut self, validated: Validated) {
        let Validated { store, ready, paused, took } = validated;
        let origin = origin(store.kind, &store.id);
        let key = Key::Store(store.kind, store.id.clone());
        let Some(state) = self.world.stores.get_mut(&origin) else { return };
        if !state.object.is_validated_by(&self.context.settings) {
            // It was handed to another controller meanwhile.
            return;
        }
        self.context.metrics.count(store.kind, &store.id, ready.holds, took);
        if state.version_for(None) != store.version {
            return self.driver.scheduler().request(&key, Lane::Urgent, Instant::now());
        }
        let healed = ready.holds && !state.was_ready();
        state.failures = if ready.holds { 0 } else { state.failures + 1 };
        state.validated = true;
        state.object.ready = Some(ready);
        state.object.paused = paused;
        let wait = match state.failures {
            0 => state.interval(self.context.settings.store_interval),
            failures => Backoff::SYNCS.after(failures),
        };
        self.driver.scheduler().request(&key, Lane::Refresh, Instant::now() + wait);
        self.tell_pause(&origin);
        let Some(state) = self.world.stores.get_mut(&origin) else { return };
        let first = std::mem::replace(&mut state.told, true);
        let woken = if state.was_ready() { state.renewals.take() } else { BTreeSet::new() };
        if healed || !first {
            for id in self.world.users(&origin) {
                self.request(&id, Lane::Urgent, Instant::now());
            }
        }
        for consumer in woken {
            self.wake_users(&origin, consumer.as_deref(), Instant::now());
        }
    }

    fn sync_failed(&mut self, id: &Id, report: &SyncReport) {
        let Some(state) = self.world.syncs.get_mut(id) else { return };
        state.failures += 1;
        state.forced = true;
        // Nothing but a change helps there, so haste is useless (`eso-compat.md` 2.5).
        let kind = report.error.as_ref().map(Error::kind);
        let refused = matches!(kind, Some(ErrorKind::InvalidConfig | ErrorKind::NotOwned));
        let hopeless = match report.reason {
            Reason::NotOwned | Reason::SpecInvalid => true,
            Reason::DeletionFailed => refused,
            _ => false,
        };
        let pause = if hopeless { LONGEST_PAUSE } else { Backoff::SYNCS.after(state.failures) };
        let pause = pause.max(report.shortest_pause());
        self.request(id, Lane::Refresh, Instant::now() + pause);
    }
}

/// From so many repairs on the condition names who else writes the target.
const FIGHT: u32 = 3;
/// How long what cannot help itself is left alone (`eso-compat.md` 2.5).
const LONGEST_PAUSE: Duration = Duration::from_mins(7);
