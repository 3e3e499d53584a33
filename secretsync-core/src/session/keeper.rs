//! The background work for one login: extend it, replace it before it ends, give it back when nobody needs it.

use std::ops::ControlFlow;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::login::{End, Login, Term};
use super::{Authenticator, Inner};
use crate::error::Retry;
use crate::jitter;

/// The background work for a login, as its session sees it.
pub(super) struct Handle<A: Authenticator> {
    login: Arc<Login<A::Access>>,
    task: AbortHandle,
    outlive: oneshot::Sender<Arc<Inner<A>>>,
}

impl<A: Authenticator> Handle<A> {
    /// Starts keeping a login.
    pub(super) fn start(session: &Arc<Inner<A>>, login: &Arc<Login<A::Access>>) -> Self {
        let (outlive, closed) = oneshot::channel();
        let keeper = Keeper::new(session, login);
        let task = tokio::spawn(keeper.run(closed)).abort_handle();
        Self { login: Arc::clone(login), task, outlive }
    }

    pub(super) fn keeps(&self, login: &Arc<Login<A::Access>>) -> bool {
        Arc::ptr_eq(&self.login, login)
    }

    pub(super) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends the work: the login is extended no more.
    pub(super) fn stop(self) {
        self.task.abort();
        self.login.settle();
    }

    /// Lets the work go on after the session was closed, until nothing hangs on the login any more.
    pub(super) fn outlive(self, session: &Arc<Inner<A>>) {
        // It may have come to its end just now.
        drop(self.outlive.send(Arc::clone(session)));
    }
}

struct Keeper<A: Authenticator> {
    /// Weak: nobody else's session must live on because of its background work.
    session: Weak<Inner<A>>,
    /// The session, once it was closed: what hangs on the login outlives it.
    closed: Option<Arc<Inner<A>>>,
    login: Arc<Login<A::Access>>,
    /// When to extend or replace it.
    due: Option<Instant>,
    /// Since when another login is in its place.
    superseded: Option<Instant>,
    failures: u32,
}

impl<A: Authenticator> Keeper<A> {
    fn new(session: &Arc<Inner<A>>, login: &Arc<Login<A::Access>>) -> Self {
        let (session, login) = (Arc::downgrade(session), Arc::clone(login));
        let mut keeper = Self { session, closed: None, login, due: None, superseded: None, failures: 0 };
        keeper.began();
        keeper
    }

    async fn run(mut self, mut closed: oneshot::Receiver<Arc<Inner<A>>>) {
        let mut changes = self.login.changes();
        loop {
            let Some(wake) = self.session.upgrade().map(|session| self.wake(&session)) else { return };
            tokio::select! {
                () = until(wake) => {}
                () = told(&mut changes) => {}
                session = &mut closed, if self.closed.is_none() => {
                    let Ok(session) = session else { return };
                    self.closed = Some(session);
                }
            }
            let Some(session) = self.session.upgrade() else { return };
            if self.act(&session).await.is_break() {
                return self.login.settle();
            }
        }
    }

    /// Reads the term that began.
    fn began(&mut self) {
        let life = *self.login.life();
        self.failures = 0;
        self.due = match life.term.end {
            End::Never => None,
            End::Unknown => Some(life.since + INSPECT_AFTER),
            End::After(time) => {
                let wait = time.mul_f64(EARLIEST) + jitter::part_of(time.mul_f64(LATEST - EARLIEST));
                life.since.checked_add(wait.max(SHORTEST))
            }
        };
    }

    /// The next moment at which there may be something to do by itself.
    fn wake(&self, session: &Inner<A>) -> Option<Instant> {
        let unneeded = (!self.login.is_held()).then(|| match self.superseded {
            Some(since) => since + RETIREMENT,
            None => self.login.life().used + session.settings.idle,
        });
        [self.due, unneeded].into_iter().flatten().min()
    }

    async fn act(&mut self, session: &Arc<Inner<A>>) -> ControlFlow<()> {
        let now = Instant::now();
        if self.closed.is_some() && self.login.is_left() {
            return ControlFlow::Break(());
        }
        if self.closed.is_none() && self.superseded.is_none() && !session.is_live(&self.login) {
            // Refused or closed: it is dead, or somebody else's to end. Replaced while it works: it stays until nobody needs it.
            if !session.is_retired(&self.login) {
                return ControlFlow::Break(());
            }
            self.superseded = Some(now);
        }
        if self.unneeded(session, now) && session.forget_unheld(&self.login) {
            session.end(&self.login).await;
            return ControlFlow::Break(());
        }
        if self.due.is_none_or(|due| now < due) {
            return ControlFlow::Continue(());
        }
        if self.login.ends_at().is_some_and(|end| end <= now) {
            session.forget(&self.login);
            return ControlFlow::Break(());
        }
        if self.login.life().term.end == End::Unknown {
            match session.authenticator.inspect(self.login.access()).await {
                Ok(term) => self.extended(term),
                Err(error) => self.failed(&error, "the end of a login could not be asked for"),
            }
        } else if self.login.life().is_extensible() {
            match session.authenticator.renew(self.login.access()).await {
                Ok(term) => self.extended(term),
                Err(error) if error.retry() == Retry::Never => self.login.settle(),
                Err(error) => self.failed(&error, "a login could not be extended"),
            }
        } else if self.superseded.is_none() && self.closed.is_none() {
            match session.relogin().await {
                Ok(()) => {
                    self.superseded = Some(Instant::now());
                    self.due = self.login.ends_at();
                }
                Err(error) => self.failed(&error, "a login could not be replaced before its end"),
            }
        } else {
            self.due = self.login.ends_at();
        }
        ControlFlow::Continue(())
    }

    /// Whether nobody needs the login but what hangs on it: another one is in its place and reads under way had time to end, or nobody used it for long.
    fn unneeded(&self, session: &Inner<A>, now: Instant) -> bool {
        match self.superseded {
            _ if self.closed.is_some() => true,
            Some(since) => since + RETIREMENT <= now,
            None => self.login.life().used + session.settings.idle <= now,
        }
    }

    fn extended(&mut self, term: Term) {
        self.login.extend(term);
        self.began();
    }

    /// Waits a little longer after each failure.
    fn failed(&mut self, error: &crate::Error, what: &'static str) {
        tracing::warn!(error = error as &dyn std::error::Error, "{what}");
        let life = *self.login.life();
        let first = life.granted.map_or(LONGEST_PAUSE, |granted| granted.mul_f64(FIRST_PAUSE)).min(FIRST_PAUSE_AT_MOST);
        let pause = first.max(SHORTEST).saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        let pause = match error.retry() {
            Retry::After(asked) => pause.max(asked),
            _ => pause,
        };
        self.failures += 1;
        // What hangs on the login needs time to be replaced: the next one is a new one.
        if let (Some(granted), Some(end)) = (life.granted, life.end())
            && end.saturating_duration_since(Instant::now()) <= granted.mul_f64(HOPELESS)
        {
            self.login.settle();
        }
        self.due = Instant::now().checked_add(pause + jitter::part_of(pause / 4));
    }
}

impl<A: Authenticator> Inner<A> {
    pub(super) fn is_live(&self, login: &Arc<Login<A::Access>>) -> bool {
        self.state().live.as_ref().is_some_and(|live| Arc::ptr_eq(live, login))
    }

    fn is_retired(&self, login: &Arc<Login<A::Access>>) -> bool {
        self.state().retired.iter().any(|retired| Arc::ptr_eq(retired, login))
    }

    /// Forgets a login that is given back, unless something hangs on it now.
    fn forget_unheld(&self, login: &Arc<Login<A::Access>>) -> bool {
        let mut state = self.state();
        // Whoever takes the live one has the state locked.
        if login.is_held() {
            return false;
        }
        state.live.take_if(|live| Arc::ptr_eq(live, login));
        state.retired.retain(|retired| !Arc::ptr_eq(retired, login));
        true
    }

    /// Makes a login although there is one that still works.
    async fn relogin(self: &Arc<Self>) -> crate::Result<()> {
        let pending = self.pending(&mut self.state())?;
        pending.await.map(drop)
    }
}

/// Waits for a moment, for ever if there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Waits until somebody changed the login.
async fn told(changes: &mut watch::Receiver<()>) {
    if changes.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// When a login that did not tell its end is asked for it: not at once, so that a short run costs no request more.
const INSPECT_AFTER: Duration = Duration::from_secs(1);
/// Which part of a term passes before it is extended.
const EARLIEST: f64 = 0.55;
const LATEST: f64 = 0.7;
/// A login that could not be extended until so little of its term is left is counted as lost.
const HOPELESS: f64 = 0.15;
/// How long a replaced login lives on: longer than any request that was sent with it.
const RETIREMENT: Duration = Duration::from_mins(1);
/// The shortest time between two tries.
const SHORTEST: Duration = Duration::from_millis(250);
/// The first pause after a failure, as a part of the term.
const FIRST_PAUSE: f64 = 0.1;
const FIRST_PAUSE_AT_MOST: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
