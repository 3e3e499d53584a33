//! One login for an identity: a helper for provider crates, not a layer.
//!
//! A [`Session`] logs in when something is first needed, hands the same login to everybody, renews it in the background before it ends, and puts
//! another one in its place when it cannot be renewed or was refused. A [`SessionPool`] shares sessions among stores of the same identity.

mod keeper;
mod login;
mod pool;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, join_all};
use tokio::time::Instant;

use keeper::Handle;
pub use login::{LeaseHold, Login, Term};
pub use pool::{SessionPool, SharedSession};

use crate::error::{Code, Error, ErrorKind, Hint, Result, Retry};

/// Makes logins of one identity and ends them.
///
/// # Secrets
///
/// No credential and no token may appear in an error or in `Debug`.
#[async_trait]
pub trait Authenticator: fmt::Debug + Send + Sync + 'static {
    /// What a login gives: connections and a token, for example.
    type Access: Send + Sync + 'static;

    /// Logs in with credentials that are resolved now, so that a rotated one is found. It is never asked twice at once, and it is not cancelled
    /// with whoever asked first.
    async fn log_in(&self) -> Result<(Self::Access, Term)>;

    /// How long an access lasts whose login did not tell ([`Term::unknown`]). Asked once for a login, in the background.
    async fn inspect(&self, access: &Self::Access) -> Result<Term>;

    /// Extends an access that is renewable. An error with [`Retry::Never`] says that it will never work.
    async fn renew(&self, access: &Self::Access) -> Result<Term>;

    /// Gives an access back that nobody will use any more. A failure is for the log only: it ends by itself.
    async fn end(&self, access: &Self::Access);
}

/// When a session does things by itself.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// A login that nobody used for this long is given back.
    pub idle: Duration,
    /// A refused login is not tried again for this long; twice as long after each further refusal.
    pub pause: Duration,
    /// The longest such pause.
    pub longest_pause: Duration,
}

impl Default for SessionSettings {
    /// Idle after half an hour; pauses of 2 s to 1 min after a refusal, so that no account is locked by trying.
    fn default() -> Self {
        Self { idle: Duration::from_mins(30), pause: Duration::from_secs(2), longest_pause: Duration::from_mins(1) }
    }
}

/// One identity at one server, logged in when needed.
///
/// Background work ends with [`close`](Self::close), but for logins that are held, or when the session is dropped before.
pub struct Session<A: Authenticator>(Arc<Inner<A>>);

struct Inner<A: Authenticator> {
    authenticator: A,
    settings: SessionSettings,
    state: Mutex<State<A>>,
}

struct State<A: Authenticator> {
    live: Option<Arc<Login<A::Access>>>,
    /// The login that is being made; everybody who needs one waits for it.
    pending: Option<Pending<A::Access>>,
    refusal: Option<Refusal>,
    /// Logins that were replaced while they still worked: reads under way may use them, and leases may hang on them.
    retired: Vec<Arc<Login<A::Access>>>,
    keepers: Vec<Handle<A>>,
    /// How often the session was closed: a login that was begun before belongs to nobody.
    closings: u64,
}

/// What a session has for somebody who needs a login.
enum AtHand<R, T> {
    /// The login that is handed out now, taken.
    Taken(R),
    /// One that is being made.
    Pending(Pending<T>),
}

type Pending<T> = Shared<BoxFuture<'static, Result<Arc<Login<T>>>>>;

/// A login that failed and would fail again.
struct Refusal {
    error: Error,
    until: Instant,
    pause: Duration,
}

impl<A: Authenticator> Session<A> {
    /// A session that is not logged in yet.
    pub fn new(authenticator: A, settings: SessionSettings) -> Self {
        let state = State::default();
        Self(Arc::new(Inner { authenticator, settings, state: Mutex::new(state) }))
    }

    /// Who logs in here.
    pub fn authenticator(&self) -> &A {
        &self.0.authenticator
    }

    /// The login to use for one request; it is made now if there is none that works. Many who ask at once cause one login, and share its failure.
    pub async fn login(&self) -> Result<Arc<Login<A::Access>>> {
        loop {
            let login = match self.0.at_hand(|live| live.take().then(|| Arc::clone(live)))? {
                AtHand::Taken(login) => return Ok(login),
                AtHand::Pending(pending) => pending.await?,
            };
            // One that is of no use is handed out all the same: the other side will say why. But what hangs on it must not end with it.
            if login.take() || !login.is_held() {
                return Ok(login);
            }
        }
    }

    /// The login to use for one request that may issue something which lives only as long as the login: it is held from now on. See [`Login::hold`].
    pub async fn hold(&self) -> Result<LeaseHold<A::Access>> {
        loop {
            let login = match self.0.at_hand(Login::take_held)? {
                AtHand::Taken(hold) => return Ok(hold),
                AtHand::Pending(pending) => pending.await?,
            };
            if let Some(hold) = login.take_held() {
                return Ok(hold);
            }
            // Others were faster, unless it never was of use.
            if !login.can_issue() {
                return Err(single());
            }
        }
    }

    /// Another login than one that the other side takes no more. Whoever comes first causes one login; the others get its result.
    pub async fn replace(&self, refused: &Arc<Login<A::Access>>) -> Result<Arc<Login<A::Access>>> {
        // It is dead: there is nothing to give back, and what hangs on it has ended.
        self.0.forget(refused);
        refused.end_now();
        self.login().await
    }

    /// Whether a login is the one that is handed out now.
    pub fn is_current(&self, login: &Arc<Login<A::Access>>) -> bool {
        self.0.is_live(login)
    }

    /// Hands a login out no more although it may work: what it was made with has changed. It is given back later.
    pub fn retire(&self, login: &Arc<Login<A::Access>>) {
        let mut state = self.0.state();
        let retired = state.live.take_if(|live| Arc::ptr_eq(live, login));
        state.retired.extend(retired);
    }

    /// Ends every login that no [`LeaseHold`] holds, and all background work for them. One that is held is extended on, and ended with its last hold,
    /// unless that was [left](crate::secret::Parent::leave). A later use logs in anew.
    pub async fn close(&self) {
        let logins = {
            let mut state = self.0.state();
            state.pending = None;
            state.closings += 1;
            let mut logins = std::mem::take(&mut state.retired);
            logins.extend(state.live.take());
            logins.retain(|login| !login.is_held());
            for keeper in state.keepers.drain(..) {
                if logins.iter().any(|login| keeper.keeps(login)) {
                    keeper.stop();
                } else {
                    keeper.outlive(&self.0);
                }
            }
            logins
        };
        join_all(logins.iter().map(|login| self.0.end(login))).await;
    }
}

impl<A: Authenticator> Drop for Session<A> {
    fn drop(&mut self) {
        self.0.stop_keepers();
    }
}

impl<A: Authenticator> Inner<A> {
    fn state(&self) -> MutexGuard<'_, State<A>> {
        // The state is consistent between any two statements that hold the lock, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The login that is handed out now, if `take` takes it, or the one that is made in its place.
    fn at_hand<R>(
        self: &Arc<Self>,
        take: impl FnOnce(&Arc<Login<A::Access>>) -> Option<R>,
    ) -> Result<AtHand<R, A::Access>> {
        let mut state = self.state();
        match state.live.as_ref().and_then(take) {
            Some(taken) => Ok(AtHand::Taken(taken)),
            None => self.pending(&mut state).map(AtHand::Pending),
        }
    }

    /// Forgets a login that has ended.
    fn forget(&self, login: &Arc<Login<A::Access>>) {
        let mut state = self.state();
        state.live.take_if(|live| Arc::ptr_eq(live, login));
        state.retired.retain(|retired| !Arc::ptr_eq(retired, login));
    }

    fn stop_keepers(&self) {
        let keepers = std::mem::take(&mut self.state().keepers);
        keepers.into_iter().for_each(Handle::stop);
    }

    /// The login under way, begun now if there is none.
    fn pending(self: &Arc<Self>, state: &mut State<A>) -> Result<Pending<A::Access>> {
        if let Some(pending) = &state.pending {
            return Ok(pending.clone());
        }
        if let Some(refusal) = state.refusal.as_ref().filter(|refusal| Instant::now() < refusal.until) {
            return Err(refusal.error.clone());
        }
        let (inner, closings) = (Arc::clone(self), state.closings);
        // A task of its own: whoever asked first may go away, the others still wait.
        let task = tokio::spawn(async move { inner.log_in(closings).await });
        let pending = async move { task.await.unwrap_or_else(|_| Err(failed())) }.boxed().shared();
        state.pending = Some(pending.clone());
        Ok(pending)
    }

    /// Logs in and puts the result in place.
    async fn log_in(self: Arc<Self>, closings: u64) -> Result<Arc<Login<A::Access>>> {
        let answer = std::panic::AssertUnwindSafe(self.authenticator.log_in()).catch_unwind().await;
        let answer = answer.unwrap_or_else(|_| Err(failed()));
        let login = {
            let mut state = self.state();
            let closed = state.closings != closings;
            if !closed {
                state.pending = None;
            }
            match answer {
                Ok((access, term)) => {
                    let login = Arc::new(Login::new(access, term));
                    if !closed {
                        state.establish(&login, || Handle::start(&self, &login));
                        return Ok(login);
                    }
                    login
                }
                Err(error) => {
                    state.refuse(&error, &self.settings);
                    return Err(error);
                }
            }
        };
        self.end(&login).await;
        Err(closed())
    }

    async fn end(&self, login: &Login<A::Access>) {
        if login.is_alive() && !login.is_held() && !login.is_left() {
            login.end_now();
            self.authenticator.end(login.access()).await;
        }
    }
}

impl<A: Authenticator> State<A> {
    fn establish(&mut self, login: &Arc<Login<A::Access>>, keep: impl FnOnce() -> Handle<A>) {
        self.refusal = None;
        let former = self.live.replace(Arc::clone(login));
        self.retired.extend(former.filter(|former| former.is_alive()));
        self.keepers.retain(|keeper| !keeper.is_finished());
        self.keepers.push(keep());
    }

    /// Remembers a failure that will not pass by itself. What can succeed at any moment is left to the callers' own pauses.
    fn refuse(&mut self, error: &Error, settings: &SessionSettings) {
        let pause = match error.retry() {
            Retry::Backoff => return,
            Retry::After(asked) => asked,
            Retry::Never => match &self.refusal {
                Some(earlier) => settings.longest_pause.min(earlier.pause.saturating_mul(2)),
                None => settings.pause,
            },
        };
        self.refusal = Some(Refusal { error: error.clone(), until: Instant::now() + pause, pause });
    }
}

impl<A: Authenticator> Default for State<A> {
    fn default() -> Self {
        Self { live: None, pending: None, refusal: None, retired: Vec::new(), keepers: Vec::new(), closings: 0 }
    }
}

impl<A: Authenticator> Drop for Inner<A> {
    fn drop(&mut self) {
        // A login may have come after the session was dropped.
        self.stop_keepers();
    }
}

impl<A: Authenticator> fmt::Debug for Session<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("authenticator", &self.0.authenticator).finish_non_exhaustive()
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "log in").because("the session was closed meanwhile").with_retry(Retry::Never)
}

fn single() -> Error {
    Error::new(ErrorKind::InvalidConfig, "use")
        .on("a login")
        .because("it serves a single request, and what that one issues would end with it")
        .with_hint(Hint::new(
            Code::StoreInvalid,
            "let the logins of the store serve two requests at least, or any number",
        ))
}

fn failed() -> Error {
    Error::new(ErrorKind::Internal, "log in")
        .because("the provider itself failed")
        .with_hint(Hint::new(Code::InternalDefect, "report it with the version and the manifest, without values"))
}
