//! Syncing again and again: each target when it is due.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::ledger::SyncKey;
use super::pass::run_all;
use super::run::Mode;
use super::{Announcement, Engine, ObjectKey};
use crate::guard::{Answer, Exposure, Guard};
use crate::jitter;
use crate::schedule::{Backoff, Company, Dependents, Driver, Lane, Place, Turn, reached};
use crate::store::TargetRef;
use crate::sync::{Outcome, ProviderKey, RefreshPolicy, Removal, SyncReport, SyncSpec, Timing};

/// All syncs of one target: they run one after the other, in their order, and are due together.
#[derive(Debug)]
struct Unit {
    specs: Vec<SyncSpec>,
    /// Where its sources are.
    providers: BTreeSet<ProviderKey>,
    /// How often it runs when all is well; `None` when it has no reason to run again.
    interval: Option<Duration>,
    objects: Vec<ObjectKey>,
    /// When a read of one of its objects may pull it forward.
    pullable_from: Option<Instant>,
    /// Failures in a row.
    failures: u32,
    /// Answers to reads that others began are kept for it until it has run.
    announced: Option<Announcement>,
}

/// A watch under way.
struct Watch<'a> {
    engine: &'a Engine,
    units: Vec<Unit>,
    dependents: Dependents<ObjectKey, usize>,
    /// Who can fill up a request of others.
    company: Company<usize>,
    driver: Driver<usize, Vec<SyncReport>>,
    guard: Guard<SyncKey, String>,
    by_sync: BTreeMap<SyncKey, usize>,
}

impl Engine {
    /// Syncs every target, and then each again whenever it is due, until `stop` is ready. Every report is told to `told`, in the order in which they come; so are those
    /// of syncs that run by themselves because something that they were issued is about to end.
    ///
    /// A success is due again after the interval of its [timing](SyncSpec::timing), a tenth of it earlier at most so that not all come at once, inside its
    /// windows, and when the first of its sources ends. A failure is tried again after one second, then after twice as long each time, up to seven minutes
    /// apart, or when the provider asked for; one to have something issued that may have been carried out, not before a minute has passed. When an object is read, the others that need it and that are past half of their interval
    /// take part, so one read serves all. Where one request reads many objects, it is filled up with those of others that are due, or will be within a tenth of
    /// their interval. What changes by itself is synced at once when somebody [says so](Self::source_changed), if it has an interval or has failed.
    ///
    /// A target whose sources are gone is deleted, where its policy says so, as [`crate::guard`] tells: when those of too many others are not gone as well.
    ///
    /// Dropping the future, or `stop`, starts nothing new; what is under way goes on, and [`shutdown`](Self::shutdown) waits for it.
    pub async fn watch(
        &self,
        specs: Vec<SyncSpec>,
        mut told: impl FnMut(&SyncReport) + Send,
        stop: impl Future<Output = ()> + Send,
    ) {
        let mut changes = self.shared.changes.subscribe();
        let mut replacements = self.shared.replacements.subscribe();
        let mut watch = Watch::new(self, specs);
        tokio::pin!(stop);
        loop {
            let turn = tokio::select! {
                biased;
                () = &mut stop => return,
                () = reached(watch.guard.wake(Instant::now())) => {
                    watch.ask();
                    continue;
                }
                turn = watch.driver.turn() => turn,
                news = changes.recv() => {
                    watch.source_changed(&news);
                    continue;
                }
                report = replacements.recv() => {
                    report.iter().filter(|report| watch.has(report)).for_each(|report| told(report));
                    continue;
                }
            };
            match turn {
                Turn::Due(index, lane) => watch.start(index, lane),
                Turn::Done(index, Some(reports)) => {
                    reports.iter().for_each(&mut told);
                    watch.finished(index, &reports);
                }
                // A sync that panics gives a report; nothing else runs there.
                Turn::Done(index, None) => watch.again(index, LONGEST_RETRY),
            }
        }
    }
}

impl<'a> Watch<'a> {
    fn new(engine: &'a Engine, specs: Vec<SyncSpec>) -> Self {
        let mut targets: BTreeMap<TargetRef, Vec<SyncSpec>> = BTreeMap::new();
        for spec in specs {
            targets.entry(spec.target.clone()).or_default().push(spec);
        }
        let units: Vec<_> = targets.into_values().map(|specs| Unit::new(engine, specs)).collect();
        let mut dependents = Dependents::new();
        let mut company = Company::new();
        let mut driver = Driver::new(engine.shared.concurrency);
        let (mut guard, mut by_sync) = (Guard::new(), BTreeMap::new());
        let now = Instant::now();
        for (index, unit) in units.iter().enumerate() {
            for spec in &unit.specs {
                by_sync.insert(key(spec), index);
                if !engine.shared.mass_deletion {
                    let stores = spec.providers().map(|provider| provider.store().to_owned());
                    guard.enroll(&key(spec), stores, Exposure::of(spec));
                }
            }
            dependents.set(&index, unit.objects.clone());
            driver.scheduler().add(index, unit.place(), unit.interval.unwrap_or(LONGEST_RETRY));
            driver.scheduler().request(&index, Lane::Urgent, now);
            company.carry(&index, engine.luggage(&unit.objects));
            company.join(&index, now);
        }
        Self { engine, units, dependents, company, driver, guard, by_sync }
    }

    /// Whether a report is of one of its syncs.
    fn has(&self, report: &SyncReport) -> bool {
        self.by_sync.contains_key(&(report.owner.clone(), report.target.clone()))
    }

    fn start(&mut self, index: usize, lane: Lane) {
        if !self.units[index].may_run() {
            self.driver.skip(&index);
            return self.again(index, Timing::WINDOW_CHECK);
        }
        self.company.leave(&index);
        // Whose objects others read already takes nobody along. Else its own come first, so that whoever of them asks first asks for all.
        let announced = if let Some(announced) = self.units[index].announced.take() {
            announced
        } else {
            let announced = self.engine.announce(&self.units[index].objects);
            self.fill_requests(index);
            announced
        };
        let unit = &self.units[index];
        let (shared, mut specs) = (Arc::clone(&self.engine.shared), unit.specs.clone());
        for spec in specs.iter_mut().filter(|spec| spec.removal == Removal::Allowed) {
            spec.removal = self.guard.removal(&key(spec));
        }
        self.driver.start(index, lane, async move {
            let _announced = announced;
            run_all(&shared, specs, Mode::Sync).await
        });
        self.pull_dependents(index);
    }

    /// Runs those whom the guard wants to hear, or who are to hear what it decided.
    fn ask(&mut self) {
        let now = Instant::now();
        let (by_sync, units) = (&self.by_sync, &self.units);
        let may_run = |sync: &SyncKey| by_sync.get(sync).is_some_and(|index| units[*index].may_run());
        for sync in self.guard.summon(now, may_run) {
            if let Some(&index) = self.by_sync.get(&sync) {
                if self.driver.scheduler().is_idle(&index) {
                    self.company.join(&index, now);
                }
                self.driver.scheduler().request(&index, Lane::Refresh, now);
            }
        }
    }

    fn again(&mut self, index: usize, wait: Duration) {
        self.driver.scheduler().request(&index, Lane::Refresh, Instant::now() + wait);
    }

    /// Makes others that need the same objects due now, and has the answers kept for all that wait.
    fn pull_dependents(&mut self, index: usize) {
        let now = Instant::now();
        for other in self.dependents.sharers(&index) {
            let may_run = self.units[other].may_run();
            let (unit, scheduler) = (&mut self.units[other], self.driver.scheduler());
            if scheduler.is_idle(&other) && unit.is_past_half(now) && may_run {
                scheduler.request(&other, Lane::Refresh, now);
            } else if !scheduler.is_waiting(&other) || unit.announced.is_some() {
                continue;
            }
            unit.announced = Some(self.engine.announce(&unit.objects));
        }
    }

    /// Fills the requests of a unit up with the objects of others that are due, or as good as.
    fn fill_requests(&mut self, index: usize) {
        let now = Instant::now();
        let units = &self.units;
        for other in self.company.take_along(&index, now, |other| units[*other].may_run()) {
            let (unit, scheduler) = (&mut self.units[other], self.driver.scheduler());
            if scheduler.is_idle(&other) {
                scheduler.request(&other, Lane::Refresh, now);
            }
            if unit.announced.is_none() {
                unit.announced = Some(self.engine.announce(&unit.objects));
            }
        }
    }

    /// Makes everything due that depends on a provider; on any where nobody knows which.
    fn source_changed(&mut self, news: &Result<ProviderKey, RecvError>) {
        let now = Instant::now();
        for (index, unit) in self.units.iter().enumerate() {
            let depends = news.as_ref().map_or(true, |key| unit.providers.contains(key));
            if depends && (unit.interval.is_some() || unit.failures > 0) {
                self.driver.scheduler().request(&index, Lane::Urgent, now);
            }
        }
    }

    fn finished(&mut self, index: usize, reports: &[SyncReport]) {
        let unit = &mut self.units[index];
        let now = Instant::now();
        for report in reports {
            self.guard.answered(&(report.owner.clone(), report.target.clone()), Answer::of(report), now);
        }
        let failed = reports.iter().filter(|report| report.outcome == Outcome::Failed);
        let shortest = failed.map(SyncReport::shortest_pause).max();
        let Some(shortest) = shortest else {
            unit.failures = 0;
            unit.pullable_from = unit.interval.map(|interval| now + pullable_after(interval));
            if let Some(interval) = unit.interval {
                self.company.join(&index, now + interval - earliness(interval));
            }
            if let Some(wait) = unit.rest(reports) {
                self.again(index, wait);
            }
            return;
        };
        unit.failures = unit.failures.saturating_add(1);
        let wait = Backoff::SYNCS.after(unit.failures).max(shortest);
        unit.pullable_from = None;
        let wait = wait + jitter::part_of(wait / 10);
        self.company.join(&index, now + wait);
        self.again(index, wait);
    }
}

impl Unit {
    fn new(engine: &Engine, specs: Vec<SyncSpec>) -> Self {
        let interval = specs.iter().filter_map(period).min();
        let objects: Vec<_> = specs.iter().filter_map(|spec| engine.objects(spec).ok()).flatten().collect();
        let providers = specs.iter().flat_map(SyncSpec::providers).cloned().collect();
        Self { specs, providers, interval, objects, pullable_from: None, failures: 0, announced: None }
    }

    fn place(&self) -> Place {
        let spec = self.specs.first();
        let store = self.objects.first().map(|(key, _)| key.as_str()).unwrap_or_default();
        Place::new(store, spec.map(|spec| spec.owner.namespace()).unwrap_or_default())
    }

    /// Windows hold back refreshes only: a target that was never written, or could not be, does not wait for one.
    fn may_run(&self) -> bool {
        let refreshes = self.failures == 0 && self.pullable_from.is_some();
        !refreshes || self.specs.iter().any(|spec| spec.timing.permits(SystemTime::now()))
    }

    fn is_past_half(&self, now: Instant) -> bool {
        self.pullable_from.is_some_and(|from| from <= now)
    }

    /// How long after a success it is due again.
    fn rest(&self, reports: &[SyncReport]) -> Option<Duration> {
        let interval = self.interval.map(|interval| interval.saturating_sub(jitter::part_of(earliness(interval))));
        let now = SystemTime::now();
        let ends = reports.iter().filter_map(|report| report.look_again_at(now)?.duration_since(now).ok());
        interval.into_iter().chain(ends).min()
    }
}

fn key(spec: &SyncSpec) -> SyncKey {
    (spec.owner.clone(), spec.target.clone())
}

/// How often a sync reads its sources when all is well; `None` for once only.
pub(super) fn period(spec: &SyncSpec) -> Option<Duration> {
    let repeats = !spec.suspended && spec.refresh == RefreshPolicy::Periodic;
    spec.timing.interval.filter(|_| repeats).map(|interval| interval.max(SHORTEST_INTERVAL))
}

/// How long after a success a read of others may pull a target forward.
pub(super) fn pullable_after(interval: Duration) -> Duration {
    interval / 2
}

/// How much earlier than its interval a target may be synced.
fn earliness(interval: Duration) -> Duration {
    interval / 10
}

/// The shortest interval: below it a mistake would keep everybody busy.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// The longest pause between two tries, as in External Secrets Operator.
const LONGEST_RETRY: Duration = Duration::from_mins(7);
