//! What the watches tell.

use kube::ResourceExt as _;
use kube::api::DynamicObject;
use secretsync_core::provider::StoreOrigin;
use secretsync_core::schedule::{Lane, Place};
use secretsync_core::store::TargetRef;
use tokio::time::Instant;

use super::timing::LONGEST_WAIT;
use super::world::SyncState;
use super::{Chore, Controller, Key, origin};
use crate::operator::object::{StoreObject, SyncObject};
use crate::operator::watch::{Change, Id, Kind};
use crate::operator::{kinds, target};

impl Controller {
    pub(super) fn change(&mut self, change: Change) {
        if let Change::Put(kind, object) = &change
            && !matches!(kind, Kind::Namespace | Kind::Target)
        {
            self.context.metrics.describe(*kind, &Id::of(object), object.labels());
        }
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
                if let Some(seen) = target::read(&object) {
                    self.world.put_target(&target, &seen);
                }
                self.look_after(&target);
            }
            Change::Gone(Kind::ExternalSecret, id) => {
                self.context.metrics.forget(Kind::ExternalSecret, &id);
                let left = self.world.target(&id).or_else(|| self.departed.remove(&id));
                if let Some(state) = self.forget(&id) {
                    self.give_back(state);
                }
                if let Some(left) = left {
                    self.wake_refused(&left);
                }
                self.produced_gone(&id);
            }
            Change::Gone(kind @ (Kind::ClusterSecretStore | Kind::Generator | Kind::SecretStore), id) => {
                self.store_gone(kind, &id);
            }
            Change::Reference(referred) => self.renew(&referred),
            Change::Gone(Kind::Namespace, id) => self.namespace_gone(&id.name),
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
        for object in std::mem::take(&mut self.leaving) {
            self.depart(object);
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
        if object.deleting {
            return self.depart(object);
        }
        let id = object.id.clone();
        let before = self.world.target(&id);
        if self.take_in(object) && self.is_ready() {
            self.consider(&id);
            if let Some(left) = before.filter(|before| self.world.target(&id).as_ref() != Some(before)) {
                self.wake_refused(&left);
            }
        }
    }

    fn put_store(&mut self, kind: Kind, object: &DynamicObject) {
        let store = StoreObject::read(kind, object);
        let is_ours = store.is_of_class(&self.context.settings.class);
        let id = store.id.clone();
        let key = Key::Store(kind, id.clone());
        let validates = store.is_validated_by(&self.context.settings);
        self.driver.scheduler().add(key.clone(), Place::new(id.to_string(), &*id.namespace), LONGEST_WAIT);
        let origin = origin(kind, &id);
        if store.paused.is_some() && !self.world.stores.contains_key(&origin) {
            self.guard.resume(&origin, Instant::now());
        }
        self.guard.allow(&origin, store.allows_mass_deletion, Instant::now());
        if self.world.put_store(origin.clone(), store, &self.context.settings) {
            if !is_ours {
                self.hush(kind, &id, &origin);
            }
            if validates {
                self.driver.scheduler().request(&key, Lane::Urgent, Instant::now());
            } else if self.is_ready() {
                self.wake_users(&origin, None, Instant::now());
            }
        }
        self.tell_pause(&origin);
    }

    /// Tells no more figures of a store that was handed to another class, and of who uses it.
    fn hush(&self, kind: Kind, store: &Id, origin: &StoreOrigin) {
        let metrics = &self.context.metrics;
        metrics.hush(kind, store);
        for id in self.world.users(origin) {
            metrics.hush(Kind::ExternalSecret, &id);
        }
    }

    /// Forgets an ExternalSecret; gives what was known of it.
    pub(super) fn forget(&mut self, id: &Id) -> Option<SyncState> {
        let state = self.world.remove_sync(id);
        self.dependents.remove(id);
        self.company.remove(id);
        self.guard.dismiss(id);
        self.outbox.forget(id);
        self.driver.scheduler().remove(&Key::Sync(id.clone()));
        state
    }
}
