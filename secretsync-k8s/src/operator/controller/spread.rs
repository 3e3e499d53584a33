//! ClusterExternalSecrets: what the watches tell of them and of what they made, and when each is looked at.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::DynamicObject;
use secretsync_core::schedule::{Backoff, Lane, Place};
use tokio::time::Instant;

use super::timing::LONGEST_WAIT;
use super::{Chore, Controller, Finished, Key};
use crate::operator::spread::job::{self, Job};
use crate::operator::spread::known::Touched;
use crate::operator::spread::object::{NAMESPACE_FINALIZERS, SpreadObject};
use crate::operator::watch::{Id, Kind};

pub(super) use crate::operator::spread::job::Done;

impl Controller {
    /// Whether ClusterExternalSecrets are ours at all: whoever sees one namespace cannot tell what is in the others.
    pub(super) fn spreads_objects(&self) -> bool {
        Kind::ClusterExternalSecret.is_watched(&self.context.settings)
    }

    pub(super) fn put_spread(&mut self, object: &DynamicObject) {
        let object = SpreadObject::read(object);
        let (name, deleting) = (object.name.clone(), object.deleting);
        if object.is_held() {
            let (context, name, change) = (Arc::clone(&self.context), name.clone(), object.released());
            self.chores.spawn(async move {
                job::release(&context, &name, change).await;
                Chore::Cleaned
            });
        }
        if deleting {
            return self.forget_spread(&name);
        }
        let interval = object.wish.as_ref().ok().and_then(|wish| wish.interval).unwrap_or(LONGEST_WAIT);
        let news = self.world.spreads.put(object);
        let key = Key::Spread(name.clone());
        self.driver.scheduler().add(key, Place::new("ClusterExternalSecret", &*name), interval);
        if news {
            self.look_at_spread(&name, Duration::ZERO);
        }
    }

    pub(super) fn spread_gone(&mut self, id: &Id) {
        self.forget_spread(&id.name);
        self.context.metrics.forget(Kind::ClusterExternalSecret, id);
    }

    fn forget_spread(&mut self, name: &str) {
        self.world.spreads.remove(name);
        self.driver.scheduler().remove(&Key::Spread(name.to_owned()));
    }

    /// Looks at all of them.
    pub(super) fn consider_spreads(&mut self) {
        for name in self.world.spreads.names() {
            self.look_at_spread(&name, Duration::ZERO);
        }
    }

    pub(super) fn put_namespace(&mut self, object: &DynamicObject) {
        let name = object.name_any();
        let before = self.world.put_namespace(object);
        if !self.spreads_objects() {
            return;
        }
        if object.finalizers().iter().any(|finalizer| finalizer.starts_with(NAMESPACE_FINALIZERS)) {
            let (context, namespace) = (Arc::clone(&self.context), object.clone());
            self.chores.spawn(async move {
                job::release_namespace(&context, &namespace).await;
                Chore::Cleaned
            });
        }
        let deleting = object.metadata.deletion_timestamp.is_some();
        let concerned = self.world.spreads.put_namespace(&name, object.labels(), before.as_ref(), deleting);
        for spread in concerned {
            self.look_at_spread(&spread, Duration::ZERO);
        }
    }

    pub(super) fn namespace_gone(&mut self, name: &str) {
        self.world.namespaces.remove(name);
        for spread in self.world.spreads.remove_namespace(name) {
            self.look_at_spread(&spread, Duration::ZERO);
        }
    }

    /// An ExternalSecret as it is now: one that somebody changed is put right, at growing distances.
    pub(super) fn put_produced(&mut self, object: &DynamicObject) {
        let (name, wait) = match self.world.spreads.put_produced(object) {
            Touched::No => return,
            Touched::Moved(name) => (name, Duration::ZERO),
            Touched::Changed(name) => {
                let Some(spread) = self.world.spreads.get_mut(&name) else { return };
                spread.repairs += 1;
                let wait = if spread.repairs == 1 { Duration::ZERO } else { Backoff::SYNCS.after(spread.repairs - 1) };
                (name, wait)
            }
        };
        self.look_at_spread(&name, wait);
    }

    pub(super) fn produced_gone(&mut self, id: &Id) {
        for name in self.world.spreads.remove_produced(id) {
            self.look_at_spread(&name, Duration::ZERO);
        }
    }

    fn look_at_spread(&mut self, name: &str, wait: Duration) {
        if self.is_ready() && self.world.spreads.get(name).is_some() {
            self.driver.scheduler().request(&Key::Spread(name.to_owned()), Lane::Urgent, Instant::now() + wait);
        }
    }

    /// What is to be done for a ClusterExternalSecret whose turn it is; `None` where the cluster is as it should be.
    pub(super) fn spread_work(&mut self, name: &str) -> Option<impl Future<Output = Finished> + Send + 'static> {
        let spread = self.world.spreads.get(name)?;
        let plan = self.world.spreads.plan(spread, &self.world.namespaces, |id| self.world.syncs.contains_key(id));
        let object = &spread.object;
        if plan.is_done() && plan.status() == object.status {
            self.count_spread(name, plan.failed.is_empty(), Duration::ZERO);
            self.plan_next_look(name);
            if let Some(spread) = self.world.spreads.get_mut(name) {
                spread.repairs = 0;
            }
            return None;
        }
        let job = Job {
            name: name.to_owned(),
            uid: object.uid.clone(),
            content: object.wish.as_ref().ok().map(|wish| wish.content.clone()),
            status: object.status.clone(),
            plan,
        };
        let context = Arc::clone(&self.context);
        Some(async move { Finished::Spread(Box::new(job::run(context, job).await)) })
    }

    pub(super) fn spread_done(&mut self, done: Done) {
        let Some(spread) = self.world.spreads.get_mut(&done.name).filter(|spread| spread.object.uid == done.uid) else {
            return;
        };
        spread.object.status = done.status;
        spread.failures = if done.again { spread.failures + 1 } else { 0 };
        let failures = spread.failures;
        self.count_spread(&done.name, done.holds, done.took);
        if failures == 0 {
            return self.plan_next_look(&done.name);
        }
        let pause = Backoff::SYNCS.after(failures);
        self.driver.scheduler().request(&Key::Spread(done.name), Lane::Refresh, Instant::now() + pause);
    }

    fn count_spread(&self, name: &str, holds: bool, took: Duration) {
        let id = Id { namespace: String::new(), name: name.to_owned() };
        self.context.metrics.count(Kind::ClusterExternalSecret, &id, holds, took);
    }

    /// The next pass where nothing happens before.
    fn plan_next_look(&mut self, name: &str) {
        let Some(spread) = self.world.spreads.get_mut(name) else { return };
        let interval = match &spread.object.wish {
            Ok(wish) => wish.interval,
            Err(_) => None,
        };
        if let Some(interval) = interval {
            self.driver.scheduler().request(
                &Key::Spread(name.to_owned()),
                Lane::Refresh,
                Instant::now() + interval.max(SHORTEST_INTERVAL),
            );
        }
    }
}

/// However often a ClusterExternalSecret asks to be looked at.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
