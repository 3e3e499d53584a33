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
use crate::secret::{Lease, Parent, Secret};
use crate::store::{OwnerId, TargetRef};
use crate::sync::{Issued, SyncSpec};

pub(crate) use fresh::{Fresh, give_back};
pub(crate) use term::Term;
pub(crate) use upkeep::start;

/// The name of one sync.
pub(crate) type SyncKey = (OwnerId, TargetRef);

/// What every sync of an engine was issued.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<HashMap<SyncKey, Arc<Page>>>);

/// The page of one sync.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Whoever has it is the only one who may have something issued for the sync.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Never locked across a wait: a sync at work may wait for long, and renewals go on meanwhile.
    entry: Mutex<Entry>,
}

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
    parent: Option<Arc<dyn Parent>>,
    provider: Arc<Coalesce>,
    /// `None` where it has no end: then it is issued anew whenever the sync is due, and only its lease matters.
    life: Option<Life>,
    rotates: bool,
    /// How often the other side gave it again although it should have been rotated.
    repeated: u32,
}

/// How long something lasts that has an end.
#[derive(Clone, Copy, Debug)]
struct Life {
    term: Term,
    expires_at: SystemTime,
    /// Whether it is known when what it hangs on ends for good.
    bounded: bool,
}

/// A sync at work with what it was issued.
///
/// Dropping it gives back what is new: a sync that failed, panicked or was abandoned keeps what it had before.
#[derive(Debug)]
pub(crate) struct Keeping {
    page: Arc<Page>,
    _turn: OwnedMutexGuard<()>,
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
    /// The sync's page, when nobody else has its turn.
    pub(crate) async fn enter(&self, sync: &SyncKey) -> Keeping {
        let page = Arc::clone(self.pages().entry(sync.clone()).or_default());
        let turn = Arc::clone(&page.turn).lock_owned().await;
        Keeping { page, _turn: turn, fresh: HashMap::new(), accepted: None }
    }

    /// Whether anything was ever kept for a sync.
    pub(crate) fn knows(&self, sync: &SyncKey) -> bool {
        self.pages().contains_key(sync)
    }

    pub(crate) fn page(&self, sync: &SyncKey) -> Option<Arc<Page>> {
        self.pages().get(sync).map(Arc::clone)
    }

    /// Drops the page that the caller has, unless somebody waits for it: there is never a second page for a sync at work.
    fn forget(&self, sync: &SyncKey) {
        let mut pages = self.pages();
        if pages.get(sync).is_some_and(|page| Arc::strong_count(page) <= 2) {
            pages.remove(sync);
        }
    }

    /// Nobody looks after what is kept any more, but the targets hold it.
    pub(crate) fn leave(&self) {
        let pages: Vec<_> = self.pages().values().map(Arc::clone).collect();
        for page in pages {
            page.entry().kept.values().for_each(Kept::leave);
        }
    }

    fn pages(&self) -> MutexGuard<'_, HashMap<SyncKey, Arc<Page>>> {
        // The map is consistent between any two statements that hold the lock, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    /// What is kept now. Not to be held across a wait.
    pub(crate) fn entry(&self) -> MutexGuard<'_, Entry> {
        self.entry.lock().unwrap_or_else(PoisonError::into_inner)
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
        let entry = self.page.entry();
        let Some(kept) = entry.kept.get(object).filter(|kept| !kept.rotates && current(kept)) else {
            return AtHand::Nothing;
        };
        // Two clocks: one stops while the machine sleeps, the other may be set.
        match kept.life {
            Some(life) if !life.term.is_due(Instant::now()) && SystemTime::now() < life.expires_at => {
                match &kept.secret {
                    Some(secret) => AtHand::Here(Secret { expires_at: Some(life.expires_at), ..secret.clone() }),
                    None => AtHand::InTarget,
                }
            }
            _ => AtHand::Nothing,
        }
    }

    /// The sync that the target holds, as it is known now.
    pub(crate) fn spec(&self) -> Option<SyncSpec> {
        self.page.entry().spec()
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
        let entry = self.page.entry();
        let describe = |object: ObjectKey| match self.fresh.get(&object) {
            Some(fresh) => {
                let Secret { lease, parent, expires_at, .. } = fresh.secret();
                Some(told(&object, lease.as_ref(), parent.as_ref(), (*expires_at)?))
            }
            None => entry.kept.get(&object)?.told(&object),
        };
        objects.into_iter().filter_map(describe).collect()
    }

    /// Keeps what is in the target, if that was accepted, gives back what it replaced, and begins to look after it.
    pub(crate) fn finish(mut self, shared: &Arc<Shared>, sync: &SyncKey) {
        let Some((spec, objects)) = self.accepted.take() else {
            if self.page.entry().is_empty() {
                shared.ledger.forget(sync);
            }
            return;
        };
        let fresh: Vec<_> = self.fresh.drain().collect();
        let (changed, mut former) = (!fresh.is_empty(), Vec::new());
        {
            let mut entry = self.page.entry();
            for (object, fresh) in fresh {
                let replaced = entry.kept.remove(&object);
                let repeated = replaced.as_ref().map_or(0, |old| old.repetitions(fresh.secret()));
                entry.kept.insert(object, fresh.keep(repeated));
                former.extend(replaced);
            }
            former.extend(entry.kept.extract_if(|object, _| !objects.contains(object)).map(|(_, kept)| kept));
            entry.spec = Some(spec);
        }
        if changed || !former.is_empty() {
            self.look_after(shared, sync);
        }
        for old in former {
            old.supersede(shared);
        }
    }

    /// Gives back what is new: the target does not hold it.
    pub(crate) fn give_up(mut self, shared: &Arc<Shared>, sync: &SyncKey) {
        self.accepted = None;
        self.finish(shared, sync);
    }

    /// Takes note of another spec for what is kept.
    pub(crate) fn remember(self, spec: &SyncSpec) {
        self.page.entry().spec = Some(spec.clone());
    }

    /// Takes over what an earlier process was issued. What is known already stays as it is.
    pub(crate) fn adopt(&self, object: ObjectKey, provider: Arc<Coalesce>, issued: &Issued) {
        // What hangs on a login of the earlier process ends with that, however often it is renewed.
        let renewable = issued.bound_until.is_none() && issued.lease.as_ref().is_some_and(Lease::renewable);
        let lasts = issued.ends_at().duration_since(SystemTime::now()).unwrap_or_default();
        // It may have been renewed since that was told: a renewal shows.
        let lasts = if renewable { lasts.max(DOUBTFUL) } else { lasts };
        let term = Term::adopted(Instant::now(), lasts, renewable);
        let expires_at = moment(SystemTime::now(), lasts).max(issued.ends_at());
        self.page.entry().kept.entry(object).or_insert_with(|| Kept {
            secret: None,
            lease: issued.lease.clone(),
            parent: None,
            provider,
            life: Some(Life { term, expires_at, bounded: true }),
            rotates: false,
            repeated: 0,
        });
    }

    /// Says which sync the page is for, and begins to look after what is kept.
    pub(crate) fn watch(self, shared: &Arc<Shared>, spec: SyncSpec) {
        let sync = (spec.owner.clone(), spec.target.clone());
        self.page.entry().spec = Some(spec);
        self.look_after(shared, &sync);
    }

    /// Stops looking after it, and takes everything out.
    pub(crate) fn clear(self, shared: &Shared, sync: &SyncKey) -> Vec<(Arc<Coalesce>, Lease)> {
        let kept = {
            let mut entry = self.page.entry();
            entry.stop();
            entry.spec = None;
            std::mem::take(&mut entry.kept)
        };
        shared.ledger.forget(sync);
        kept.into_values().filter_map(|kept| Some((kept.provider, kept.lease?))).collect()
    }

    fn look_after(&self, shared: &Arc<Shared>, sync: &SyncKey) {
        let mut entry = self.page.entry();
        entry.stop();
        if entry.kept.is_empty() {
            drop(entry);
            return shared.ledger.forget(sync);
        }
        let superseded = entry.upkeep.insert(CancellationToken::new()).clone();
        start(shared, sync.clone(), superseded);
    }
}

impl Entry {
    /// Everything that is kept and ends.
    pub(crate) fn issued(&self) -> Vec<Issued> {
        self.kept.iter().filter_map(|(object, kept)| kept.told(object)).collect()
    }

    /// The sync that put it into the target.
    pub(crate) fn spec(&self) -> Option<SyncSpec> {
        self.spec.clone()
    }

    fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.spec.is_none()
    }

    fn stop(&mut self) {
        if let Some(upkeep) = self.upkeep.take() {
            upkeep.cancel();
        }
    }
}

impl Kept {
    /// How often in a row the other side gave the same although its time had come.
    fn repetitions(&self, new: &Secret) -> u32 {
        let old = self.secret.as_ref().and_then(|secret| secret.version.as_ref());
        let same = self.rotates && (old.is_none() || old == new.version.as_ref());
        let due = self.life.is_some_and(|life| life.term.is_due(Instant::now()));
        if same && due { self.repeated.saturating_add(1) } else { 0 }
    }

    /// The same without the value, if it ends.
    fn told(&self, object: &ObjectKey) -> Option<Issued> {
        Some(told(object, self.lease.as_ref(), self.parent.as_ref(), self.life?.expires_at))
    }

    /// Nobody looks after it any more, but it stays in use.
    fn leave(&self) {
        if let Some(parent) = &self.parent {
            parent.leave();
        }
    }

    /// Gives the lease back once whoever still uses it had time to notice that the target was changed.
    fn supersede(self, shared: &Arc<Shared>) {
        if self.lease.is_none() && self.parent.is_none() {
            return;
        }
        let left = self.life.map_or(Duration::MAX, |life| life.term.left(Instant::now()));
        let wait = shared.overlap.min(left / 2);
        let stop = shared.stop.clone();
        let work = async move {
            tokio::select! {
                // It ends by itself. Taking it away now would cut off whoever has not noticed yet.
                () = stop.cancelled() => return self.leave(),
                () = tokio::time::sleep(wait) => {}
            }
            if let Some(lease) = &self.lease {
                give_back(&self.provider, lease).await;
            }
        };
        drop(shared.tasks.spawn(work));
    }
}

fn told(object: &ObjectKey, lease: Option<&Lease>, parent: Option<&Arc<dyn Parent>>, ends: SystemTime) -> Issued {
    let bound = parent.and_then(|parent| parent.ends_at());
    Issued::new(object.0.clone(), object.1.to_string(), lease.cloned(), ends).with_bound(bound)
}

/// A moment; one that the clock cannot say is far enough.
fn moment(since: SystemTime, time: Duration) -> SystemTime {
    since.checked_add(time.min(term::FOREVER)).unwrap_or(since)
}

/// How long a lease outlives its replacement by default: as long as a kubelet may take to pass a changed Secret on.
pub(super) const OVERLAP: Duration = Duration::from_mins(2);

/// How long something is taken to live on that should have ended but may have been renewed.
const DOUBTFUL: Duration = Duration::from_secs(10);
