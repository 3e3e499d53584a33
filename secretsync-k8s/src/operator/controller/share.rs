//! One read for all who need it, and one request for all that it can read.

use std::sync::Arc;
use std::time::SystemTime;

use secretsync_core::engine::ObjectKey;
use secretsync_core::schedule::Lane;
use secretsync_core::sync::RefreshPolicy;
use tokio::time::Instant;

use super::world::SyncState;
use super::{Chore, Controller, Key};
use crate::convert;
use crate::operator::job::{Job, Work};
use crate::operator::store::Needed;
use crate::operator::watch::Id;

impl Controller {
    /// Takes in what an ExternalSecret reads: nothing where it is none of ours, or its stores are not known yet or do not let it.
    pub(super) fn index(&mut self, id: &Id) {
        let Some(state) = self.world.syncs.get(id) else { return };
        if self.world.is_foreign(&state.object, &self.context.settings) {
            return self.reads(id, Vec::new());
        }
        let spec = self.world.resolve(&self.context, state, id).ok();
        let objects = spec.and_then(|(spec, _)| self.context.engine.objects(&spec).ok());
        self.reads(id, objects.unwrap_or_default());
    }

    /// Takes note of what an ExternalSecret reads.
    pub(super) fn reads(&mut self, id: &Id, objects: Vec<ObjectKey>) {
        self.company.carry(id, self.context.engine.luggage(&objects));
        self.dependents.set(id, objects);
    }

    /// Asks for a run, and lets it fill requests of others up from then on.
    pub(super) fn request(&mut self, id: &Id, lane: Lane, at: Instant) {
        self.company.join(id, at);
        self.driver.scheduler().request(&Key::Sync(id.clone()), lane, at);
    }

    /// Has a provider built that a run needs, before the first run that does. Only then it can be told what can be read together, so all who need it wait for it.
    pub(super) fn prepare(&mut self, id: &Id, job: &Job, lane: Lane) -> bool {
        let Work::Sync { needed, .. } = &job.work else { return false };
        let Some(missing) = needed.iter().find(|needed| !self.prepared.contains_key(&needed.key)) else {
            return false;
        };
        let waiting = self.preparing.entry(missing.key.clone()).or_default();
        waiting.push((id.clone(), lane));
        if waiting.len() == 1 {
            let (context, missing) = (Arc::clone(&self.context), missing.clone());
            self.chores.spawn(async move {
                // What cannot be built fails the sync with its own error.
                drop(context.providers.ensure(&context.engine, &missing).await);
                Chore::Prepared(Box::new(missing))
            });
        }
        true
    }

    /// A provider is built: who waits for it runs, and of all others who use it it is known now what they read.
    pub(super) fn prepared(&mut self, needed: &Needed) {
        let origin = &needed.spec.origin;
        let all = needed.key == convert::provider_key(origin);
        for id in self.world.users(origin) {
            if all || *id.namespace == *needed.consumer {
                self.index(&id);
            }
        }
        self.prepared.insert(needed.key.clone(), origin.clone());
        for (id, lane) in self.preparing.remove(&needed.key).unwrap_or_default() {
            self.request(&id, lane, Instant::now());
        }
    }

    /// Announces what a run will read, and lets others take part in the same reads: those that wait for their turn, and those that are past half of their interval.
    /// Where a request of its has room, it is filled up with what others read that are due, or will be within a tenth of their interval.
    pub(super) fn share(&mut self, id: &Id, job: &mut Job) {
        self.company.leave(id);
        let announced = self.world.syncs.get_mut(id).and_then(|state| state.announced.take());
        let Work::Sync { spec, .. } = &job.work else { return };
        // Whose objects others read already takes nobody along.
        let fills = announced.is_none();
        job.announced.extend(announced);
        if let Ok(objects) = self.context.engine.objects(spec) {
            // Its own come first, so that whoever asks first asks for all.
            job.announced.push(self.context.engine.announce(&objects));
            self.reads(id, objects);
        }
        if fills {
            self.fill_requests(id);
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
            self.announce_for(&other);
        }
    }

    fn fill_requests(&mut self, id: &Id) {
        let Self { company, driver, world, .. } = self;
        let now = SystemTime::now();
        let taken = company.take_along(id, Instant::now(), |other| {
            let Some(state) = world.syncs.get(other) else { return false };
            // One that was asked for while it ran waits as well, but only to be told that it is not due.
            let waits = driver.scheduler().is_waiting(&Key::Sync(other.clone())) && state.is_due(now);
            state.announced.is_none() && (waits || state.takes_part(now))
        });
        for other in taken {
            self.announce_for(&other);
            self.driver.scheduler().request(&Key::Sync(other), Lane::Refresh, Instant::now());
        }
    }

    /// Has the answers to what another one reads kept for it. What it may read is looked at anew: nobody reads for it what it may not.
    fn announce_for(&mut self, other: &Id) {
        self.index(other);
        if let Some(state) = self.world.syncs.get_mut(other) {
            state.announced = Some(self.context.engine.announce(self.dependents.of(other)));
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
