//! When an ExternalSecret runs next.

use std::time::{Duration, SystemTime};

use secretsync_core::schedule::{Backoff, Lane, Place};
use secretsync_core::store::TargetRef;
use secretsync_core::sync::{Reason, RefreshPolicy, SyncReport, Timing, after_end};
use tokio::time::Instant;

use super::world::{SyncState, World};
use super::{Controller, Key};
use crate::operator::due::{Due, due};
use crate::operator::target::{Keys, is_valid, rivals};
use crate::operator::watch::Id;

impl Controller {
    /// Plans an ExternalSecret that is new, or changed: when it is due, or at once where its target is not as it was left.
    pub(super) fn consider(&mut self, id: &Id) {
        self.index(id);
        self.enroll(id);
        let Some(state) = self.world.syncs.get(id) else { return };
        let interval = state.spec.as_ref().ok().and_then(|spec| spec.timing.interval).unwrap_or(LONGEST_WAIT);
        self.driver.scheduler().add(Key::Sync(id.clone()), Place::new(state.store_name(), &*id.namespace), interval);
        if !state.issuance.adopted {
            return self.driver.scheduler().request(&Key::Sync(id.clone()), Lane::Urgent, Instant::now());
        }
        let synced = state.status.synced_revision.is_some();
        if synced && !self.world.is_valid(state) {
            return self.repair(id);
        }
        self.schedule(id);
    }

    /// Asks for the next run by manifest and status.
    pub(super) fn schedule(&mut self, id: &Id) {
        let Some(state) = self.world.syncs.get(id) else { return };
        let now = SystemTime::now();
        let Ok(spec) = &state.spec else {
            return self.driver.scheduler().request(&Key::Sync(id.clone()), Lane::Urgent, Instant::now());
        };
        self.company.leave(id);
        let due = due(spec, &state.status, &state.object.revision, now);
        let (at, lane) = match due {
            Due::At(at, lane) => (at, lane),
            Due::Window => (now + Timing::WINDOW_CHECK, Lane::Refresh),
            Due::Never => match state.ends_at.into_iter().chain(state.issuance.look_at).min() {
                Some(at) => (at, Lane::Refresh),
                None => return,
            },
        };
        let at = state.ends_at.map_or(at, |ends| at.min(ends));
        let at = state.issuance.look_at.map_or(at, |look| at.min(look));
        let wait = at.duration_since(now).unwrap_or_default().min(LONGEST_WAIT);
        if let Due::At(due, lane) = due {
            let early = spec.timing.interval.filter(|_| lane == Lane::Refresh).unwrap_or_default() / 10;
            let wait = due.duration_since(now).unwrap_or_default().saturating_sub(early);
            self.company.join(id, Instant::now() + wait);
        }
        self.driver.scheduler().request(&Key::Sync(id.clone()), lane, Instant::now() + wait);
    }

    /// Repairs what somebody changed, if somebody did.
    pub(super) fn look_after(&mut self, target: &TargetRef) {
        if !self.is_ready() {
            return;
        }
        for id in self.world.writers(target) {
            let Some(state) = self.world.syncs.get_mut(&id) else { continue };
            if state.running {
                state.touched = true;
            } else if state.needs_target() && !self.world.is_valid(&self.world.syncs[&id]) {
                self.repair(&id);
            }
        }
    }

    /// Runs an ExternalSecret although it is not due. Each repair doubles the distance to the next one, up to the refresh interval: whoever fights for a
    /// target gets no faster fight.
    pub(super) fn repair(&mut self, id: &Id) {
        let Some(state) = self.world.syncs.get_mut(id) else { return };
        let longest = state.spec.as_ref().ok().and_then(|spec| spec.timing.interval).unwrap_or(LONGEST_WAIT);
        let wait = if state.repairs == 0 { Duration::ZERO } else { Backoff::SYNCS.after(state.repairs).min(longest) };
        let lane = if state.repairs == 0 { Lane::Urgent } else { Lane::Refresh };
        state.repairs += 1;
        if let (Ok(spec), Some(written)) = (&state.spec, &state.written)
            && let Some(seen) = self.world.known.get(&spec.target)
        {
            state.rivals = rivals(&seen, spec, written).or_else(|| state.rivals.take());
        }
        state.forced = true;
        self.request(id, lane, Instant::now() + wait);
    }
}

impl SyncState {
    /// Takes over what a success means: repairs count from zero again when a run was no repair.
    pub(super) fn settle(&mut self, written: Box<[String]>) {
        if !std::mem::take(&mut self.forced) {
            (self.repairs, self.rivals) = (0, None);
        }
        self.failures = 0;
        self.written = Some(written);
    }

    /// Takes note of when its sources are to be looked at again. What is read only once is not, unless it was issued: that is replaced before its end.
    pub(super) fn note_ends(&mut self, report: &SyncReport, now: SystemTime) {
        self.ends_at = match &self.spec {
            Ok(spec) if spec.refresh == RefreshPolicy::CreatedOnce => {
                let first = report.issued.iter().map(|issued| issued.expires_at).min();
                first.map(|end| after_end(end, true, now))
            }
            _ => report.look_again_at(now),
        };
    }

    /// Whether its target is there on purpose, so that its loss is one.
    fn needs_target(&self) -> bool {
        !matches!(
            self.last,
            Some(Reason::Deleted | Reason::TargetMissing | Reason::Retained | Reason::CreationPolicyNone)
        )
    }
}

impl World {
    /// Whether the target of an ExternalSecret needs no repair, as far as the watches tell.
    fn is_valid(&self, state: &SyncState) -> bool {
        let Ok(spec) = &state.spec else { return true };
        let keys = match &state.written {
            Some(written) => Keys::Written(written),
            None if state.status.synced_revision.as_ref() == Some(&state.object.revision) => Keys::Named,
            None => Keys::Unknown,
        };
        is_valid(self.known.get(&spec.target).as_deref(), spec, keys)
    }
}

/// The longest wait that is planned at once; what is due later is planned again then.
pub(super) const LONGEST_WAIT: Duration = Duration::from_hours(24);
