//! What one login gave, and how long it lasts.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

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

    /// Whether it serves a limited number of requests.
    pub fn is_counted(&self) -> bool {
        self.uses.is_some()
    }
}

/// One login, shared by everybody who uses it.
pub struct Login<T> {
    access: T,
    life: Mutex<Life>,
    leases: AtomicUsize,
}

#[derive(Clone, Copy)]
pub(super) struct Life {
    pub(super) term: Term,
    /// When the term began.
    pub(super) since: Instant,
    pub(super) used: Instant,
}

impl Life {
    pub(super) fn end(&self) -> Option<Instant> {
        match self.term.end {
            // An end beyond what a clock can say is none.
            End::After(time) => self.since.checked_add(time),
            End::Never | End::Unknown => None,
        }
    }
}

impl<T> Login<T> {
    pub(super) fn new(access: T, term: Term) -> Self {
        let now = Instant::now();
        Self { access, life: Mutex::new(Life { term, since: now, used: now }), leases: AtomicUsize::new(0) }
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
    /// the other side lets it, and neither given back nor closed.
    pub fn hold(self: &Arc<Self>) -> LeaseHold<T> {
        self.leases.fetch_add(1, Ordering::Relaxed);
        LeaseHold(Arc::clone(self))
    }

    /// Counts one use, unless it has ended or is used up.
    pub(super) fn take(&self) -> bool {
        let mut life = self.life();
        let now = Instant::now();
        if life.end().is_some_and(|end| end <= now) {
            return false;
        }
        if let Some(left) = &mut life.term.uses {
            match left.checked_sub(1) {
                Some(rest) => *left = rest,
                None => return false,
            }
        }
        life.used = now;
        true
    }

    /// Begins a new term. The uses that are left stay what they are: extending gives no new ones.
    pub(super) fn extend(&self, term: Term) {
        let mut life = self.life();
        let uses = life.term.uses.or(term.uses);
        (life.term, life.since) = (Term { uses, ..term }, Instant::now());
    }

    pub(super) fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_held(&self) -> bool {
        self.leases.load(Ordering::Relaxed) > 0
    }

    /// Whether it can serve another request, and so can be given back.
    pub(super) fn is_alive(&self) -> bool {
        let life = self.life();
        life.term.uses != Some(0) && life.end().is_none_or(|end| Instant::now() < end)
    }
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
        self.0.leases.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T> fmt::Debug for LeaseHold<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LeaseHold").field(&self.0).finish()
    }
}
