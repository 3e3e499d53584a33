//! What is known of the cluster.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kube::ResourceExt;
use kube::api::DynamicObject;
use secretsync_core::access::KeyAccess;
use secretsync_core::engine::Announcement;
use secretsync_core::error::Result;
use secretsync_core::provider::StoreOrigin;
use secretsync_core::store::TargetRef;
use secretsync_core::sync::{Reason, RefreshPolicy, SyncSpec};

use super::lease::Issuance;
use super::wake::Renewals;
use crate::api::names::CREATED_BY_LABEL;
use crate::convert::{self, StoreUse};
use crate::operator::OperatorSettings;
use crate::operator::object::{StoreObject, SyncObject};
use crate::operator::spread::known::{Namespaces, Spreads};
use crate::operator::status::Status;
use crate::operator::watch::Id;
use crate::store::Known;
use crate::store::snapshot::Snapshot;

/// Everything that the watches told.
pub(super) struct World {
    pub(super) syncs: HashMap<Id, Box<SyncState>>,
    pub(super) stores: HashMap<StoreOrigin, StoreState>,
    /// Labels of namespaces.
    pub(super) namespaces: Namespaces,
    pub(super) spreads: Spreads,
    pub(super) known: Arc<Known>,
    /// Of each target, the mark of the ExternalSecret that owns it.
    marks: HashMap<TargetRef, String>,
    /// Targets by the mark of the ExternalSecret that owns them.
    by_mark: HashMap<String, HashSet<TargetRef>>,
    by_target: HashMap<TargetRef, HashSet<Id>>,
    by_store: HashMap<StoreOrigin, HashSet<Id>>,
    /// Stores of which it must be looked anew what they refer to, and for whom.
    pub(super) unsettled: BTreeSet<StoreOrigin>,
}

/// An ExternalSecret, and what this process remembers of it.
pub(super) struct SyncState {
    pub(super) object: SyncObject,
    /// The sync as the manifest alone gives it, with the usual names of stores.
    pub(super) spec: Result<SyncSpec>,
    /// The status as it would be if each refresh were written.
    pub(super) status: Status,
    /// The keys that the last run left at the target, sorted.
    pub(super) written: Option<Box<[String]>>,
    /// How the last run ended.
    pub(super) last: Option<Reason>,
    /// When its sources are to be looked at again because one of them ends.
    pub(super) ends_at: Option<SystemTime>,
    pub(super) issuance: Issuance,
    /// The failure that was told last.
    pub(super) told: Option<String>,
    pub(super) failures: u32,
    pub(super) repairs: u32,
    /// Who else writes the target, as the repairs show.
    pub(super) rivals: Option<String>,
    /// Whether it runs next time even if it is not due.
    pub(super) forced: bool,
    /// Keeps the answer to a read of another one for it, in which it takes part whether or not it is due.
    pub(super) announced: Option<Announcement>,
    pub(super) running: bool,
    /// Whether its target changed while it ran.
    pub(super) touched: bool,
}

/// A store, and what this process remembers of it.
pub(super) struct StoreState {
    pub(super) object: StoreObject,
    /// Whether this process has tried it.
    pub(super) validated: bool,
    /// Whether those who use it were told so.
    pub(super) told: bool,
    pub(super) failures: u32,
    /// What became of the objects that it refers to.
    pub(super) renewals: Renewals,
}

impl World {
    pub(super) fn new(known: Arc<Known>) -> Self {
        Self {
            syncs: HashMap::new(),
            stores: HashMap::new(),
            namespaces: Namespaces::default(),
            spreads: Spreads::default(),
            known,
            marks: HashMap::new(),
            by_mark: HashMap::new(),
            by_target: HashMap::new(),
            by_store: HashMap::new(),
            unsettled: BTreeSet::new(),
        }
    }

    /// Takes in an ExternalSecret; says whether it is new or has changed.
    pub(super) fn put_sync(&mut self, object: SyncObject) -> bool {
        let id = object.id.clone();
        if let Some(known) = self.syncs.get_mut(&id)
            && known.object.uid == object.uid
            && known.object.revision == object.revision
        {
            // Only the status: our own write comes back.
            (known.object.finalizers, known.object.version) = (object.finalizers, object.version);
            return false;
        }
        let before = self.remove_sync(&id).filter(|before| before.object.uid == object.uid);
        let state = SyncState::new(object, before);
        for store in state.object.stores.all() {
            self.by_store.entry(store.clone()).or_default().insert(id.clone());
            self.unsettle_consumers(store);
        }
        if let Ok(spec) = &state.spec {
            self.by_target.entry(spec.target.clone()).or_default().insert(id.clone());
        }
        self.syncs.insert(id, Box::new(state));
        true
    }

    pub(super) fn remove_sync(&mut self, id: &Id) -> Option<SyncState> {
        let state = *self.syncs.remove(id)?;
        for store in state.object.stores.all() {
            forget(&mut self.by_store, store, id);
            self.unsettle_consumers(store);
        }
        if let Ok(spec) = &state.spec {
            forget(&mut self.by_target, &spec.target, id);
        }
        Some(state)
    }

    /// Takes in a store; says whether it is new or has changed, or is ready by the hand of somebody else.
    pub(super) fn put_store(&mut self, origin: StoreOrigin, object: StoreObject, settings: &OperatorSettings) -> bool {
        if let Some(known) = self.stores.get_mut(&origin)
            && known.object.version == object.version
        {
            if object.is_validated_by(settings) {
                return false;
            }
            let was_ready = known.was_ready();
            known.object.ready = object.ready;
            return known.was_ready() && !was_ready;
        }
        self.unsettled.insert(origin.clone());
        self.stores.insert(origin, StoreState::new(object));
        true
    }

    /// What a store of the cluster refers to may depend on who uses it.
    fn unsettle_consumers(&mut self, store: &StoreOrigin) {
        if store.namespace().is_none() {
            self.unsettled.insert(store.clone());
        }
    }

    /// Takes in a namespace; gives its labels as they were.
    pub(super) fn put_namespace(&mut self, object: &DynamicObject) -> Option<BTreeMap<String, String>> {
        self.namespaces.insert(object.name_any(), object.labels().clone())
    }

    pub(super) fn put_target(&mut self, target: &TargetRef, seen: &Snapshot) {
        self.unmark(target);
        if let Some(mark) = seen.metadata.labels.get(CREATED_BY_LABEL) {
            self.by_mark.entry(mark.clone()).or_default().insert(target.clone());
            self.marks.insert(target.clone(), mark.clone());
        }
        self.known.put(target.clone(), seen);
    }

    pub(super) fn remove_target(&mut self, target: &TargetRef) {
        self.unmark(target);
        self.known.remove(target);
    }

    fn unmark(&mut self, target: &TargetRef) {
        if let Some(mark) = self.marks.remove(target) {
            forget(&mut self.by_mark, &mark, target);
        }
    }

    /// The targets that bear the mark of an ExternalSecret.
    pub(super) fn marked(&self, mark: &str) -> impl Iterator<Item = &TargetRef> {
        self.by_mark.get(mark).into_iter().flatten()
    }

    /// Whether an ExternalSecret is another controller's: no trace is left at it then.
    pub(super) fn is_foreign(&self, object: &SyncObject, settings: &OperatorSettings) -> bool {
        let unserved = |store: &StoreOrigin| store.namespace().is_none() && !settings.cluster_stores;
        object.stores.usual.as_ref().is_some_and(unserved) || self.is_of_other_class(object, settings)
    }

    /// Whether an ExternalSecret names a store of another class, whose controller sees to it.
    pub(super) fn is_of_other_class(&self, object: &SyncObject, settings: &OperatorSettings) -> bool {
        let foreign = |store: &StoreOrigin| {
            self.stores.get(store).is_some_and(|store| !store.object.is_of_class(&settings.class))
        };
        object.stores.all().any(foreign)
    }

    /// The target of an ExternalSecret.
    pub(super) fn target(&self, id: &Id) -> Option<TargetRef> {
        Some(self.syncs.get(id)?.spec.as_ref().ok()?.target.clone())
    }

    /// The ExternalSecrets that write a target.
    pub(super) fn writers(&self, target: &TargetRef) -> Vec<Id> {
        self.by_target.get(target).into_iter().flatten().cloned().collect()
    }

    /// The ExternalSecrets that use a store.
    pub(super) fn users(&self, store: &StoreOrigin) -> Vec<Id> {
        self.by_store.get(store).into_iter().flatten().cloned().collect()
    }
}

impl SyncState {
    /// `before` is what was known of the same object.
    pub(super) fn new(object: SyncObject, before: Option<Self>) -> Self {
        let spec = object.manifest().and_then(|manifest| {
            convert::sync_spec(&manifest, |origin| {
                Ok(StoreUse::new(convert::provider_key(origin), KeyAccess::everything()))
            })
        });
        match before {
            // What failed with the old manifest says nothing about the new one.
            Some(before) => {
                let once = spec.as_ref().is_ok_and(|spec| spec.refresh == RefreshPolicy::CreatedOnce);
                // Only what was issued ends for one that is not to be read again.
                let ends_at = before.ends_at.filter(|_| !once || !before.status.issued.is_empty());
                Self { object, spec, ends_at, failures: 0, repairs: 0, rivals: None, ..before }
            }
            None => Self {
                issuance: Issuance::new(&object.status.issued),
                status: object.status.clone(),
                object,
                spec,
                written: None,
                last: None,
                ends_at: None,
                told: None,
                failures: 0,
                repairs: 0,
                rivals: None,
                forced: false,
                announced: None,
                running: false,
                touched: false,
            },
        }
    }

    /// The stores that it uses.
    pub(super) fn stores(&self) -> &[StoreOrigin] {
        &self.object.stores.used
    }

    /// The store whose turn it takes.
    pub(super) fn store_name(&self) -> String {
        self.stores().first().map(ToString::to_string).unwrap_or_default()
    }
}

impl StoreState {
    fn new(object: StoreObject) -> Self {
        Self { object, validated: false, told: false, failures: 0, renewals: Renewals::default() }
    }

    /// The object as it is now, with a version that changes with what it refers to as well.
    pub(super) fn current(&self) -> StoreObject {
        StoreObject { version: self.version_for(None), ..self.object.clone() }
    }

    /// What a provider for a namespace is built from, in short.
    pub(super) fn version_for(&self, consumer: Option<&str>) -> String {
        format!("{}/{}", self.object.version, self.renewals.of(consumer))
    }

    pub(super) fn was_ready(&self) -> bool {
        self.object.ready.as_ref().is_some_and(|ready| ready.holds)
    }

    pub(super) fn interval(&self, usual: Duration) -> Duration {
        self.object.spec.as_ref().ok().and_then(|spec| spec.refresh_interval).unwrap_or(usual)
    }
}

fn forget<K, Q, I>(index: &mut HashMap<K, HashSet<I>>, key: &Q, item: &I)
where
    K: Eq + Hash + Borrow<Q>,
    Q: Eq + Hash + ?Sized,
    I: Eq + Hash,
{
    if let Some(items) = index.get_mut(key) {
        items.remove(item);
        if items.is_empty() {
            index.remove(key);
        }
    }
}
