//! What a provider is made of has changed: it is built anew, and the syncs that use it do not wait for their time.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kube::api::DynamicObject;
use secretsync_core::provider::StoreOrigin;
use secretsync_core::schedule::Lane;
use secretsync_core::store::TargetRef;
use secretsync_core::sync::Reason;
use tokio::time::Instant;

use super::world::{StoreState, SyncState};
use super::{Chore, Controller, Key, origin};
use crate::operator::due::is_refreshed;
use crate::operator::object::StoreObject;
use crate::operator::reference::{Referred, Referrer};
use crate::operator::watch::{Id, Kind};

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
    pub(super) async fn settle_references(&mut self) {
        if self.world.unsettled.is_empty() || !self.is_ready() {
            return;
        }
        for origin in std::mem::take(&mut self.world.unsettled) {
            let ours = |state: &&StoreState| state.object.is_of_class(&self.context.settings.class);
            if let Some(state) = self.world.stores.get(&origin).filter(ours) {
                let users = self.world.users(&origin);
                let consumers = users.iter().map(|id| &*id.namespace).collect();
                let (references, paths) = self.context.providers.reads_of(&state.object);
                self.references.set(&origin, &references, &consumers);
                self.files.set(&origin, paths);
            } else {
                self.references.forget(&origin);
                self.files.set(&origin, Vec::new());
            }
        }
        self.references.follow();
        self.files.follow().await;
    }

    /// Acts upon a change of an object that stores refer to.
    pub(super) fn renew(&mut self, referred: &Referred) {
        for referrer in self.references.referrers(referred) {
            tracing::debug!(store = %referrer.origin, object = %referred.id, "what a store refers to has changed");
            self.renew_for(referrer);
        }
    }

    /// Acts upon a change of documents: they are read anew each time, so nothing that is built from them is outdated.
    pub(super) fn file_changed(&mut self, path: &Path) {
        for origin in self.files.readers(path) {
            tracing::debug!(store = %origin, path = %path.display(), "documents of a store have changed");
            self.renew_for(Referrer { origin, consumer: None, built: false });
        }
    }

    /// Has a store tried again that reads something which has changed: who uses it is due when it works.
    fn renew_for(&mut self, referrer: Referrer) {
        let Referrer { origin, consumer, built } = referrer;
        let Some(state) = self.world.stores.get_mut(&origin) else { return };
        if built {
            state.renewals.count(consumer.as_deref());
        }
        let at = state.renewals.moment(Instant::now());
        let key = Key::Store(state.object.kind, state.object.id.clone());
        if !state.object.is_validated_by(&self.context.settings) {
            return self.wake_users(&origin, consumer.as_deref(), at);
        }
        state.renewals.waiting.insert(consumer);
        self.driver.scheduler().request(&key, Lane::Urgent, at);
    }

    pub(super) fn store_gone(&mut self, kind: Kind, id: &Id) {
        self.driver.scheduler().remove(&Key::Store(kind, id.clone()));
        self.context.metrics.forget(kind, id);
        let origin = origin(kind, id);
        self.world.stores.remove(&origin);
        self.guard.forget(&origin, Instant::now());
        self.prepared.retain(|_, of| *of != origin);
        self.world.unsettled.insert(origin.clone());
        let context = Arc::clone(&self.context);
        self.chores.spawn(async move {
            context.providers.forget(&context.engine, &origin).await;
            Chore::Cleaned
        });
    }

    /// A generator has no status to be told, so it is tried by those who use it.
    pub(super) fn put_generator(&mut self, object: &DynamicObject) {
        let generator = StoreObject::read(Kind::Generator, object);
        let origin = origin(Kind::Generator, &generator.id);
        if self.world.put_store(origin.clone(), generator, &self.context.settings) && self.is_ready() {
            self.wake_users(&origin, None, Instant::now());
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
            // One that it names and does not use only says whose object it is.
            state.forced |= state.stores().contains(origin);
            let lane = if state.failures > 0 { Lane::Urgent } else { Lane::Refresh };
            self.request(&id, lane, at);
        }
    }

    /// Has the syncs tried again that a target was refused to: one that wrote it is gone, or has another.
    pub(super) fn wake_refused(&mut self, target: &TargetRef) {
        let refused = |id: &Id| self.world.syncs.get(id).is_some_and(|state| state.last == Some(Reason::NotOwned));
        for id in self.world.writers(target).into_iter().filter(refused).collect::<Vec<_>>() {
            self.request(&id, Lane::Urgent, Instant::now());
        }
    }
}

impl SyncState {
    /// Whether it follows its sources, or waits for them: one that is synced once, or on change only, and works, stays as it is, and so does one outside of its
    /// windows.
    fn may_wake(&self, now: SystemTime) -> bool {
        let Ok(spec) = &self.spec else { return false };
        let is_wanted = self.failures > 0 || self.status.synced_revision.is_none();
        !spec.suspended && (is_wanted || is_refreshed(spec) && spec.timing.permits(now))
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
