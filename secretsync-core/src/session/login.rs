//! What one login gave, and how long it lasts.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::secret::Parent;

/// How long a login lasts, counted from its answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Term {
    pub(super) end: End,
    pub(super) renewable: bool,
    pub(super) uses: Option<u64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    After(Duration),
    Never,
    Unknown,
}

impl Term {
    /// It never ends by itself.
    pub fn endless() -> Self {
        Self { end: End::Never, renewable: false, uses: None }
    }

    /// It ends after this time.
    pub fn lasting(time: Duration) -> Self {
        Self { end: End::After(time), ..Self::endless() }
    }

    /// The login did not tell: [`Authenticator::inspect`](super::Authenticator::inspect) will be asked.
    pub fn unknown() -> Self {
        Self { end: End::Unknown, ..Self::endless() }
    }

    /// Says whether it can be extended.
    #[must_use]
    pub fn renewable(mut self, renewable: bool) -> Self {
        self.renewable = renewable;
        self
    }

    /// Bounds how many requests it serves.
    #[must_use]
    pub fn with_uses(mut self, uses: u64) -> Self {
        self.uses = Some(uses);
        self
    }

    /// Whether it can be extended.
    pub fn is_renewable(&self) -> bool {
        self.renewable
    }

    /// Whether it serves a limited number of requests.
    pub fn is_counted(&self) -> bool {
        self.uses.is_some()
    }
}

/// One login, shared by everybody who uses it.
pub struct Login<T> {
    access: T,
    /// Whether it served one request only from the beginning.
    single: bool,
    life: Mutex<Life>,
    /// Told whenever somebody who waits should look at the life again.
    changed: watch::Sender<()>,
}

#[derive(Clone, Copy)]
pub(super) struct Life {
    pub(super) term: Term,
    /// When the term began.
    pub(super) since: Instant,
    pub(super) used: Instant,
    /// How long it lasted at first: a renewal that gives less has met a limit.
    pub(super) granted: Option<Duration>,
    future: Future,
    /// How many things that live only as long as it does are in use.
    holds: usize,
    /// Whether such things stay in use although nobody looks after them any more.
    left: bool,
}

/// What becomes of a login at the end of its term.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Future {
    /// It may be extended.
    Open,
    /// It is extended no more.
    Last,
    /// It ended before.
    Ended(Instant),
}

impl Life {
    fn new(term: Term) -> Self {
        let now = Instant::now();
        let (granted, future) = (None, Future::Open);
        let mut life = Self { term, since: now, used: now, granted, future, holds: 0, left: false };
        life.begin();
        life
    }

    /// Decides whether the term that began is the last one.
    fn begin(&mut self) {
        let End::After(time) = self.term.end else { return };
        let granted = *self.granted.get_or_insert(time);
        // Extending costs one of the uses, and gives none back.
        let extensible = self.term.renewable && self.term.uses.is_none() && time >= granted.mul_f64(SHRUNK);
        self.future = if extensible { Future::Open } else { Future::Last };
    }

    pub(super) fn end(&self) -> Option<Instant> {
        match (self.future, self.term.end) {
            (Future::Ended(at), _) => Some(at),
            // An end beyond what a clock can say is none.
            (_, End::After(time)) => self.since.checked_add(time),
            (_, End::Never | End::Unknown) => None,
        }
    }

    fn is_over(&self) -> bool {
        self.end().is_some_and(|end| end <= Instant::now())
    }

    /// The end, once it is certain.
    fn last_end(&self) -> Option<Instant> {
        self.end().filter(|_| self.future != Future::Open || self.is_over())
    }

    /// Whether asking for more time is of use.
    pub(super) fn is_extensible(&self) -> bool {
        self.future == Future::Open && matches!(self.term.end, End::After(_))
    }
}

impl<T> Login<T> {
    pub(super) fn new(access: T, term: Term) -> Self {
        let single = term.uses.is_some_and(|uses| uses < 2);
        Self { access, single, life: Mutex::new(Life::new(term)), changed: watch::Sender::new(()) }
    }

    /// What the login gave.
    pub fn access(&self) -> &T {
        &self.access
    }

    /// When it ends unless it is extended, as far as that is known.
    pub fn ends_at(&self) -> Option<Instant> {
        self.life().end()
    }

    /// Takes note that something which lives only as long as this login was handed out: while the returned value exists, the login is extended as long as
    /// the other side lets it, and neither given back nor closed, and its last use is left alone. What is issued takes [`Session::hold`](super::Session::hold).
    pub fn hold(self: &Arc<Self>) -> LeaseHold<T> {
        self.life().holds += 1;
        LeaseHold(Arc::clone(self))
    }

    /// Counts one use, unless it has ended, is used up, or would end with that use while something hangs on it.
    pub(super) fn take(&self) -> bool {
        let mut life = self.life();
        let spare = u64::from(life.holds > 0);
        count(&mut life, spare)
    }

    /// Counts one use that may issue something, and holds the login for it. One more use must be left: what was issued would end with the last one.
    pub(super) fn take_held(self: &Arc<Self>) -> Option<LeaseHold<T>> {
        let mut life = self.life();
        if !count(&mut life, 1) {
            return None;
        }
        life.holds += 1;
        Some(LeaseHold(Arc::clone(self)))
    }

    /// Whether it could issue something when it was new.
    pub(super) fn can_issue(&self) -> bool {
        !self.single && !self.life().is_over()
    }

    /// Begins a new term. The uses that are left stay what they are: extending gives no new ones.
    pub(super) fn extend(&self, term: Term) {
        self.change(|life| {
            let uses = life.term.uses.or(term.uses);
            (life.term, life.since) = (Term { uses, ..term }, Instant::now());
            if !matches!(life.future, Future::Ended(_)) {
                life.begin();
            }
        });
    }

    /// Takes note that it is extended no more.
    pub(super) fn settle(&self) {
        self.change(|life| {
            if life.future == Future::Open {
                life.future = Future::Last;
            }
        });
    }

    /// Takes note that the other side takes it no more.
    pub(super) fn end_now(&self) {
        self.change(|life| {
            if !life.is_over() {
                life.future = Future::Ended(Instant::now());
            }
        });
    }

    pub(super) fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Life)) {
        change(&mut self.life());
        self.changed.send_replace(());
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn is_held(&self) -> bool {
        self.life().holds > 0
    }

    /// Whether what hangs on it is nobody's business any more: then it is neither extended nor given back after the close.
    pub(super) fn is_left(&self) -> bool {
        self.life().left
    }

    /// Whether it can serve another request, and so can be given back.
    pub(super) fn is_alive(&self) -> bool {
        let life = self.life();
        life.term.uses != Some(0) && !life.is_over()
    }
}

/// Counts one use if `spare` others are left then.
fn count(life: &mut Life, spare: u64) -> bool {
    if life.is_over() {
        return false;
    }
    if let Some(left) = &mut life.term.uses {
        if *left <= spare {
            return false;
        }
        *left -= 1;
    }
    life.used = Instant::now();
    true
}

impl<T> fmt::Debug for Login<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What it gave is a secret.
        f.debug_struct("Login").field("term", &self.life().term).finish_non_exhaustive()
    }
}

/// Keeps a login alive for what hangs on it; see [`Login::hold`].
pub struct LeaseHold<T>(Arc<Login<T>>);

impl<T> LeaseHold<T> {
    /// The login that is held.
    pub fn login(&self) -> &Arc<Login<T>> {
        &self.0
    }
}

impl<T> Drop for LeaseHold<T> {
    fn drop(&mut self) {
        self.0.change(|life| life.holds -= 1);
    }
}

#[async_trait]
impl<T: Send + Sync> Parent for LeaseHold<T> {
    fn ends_at(&self) -> Option<SystemTime> {
        self.0.ends_at().and_then(clock)
    }

    async fn last_end(&self) -> SystemTime {
        let mut changes = self.0.changes();
        loop {
            let end = self.0.life().last_end();
            if let Some(end) = end.and_then(clock) {
                return end;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn leave(&self) {
        self.0.change(|life| life.left = true);
    }
}

/// A moment on the clock of the world.
fn clock(at: Instant) -> Option<SystemTime> {
    let (now, world) = (Instant::now(), SystemTime::now());
    match at.checked_duration_since(now) {
        Some(left) => world.checked_add(left),
        None => world.checked_sub(now - at),
    }
}

impl<T> fmt::Debug for LeaseHold<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LeaseHold").field(&self.0).finish()
    }
}

/// A renewal that gives less than this part of the first term has met the longest life of the token: the next login is a new one.
const SHRUNK: f64 = 0.9;
