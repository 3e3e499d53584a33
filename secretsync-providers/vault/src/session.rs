//! What all reads of one store share: a login, and the store's own view of the server.

mod identity;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secretsync_core::provider::CredentialSource;
use secretsync_core::session::{LeaseHold, Session as Shared, SessionPool, SessionSettings, SharedSession};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::client::{Answer, Request};
use crate::config::{AccountKey, Settings};
use crate::error::Failure;

pub(crate) use identity::{Access, Identity};

/// The logins of one factory, shared by stores of the same identity.
pub(crate) type Pool = SessionPool<AccountKey, Identity>;

pub(crate) type Login = Arc<secretsync_core::session::Login<Access>>;

/// A login that something hangs on.
pub(crate) type Hold = LeaseHold<Access>;

/// One store's use of a login.
pub(crate) struct Session {
    settings: Settings,
    shared: SharedSession<Identity>,
}

/// What is known about a token.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Standing {
    Alive,
    /// The server said that it does not know it.
    Dead,
    /// It may nothing that would tell.
    Unclear,
}

/// Whose fault a 403 is.
enum Verdict {
    /// The policies': the token lives.
    Denied,
    /// The token's, but there is another one now, or it had only not arrived everywhere.
    Again(Login),
}

impl Session {
    pub(crate) fn new(settings: Settings, credentials: Arc<dyn CredentialSource>, pool: Option<&Pool>) -> Self {
        let key = settings.account.key(&*credentials);
        let account = Arc::clone(&settings.account);
        let make = || Shared::new(Identity::new(account, credentials), SessionSettings::default());
        let shared = match (pool, key) {
            (Some(pool), Some(key)) => pool.join(&key, make),
            _ => SharedSession::alone(make()),
        };
        Self { settings, shared }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Reads a path. A dead token is replaced once; [`Failure::Forbidden`] means that the token lives and may not.
    ///
    /// `witness` is a path that a living token can read if it may do anything near the first one.
    pub(crate) async fn get(
        &self,
        path: &str,
        query: Option<(&'static str, &str)>,
        witness: &str,
    ) -> Result<Answer, Failure> {
        self.ask(|| Request::get(path).with_query(query), Some(witness)).await
    }

    /// Writes `body` to a path, as [`get`](Self::get) reads one.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &Zeroizing<Vec<u8>>,
        witness: Option<&str>,
    ) -> Result<Answer, Failure> {
        self.ask(|| Request::post(path, body.clone()), witness).await
    }

    /// Reads a path whose 403 says nothing about the token: it is no reason to look closer.
    pub(crate) async fn glance(&self, path: &str) -> Result<Answer, Failure> {
        let login = self.login().await?;
        self.call(&login, Request::get(path)).await
    }

    /// Proves that server and token work.
    pub(crate) async fn check(&self, witness: Option<&str>) -> Result<(), Failure> {
        let first = self.login().await?;
        if self.standing(&first, witness).await? == Standing::Alive {
            return Ok(());
        }
        let Verdict::Again(second) = self.judge(&first, witness).await? else { return Ok(()) };
        match self.standing(&second, witness).await? {
            Standing::Alive => Ok(()),
            // A login that just succeeded gave a token that lives.
            Standing::Unclear if second.access().is_fresh() => Ok(()),
            _ => Err(second.access().refused()),
        }
    }

    /// Ends this store's part of the login.
    pub(crate) async fn close(&self) {
        self.shared.close().await;
    }

    pub(crate) async fn login(&self) -> Result<Login, Failure> {
        self.shared.login().await.map_err(Failure::Login)
    }

    /// As [`get`](Self::get), for any request.
    pub(crate) async fn ask<'a>(
        &self,
        request: impl Fn() -> Request<'a>,
        witness: Option<&str>,
    ) -> Result<Answer, Failure> {
        let first = self.login().await?;
        let verdict = match self.call(&first, request()).await {
            Err(Failure::Forbidden) => self.judge(&first, witness).await?,
            answer => return answer,
        };
        let Verdict::Again(second) = verdict else { return Err(Failure::Forbidden) };
        match self.call(&second, request()).await {
            Err(Failure::Forbidden) => Err(self.final_word(&second, witness).await?),
            answer => answer,
        }
    }

    /// As [`ask`](Self::ask), for a request that may issue something that ends with the login: the login is held before it is sent, and comes along.
    pub(crate) async fn issue<'a>(
        &self,
        request: impl Fn() -> Request<'a>,
        witness: Option<&str>,
    ) -> Result<(Answer, Hold), Failure> {
        let first = self.hold().await?;
        match self.call(first.login(), request()).await {
            Err(Failure::Forbidden) => {
                let Verdict::Again(_) = self.judge(first.login(), witness).await? else {
                    return Err(Failure::Forbidden);
                };
            }
            answer => return Ok((answer?, first)),
        }
        let second = self.hold().await?;
        match self.call(second.login(), request()).await {
            Err(Failure::Forbidden) => Err(self.final_word(second.login(), witness).await?),
            answer => Ok((answer?, second)),
        }
    }

    async fn hold(&self) -> Result<Hold, Failure> {
        self.shared.hold().await.map_err(Failure::Login)
    }

    /// The failure behind a refusal of the second login.
    async fn final_word(&self, login: &Login, witness: Option<&str>) -> Result<Failure, Failure> {
        Ok(match self.judge(login, witness).await? {
            Verdict::Denied => Failure::Forbidden,
            Verdict::Again(next) => next.access().refused(),
        })
    }

    pub(crate) async fn call<'a>(&'a self, login: &Login, request: Request<'a>) -> Result<Answer, Failure> {
        let request = request.in_namespace(self.settings.namespace.as_ref());
        let answer = login.access().call(request).await;
        if matches!(&answer, Err(failure) if failure.is_tls()) {
            // The authority or our certificate may have been rotated: the next use resolves them again.
            self.shared.retire(login);
        }
        answer
    }

    /// What the server lets be known about the token.
    async fn standing(&self, login: &Login, witness: Option<&str>) -> Result<Standing, Failure> {
        match self.shared.authenticator().look_up(login.access()).await {
            Err(Failure::UnknownToken) => return Ok(Standing::Dead),
            Err(Failure::Forbidden) => {}
            answer => return answer.map(|_| Standing::Alive),
        }
        // A token without the default policy may not look at itself.
        if let Some(witness) = witness {
            match self.call(login, Request::get(witness)).await {
                Err(Failure::Forbidden) => {}
                answer => {
                    if let Answer::Found(_) = answer? {
                        return Ok(Standing::Alive);
                    }
                }
            }
        }
        // Nor may it see a mount in which it may do nothing.
        let extends = self.shared.authenticator().extends(login.access()).await?;
        Ok(if extends { Standing::Alive } else { Standing::Unclear })
    }

    /// Decides whose fault a 403 was, with one look at the token for all reads that were refused together, and gets another login for a dead one.
    ///
    /// A dead token without a successor stays in use: should the look be mistaken, only the refused reads suffer. So does what hangs on one that may not be
    /// dead: that one is not handed out any more, but kept, and not more than one a minute.
    async fn judge(&self, used: &Login, witness: Option<&str>) -> Result<Verdict, Failure> {
        let access = used.access();
        let _turn = access.turn().await;
        let standing = match access.lately() {
            Some(false) if self.shared.is_current(used) => return Err(access.refused()),
            // It was replaced a moment ago.
            Some(false) => return Ok(Verdict::Again(self.login().await?)),
            Some(true) => Standing::Alive,
            // Each look would cost one of the few uses.
            None if access.is_counted() && access.is_fresh() => Standing::Alive,
            None if access.is_counted() => Standing::Unclear,
            None => match self.standing(used, witness).await? {
                Standing::Alive => Standing::Alive,
                _ if access.is_fresh() => {
                    // A standby may not know a new token yet.
                    tokio::time::sleep(PROPAGATION).await;
                    match self.standing(used, witness).await? {
                        Standing::Alive => return Ok(Verdict::Again(Arc::clone(used))),
                        standing => standing,
                    }
                }
                standing => standing,
            },
        };
        let replaced = match standing {
            Standing::Alive => false,
            Standing::Dead => true,
            // What was given costs no login.
            Standing::Unclear if access.is_given() || !self.shared.is_current(used) => true,
            // Its time is over by the server's clock.
            Standing::Unclear if used.ends_at().is_some_and(|end| end <= Instant::now() + CLOCKS) => true,
            Standing::Unclear => self.shared.authenticator().may_doubt(),
        };
        access.see(!replaced);
        if !replaced {
            return Ok(Verdict::Denied);
        }
        let next = match standing {
            Standing::Unclear => {
                self.shared.retire(used);
                self.shared.login().await
            }
            _ => self.shared.replace(used).await,
        };
        let next = next.map_err(Failure::Login)?;
        if next.access().same_token(access) {
            next.access().see(false);
            return Err(access.refused());
        }
        tracing::debug!(store = %self.settings.origin, "replaced a token that is no longer accepted");
        Ok(Verdict::Again(next))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// How much earlier than told a token may end.
const CLOCKS: Duration = Duration::from_secs(1);
/// How long a token may need until every node knows it.
const PROPAGATION: Duration = Duration::from_millis(300);
