//! What syncs will ask of their providers, told before anything is asked.
//!
//! It goes by the parts that a real pass goes by: [`Reads`] names the objects, a rehearsal by the coalescing layer shares and batches them, the provider itself says which requests its
//! calls become. What only the other side knows is no part of it: how many objects a search finds, and how long something issued lives.

mod period;
mod tally;

use std::collections::BTreeMap;
use std::time::Duration;

use super::reads::{ObjectKey, Reads, at};
use super::watch::period;
use super::{Engine, Shared};
use crate::error::Result;
use crate::provider::{PriceList, Query};
use crate::store::TargetRef;
use crate::sync::{Origin, ProviderKey, Reason, Selection, SyncReport, SyncSpec};

use tally::Tally;

/// What syncs ask of their stores: in one run over all of them, and in a day of [watching](Engine::watch) them.
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub struct Forecast {
    /// Each store that is asked for something, by name.
    pub stores: Vec<StoreForecast>,
    /// The syncs that can ask for nothing, because what they name cannot be.
    pub failed: Vec<SyncReport>,
}

/// What is asked of one store.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct StoreForecast {
    /// The store, as messages name it: `SecretStore shop/aws`.
    pub name: String,
    /// The requests, by what the provider calls them.
    pub requests: BTreeMap<&'static str, RequestForecast>,
    /// The objects that one run reads.
    pub run: ReadForecast,
    /// The objects that a day reads.
    pub day: ReadForecast,
    /// Searches, whose requests are counted and whose findings are not.
    pub searches: u32,
    /// Objects that may be issued anew by each read: counted in the run only, since nobody knows yet how long they live.
    pub issuing: u32,
    /// Syncs with windows, which are counted as if these were always open.
    pub windowed: u32,
}

/// One kind of request.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestForecast {
    /// How many one run sends.
    pub run: f64,
    /// How many a day sends.
    pub day: f64,
    /// What a day costs, from and to, in US dollars; `None` where nobody sends a bill.
    pub bill: Option<Bill>,
}

/// A sum in US dollars, from and to.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct Bill {
    /// At least.
    pub least: f64,
    /// At most.
    pub most: f64,
    /// Where the price stands.
    pub list: &'static PriceList,
}

/// How many reads of objects become how many requests.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadForecast {
    /// Reads if each sync read its objects for itself.
    pub wanted: f64,
    /// Reads of objects, shared by those who need them at the same time.
    pub shared: f64,
    /// Requests for them, where one reads many.
    pub sent: f64,
}

impl ReadForecast {
    /// What sharing saves.
    pub fn saved_by_sharing(&self) -> f64 {
        (self.wanted - self.shared).max(0.0)
    }

    /// What batching saves.
    pub fn saved_by_batching(&self) -> f64 {
        (self.shared - self.sent).max(0.0)
    }
}

/// All syncs of one target, which run together.
struct Unit<'s> {
    members: Vec<Member<'s>>,
    /// How often it reads again; `None` for never.
    period: Option<Duration>,
}

/// One sync and what it reads.
struct Member<'s> {
    spec: &'s SyncSpec,
    reads: Reads,
}

impl Engine {
    /// Counts what syncs will ask of their providers, without asking them anything: no request is sent and no credential is resolved.
    ///
    /// A day is counted by the intervals of the syncs: those that are due together read together, an object that several need is read at the shortest of their
    /// intervals, and each read takes along who is past half of its own, as [`watch`](Self::watch) has it. Runs come up to a tenth of the interval earlier there, and
    /// retries, checks of stores and second looks before a deletion come on top.
    pub fn forecast(&self, specs: &[SyncSpec]) -> Forecast {
        let shared = &*self.shared;
        let mut failed = Vec::new();
        let mut targets: BTreeMap<&TargetRef, Vec<Member<'_>>> = BTreeMap::new();
        for spec in specs.iter().filter(|spec| !spec.suspended) {
            match Member::new(spec, shared) {
                Ok(member) => targets.entry(&spec.target).or_default().push(member),
                Err(error) => failed.push(SyncReport::failed(
                    spec.owner.clone(),
                    spec.target.clone(),
                    Reason::SourceFailed,
                    error,
                )),
            }
        }
        let units: Vec<_> = targets.into_values().map(Unit::new).collect();
        let mut tally = Tally::new(shared);
        tally.run(units.iter().flat_map(|unit| &unit.members));
        tally.days(&passes(&units));
        Forecast { stores: tally.finish(), failed }
    }
}

/// Who reads together, by how often.
fn passes<'u>(units: &'u [Unit<'_>]) -> BTreeMap<Duration, Vec<&'u Member<'u>>> {
    let mut passes: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (unit, period) in units.iter().zip(period::effective(units)) {
        if let Some(period) = period {
            passes.entry(period).or_default().extend(unit.members.iter().filter(|member| member.interval().is_some()));
        }
    }
    passes
}

impl<'s> Unit<'s> {
    fn new(members: Vec<Member<'s>>) -> Self {
        let period = members.iter().filter_map(Member::interval).min();
        Self { members, period }
    }

    fn objects(&self) -> impl Iterator<Item = ObjectKey> + '_ {
        self.members.iter().flat_map(|member| member.reads.every())
    }
}

impl<'s> Member<'s> {
    fn new(spec: &'s SyncSpec, shared: &Shared) -> Result<Self> {
        for (index, entry) in spec.data_from.iter().enumerate() {
            shared.provider(&entry.provider).map_err(|error| at(&Origin::data_from(index, entry), error))?;
        }
        let reads = Reads::of(spec, &mut std::iter::empty(), |key, remote| shared.address(key, remote))?;
        Ok(Self { spec, reads })
    }

    fn interval(&self) -> Option<Duration> {
        period(self.spec)
    }

    fn searches(&self) -> impl Iterator<Item = (&ProviderKey, &Query)> {
        self.spec.data_from.iter().filter_map(|entry| match &entry.selection {
            Selection::Find(query) => Some((&entry.provider, query)),
            _ => None,
        })
    }
}
