//! One read for all who need it.

use std::time::SystemTime;

use secretsync_core::schedule::Lane;
use secretsync_core::sync::RefreshPolicy;
use tokio::time::Instant;

use super::world::SyncState;
use super::{Controller, Key};
use crate::operator::job::{Job, Work};
use crate::operator::watch::Id;

impl Controller {
    /// Takes in what an ExternalSecret reads, where its stores are known already.
    pub(super) fn index(&mut self, id: &Id) {
        let Some(Ok(spec)) = self.world.syncs.get(id).map(|state| &state.spec) else { return };
        if let Ok(objects) = self.context.engine.objects(spec) {
            self.dependents.set(id, objects);
        }
    }

    /// Announces what a run will read, and lets others take part in the same reads: those that wait for their turn, and those that are past half of their interval.
    pub(super) fn share(&mut self, id: &Id, job: &mut Job) {
        let Work::Sync { spec, .. } = &job.work else { return };
        if let Some(state) = self.world.syncs.get_mut(id) {
            job.announced.extend(state.announced.take());
        }
        if let Ok(objects) = self.context.engine.objects(spec) {
            job.announced.push(self.context.engine.announce(&objects));
            self.dependents.set(id, objects);
        }
        for other in self.dependents.sharers(id) {
            let Some(state) = self.world.syncs.get_mut(&other) else { continue };
            let key = Key::Sync(other.clone());
            let scheduler = self.driver.scheduler();
            if scheduler.is_idle(&key) && state.takes_part(SystemTime::now()) {
                scheduler.request(&key, Lane::Refresh, Instant::now());
            } else if !scheduler.is_waiting(&key) || state.announced.is_some() {
                continue;
            }
            state.announced = Some(self.context.engine.announce(self.dependents.of(&other)));
        }
    }
}

impl SyncState {
    /// Whether it may be refreshed before it is due.
    pub(super) fn takes_part(&self, now: SystemTime) -> bool {
        let Ok(spec) = &self.spec else { return false };
        let (Some(interval), Some(refreshed)) = (spec.timing.interval, self.status.refresh_time) else { return false };
        !spec.suspended
            && spec.refresh == RefreshPolicy::Periodic
            && self.failures == 0
            && !self.running
            && now.duration_since(refreshed).is_ok_and(|age| age >= interval / 2)
            && spec.timing.permits(now)
    }
}
