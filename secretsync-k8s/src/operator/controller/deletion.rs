//! While too many targets of a store are due for deletion, none is deleted: see [`secretsync_core::guard`].

use std::time::{Duration, SystemTime};

use secretsync_core::guard::{Answer, Exposure};
use secretsync_core::provider::StoreOrigin;
use secretsync_core::schedule::Lane;
use secretsync_core::sync::{Removal, SyncReport, SyncSpec};
use tokio::time::Instant;

use super::timing::LONGEST_WAIT;
use super::{Controller, Key};
use crate::operator::watch::Id;

impl Controller {
    /// Takes in which stores an ExternalSecret reads from, and whether it could lose its target.
    pub(super) fn enroll(&mut self, id: &Id) {
        let Some(state) = self.world.syncs.get(id) else { return };
        let exposure = state.spec.as_ref().map_or(Exposure::Safe, Exposure::of);
        self.guard.enroll(id, state.stores.iter().cloned(), exposure);
    }

    /// Takes in what a run told about its target.
    pub(super) fn counted(&mut self, id: &Id, report: &SyncReport) -> Answer {
        let answer = Answer::of(report);
        self.guard.answered(id, answer, Instant::now());
        answer
    }

    /// A deletion waits: nothing is told yet, and the guard says when it goes on.
    pub(super) fn held(&mut self, id: &Id) {
        if let Some(state) = self.world.syncs.get_mut(id) {
            state.forced = true;
        }
        // The engine, which syncs by itself before something ends, never decides about a deletion.
        let wait = match self.guard.removal(id) {
            Removal::Held => LONGEST_WAIT,
            _ => Duration::ZERO,
        };
        self.request(id, Lane::Refresh, Instant::now() + wait);
    }

    /// Runs those whom the guard wants to hear, or who are to hear what it decided.
    pub(super) fn ask(&mut self) {
        let (now, wall_clock) = (Instant::now(), SystemTime::now());
        let syncs = &self.world.syncs;
        let is_open = |spec: &SyncSpec| spec.timing.permits(wall_clock);
        let can_run = |id: &Id| syncs.get(id).is_some_and(|state| state.spec.as_ref().map_or(true, is_open));
        for id in self.guard.summon(now, can_run) {
            let Some(state) = self.world.syncs.get_mut(&id) else { continue };
            state.forced = true;
            self.request(&id, Lane::Refresh, now);
        }
    }

    /// Has the stores say so whose pause has begun or ended.
    pub(super) fn tell_pauses(&mut self) {
        for store in self.guard.turned() {
            self.tell_pause(&store);
        }
    }

    /// Has a store say that it is paused, or is no longer, where its status tells something else.
    pub(super) fn tell_pause(&mut self, store: &StoreOrigin) {
        let Some(state) = self.world.stores.get(store) else { return };
        if self.guard.paused(store).is_some() == state.object.paused.is_some() || !self.validates(&state.object) {
            return;
        }
        let key = Key::Store(state.object.kind, state.object.id.clone());
        self.driver.scheduler().request(&key, Lane::Urgent, Instant::now());
    }
}
