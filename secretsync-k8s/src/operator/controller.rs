//! The one task that knows the cluster and decides what runs.

mod changes;
mod deletion;
mod lease;
mod outcome;
mod plan;
mod share;
mod spread;
mod timing;
mod wake;
mod world;

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::sync::Arc;

use secretsync_core::engine::ObjectKey;
use secretsync_core::guard::Guard;
use secretsync_core::provider::StoreOrigin;
use secretsync_core::schedule::{Company, Dependents, Driver, Lane, Turn, reached};
use secretsync_core::store::TargetRef;
use secretsync_core::sync::{ProviderKey, SyncReport};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub(super) use self::lease::Replacements;
use self::plan::Plan;
use self::world::{StoreState, World};
use super::Context;
use super::job::{self, Done, Work};
use super::object::SyncObject;
use super::outbox::{Outbox, Told, tell};
use super::reference::{Files, References};
use super::store::{Needed, Validated, validate};
use super::watch::{Change, Id, Kind, watch};
use crate::api::{Manifest as _, VaultDynamicSecret};

/// What the scheduler decides about.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Key {
    Spread(String),
    Store(Kind, Id),
    Sync(Id),
}

/// What a run brings back.
enum Finished {
    Spread(Box<spread::Done>),
    Store(Box<Validated>),
    Sync(Box<Done>),
}

/// What is done besides, in its own time.
enum Chore {
    Cleaned,
    /// An object may go now.
    Departed(String),
    /// The provider is built.
    Prepared(Box<Needed>),
    Told(Told),
}

pub(super) struct Controller {
    context: Arc<Context>,
    world: World,
    driver: Driver<Key, Finished>,
    /// What may be deleted.
    guard: Guard<Id, StoreOrigin>,
    /// Who reads what.
    dependents: Dependents<ObjectKey, Id>,
    /// Who can fill up a request of others.
    company: Company<Id>,
    /// Providers that are being built, and who waits for them; and those of which it is known what can be read together.
    preparing: HashMap<ProviderKey, Vec<(Id, Lane)>>,
    prepared: HashMap<ProviderKey, StoreOrigin>,
    outbox: Outbox,
    chores: JoinSet<Chore>,
    /// Kinds of which everything is known.
    complete: BTreeSet<Kind>,
    /// Objects that wait for what is issued for them to be given back, and wait here until enough is known for that; and the uids of those that are at it.
    leaving: Vec<SyncObject>,
    departing: BTreeSet<String>,
    /// The targets of ExternalSecrets that are being deleted and are still there.
    departed: HashMap<Id, TargetRef>,
    references: References,
    files: Files,
    replacements: UnboundedReceiver<SyncReport>,
    sender: mpsc::Sender<Change>,
    changes: mpsc::Receiver<Change>,
}

impl Controller {
    pub(super) fn new(context: Arc<Context>, replacements: UnboundedReceiver<SyncReport>) -> Self {
        let (sender, changes) = mpsc::channel(CHANGES);
        let (client, confined) = (context.server.client().clone(), context.settings.namespace.is_some());
        let references = References::new(client, sender.clone(), confined, context.providers.seen());
        Self {
            world: World::new(Arc::clone(&context.known)),
            driver: Driver::new(context.settings.concurrency),
            context,
            guard: Guard::new(),
            dependents: Dependents::new(),
            company: Company::new(),
            preparing: HashMap::new(),
            prepared: HashMap::new(),
            outbox: Outbox::default(),
            chores: JoinSet::new(),
            complete: BTreeSet::new(),
            leaving: Vec::new(),
            departing: BTreeSet::new(),
            departed: HashMap::new(),
            references,
            files: Files::default(),
            replacements,
            sender,
            changes,
        }
    }

    /// Works until `stop` is ready. What is under way then is ended by the engine.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()> + Send) {
        let mut watches = JoinSet::new();
        for kind in Kind::ALL.into_iter().filter(|kind| kind.is_watched(&self.context.settings)) {
            let (client, namespace) = (self.context.server.client().clone(), self.context.settings.namespace.clone());
            watches.spawn(watch(client, kind, namespace, self.sender.clone()));
        }
        tokio::pin!(stop);
        loop {
            self.settle_references().await;
            self.tell_pauses();
            self.post();
            self.context.metrics.set_waiting(self.driver.scheduler().waiting());
            let ready = self.is_ready();
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(change) = self.changes.recv() => self.change(change),
                path = self.files.changed() => self.file_changed(&path),
                Some(report) = self.replacements.recv() => self.replaced(report),
                Some(done) = self.chores.join_next() => self.chore_done(done.ok()),
                () = reached(self.guard.wake(Instant::now())), if ready => self.ask(),
                turn = self.driver.turn(), if ready => self.turn(turn),
            }
        }
        // What is under way may finish, and be told; what does not is ended by the engine.
        drop(tokio::time::timeout(self.context.settings.grace / 2, self.wind_down()).await);
    }

    async fn wind_down(&mut self) {
        while let Some((key, result)) = self.driver.last().await {
            self.finished(&key, result);
            self.post();
        }
        while !self.outbox.is_empty() {
            self.post();
            let Some(done) = self.chores.join_next().await else { return };
            self.chore_done(done.ok());
        }
    }

    fn is_ready(&self) -> bool {
        let needed = |kind: &&Kind| kind.is_needed() && kind.is_watched(&self.context.settings);
        Kind::ALL.iter().filter(needed).all(|kind| self.complete.contains(kind))
    }

    fn turn(&mut self, turn: Turn<Key, Finished>) {
        match turn {
            Turn::Due(key, lane) => self.start(key, lane),
            Turn::Done(key, result) => self.finished(&key, result),
            _ => {}
        }
    }

    fn start(&mut self, key: Key, lane: Lane) {
        match &key {
            Key::Spread(name) => match self.spread_work(name) {
                Some(work) => self.driver.start(key, lane, work),
                None => self.driver.skip(&key),
            },
            Key::Store(kind, id) => {
                let origin = origin(*kind, id);
                let ours = |store: &&StoreState| store.object.is_validated_by(&self.context.settings);
                let Some(store) = self.world.stores.get(&origin).filter(ours) else { return self.driver.skip(&key) };
                let (context, object, mass) = (Arc::clone(&self.context), store.current(), self.guard.paused(&origin));
                let work = async move { Finished::Store(Box::new(validate(&context, object, mass).await)) };
                self.driver.start(key, lane, work);
            }
            Key::Sync(id) => match self.world.plan(&self.context, id) {
                Plan::Run(job) if self.prepare(id, &job, lane) => self.driver.skip(&key),
                Plan::Run(mut job) => {
                    self.share(id, &mut job);
                    if let Work::Sync { spec, .. } = &mut job.work {
                        spec.removal = self.guard.removal(id);
                    }
                    if let Some(state) = self.world.syncs.get_mut(id) {
                        (state.running, state.touched) = (true, false);
                        state.issuance.replaced = None;
                    }
                    let context = Arc::clone(&self.context);
                    let work = async move { Finished::Sync(Box::new(job::run(context, *job).await)) };
                    self.driver.start(key, lane, work);
                }
                Plan::Leave => {
                    self.company.leave(id);
                    if let Some(state) = self.world.syncs.get_mut(id) {
                        state.announced = None;
                    }
                    self.driver.skip(&key);
                }
                Plan::NotYet => {
                    let id = id.clone();
                    if let Some(state) = self.world.syncs.get_mut(&id) {
                        state.announced = None;
                    }
                    self.driver.skip(&key);
                    self.schedule(&id);
                }
            },
        }
    }

    /// Has told what can be told now.
    fn post(&mut self) {
        while let Some(next) = self.outbox.next() {
            let context = Arc::clone(&self.context);
            self.chores.spawn(async move { Chore::Told(tell(&context, next).await) });
        }
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

#[cfg(test)]
mod tests;
