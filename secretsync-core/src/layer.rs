//! Policies around a provider, each a [`Provider`] itself, stacked by one function in the one legal order.
//!
//! Outermost first: *coalesce*, *breaker*, *retry*, *limit*, *timeout*. The breaker counts what retries could not mend. A retry inside a shared read happens once for all who wait; a pause between two attempts
//! holds no slot of the limit; the timeout bounds one attempt, so waiting for a slot is no failure.
//!
//! *Coalesce* is also what batches: it alone knows everything that a pass will need, because the engine announces it before the first read. Where one request of
//! the provider reads many objects ([`ProviderInfo::per_request`](crate::provider::ProviderInfo::per_request)), the first who asks takes along what
//! others announced until the request is full. Retry, limit and timeout then see one call, and try again only those of its objects that failed.

mod breaker;
mod coalesce;
mod limit;
mod retry;
mod timeout;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

pub use breaker::{Breaker, BreakerSettings};
pub use coalesce::{Coalesce, Expectation};
pub(crate) use coalesce::{Rehearsal, goes_along};
pub use limit::Limit;
pub use retry::{RetrySettings, Retrying};
pub use timeout::Timeout;

use crate::provider::Provider;

/// The settings of the layers around one provider.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct LayerSettings {
    /// How many calls are under way at once at most.
    pub concurrency: NonZeroUsize,
    /// The bound of one attempt.
    pub timeout: Duration,
    /// How often and when a read is tried again.
    pub retry: RetrySettings,
    /// When a store that fails is left alone.
    pub breaker: BreakerSettings,
}

impl Default for LayerSettings {
    /// 32 calls at once, 30 s for an attempt, three retries within seconds, and a pause after five failures in a row.
    fn default() -> Self {
        Self {
            concurrency: NonZeroUsize::MIN.saturating_add(31),
            timeout: Duration::from_secs(30),
            retry: RetrySettings::default(),
            breaker: BreakerSettings::default(),
        }
    }
}

/// Puts every layer around a provider.
pub fn stack(provider: Arc<dyn Provider>, settings: &LayerSettings) -> Coalesce {
    let timed = Timeout::new(provider, settings.timeout);
    let limited = Limit::new(Arc::new(timed), settings.concurrency);
    let retrying = Retrying::new(Arc::new(limited), settings.retry.clone());
    let breaker = Breaker::new(Arc::new(retrying), settings.breaker.clone());
    Coalesce::new(Arc::new(breaker))
}
