//! What the watches tell.

use std::sync::Arc;

use kube::api::DynamicObject;
use secretsync_core::schedule::{Lane, Place};
use secretsync_core::store::TargetRef;
use tokio::time::Instant;

use super::timing::LONGEST_WAIT;
use super::{Chore, Controller, Key, origin};
use crate::operator::object::{FINALIZER, StoreObject, SyncObject};
use crate::operator::watch::{Change, Id, Kind};
use crate::operator::{job, kinds, target};

impl Controller {
    pub(super) fn change(&mut self, change: Change) {
        match change {
            Change::Complete(kind) => self.complete(kind),
            Change::Put(Kind::ClusterExternalSecret, object) => self.put_spread(&object),
            Change::Gone(Kind::ClusterExternalSecret, id) => self.spread_gone(&id),
            Change::Put(Kind::ExternalSecret, object) => self.put_sync(&object),
            Change::Put(kind @ (Kind::ClusterSecretStore | Kind::SecretStore), object) => self.put_store(kind, &object),
            Change::Put(Kind::Namespace, object) => self.put_namespace(&object),
            Change::Put(Kind::Target, object) => {
                let id = Id::of(&object);
                let target = TargetRef::new(id.namespace, id.name);
                if let Some(seen) = target::read(&object) {
                    self.world.put_target(&target, &seen);
                }
                self.look_after(&target);
            }
            Change::Gone(Kind::ExternalSecret, id) => {
                self.context.metrics.forget(Kind::ExternalSecret, &id);
                self.forget(&id);
                self.produced_gone(&id);
            }
            Change::Gone(kind @ (Kind::ClusterSecretStore | Kind::SecretStore), id) => {
                self.driver.scheduler().remove(&Key::Store(kind, id.clone()));
                self.context.metrics.forget(kind, &id);
                let origin = origin(kind, &id);
                self.world.stores.remove(&origin);
                let context = Arc::clone(&self.context);
                self.chores.spawn(async move {
                    context.providers.forget(&context.engine, &origin).await;
                    Chore::Cleaned
                });
            }
            Change::Gone(Kind::Namespace, id) => self.namespace_gone(&id.name),
            Change::Gone(Kind::Target, id) => {
                let target = TargetRef::new(id.namespace, id.name);
                self.world.remove_target(&target);
                self.look_after(&target);
            }
        }
    }

    /// Everything of a kind is known. With the last kind that is needed, work begins.
    fn complete(&mut self, kind: Kind) {
        self.complete.insert(kind);
        if kind == Kind::Target {
            self.context.known.set_complete();
        }
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
        self.consider_spreads();
    }

    /// Says whose definitions of the kinds the cluster has.
    fn tell_kinds(&mut self) {
        let client = self.context.server.client().clone();
        self.chores.spawn(async move {
            kinds::tell(&client).await;
            Chore::Cleaned
        });
    }

    fn put_sync(&mut self, object: &DynamicObject) {
        self.put_produced(object);
        let object = SyncObject::read(object);
        let id = object.id.clone();
        if object.deleting {
            self.forget(&id);
            if object.finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
                let context = Arc::clone(&self.context);
                self.chores.spawn(async move {
                    job::release(&context, &object).await;
                    Chore::Cleaned
                });
            }
            return;
        }
        let news = self.world.put_sync(object);
        if news && self.is_ready() {
            self.consider(&id);
        }
    }

    fn put_store(&mut self, kind: Kind, object: &DynamicObject) {
        let store = StoreObject::read(kind, object);
        let key = Key::Store(kind, store.id.clone());
        let serves = if kind == Kind::ClusterSecretStore {
            self.context.settings.cluster_stores
        } else {
            self.context.settings.stores
        };
        let validates = serves && store.is_of_class(&self.context.settings.class);
        self.driver.scheduler().add(key.clone(), Place::new(store.id.to_string(), &*store.id.namespace), LONGEST_WAIT);
        if self.world.put_store(origin(kind, &store.id), store) && validates {
            self.driver.scheduler().request(&key, Lane::Urgent, Instant::now());
        }
    }

    fn forget(&mut self, id: &Id) {
        self.world.remove_sync(id);
        self.dependents.remove(id);
        self.outbox.forget(id);
        self.driver.scheduler().remove(&Key::Sync(id.clone()));
    }
}
