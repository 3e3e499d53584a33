//! The only retry loop.

mod budget;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::budget::Budget;
use crate::error::{Result, Retry};
use crate::object::{ObjectRef, Read};
use crate::provider::{Asked, FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef, Request};
use crate::schedule::Backoff;

/// Tries again what can succeed later: only the objects that failed, only where the error advises it, never an issuing read. When calls fail one after
/// the other, about a hundred retries in all are the last, until calls succeed again: the calls themselves go on, once each.
#[derive(Debug)]
pub struct Retrying {
    inner: Arc<dyn Provider>,
    settings: RetrySettings,
    budget: Budget,
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
        Self { inner, settings, budget: Budget::default() }
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
        let mut answer = call().await;
        let mut retried = false;
        for next in self.settings.pauses() {
            let wait = answer.as_ref().err().and_then(|error| self.pause(error.retry(), next));
            let Some(wait) = wait.filter(|_| self.budget.take()) else { break };
            retried = true;
            tokio::time::sleep(wait).await;
            answer = call().await;
        }
        if answer.is_ok() {
            self.budget.succeeded(retried);
        }
        answer
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
        let mut retried = false;
        for next in self.settings.pauses() {
            let (indexes, wait) = self.again(objects, &answers, next);
            if indexes.is_empty() || !self.budget.take() {
                break;
            }
            retried = true;
            tracing::debug!(provider = %self.info().name, objects = indexes.len(), ?wait, "trying again");
            tokio::time::sleep(wait).await;
            let pending: Vec<_> = indexes.iter().map(|&index| objects[index].clone()).collect();
            for (index, answer) in indexes.into_iter().zip(self.inner.fetch(&pending, options).await) {
                answers[index] = answer;
            }
        }
        if answers.iter().any(Result::is_ok) {
            self.budget.succeeded(retried);
        }
        answers
    }

    async fn find(&self, query: &Query) -> Result<Vec<Found>> {
        self.repeat(|| self.inner.find(query)).await
    }

    fn requests(&self, asked: Asked<'_>) -> Vec<Request> {
        self.inner.requests(asked)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};
    use crate::memory::MemoryProvider;
    use crate::secret::{Secret, SecretValue};

    #[tokio::test(start_paused = true)]
    async fn a_store_that_only_fails_is_asked_once_for_each_call_in_the_end() {
        let busy = Error::new(ErrorKind::RateLimited, "read");
        let provider =
            MemoryProvider::new("p").with_failure("busy", busy).with("good", Secret::bytes(SecretValue::from("x")));
        let provider = Arc::new(provider);
        let retrying = Retrying::new(Arc::clone(&provider) as _, RetrySettings::default());
        let ask = async |key: &str| drop(retrying.fetch(&[ObjectRef::new(key)], &FetchOptions::default()).await);
        for _ in 0..100 {
            ask("busy").await;
        }
        assert_eq!(provider.reads("busy"), 100 + 100);
        // Five successes pay for one retry.
        for _ in 0..5 {
            ask("good").await;
        }
        ask("busy").await;
        ask("busy").await;
        assert_eq!(provider.reads("busy"), 200 + 3);
    }
}
