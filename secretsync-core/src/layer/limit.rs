//! How many calls are under way at once.

use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::Result;
use crate::object::{ObjectRef, Read};
use crate::provider::{Asked, FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef, Request};

/// Lets at most a fixed number of calls through at once; the others wait in order.
#[derive(Debug)]
pub struct Limit {
    inner: Arc<dyn Provider>,
    slots: Semaphore,
}

impl Limit {
    /// Lets `concurrency` calls through at once.
    pub fn new(inner: Arc<dyn Provider>, concurrency: NonZeroUsize) -> Self {
        Self { inner, slots: Semaphore::new(concurrency.get().min(Semaphore::MAX_PERMITS)) }
    }

    async fn slot(&self) -> SemaphorePermit<'_> {
        self.slots.acquire().await.expect("the semaphore is never closed")
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Limit {
    fn info(&self) -> &ProviderInfo {
        self.inner.info()
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        self.inner.address(reference)
    }

    async fn reading(&self, object: &ObjectRef) -> Result<Read> {
        let _slot = self.slot().await;
        self.inner.reading(object).await
    }

    async fn fetch(&self, objects: &[ObjectRef], options: &FetchOptions) -> Vec<Result<Fetched>> {
        let _slot = self.slot().await;
        self.inner.fetch(objects, options).await
    }

    async fn find(&self, query: &Query) -> Result<Vec<Found>> {
        let _slot = self.slot().await;
        self.inner.find(query).await
    }

    fn requests(&self, asked: Asked<'_>) -> Vec<Request> {
        self.inner.requests(asked)
    }

    async fn check(&self) -> Result<()> {
        let _slot = self.slot().await;
        self.inner.check().await
    }

    fn leases(&self) -> Option<&dyn Leases> {
        self.inner.leases()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
