//! Something that was issued and is not in the target yet.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{Kept, Term};
use crate::error::Retry;
use crate::layer::Coalesce;
use crate::provider::Provider;
use crate::secret::{Lease, Secret};

/// Something new. Its drop gives the lease back.
#[derive(Debug)]
pub(crate) struct Fresh {
    secret: Secret,
    provider: Arc<Coalesce>,
    issued: Instant,
    runtime: Handle,
    tasks: TaskTracker,
    /// Until it is dropped, work is under way.
    _pending: TaskTrackerToken,
    abandoned: bool,
}

impl Fresh {
    /// Takes an answer that just came. Must be called within a runtime.
    pub(crate) fn new(secret: Secret, provider: Arc<Coalesce>, tasks: TaskTracker) -> Self {
        let (issued, runtime, pending) = (Instant::now(), Handle::current(), tasks.token());
        Self { secret, provider, issued, runtime, tasks, _pending: pending, abandoned: true }
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// It is in the target now. `None` where it has no end: then it is issued anew whenever the sync is due.
    pub(super) fn keep(mut self, repeated: u32) -> Option<Kept> {
        self.abandoned = false;
        let secret = self.secret.clone();
        let expires_at = secret.expires_at?;
        let lasts = expires_at.duration_since(SystemTime::now()).unwrap_or_default() + self.issued.elapsed();
        let term = if secret.rotates {
            Term::rotating(self.issued, lasts, repeated)
        } else {
            Term::new(self.issued, lasts, secret.lease.as_ref().is_some_and(Lease::renewable))
        };
        Some(Kept {
            lease: secret.lease.clone(),
            rotates: secret.rotates,
            provider: Arc::clone(&self.provider),
            secret: Some(secret),
            term,
            expires_at,
            repeated,
        })
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let Some(lease) = self.secret.lease.take().filter(|_| self.abandoned) else { return };
        let provider = Arc::clone(&self.provider);
        let work = async move { give_back(&provider, &lease).await };
        drop(self.tasks.spawn_on(work, &self.runtime));
    }
}

/// Gives a lease back, with a few tries. A failure is logged only: the lease ends by itself.
pub(crate) async fn give_back(provider: &Coalesce, lease: &Lease) {
    let Some(leases) = provider.leases() else { return };
    for pause in PAUSES {
        let answer = tokio::time::timeout(BOUND, leases.revoke(lease)).await;
        match answer {
            Ok(Ok(())) => return tracing::debug!(lease = lease.id(), "gave a lease back"),
            Ok(Err(error)) if error.retry() == Retry::Never => {
                let error = &error as &dyn std::error::Error;
                return tracing::warn!(lease = lease.id(), error, "a lease was not given back; it ends by itself");
            }
            _ => tokio::time::sleep(pause).await,
        }
    }
    tracing::warn!(lease = lease.id(), "a lease could not be given back; it ends by itself");
}

const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20)];
/// The bound of one attempt.
pub(super) const BOUND: Duration = Duration::from_secs(30);
