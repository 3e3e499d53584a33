//! What syncs were issued: kept in memory, each for one sync, until something else is in its target; then its lease is given back.

mod fresh;
mod term;
mod upkeep;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::reads::ObjectKey;
use crate::layer::Coalesce;
use crate::secret::{Lease, Secret};
use crate::store::{OwnerId, TargetRef};
use crate::sync::{Issued, SyncSpec};

pub(crate) use fresh::{Fresh, give_back};
pub(crate) use term::Term;
pub(crate) use upkeep::start;

/// The name of one sync.
pub(crate) type SyncKey = (OwnerId, TargetRef);

/// What every sync of an engine was issued.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<HashMap<SyncKey, Page>>);

/// What one sync was issued. Whoever has it locked is the only one who may have something issued for the sync.
type Page = Arc<tokio::sync::Mutex<Entry>>;

/// What one sync was issued.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    kept: HashMap<ObjectKey, Kept>,
    /// The sync that put it into the target, to run again when something ends.
    spec: Option<SyncSpec>,
    /// Ends the background work for what is kept now.
    upkeep: Option<CancellationToken>,
}

/// Something that was issued and is in the target.
#[derive(Debug)]
struct Kept {
    /// `None` where the value is in the target only, as after a restart.
    secret: Option<Secret>,
    lease: Option<Lease>,
    provider: Arc<Coalesce>,
    term: Term,
    expires_at: SystemTime,
    rotates: bool,
    /// How often the other side gave it again although it should have been rotated.
    repeated: u32,
}

/// A sync at work with what it was issued.
///
/// Dropping it gives back what is new: a sync that failed, panicked or was abandoned keeps what it had before.
#[derive(Debug)]
pub(crate) struct Keeping {
    entry: OwnedMutexGuard<Entry>,
    fresh: HashMap<ObjectKey, Fresh>,
    /// What is in the target now: the sync, and the objects that it took.
    accepted: Option<(SyncSpec, HashSet<ObjectKey>)>,
}

/// What a sync has of an object that would be issued.
#[derive(Debug)]
pub(crate) enum AtHand {
    /// Its value.
    Here(Secret),
    /// Its value, but only in the target.
    InTarget,
    /// Nothing that is good any more.
    Nothing,
}

impl Ledger {
    /// The sync's page, when nobody else has it.
    pub(crate) async fn enter(&self, sync: &SyncKey) -> Keeping {
        let page = Arc::clone(self.pages().entry(sync.clone()).or_default());
        Keeping { entry: page.lock_owned().await, fresh: HashMap::new(), accepted: None }
    }

    /// Whether anything was ever kept for a sync.
    pub(crate) fn knows(&self, sync: &SyncKey) -> bool {
        self.pages().contains_key(sync)
    }

    fn page(&self, sync: &SyncKey) -> Option<Page> {
        self.pages().get(sync).map(Arc::clone)
    }

    /// Drops the page that the caller has, unless somebody waits for it: there is never a second page for a sync at work.
    fn forget(&self, sync: &SyncKey) {
        let mut pages = self.pages();
        if pages.get(sync).is_some_and(|page| Arc::strong_count(page) <= 2) {
            pages.remove(sync);
        }
    }

    fn pages(&self) -> MutexGuard<'_, HashMap<SyncKey, Page>> {
        // The map is consistent between any two statements that hold the lock, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeping {
    /// What can be used again instead of being issued anew.
    pub(crate) fn at_hand(&self, shared: &Shared, object: &ObjectKey) -> AtHand {
        if let Some(fresh) = self.fresh.get(object) {
            return AtHand::Here(fresh.secret().clone());
        }
        // What the other side rotates costs nothing to read again, and may have been rotated before its time.
        // What another provider stands for now may be something else.
        let current = |kept: &Kept| shared.provider(&object.0).is_ok_and(|now| Arc::ptr_eq(&now, &kept.provider));
        let usable = |kept: &&Kept| !kept.rotates && !kept.term.is_due(Instant::now()) && current(kept);
        match self.entry.kept.get(object).filter(usable) {
            None => AtHand::Nothing,
            Some(Kept { secret: None, .. }) => AtHand::InTarget,
            Some(Kept { secret: Some(secret), expires_at, .. }) => {
                AtHand::Here(Secret { expires_at: Some(*expires_at), ..secret.clone() })
            }
        }
    }

    /// Takes something new, until it is known whether it reaches the target.
    pub(crate) fn take(&mut self, object: ObjectKey, fresh: Fresh) {
        self.fresh.insert(object, fresh);
    }

    /// Takes note that the target holds what `objects` gave, and nothing else that was issued.
    pub(crate) fn accept(&mut self, spec: &SyncSpec, objects: impl IntoIterator<Item = ObjectKey>) {
        self.accepted = Some((spec.clone(), objects.into_iter().collect()));
    }

    /// What the target holds of it.
    pub(crate) fn issued(&self, objects: impl IntoIterator<Item = ObjectKey>) -> Vec<Issued> {
        let describe = |object: ObjectKey| {
            let (lease, expires_at) = match self.fresh.get(&object) {
                Some(fresh) => (fresh.secret().lease.clone(), fresh.secret().expires_at?),
                None => self.entry.kept.get(&object).map(|kept| (kept.lease.clone(), kept.expires_at))?,
            };
            Some(Issued::new(object.0, object.1.to_string(), lease, expires_at))
        };
        objects.into_iter().filter_map(describe).collect()
    }

    /// Keeps what is in the target, if that was accepted, gives back what it replaced, and begins to look after it.
    pub(crate) fn finish(mut self, shared: &Arc<Shared>, sync: &SyncKey) {
        let Some((spec, objects)) = self.accepted.take() else { return };
        let fresh: Vec<_> = self.fresh.drain().collect();
        let (changed, mut former) = (!fresh.is_empty(), Vec::new());
        for (object, fresh) in fresh {
            let replaced = self.entry.kept.remove(&object);
            let repeated = replaced.as_ref().map_or(0, |old| old.repetitions(fresh.secret()));
            if let Some(kept) = fresh.keep(repeated) {
                self.entry.kept.insert(object, kept);
            }
            former.extend(replaced);
        }
        former.extend(self.entry.kept.extract_if(|object, _| !objects.contains(object)).map(|(_, kept)| kept));
        self.entry.spec = Some(spec);
        if changed || !former.is_empty() {
            self.look_after(shared, sync);
        }
        for old in former {
            old.supersede(shared);
        }
    }

    /// Takes note of another spec for what is kept.
    pub(crate) fn remember(mut self, spec: &SyncSpec) {
        self.entry.spec = Some(spec.clone());
    }

    /// Takes over what an earlier process was issued. What is known already stays as it is.
    pub(crate) fn adopt(&mut self, object: ObjectKey, provider: Arc<Coalesce>, issued: &Issued) {
        if self.entry.kept.contains_key(&object) {
            return;
        }
        let lasts = issued.expires_at.duration_since(SystemTime::now()).unwrap_or_default();
        let renewable = issued.lease.as_ref().is_some_and(Lease::renewable);
        let kept = Kept {
            secret: None,
            lease: issued.lease.clone(),
            provider,
            term: Term::adopted(Instant::now(), lasts, renewable),
            expires_at: issued.expires_at,
            rotates: false,
            repeated: 0,
        };
        self.entry.kept.insert(object, kept);
    }

    /// Says which sync the page is for, and begins to look after what is kept.
    pub(crate) fn watch(mut self, shared: &Arc<Shared>, spec: SyncSpec) {
        let sync = (spec.owner.clone(), spec.target.clone());
        self.entry.spec = Some(spec);
        self.look_after(shared, &sync);
    }

    /// Stops looking after it, and takes everything out.
    pub(crate) fn clear(mut self, shared: &Shared, sync: &SyncKey) -> Vec<(Arc<Coalesce>, Lease)> {
        self.stop();
        self.entry.spec = None;
        shared.ledger.forget(sync);
        let kept = std::mem::take(&mut self.entry.kept);
        kept.into_values().filter_map(|kept| Some((kept.provider, kept.lease?))).collect()
    }

    fn look_after(&mut self, shared: &Arc<Shared>, sync: &SyncKey) {
        self.stop();
        if self.entry.kept.is_empty() {
            return shared.ledger.forget(sync);
        }
        let superseded = self.entry.upkeep.insert(CancellationToken::new()).clone();
        start(shared, sync.clone(), superseded);
    }

    fn stop(&mut self) {
        if let Some(upkeep) = self.entry.upkeep.take() {
            upkeep.cancel();
        }
    }
}

impl Kept {
    /// How often in a row the other side gave the same although its time had come.
    fn repetitions(&self, new: &Secret) -> u32 {
        let old = self.secret.as_ref().and_then(|secret| secret.version.as_ref());
        let same = self.rotates && old.is_some() && old == new.version.as_ref();
        if same && self.term.is_due(Instant::now()) { self.repeated + 1 } else { 0 }
    }

    /// Gives the lease back once whoever still uses it had time to notice that the target was changed.
    fn supersede(self, shared: &Arc<Shared>) {
        let Some(lease) = self.lease else { return };
        let wait = shared.overlap.min(self.term.left(Instant::now()) / 2);
        let stop = shared.stop.clone();
        let work = async move {
            tokio::select! {
                // It ends by itself. Taking it away now would cut off whoever has not noticed yet.
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            give_back(&self.provider, &lease).await;
        };
        drop(shared.tasks.spawn(work));
    }
}

/// How long a lease outlives its replacement by default: as long as a kubelet may take to pass a changed Secret on.
pub(super) const OVERLAP: Duration = Duration::from_mins(2);
