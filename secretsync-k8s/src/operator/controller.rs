//! The one task that knows the cluster and decides what runs.

mod lease;
mod plan;
mod spread;
mod wake;
mod world;

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kube::api::DynamicObject;
use secretsync_core::error::Retry;
use secretsync_core::provider::StoreOrigin;
use secretsync_core::schedule::{Lane, Place, Scheduler};
use secretsync_core::store::TargetRef;
use secretsync_core::sync::{Outcome, Reason, SyncReport};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::{self, JoinSet};
use tokio::time::Instant;

pub(super) use self::lease::Replacements;
use self::plan::Plan;
use self::world::{SyncState, World};
use super::Context;
use super::due::{Due, back_off, due};
use super::job::{self, Done, Ended};
use super::kinds;
use super::object::{StoreObject, SyncObject};
use super::reference::{Files, References};
use super::store::{Validated, validate};
use super::target::{TargetObject, is_valid, written};
use super::watch::{Change, Id, Kind, watch};
use crate::api::{Manifest as _, VaultDynamicSecret};

/// What the scheduler decides about.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Key {
    Spread(String),
    Store(Kind, Id),
    Sync(Id),
}

/// What a task brings back.
enum Finished {
    Cleaned,
    /// An object may go now.
    Departed(String),
    Spread(Box<spread::Done>),
    Store(Box<Validated>),
    Sync(Box<Done>),
}

pub(super) struct Controller {
    context: Arc<Context>,
    world: World,
    scheduler: Scheduler<Key>,
    running: JoinSet<Finished>,
    /// What runs where, so that a task that panics frees its key, too.
    keys: HashMap<task::Id, Key>,
    /// Kinds of which everything is known.
    complete: BTreeSet<Kind>,
    /// Objects that wait for what is issued for them to be given back, and wait here until enough is known for that; and the uids of those that are at it.
    leaving: Vec<SyncObject>,
    departing: BTreeSet<String>,
    references: References,
    files: Files,
    replacements: UnboundedReceiver<SyncReport>,
    sender: mpsc::Sender<Change>,
    changes: mpsc::Receiver<Change>,
}

impl Controller {
    pub(super) fn new(context: Arc<Context>, replacements: UnboundedReceiver<SyncReport>) -> Self {
        let (sender, changes) = mpsc::channel(CHANGES);
        let (client, confined) = (context.client.clone(), context.settings.namespace.is_some());
        let references = References::new(client, sender.clone(), confined, context.providers.seen());
        Self {
            context,
            leaving: Vec::new(),
            departing: BTreeSet::new(),
            references,
            files: Files::default(),
            replacements,
            sender,
            changes,
            world: World::default(),
            scheduler: Scheduler::new(),
            running: JoinSet::new(),
            keys: HashMap::new(),
            complete: BTreeSet::new(),
        }
    }

    /// Works until `stop` is ready. What is under way then is ended by the engine.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()> + Send) {
        let mut watches = JoinSet::new();
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::ClusterExternalSecret || self.spreads_objects())
        {
            let (client, namespace) = (self.context.client.clone(), self.context.settings.namespace.clone());
            watches.spawn(watch(client, kind, namespace, self.sender.clone()));
        }
        tokio::pin!(stop);
        loop {
            self.settle_references().await;
            self.start_due();
            let wake = self.scheduler.wake();
            let due = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(change) = self.changes.recv() => self.change(change),
                path = self.files.changed() => self.file_changed(&path),
                Some(report) = self.replacements.recv() => self.replaced(report),
                Some(joined) = self.running.join_next_with_id() => self.finished(joined),
                () = due => {}
            }
        }
        // What is under way may finish; what does not is ended by the engine.
        let rest = async { while self.running.join_next().await.is_some() {} };
        drop(tokio::time::timeout(self.context.settings.grace / 2, rest).await);
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Complete(kind) => self.complete(kind),
            Change::Put(Kind::ClusterExternalSecret, object) => self.put_spread(&object),
            Change::Gone(Kind::ClusterExternalSecret, id) => self.spread_gone(&id),
            Change::Put(Kind::ExternalSecret, object) => self.put_sync(&object),
            Change::Put(kind @ (Kind::ClusterSecretStore | Kind::SecretStore), object) => self.put_store(kind, &object),
            Change::Put(Kind::Generator, object) => self.put_generator(&object),
            Change::Put(Kind::Namespace, object) => self.put_namespace(&object),
            Change::Put(Kind::Target, object) => {
                if let Some(referred) = self.references.managed(&object) {
                    self.renew(&referred);
                }
                let id = Id::of(&object);
                let target = TargetRef::new(id.namespace, id.name);
                if let Some(seen) = TargetObject::read(&object) {
                    self.world.put_target(target.clone(), seen);
                }
                self.look_after(&target);
            }
            Change::Gone(Kind::ExternalSecret, id) => {
                if let Some(state) = self.world.remove_sync(&id) {
                    self.give_back(state);
                }
                self.produced_gone(&id);
                self.context.metrics.forget(Kind::ExternalSecret, &id);
                self.scheduler.remove(&Key::Sync(id));
            }
            Change::Gone(kind @ (Kind::ClusterSecretStore | Kind::Generator | Kind::SecretStore), id) => {
                self.store_gone(kind, &id);
            }
            Change::Gone(Kind::Namespace, id) => self.namespace_gone(&id.name),
            Change::Reference(referred) => self.renew(&referred),
            Change::Gone(Kind::Target, id) => {
                if let Some(referred) = self.references.unmanaged(&id) {
                    self.renew(&referred);
                }
                let target = TargetRef::new(id.namespace, id.name);
                self.world.remove_target(&target);
                self.look_after(&target);
            }
        }
    }

    /// Everything of a kind is known. With the last kind that is needed, work begins.
    fn complete(&mut self, kind: Kind) {
        self.complete.insert(kind);
        if !self.is_ready() {
            return;
        }
        if !kind.is_needed() {
            return self.consider_spreads();
        }
        if !self.context.metrics.is_ready() {
            self.tell_kinds();
        }
        self.context.metrics.set_ready();
        tracing::info!(syncs = self.world.syncs.len(), stores = self.world.stores.len(), "the cluster is known");
        let all: Vec<_> = self.world.syncs.keys().cloned().collect();
        for id in &all {
            self.consider(id);
        }
        for object in std::mem::take(&mut self.leaving) {
            self.depart(object);
        }
        self.consider_spreads();
    }

    /// Says whose definitions of the kinds the cluster has.
    fn tell_kinds(&mut self) {
        let client = self.context.client.clone();
        self.running.spawn(async move {
            kinds::tell(&client).await;
            Finished::Cleaned
        });
    }

    fn is_ready(&self) -> bool {
        Kind::ALL.iter().all(|kind| !kind.is_needed() || self.complete.contains(kind))
    }

    fn put_sync(&mut self, object: &DynamicObject) {
        self.put_produced(object);
        let object = SyncObject::read(object);
        if object.deleting {
            return self.depart(object);
        }
        let id = object.id.clone();
        if self.take_in(object) && self.is_ready() {
            self.consider(&id);
        }
    }

    /// Plans an ExternalSecret that is new, or changed: when it is due, or at once where its target is not as it was left.
    fn consider(&mut self, id: &Id) {
        let Some(state) = self.world.syncs.get(id) else { return };
        let interval = state.spec.as_ref().ok().and_then(|spec| spec.timing.interval).unwrap_or(LONGEST_WAIT);
        self.scheduler.add(Key::Sync(id.clone()), Place::new(state.store_name(), &*id.namespace), interval);
        if !state.issuance.adopted {
            return self.scheduler.request(&Key::Sync(id.clone()), Lane::Urgent, Instant::now());
        }
        let synced = state.status.synced_revision.is_some();
        if synced && !self.world.is_valid(state) {
            return self.repair(id);
        }
        self.schedule(id);
    }

    /// Asks for the next run by manifest and status.
    fn schedule(&mut self, id: &Id) {
        let Some(state) = self.world.syncs.get(id) else { return };
        let now = SystemTime::now();
        let Ok(spec) = &state.spec else {
            return self.scheduler.request(&Key::Sync(id.clone()), Lane::Urgent, Instant::now());
        };
        let (at, lane) = match due(spec, &state.status, &state.object.revision, now) {
            Due::At(at, lane) => (at, lane),
            Due::Window => (now + WINDOW_CHECK, Lane::Refresh),
            Due::Never => match state.expires_at.into_iter().chain(state.issuance.look_at).min() {
                Some(at) => (at, Lane::Refresh),
                None => return,
            },
        };
        let at = state.expires_at.map_or(at, |ends| at.min(ends.max(now + SHORTEST_END)));
        let at = state.issuance.look_at.map_or(at, |look| at.min(look));
        let wait = at.duration_since(now).unwrap_or_default().min(LONGEST_WAIT);
        self.scheduler.request(&Key::Sync(id.clone()), lane, Instant::now() + wait);
    }

    /// Repairs what somebody changed, if somebody did.
    fn look_after(&mut self, target: &TargetRef) {
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
    fn repair(&mut self, id: &Id) {
        let Some(state) = self.world.syncs.get_mut(id) else { return };
        let longest = state.spec.as_ref().ok().and_then(|spec| spec.timing.interval).unwrap_or(LONGEST_WAIT);
        let wait = if state.repairs == 0 { Duration::ZERO } else { back_off(state.repairs).min(longest) };
        let lane = if state.repairs == 0 { Lane::Urgent } else { Lane::Refresh };
        state.repairs += 1;
        state.forced = true;
        self.scheduler.request(&Key::Sync(id.clone()), lane, Instant::now() + wait);
    }

    fn put_store(&mut self, kind: Kind, object: &DynamicObject) {
        let store = StoreObject::read(kind, object);
        let key = Key::Store(kind, store.id.clone());
        let validates = self.validates(&store);
        self.scheduler.add(key.clone(), Place::new(store.id.to_string(), &*store.id.namespace), LONGEST_WAIT);
        if self.world.put_store(origin(kind, &store.id), store) && validates {
            self.scheduler.request(&key, Lane::Urgent, Instant::now());
        }
    }

    fn start_due(&mut self) {
        if !self.is_ready() {
            return;
        }
        while self.running.len() < self.context.settings.concurrency {
            let Some(key) = self.scheduler.next(Instant::now()) else { return };
            match &key {
                Key::Spread(name) => match self.spread_work(name) {
                    Some(work) => drop(self.keys.insert(self.running.spawn(work).id(), key)),
                    None => self.scheduler.finish(&key),
                },
                Key::Store(kind, id) => {
                    let Some(store) = self.world.stores.get(&origin(*kind, id)) else {
                        self.scheduler.finish(&key);
                        continue;
                    };
                    let (context, object) = (Arc::clone(&self.context), store.current());
                    let work = async move { Finished::Store(Box::new(validate(&context, object).await)) };
                    let task = self.running.spawn(work).id();
                    self.keys.insert(task, key);
                }
                Key::Sync(id) => match self.world.plan(&self.context, id) {
                    Plan::Run(job) => {
                        if let Some(state) = self.world.syncs.get_mut(id) {
                            (state.running, state.touched) = (true, false);
                            state.issuance.replaced = None;
                        }
                        let context = Arc::clone(&self.context);
                        let work = async move { Finished::Sync(Box::new(job::run(context, *job).await)) };
                        let task = self.running.spawn(work).id();
                        self.keys.insert(task, key);
                    }
                    Plan::Leave => self.scheduler.finish(&key),
                    Plan::NotYet => {
                        self.scheduler.finish(&key);
                        let id = id.clone();
                        self.schedule(&id);
                    }
                },
            }
        }
    }

    fn finished(&mut self, joined: Result<(task::Id, Finished), task::JoinError>) {
        let id = joined.as_ref().map_or_else(task::JoinError::id, |(id, _)| *id);
        let key = self.keys.remove(&id);
        if let Some(key) = &key {
            self.scheduler.finish(key);
        }
        match joined {
            Ok((_, Finished::Cleaned)) => {}
            Ok((_, Finished::Departed(uid))) => drop(self.departing.remove(&uid)),
            Ok((_, Finished::Spread(done))) => self.spread_done(*done),
            Ok((_, Finished::Store(validated))) => self.store_validated(*validated),
            Ok((_, Finished::Sync(done))) => self.sync_done(*done),
            Err(_) => self.failed_itself(key),
        }
    }

    /// A task of ours panicked: a defect, which must cost nobody but its own object, and that one a pause.
    fn failed_itself(&mut self, key: Option<Key>) {
        let Some(key) = key else { return };
        tracing::error!(?key, "a task of the operator itself failed; please report it");
        if let Key::Sync(id) = &key
            && let Some(state) = self.world.syncs.get_mut(id)
        {
            state.running = false;
            state.forced = true;
        }
        self.scheduler.request(&key, Lane::Refresh, Instant::now() + LONGEST_PAUSE);
    }

    fn store_validated(&mut self, validated: Validated) {
        let Validated { store, ready } = validated;
        let origin = origin(store.kind, &store.id);
        let key = Key::Store(store.kind, store.id.clone());
        let Some(state) = self.world.stores.get_mut(&origin) else { return };
        if state.version_for(None) != store.version {
            return self.scheduler.request(&key, Lane::Urgent, Instant::now());
        }
        let healed = ready.holds && !state.was_ready();
        state.failures = if ready.holds { 0 } else { state.failures + 1 };
        state.validated = true;
        state.object.ready = Some(ready);
        let wait = match state.failures {
            0 => state.interval(self.context.settings.store_interval),
            failures => back_off(failures),
        };
        self.scheduler.request(&key, Lane::Refresh, Instant::now() + wait);
        let first = std::mem::replace(&mut state.told, true);
        let woken = if state.was_ready() { state.renewals.take() } else { BTreeSet::new() };
        if healed || !first {
            for id in self.world.users(&origin) {
                self.scheduler.request(&Key::Sync(id), Lane::Urgent, Instant::now());
            }
        }
        for consumer in woken {
            self.wake_users(&origin, consumer.as_deref(), Instant::now());
        }
    }

    fn sync_done(&mut self, done: Done) {
        let id = done.id.clone();
        self.give_back_leftovers(&done);
        let Some(state) = self.world.syncs.get_mut(&id).filter(|state| state.object.uid == done.uid) else { return };
        state.running = false;
        state.object.status = done.status;
        state.status = done.fresh;
        state.told = done.told;
        let report = match done.ended {
            Ended::Synced(report) => report,
            Ended::Adopted(adopted) => return self.adoption_ended(&id, adopted),
            Ended::Looked => {
                state.expires_at = state.status.issued.first_end();
                state.look_again();
                return self.schedule(&id);
            }
            Ended::Replaced(report) => return self.replacement_told(&id, &report),
        };
        state.last = Some(report.reason);
        state.expires_at = report.expires_at;
        state.look_again();
        if report.outcome == Outcome::Failed {
            return self.sync_failed(&id, &report);
        }
        state.issuance.adopted = true;
        state.settle(written(&report.changes));
        if std::mem::take(&mut state.touched) {
            // Somebody was at the target meanwhile; what the watch tells of our own write comes first.
            let target = report.target.clone();
            self.look_after(&target);
        }
        self.schedule(&id);
    }

    fn sync_failed(&mut self, id: &Id, report: &SyncReport) {
        let Some(state) = self.world.syncs.get_mut(id) else { return };
        state.failures += 1;
        state.forced = true;
        let asked = match report.error.as_ref().map(secretsync_core::Error::retry) {
            Some(Retry::After(asked)) => asked,
            _ => Duration::ZERO,
        };
        // Nothing but a change helps there, so haste is useless (`eso-compat.md` 2.5).
        let hopeless = matches!(report.reason, Reason::NotOwned | Reason::SpecInvalid);
        let pause = if hopeless { LONGEST_PAUSE } else { back_off(state.failures) };
        // Something may have been issued whose answer was lost: it is not asked for again at once.
        let lost = report.issues && report.error.as_ref().is_some_and(|error| error.retry() == Retry::Never);
        let pause = if lost { pause.max(RESPITE) } else { pause };
        self.scheduler.request(&Key::Sync(id.clone()), Lane::Refresh, Instant::now() + pause.max(asked));
    }
}

impl SyncState {
    /// Takes over what a success means: repairs count from zero again when a run was no repair.
    fn settle(&mut self, written: BTreeSet<String>) {
        if !std::mem::take(&mut self.forced) {
            self.repairs = 0;
        }
        self.failures = 0;
        self.written = Some(written);
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
        is_valid(self.targets.get(&spec.target), spec, state.written.as_ref())
    }
}

/// Which store an object is.
fn origin(kind: Kind, id: &Id) -> StoreOrigin {
    match kind {
        Kind::ClusterSecretStore => StoreOrigin::cluster(&id.name),
        Kind::Generator => StoreOrigin::generator(VaultDynamicSecret::KIND, &id.namespace, &id.name),
        _ => StoreOrigin::namespaced(&id.namespace, &id.name),
    }
}

/// How many changes may wait to be taken in.
const CHANGES: usize = 256;
/// How often a closed window is looked at: schedules are in whole minutes.
const WINDOW_CHECK: Duration = Duration::from_mins(1);
/// How soon a source that has ended, or is about to, is looked at again.
const SHORTEST_END: Duration = Duration::from_secs(5);
/// The shortest pause after a failure to have something issued that may have been carried out.
const RESPITE: Duration = Duration::from_mins(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(7);
/// The longest wait that is planned at once; what is due later is planned again then.
const LONGEST_WAIT: Duration = Duration::from_hours(24);
