//! The background work for one login: extend it, replace it before it ends, give it back when nobody needs it.

use std::ops::ControlFlow;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::login::{End, Login, Term};
use super::{Authenticator, Inner};
use crate::error::Retry;
use crate::jitter;

/// Starts keeping a login.
pub(super) fn start<A: Authenticator>(session: &Arc<Inner<A>>, login: &Arc<Login<A::Access>>) -> AbortHandle {
    let keeper = Keeper::new(session, login);
    tokio::spawn(keeper.run()).abort_handle()
}

struct Keeper<A: Authenticator> {
    /// Weak: nobody else's session must live on because of its background work.
    session: Weak<Inner<A>>,
    login: Arc<Login<A::Access>>,
    /// How long the login lasted at first: a renewal that gives less has met a limit.
    granted: Option<Duration>,
    /// Whether asking for more time is of use.
    renewable: bool,
    /// When to extend or replace it.
    due: Option<Instant>,
    /// Since when another login is in its place.
    superseded: Option<Instant>,
    failures: u32,
}

impl<A: Authenticator> Keeper<A> {
    fn new(session: &Arc<Inner<A>>, login: &Arc<Login<A::Access>>) -> Self {
        let mut keeper = Self {
            session: Arc::downgrade(session),
            login: Arc::clone(login),
            granted: None,
            renewable: false,
            due: None,
            superseded: None,
            failures: 0,
        };
        keeper.began();
        keeper
    }

    async fn run(mut self) {
        loop {
            let Some(wake) = self.session.upgrade().map(|session| self.wake(&session)) else { return };
            sleep_until(wake).await;
            let Some(session) = self.session.upgrade() else { return };
            if self.act(&session).await.is_break() {
                return;
            }
        }
    }

    /// Reads the term that began.
    fn began(&mut self) {
        let life = *self.login.life();
        // Extending costs one of the uses, and gives none back.
        self.renewable = life.term.renewable && life.term.uses.is_none();
        self.failures = 0;
        self.due = match life.term.end {
            End::Never => None,
            End::Unknown => Some(life.since + INSPECT_AFTER),
            End::After(time) => {
                self.renewable &= self.granted.is_none_or(|granted| time >= granted.mul_f64(SHRUNK));
                self.granted.get_or_insert(time);
                let wait = time.mul_f64(EARLIEST) + jitter::part_of(time.mul_f64(LATEST - EARLIEST));
                life.since.checked_add(wait.max(SHORTEST))
            }
        };
    }

    /// The next moment at which there may be something to do.
    fn wake(&self, session: &Inner<A>) -> Instant {
        let other = match self.superseded {
            Some(since) => since + RETIREMENT,
            None => self.login.life().used + session.settings.idle,
        };
        let other = if self.login.is_held() { other.max(Instant::now() + RETIREMENT) } else { other };
        self.due.map_or(other, |due| due.min(other))
    }

    async fn act(&mut self, session: &Arc<Inner<A>>) -> ControlFlow<()> {
        let now = Instant::now();
        if self.superseded.is_none() && !session.is_live(&self.login) {
            // Refused or closed: it is dead, or somebody else's to end. Replaced while it works: it stays until nobody needs it.
            if !session.is_retired(&self.login) {
                return ControlFlow::Break(());
            }
            self.superseded = Some(now);
        }
        if !self.login.is_held() && self.unneeded(session, now) {
            session.drop_login(&self.login);
            session.end(&self.login).await;
            return ControlFlow::Break(());
        }
        if self.due.is_none_or(|due| now < due) {
            return ControlFlow::Continue(());
        }
        if self.login.ends_at().is_some_and(|end| end <= now) {
            session.drop_login(&self.login);
            return ControlFlow::Break(());
        }
        if self.login.life().term.end == End::Unknown {
            match session.authenticator.inspect(self.login.access()).await {
                Ok(term) => self.extended(term),
                Err(error) => self.failed(&error, "the end of a login could not be asked for"),
            }
        } else if self.renewable {
            match session.authenticator.renew(self.login.access()).await {
                Ok(term) => self.extended(term),
                Err(error) if error.retry() == Retry::Never => self.renewable = false,
                Err(error) => self.failed(&error, "a login could not be extended"),
            }
        } else if self.superseded.is_none() {
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

    /// Whether nobody needs the login: another one is in its place and reads under way had time to end, or nobody used it for long.
    fn unneeded(&self, session: &Inner<A>, now: Instant) -> bool {
        match self.superseded {
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
        let first = self.granted.map_or(LONGEST_PAUSE, |granted| granted.mul_f64(FIRST_PAUSE)).min(FIRST_PAUSE_AT_MOST);
        let pause = first.max(SHORTEST).saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        let pause = match error.retry() {
            Retry::After(asked) => pause.max(asked),
            _ => pause,
        };
        self.failures += 1;
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

    /// Forgets a login that has ended or is given back.
    fn drop_login(&self, login: &Arc<Login<A::Access>>) {
        let mut state = self.state();
        state.live.take_if(|live| Arc::ptr_eq(live, login));
        state.retired.retain(|retired| !Arc::ptr_eq(retired, login));
    }

    /// Makes a login although there is one that still works.
    async fn relogin(self: &Arc<Self>) -> crate::Result<()> {
        let pending = self.pending(&mut self.state())?;
        pending.await.map(drop)
    }
}

/// When a login that did not tell its end is asked for it: not at once, so that a short run costs no request more.
const INSPECT_AFTER: Duration = Duration::from_secs(1);
/// Which part of a term passes before it is extended.
const EARLIEST: f64 = 0.55;
const LATEST: f64 = 0.7;
/// A renewal that gives less than this part of the first term has met the longest life of the token: the next login is a new one.
const SHRUNK: f64 = 0.9;
/// How long a replaced login lives on: longer than any request that was sent with it.
const RETIREMENT: Duration = Duration::from_mins(1);
/// The shortest time between two tries.
const SHORTEST: Duration = Duration::from_millis(250);
/// The first pause after a failure, as a part of the term.
const FIRST_PAUSE: f64 = 0.1;
const FIRST_PAUSE_AT_MOST: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
