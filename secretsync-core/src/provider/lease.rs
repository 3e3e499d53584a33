//! Renewing and revoking what issuing reads handed out.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::secret::Lease;

/// The leases of a provider whose reads can issue something.
#[async_trait]
pub trait Leases: fmt::Debug + Send + Sync {
    /// Extends a lease by about `increment` from now. MUST tell how long it lasts in fact.
    async fn renew(&self, lease: &Lease, increment: Duration) -> Result<Renewed>;

    /// Ends a lease now. Ending one that is gone succeeds.
    async fn revoke(&self, lease: &Lease) -> Result<()>;
}

/// What a renewal achieved.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Renewed {
    /// How long the lease lasts from now. Shorter than asked means that its end is near.
    pub lasts: Duration,
    /// Whether it can be extended again.
    pub renewable: bool,
}

impl Renewed {
    /// A lease that lasts this long from now.
    pub fn new(lasts: Duration, renewable: bool) -> Self {
        Self { lasts, renewable }
    }
}
