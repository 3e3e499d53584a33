//! The bound of one attempt.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::object::{ObjectRef, Read};
use crate::provider::{Asked, FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef, Request};

/// Ends a call that takes too long with [`ErrorKind::Unavailable`].
#[derive(Debug)]
pub struct Timeout {
    inner: Arc<dyn Provider>,
    bound: Duration,
}

impl Timeout {
    /// Bounds each call to `bound`; [`FetchOptions::timeout`] overrides it for a fetch.
    pub fn new(inner: Arc<dyn Provider>, bound: Duration) -> Self {
        Self { inner, bound }
    }

    fn expired(&self, operation: &'static str, bound: Duration) -> Error {
        let name = &self.inner.info().name;
        Error::new(ErrorKind::Unavailable, operation)
            .on(format!("from {name}"))
            .because(format!("no answer within {bound:?}"))
            .with_hint(Hint::new(
                Code::ProviderUnavailable,
                "check that the provider's server is reachable and not overloaded",
            ))
    }

    async fn within<T>(&self, operation: &'static str, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        match tokio::time::timeout(self.bound, call).await {
            Ok(answer) => answer,
            Err(_) => Err(self.expired(operation, self.bound)),
        }
    }
}

/// Makes sure that there are as many answers as questions, before any layer relies on it: a missing one must not shift its neighbours.
fn one_for_each(objects: &[ObjectRef], answers: Vec<Result<Fetched>>) -> Vec<Result<Fetched>> {
    if answers.len() == objects.len() {
        return answers;
    }
    let defect = |object: &ObjectRef| {
        let detail = format!("the provider gave {} answers to {} questions", answers.len(), objects.len());
        Err(Error::new(ErrorKind::Internal, "read")
            .on(format!("`{object}`"))
            .because(detail)
            .with_hint(Hint::new(Code::InternalDefect, "report it to the author of the provider")))
    };
    objects.iter().map(defect).collect()
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Timeout {
    fn info(&self) -> &ProviderInfo {
        self.inner.info()
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        self.inner.address(reference)
    }

    async fn reading(&self, object: &ObjectRef) -> Result<Read> {
        self.within("ask what reading does", self.inner.reading(object)).await
    }

    async fn fetch(&self, objects: &[ObjectRef], options: &FetchOptions) -> Vec<Result<Fetched>> {
        let bound = options.timeout.unwrap_or(self.bound);
        if objects.is_empty() {
            return Vec::new();
        }
        match tokio::time::timeout(bound, self.inner.fetch(objects, options)).await {
            Ok(answers) => one_for_each(objects, answers),
            Err(_) => objects.iter().map(|_| Err(self.expired("read", bound))).collect(),
        }
    }

    async fn find(&self, query: &Query) -> Result<Vec<Found>> {
        self.within("find objects", self.inner.find(query)).await
    }

    fn requests(&self, asked: Asked<'_>) -> Vec<Request> {
        self.inner.requests(asked)
    }

    async fn check(&self) -> Result<()> {
        self.within("check the connection", self.inner.check()).await
    }

    fn leases(&self) -> Option<&dyn Leases> {
        self.inner.leases()
    }

    async fn close(&self) {
        // A provider that cannot say goodbye in time is left behind; its sessions end by themselves.
        drop(tokio::time::timeout(self.bound, self.inner.close()).await);
    }
}
