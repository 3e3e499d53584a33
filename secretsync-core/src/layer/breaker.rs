//! Leaves a store alone that cannot answer anyway.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result, Retry};
use crate::jitter;
use crate::object::{ObjectRef, Read};
use crate::provider::{Asked, FetchOptions, Fetched, Found, Leases, Provider, ProviderInfo, Query, RemoteRef, Request};

/// Refuses calls for a while after several in a row failed for reasons of the whole store: it is unavailable, asks to slow down, or refuses the login.
/// Then one call goes through as a probe, and its success lets all others through again. What is wrong with one object never counts.
pub struct Breaker {
    inner: Arc<dyn Provider>,
    settings: BreakerSettings,
    state: Mutex<State>,
}

/// When to leave a store alone, and for how long.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct BreakerSettings {
    /// So many answers in a row must fail. Each of them was tried as often as the retries allow.
    pub failures: usize,
    /// The first pause, twice as long after each probe that failed; with up to half as much again of jitter.
    pub pause: Duration,
    /// The longest pause, but for what the other side asks for.
    pub longest: Duration,
}

impl Default for BreakerSettings {
    /// Five failures, pauses from one second to one minute.
    fn default() -> Self {
        Self { failures: 5, pause: Duration::from_secs(1), longest: Duration::from_mins(1) }
    }
}

#[derive(Default)]
struct State {
    /// Failures since the last answer.
    failures: usize,
    open: Option<Open>,
}

struct Open {
    error: Error,
    pause: Duration,
    until: Instant,
    probing: bool,
}

/// A call that was let through.
struct Pass<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

impl Breaker {
    /// Watches over the calls of `inner`.
    pub fn new(inner: Arc<dyn Provider>, settings: BreakerSettings) -> Self {
        Self { inner, settings, state: Mutex::default() }
    }

    /// Lets a call through, as the probe where one is due; else why not, and how long that will be so.
    fn enter(&self) -> Result<Pass<'_>, (Error, Duration)> {
        let mut state = self.state();
        let Some(open) = &mut state.open else { return Ok(Pass { breaker: self, probe: false }) };
        let left = open.until.saturating_duration_since(Instant::now());
        if open.probing || !left.is_zero() {
            return Err((open.error.clone(), left.max(self.settings.pause)));
        }
        open.probing = true;
        Ok(Pass { breaker: self, probe: true })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent between any two statements that hold the lock, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn new(error: &Error, pause: Duration) -> Self {
        let asked = match error.retry() {
            Retry::After(asked) => asked,
            _ => Duration::ZERO,
        };
        let wait = pause + jitter::part_of(pause / 2);
        Self { error: error.clone(), pause, until: Instant::now() + wait.max(asked), probing: false }
    }
}

impl Pass<'_> {
    /// Takes note of the answers: any that the store could give proves that it works.
    fn note<'e>(self, answers: impl Iterator<Item = Option<&'e Error>>) {
        let settings = &self.breaker.settings;
        let mut state = self.breaker.state();
        let mut last = None;
        for answer in answers {
            let Some(error) = answer.filter(|error| counts(error)) else {
                *state = State::default();
                return;
            };
            state.failures += 1;
            last = Some(error);
        }
        let Some(error) = last else { return };
        let pause = match &state.open {
            Some(open) if self.probe => settings.longest.min(open.pause.saturating_mul(2)),
            None if state.failures >= settings.failures || matches!(error.retry(), Retry::After(_)) => settings.pause,
            // It was sent before the others failed, or the others did not fail.
            Some(_) | None => return,
        };
        tracing::warn!(provider = %self.breaker.info().name, "the store fails: it is left alone for a while");
        state.open = Some(Open::new(error, pause));
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe
            && let Some(open) = &mut self.breaker.state().open
        {
            // A probe that was given up has proved nothing: the next call is another one.
            open.probing = false;
        }
    }
}

/// Whether a failure is one of the whole store.
fn counts(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::RateLimited | ErrorKind::Unauthenticated)
}

fn refused(operation: &'static str, subject: impl fmt::Display, cause: Error, left: Duration) -> Error {
    let error = Error::new(cause.kind(), operation)
        .on(subject)
        .because("the store failed a moment ago and is not asked again yet")
        .with_retry(Retry::After(left));
    let error = match cause.hint() {
        Some(hint) => error.with_hint(hint.clone()),
        None => error,
    };
    error.with_source(cause)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Breaker {
    fn info(&self) -> &ProviderInfo {
        self.inner.info()
    }

    fn address(&self, reference: &RemoteRef) -> Result<ObjectRef> {
        self.inner.address(reference)
    }

    /// Passes through: mostly answered from memory, so it proves nothing about the store.
    async fn reading(&self, object: &ObjectRef) -> Result<Read> {
        self.inner.reading(object).await
    }

    async fn fetch(&self, objects: &[ObjectRef], options: &FetchOptions) -> Vec<Result<Fetched>> {
        if objects.is_empty() {
            return Vec::new();
        }
        let pass = match self.enter() {
            Ok(pass) => pass,
            Err((error, left)) => {
                let refuse = |object| refused("read", format!("`{object}`"), error.clone(), left);
                return objects.iter().map(|object| Err(refuse(object))).collect();
            }
        };
        let answers = self.inner.fetch(objects, options).await;
        pass.note(answers.iter().map(|answer| answer.as_ref().err()));
        answers
    }

    async fn find(&self, query: &Query) -> Result<Vec<Found>> {
        let pass = self
            .enter()
            .map_err(|(error, left)| refused("find objects", format!("in {}", self.info().name), error, left))?;
        let answer = self.inner.find(query).await;
        pass.note(std::iter::once(answer.as_ref().err()));
        answer
    }

    fn requests(&self, asked: Asked<'_>) -> Vec<Request> {
        self.inner.requests(asked)
    }

    /// Asked in any case: it is the question whether the store works.
    async fn check(&self) -> Result<()> {
        let pass = Pass { breaker: self, probe: false };
        let answer = self.inner.check().await;
        pass.note(std::iter::once(answer.as_ref().err()));
        answer
    }

    fn leases(&self) -> Option<&dyn Leases> {
        self.inner.leases()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("inner", &self.inner).finish_non_exhaustive()
    }
}
