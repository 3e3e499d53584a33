//! What a provider is made of has changed: it is built anew, and the syncs that use it do not wait for their time.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use secretsync_core::provider::{CredentialRef, StoreOrigin};
use secretsync_core::schedule::Lane;
use secretsync_core::sync::RefreshPolicy;
use tokio::time::Instant;

use super::world::SyncState;
use super::{Controller, Key};
use crate::operator::object::StoreObject;
use crate::operator::reference::{Referred, Referrer};

/// How often the objects that a store refers to have changed, and who has to be told.
#[derive(Debug, Default)]
pub(super) struct Renewals {
    all: u64,
    of: HashMap<String, u64>,
    /// Whose syncs are woken when the store works: those of one namespace, or of all.
    waiting: BTreeSet<Option<String>>,
    /// Since when, and for how long, further changes wait.
    calm: Option<(Instant, Duration)>,
}

impl Renewals {
    /// A number that changes with every change that matters to a namespace.
    pub(super) fn of(&self, consumer: Option<&str>) -> u64 {
        self.all + consumer.and_then(|consumer| self.of.get(consumer)).unwrap_or(&0)
    }

    /// Who has to be told, once.
    pub(super) fn take(&mut self) -> BTreeSet<Option<String>> {
        std::mem::take(&mut self.waiting)
    }

    fn count(&mut self, consumer: Option<&str>) {
        match consumer {
            Some(consumer) => *self.of.entry(consumer.to_owned()).or_default() += 1,
            None => self.all += 1,
        }
    }

    /// When a change is acted upon: at once, and at doubled distances where there is no end of changes.
    fn moment(&mut self, now: Instant) -> Instant {
        let (at, pause) = match self.calm {
            // One that is to come takes this change along.
            Some((at, pause)) if now < at => (at, pause),
            Some((at, pause)) if now < at + pause => (at + pause, (pause * 2).min(LONGEST_CALM)),
            _ => (now, SHORTEST_CALM),
        };
        self.calm = Some((at, pause));
        at
    }
}

impl Controller {
    /// Looks anew what the stores refer to that were put or taken away, or are used by others now, and watches it.
    pub(super) fn settle_references(&mut self) {
        if self.world.unsettled.is_empty() || !self.is_ready() {
            return;
        }
        for origin in std::mem::take(&mut self.world.unsettled) {
            match self.world.stores.get(&origin).filter(|state| state.object.is_of_class(&self.context.settings.class))
            {
                Some(state) => {
                    let users = self.world.users(&origin);
                    let consumers = users.iter().map(|id| &*id.namespace).collect();
                    self.references.set(&origin, &self.references_of(&state.object), &consumers);
                }
                None => self.references.forget(&origin),
            }
        }
        self.references.follow();
    }

    fn references_of(&self, store: &StoreObject) -> Vec<CredentialRef> {
        let Ok(spec) = &store.spec else { return Vec::new() };
        let factory = spec.factory(self.context.providers.registry());
        factory.and_then(|factory| factory.references(&spec.config, &spec.origin)).unwrap_or_default()
    }

    /// Acts upon a change of something that stores refer to: they are tried again, and who uses them is due when they work.
    pub(super) fn renew(&mut self, referred: &Referred) {
        let now = Instant::now();
        for Referrer { origin, consumer, built } in self.references.referrers(referred) {
            let Some(state) = self.world.stores.get_mut(&origin) else { continue };
            if built {
                state.renewals.count(consumer.as_deref());
            }
            let at = state.renewals.moment(now);
            let key = Key::Store(state.object.kind, state.object.id.clone());
            tracing::debug!(store = %origin, object = %referred.id, "what a store refers to has changed");
            if self.validates(&self.world.stores[&origin].object) {
                if let Some(state) = self.world.stores.get_mut(&origin) {
                    state.renewals.waiting.insert(consumer);
                }
                self.scheduler.request(&key, Lane::Urgent, at);
            } else {
                self.wake_users(&origin, consumer.as_deref(), at);
            }
        }
    }

    /// Makes the syncs due that use a provider: all, or those of one namespace. New objects and changed manifests go before them.
    pub(super) fn wake_users(&mut self, origin: &StoreOrigin, namespace: Option<&str>, at: Instant) {
        let now = SystemTime::now();
        for id in self.world.users(origin) {
            if namespace.is_some_and(|namespace| *namespace != *id.namespace) {
                continue;
            }
            let Some(state) = self.world.syncs.get_mut(&id).filter(|state| state.may_wake(now)) else { continue };
            state.forced = true;
            let lane = if state.failures > 0 { Lane::Urgent } else { Lane::Refresh };
            self.scheduler.request(&Key::Sync(id), lane, at);
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

const SHORTEST_CALM: Duration = Duration::from_secs(2);
const LONGEST_CALM: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_change_is_acted_upon_at_once_and_a_flood_at_doubled_distances() {
        let (mut renewals, begun) = (Renewals::default(), Instant::now());
        let mut acted = BTreeSet::new();
        for tenths in 0..300 {
            let moment = renewals.moment(begun + Duration::from_millis(tenths * 100));
            acted.insert((moment - begun).as_secs());
        }
        assert_eq!(acted.into_iter().collect::<Vec<_>>(), [0, 2, 6, 14, 30]);
        let later = begun + Duration::from_mins(10);
        assert_eq!(renewals.moment(later), later, "after some calm at once again");
    }

    #[test]
    fn what_changes_for_one_namespace_leaves_the_others_alone() {
        let mut renewals = Renewals::default();
        renewals.count(Some("shop"));
        assert_eq!((renewals.of(Some("shop")), renewals.of(Some("bank")), renewals.of(None)), (1, 0, 0));
        renewals.count(None);
        assert_eq!((renewals.of(Some("shop")), renewals.of(Some("bank")), renewals.of(None)), (2, 1, 1));
    }
}
