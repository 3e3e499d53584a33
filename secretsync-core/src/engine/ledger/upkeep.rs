//! The background work for one sync: renews what can be renewed, and syncs again before something ends.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::{BoxFuture, select_all};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fresh::BOUND;
use super::{Entry, Kept, SyncKey, moment};
use crate::engine::Shared;
use crate::engine::pass::replace;
use crate::engine::reads::ObjectKey;
use crate::error::{Error, ErrorKind, Retry};
use crate::jitter;
use crate::layer::Coalesce;
use crate::provider::{Provider, Renewed};
use crate::schedule::Backoff;
use crate::secret::{Lease, Parent};
use crate::sync::SyncReport;

/// Begins to look after what a sync was issued, until `superseded` or the engine stops.
pub(crate) fn start(shared: &Arc<Shared>, sync: SyncKey, superseded: CancellationToken) {
    drop(shared.tasks.spawn(upkeep(Arc::clone(shared), sync, superseded)));
}

/// What is to be done next.
enum Step {
    Renew(ObjectKey, Arc<Coalesce>, Lease, Duration),
    Replace,
}

/// The first thing to do, when, and what may end before its time.
struct Next {
    at: Instant,
    step: Step,
    parents: Vec<(ObjectKey, Arc<dyn Parent>)>,
}

/// A type of its own: a replacement syncs, and a sync begins the next upkeep.
fn upkeep(shared: Arc<Shared>, sync: SyncKey, superseded: CancellationToken) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let mut failures = 0;
        while let Some(Next { at, step, parents }) = next(&shared, &sync) {
            tokio::select! {
                biased;
                () = shared.stop.cancelled() => return,
                () = superseded.cancelled() => return,
                (object, end) = first_end(parents) => {
                    bound(&shared, &sync, &object, end);
                    continue;
                }
                () = tokio::time::sleep_until(at) => {}
            }
            let failure = match step {
                Step::Renew(object, provider, lease, increment) => {
                    renew(&shared, &sync, &object, &provider, &lease, increment, failures).await
                }
                Step::Replace => {
                    let report = replace(&shared, &sync, &superseded).await;
                    if let Some(report) = &report {
                        tell(&shared, report);
                    }
                    // What was replaced is looked after by a task of its own.
                    if superseded.is_cancelled() || shared.stop.is_cancelled() {
                        return;
                    }
                    postpone(&shared, &sync, report.as_ref(), failures);
                    true
                }
            };
            failures = if failure { failures + 1 } else { 0 };
        }
    })
}

fn next(shared: &Shared, sync: &SyncKey) -> Option<Next> {
    let page = shared.ledger.page(sync)?;
    let entry = page.entry();
    entry.spec.as_ref()?;
    let lives = entry.kept.iter().filter_map(|(object, kept)| Some((object, kept, kept.life.as_ref()?)));
    let (object, first, life) = lives.min_by_key(|(_, _, life)| life.term.next())?;
    let step = match &first.lease {
        Some(lease) if life.term.extensible() => {
            Step::Renew(object.clone(), Arc::clone(&first.provider), lease.clone(), life.term.increment())
        }
        _ => Step::Replace,
    };
    let unbounded = |kept: &Kept| kept.life.is_some_and(|life| !life.bounded);
    let parents = entry.kept.iter().filter(|(_, kept)| unbounded(kept));
    let parents = parents.filter_map(|(object, kept)| Some((object.clone(), Arc::clone(kept.parent.as_ref()?))));
    Some(Next { at: life.term.next(), step, parents: parents.collect() })
}

/// Waits until it is known when one of the parents ends for good.
async fn first_end(parents: Vec<(ObjectKey, Arc<dyn Parent>)>) -> (ObjectKey, SystemTime) {
    let ends = parents.into_iter().map(|(object, parent)| {
        Box::pin(async move {
            let end = parent.last_end().await;
            (object, end)
        })
    });
    let ends: Vec<_> = ends.collect();
    if ends.is_empty() {
        return std::future::pending().await;
    }
    select_all(ends).await.0
}

/// Takes note that what something hangs on ends for good.
fn bound(shared: &Shared, sync: &SyncKey, object: &ObjectKey, end: SystemTime) {
    let Some(page) = shared.ledger.page(sync) else { return };
    let mut entry = page.entry();
    let Some(life) = entry.kept.get_mut(object).and_then(|kept| kept.life.as_mut()) else { return };
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    life.term = life.term.bounded(Instant::now(), left);
    life.expires_at = life.expires_at.min(end);
    life.bounded = true;
}

fn tell(shared: &Shared, report: &SyncReport) {
    if let Some(error) = &report.error {
        let (sync, error) = (&report.owner, error as &dyn std::error::Error);
        tracing::warn!(%sync, error, "something that was issued and ends was not replaced");
    }
    shared.observer.replaced(report);
    // Nobody listens where there is no watch.
    drop(shared.replacements.send(Arc::new(report.clone())));
}

/// Renews a lease, and says whether that failed.
async fn renew(
    shared: &Shared,
    sync: &SyncKey,
    object: &ObjectKey,
    provider: &Coalesce,
    lease: &Lease,
    increment: Duration,
    failures: u32,
) -> bool {
    let answer = match provider.leases() {
        Some(leases) => tokio::time::timeout(BOUND, leases.renew(lease, increment))
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Unavailable, "renew a lease").because("no answer in time"))),
        None => Err(Error::new(ErrorKind::Unsupported, "renew a lease")),
    };
    let Some(page) = shared.ledger.page(sync) else { return false };
    let mut entry = page.entry();
    note(&mut entry, object, lease, answer, failures)
}

/// Writes down what became of a renewal, unless the lease was replaced meanwhile.
fn note(entry: &mut Entry, object: &ObjectKey, lease: &Lease, answer: Result<Renewed, Error>, failures: u32) -> bool {
    let same = |held: &Lease| held.id() == lease.id();
    let Some(kept) = entry.kept.get_mut(object).filter(|kept| kept.lease.as_ref().is_some_and(same)) else {
        return false;
    };
    let Some(life) = &mut kept.life else { return false };
    let now = Instant::now();
    match answer {
        Ok(renewed) => {
            tracing::debug!(lease = lease.name(), lasts = ?renewed.lasts, "renewed a lease");
            life.expires_at = moment(SystemTime::now(), renewed.lasts);
            life.term = life.term.renewed(now, renewed);
            false
        }
        Err(error) => {
            tracing::warn!(lease = lease.name(), error = &error as &dyn std::error::Error, "a lease was not renewed");
            life.term = match error.retry() {
                Retry::Never => life.term.given_up(now),
                Retry::Backoff => life.term.postponed(now, pause(failures)),
                Retry::After(asked) => life.term.postponed(now, asked.max(pause(failures))),
            };
            true
        }
    }
}

/// Decides when a replacement that did not succeed is tried again.
fn postpone(shared: &Shared, sync: &SyncKey, report: Option<&SyncReport>, failures: u32) {
    let Some(page) = shared.ledger.page(sync) else { return };
    let mut entry = page.entry();
    let now = Instant::now();
    let advice = report.and_then(|report| report.error.as_ref()).map_or(Retry::Never, Error::retry);
    let lives = entry.kept.values_mut().filter_map(|kept| kept.life.as_mut());
    for life in lives.filter(|life| life.term.next() <= now) {
        let wait = match advice {
            Retry::Backoff => pause(failures),
            Retry::After(asked) => asked.max(pause(failures)),
            // Either only a change of the configuration helps, or something may have been issued whose answer was lost.
            Retry::Never => (life.term.left(now) / 2).clamp(SHORTEST_RESPITE, LONGEST_PAUSE).max(pause(failures)),
        };
        life.term = life.term.replaced_at(now + wait);
    }
}

/// A growing distance, and up to half of it less at random.
fn pause(failures: u32) -> Duration {
    let whole = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE).after(failures.saturating_add(1));
    whole.saturating_sub(jitter::part_of(whole / 2))
}

const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
const SHORTEST_RESPITE: Duration = Duration::from_secs(10);
