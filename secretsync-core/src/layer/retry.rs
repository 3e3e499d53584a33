//! The only retry loop.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::{Result, Retry};
use crate::object::{ObjectRef, Read};
use crate::provider::{FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef};
use crate::schedule::Backoff;

/// Tries again what can succeed later: only the objects that failed, only where the error advises it, never an issuing read.
#[derive(Debug)]
pub struct Retrying {
    inner: Arc<dyn Provider>,
    settings: RetrySettings,
}

/// How often and when to try again.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct RetrySettings {
    /// How many times a call is repeated at most.
    pub retries: usize,
    /// The first pause; each further one is twice as long, with jitter.
    pub pause: Duration,
    /// The longest pause, before up to as much again of jitter. When the other side asks for a longer one, its answer stands and the caller decides.
    pub longest: Duration,
}

impl Default for RetrySettings {
    /// Three retries, beginning with a quarter of a second, about 10 s apart at most.
    fn default() -> Self {
        Self { retries: 3, pause: Duration::from_millis(250), longest: Duration::from_secs(10) }
    }
}

impl RetrySettings {
    /// A number of retries and the first pause.
    pub fn new(retries: usize, pause: Duration) -> Self {
        Self { retries, pause, ..Self::default() }
    }

    fn pauses(&self) -> impl Iterator<Item = Duration> + use<> {
        let backoff = Backoff::new(self.pause, self.longest);
        let retries = u32::try_from(self.retries).unwrap_or(u32::MAX);
        (1..=retries).map(move |failures| backoff.spread(failures, 1))
    }
}

impl Retrying {
    /// Retries the calls of `inner`.
    pub fn new(inner: Arc<dyn Provider>, settings: RetrySettings) -> Self {
        Self { inner, settings }
    }

    /// The pause before trying again, or `None` when the answer stands.
    fn pause(&self, advice: Retry, next: Duration) -> Option<Duration> {
        match advice {
            Retry::Never => None,
            Retry::Backoff => Some(next),
            Retry::After(asked) => (asked <= self.settings.longest).then_some(asked.max(next)),
        }
    }

    /// Which answers are worth another try, and how long to wait for all of them.
    fn again(&self, objects: &[ObjectRef], answers: &[Result<Fetched>], next: Duration) -> (Vec<usize>, Duration) {
        let mut wait = Duration::ZERO;
        let worth = objects.iter().zip(answers).enumerate().filter_map(|(index, (object, answer))| {
            let error = answer.as_ref().err()?;
            if object.read() == Read::Issuing {
                return None;
            }
            wait = wait.max(self.pause(error.retry(), next)?);
            Some(index)
        });
        (worth.collect(), wait)
    }

    async fn repeat<T, F>(&self, mut call: impl FnMut() -> F + Send) -> Result<T>
    where
        T: Send,
        F: Future<Output = Result<T>> + Send,
    {
        for next in self.settings.pauses() {
            match call().await {
                Err(error) if self.pause(error.retry(), next).is_some() => {
                    tokio::time::sleep(self.pause(error.retry(), next).unwrap_or(next)).await;
                }
                answer => return answer,
            }
        }
        call().await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Retrying {
    fn info(&self) -> &ProviderInfo {
        self.inner.info()
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        self.inner.address(reference)
    }

    async fn reading(&self, object: &ObjectRef) -> Result<Read> {
        self.repeat(|| self.inner.reading(object)).await
    }

    async fn fetch(&self, objects: &[ObjectRef], options: &FetchOptions) -> Vec<Result<Fetched>> {
        let mut answers = self.inner.fetch(objects, options).await;
        for next in self.settings.pauses() {
            let (indexes, wait) = self.again(objects, &answers, next);
            if indexes.is_empty() {
                break;
            }
            tracing::debug!(provider = %self.info().name, objects = indexes.len(), ?wait, "trying again");
            tokio::time::sleep(wait).await;
            let pending: Vec<_> = indexes.iter().map(|&index| objects[index].clone()).collect();
            for (index, answer) in indexes.into_iter().zip(self.inner.fetch(&pending, options).await) {
                answers[index] = answer;
            }
        }
        answers
    }

    async fn find(&self, query: &Query) -> Result<Vec<Found>> {
        self.repeat(|| self.inner.find(query)).await
    }

    async fn check(&self) -> Result<()> {
        self.repeat(|| self.inner.check()).await
    }

    fn leases(&self) -> Option<&dyn Leases> {
        self.inner.leases()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
