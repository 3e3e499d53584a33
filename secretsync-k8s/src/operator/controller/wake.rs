//! What configures a provider has changed: the syncs that use it do not wait for their time.

use std::time::SystemTime;

use secretsync_core::provider::StoreOrigin;
use secretsync_core::schedule::Lane;
use secretsync_core::sync::RefreshPolicy;
use tokio::time::Instant;

use super::world::SyncState;
use super::{Controller, Key};

impl Controller {
    /// Makes the syncs due that use a provider: all, or those of one namespace. New objects and changed manifests go before them.
    pub(super) fn wake_users(&mut self, origin: &StoreOrigin, namespace: Option<&str>) {
        let now = SystemTime::now();
        for id in self.world.users(origin) {
            if namespace.is_some_and(|namespace| *namespace != *id.namespace) {
                continue;
            }
            let Some(state) = self.world.syncs.get_mut(&id).filter(|state| state.may_wake(now)) else { continue };
            state.forced = true;
            let lane = if state.failures > 0 { Lane::Urgent } else { Lane::Refresh };
            self.scheduler.request(&Key::Sync(id), lane, Instant::now());
        }
    }
}

impl SyncState {
    /// Whether it follows its sources: one that is synced once, or on change only, and works, stays as it is, and so does one outside of its windows.
    fn may_wake(&self, now: SystemTime) -> bool {
        let Ok(spec) = &self.spec else { return false };
        let periodic = spec.refresh == RefreshPolicy::Periodic && spec.timing.interval.is_some();
        !spec.suspended && (self.failures > 0 || periodic && spec.timing.permits(now))
    }
}
