//! The background work for one sync: renews what can be renewed, and syncs again before something ends.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fresh::BOUND;
use super::{Entry, SyncKey};
use crate::engine::reads::ObjectKey;
use crate::engine::run::Mode;
use crate::engine::{Shared, run_all};
use crate::error::{Error, ErrorKind, Retry};
use crate::jitter;
use crate::layer::Coalesce;
use crate::provider::{Provider, Renewed};
use crate::schedule::Backoff;
use crate::secret::Lease;
use crate::sync::{SyncReport, SyncSpec};

/// Begins to look after what a sync was issued, until `superseded` or the engine stops.
pub(crate) fn start(shared: &Arc<Shared>, sync: SyncKey, superseded: CancellationToken) {
    drop(shared.tasks.spawn(upkeep(Arc::clone(shared), sync, superseded)));
}

/// What is to be done next.
enum Step {
    Renew(ObjectKey, Arc<Coalesce>, Lease, Duration),
    Replace(Box<SyncSpec>),
}

/// A type of its own: a replacement syncs, and a sync begins the next upkeep.
fn upkeep(shared: Arc<Shared>, sync: SyncKey, superseded: CancellationToken) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let mut failures = 0;
        while let Some((at, step)) = next(&shared, &sync).await {
            tokio::select! {
                biased;
                () = shared.stop.cancelled() => return,
                () = superseded.cancelled() => return,
                () = tokio::time::sleep_until(at) => {}
            }
            let failure = match step {
                Step::Renew(object, provider, lease, increment) => {
                    renew(&shared, &sync, &object, &provider, &lease, increment, failures).await
                }
                Step::Replace(spec) => {
                    let report = run_all(&shared, vec![*spec], Mode::Sync).await.pop();
                    // What was replaced is looked after by a task of its own.
                    if superseded.is_cancelled() || shared.stop.is_cancelled() {
                        return;
                    }
                    postpone(&shared, &sync, report.as_ref(), failures).await;
                    true
                }
            };
            failures = if failure { failures + 1 } else { 0 };
        }
    })
}

/// The first thing to do, and when.
async fn next(shared: &Shared, sync: &SyncKey) -> Option<(Instant, Step)> {
    let page = shared.ledger.page(sync)?;
    let entry = page.lock().await;
    let spec = entry.spec.as_ref()?;
    let (object, first) = entry.kept.iter().min_by_key(|(_, kept)| kept.term.next())?;
    let step = match &first.lease {
        Some(lease) if first.term.extensible() => {
            Step::Renew(object.clone(), Arc::clone(&first.provider), lease.clone(), first.term.increment())
        }
        _ => Step::Replace(Box::new(spec.clone())),
    };
    Some((first.term.next(), step))
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
    let mut entry = page.lock().await;
    note(&mut entry, object, lease, answer, failures)
}

/// Writes down what became of a renewal, unless the lease was replaced meanwhile.
fn note(entry: &mut Entry, object: &ObjectKey, lease: &Lease, answer: Result<Renewed, Error>, failures: u32) -> bool {
    let same = |held: &Lease| held.id() == lease.id();
    let Some(kept) = entry.kept.get_mut(object).filter(|kept| kept.lease.as_ref().is_some_and(same)) else {
        return false;
    };
    let now = Instant::now();
    match answer {
        Ok(renewed) => {
            tracing::debug!(lease = lease.id(), lasts = ?renewed.lasts, "renewed a lease");
            kept.expires_at = SystemTime::now() + renewed.lasts;
            kept.term = kept.term.renewed(now, renewed);
            false
        }
        Err(error) => {
            tracing::warn!(lease = lease.id(), error = &error as &dyn std::error::Error, "a lease was not renewed");
            kept.term = match error.retry() {
                Retry::Never => kept.term.given_up(now),
                Retry::Backoff => kept.term.postponed(now, pause(failures)),
                Retry::After(asked) => kept.term.postponed(now, asked.max(pause(failures))),
            };
            true
        }
    }
}

/// Decides when a replacement that did not succeed is tried again.
async fn postpone(shared: &Shared, sync: &SyncKey, report: Option<&SyncReport>, failures: u32) {
    let Some(page) = shared.ledger.page(sync) else { return };
    let mut entry = page.lock().await;
    let now = Instant::now();
    let advice = report.and_then(|report| report.error.as_ref()).map_or(Retry::Never, Error::retry);
    for kept in entry.kept.values_mut().filter(|kept| kept.term.next() <= now) {
        let wait = match advice {
            Retry::Backoff => pause(failures),
            Retry::After(asked) => asked.max(pause(failures)),
            // Either only a change of the configuration helps, or something may have been issued whose answer was lost.
            Retry::Never => (kept.term.left(now) / 2).clamp(SHORTEST_RESPITE, LONGEST_PAUSE).max(pause(failures)),
        };
        kept.term = kept.term.replaced_at(now + wait);
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
