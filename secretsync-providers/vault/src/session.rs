//! What all reads of one store share: a login, and the store's own view of the server.

mod identity;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secretsync_core::provider::CredentialSource;
use secretsync_core::session::{Session as Shared, SessionPool, SessionSettings, SharedSession};
use zeroize::Zeroizing;

use crate::client::{Answer, Request};
use crate::config::{AccountKey, Settings};
use crate::error::Failure;

pub(crate) use identity::{Access, Identity};

/// The logins of one factory, shared by stores of the same identity.
pub(crate) type Pool = SessionPool<AccountKey, Identity>;

pub(crate) type Login = Arc<secretsync_core::session::Login<Access>>;

/// One store's use of a login.
pub(crate) struct Session {
    settings: Settings,
    shared: SharedSession<Identity>,
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
        let (answer, _) = self.ask(|| Request::get(path).with_query(query), Some(witness)).await?;
        Ok(answer)
    }

    /// Writes `body` to a path, as [`get`](Self::get) reads one.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &Zeroizing<Vec<u8>>,
        witness: Option<&str>,
    ) -> Result<Answer, Failure> {
        let (answer, _) = self.ask(|| Request::post(path, body.clone()), witness).await?;
        Ok(answer)
    }

    /// Reads a path whose 403 says nothing about the token: it is no reason to look closer.
    pub(crate) async fn glance(&self, path: &str) -> Result<Answer, Failure> {
        let login = self.login().await?;
        self.call(&login, Request::get(path)).await
    }

    /// Proves that server and token work.
    pub(crate) async fn check(&self, witness: Option<&str>) -> Result<(), Failure> {
        let first = self.login().await?;
        if self.alive(&first, witness).await? {
            return Ok(());
        }
        let Verdict::Again(second) = self.judge(&first, witness).await? else { return Ok(()) };
        if self.alive(&second, witness).await? { Ok(()) } else { Err(second.access().refused()) }
    }

    /// Ends this store's part of the login.
    pub(crate) async fn close(&self) {
        self.shared.close().await;
    }

    pub(crate) async fn login(&self) -> Result<Login, Failure> {
        self.shared.login().await.map_err(Failure::Login)
    }

    /// As [`get`](Self::get), for any request. The login that was used comes along: what the answer hands out may end with it.
    pub(crate) async fn ask<'a>(
        &self,
        request: impl Fn() -> Request<'a>,
        witness: Option<&str>,
    ) -> Result<(Answer, Login), Failure> {
        let first = self.login().await?;
        let verdict = match self.call(&first, request()).await {
            Err(Failure::Forbidden) => self.judge(&first, witness).await?,
            answer => return Ok((answer?, first)),
        };
        let Verdict::Again(second) = verdict else { return Err(Failure::Forbidden) };
        match self.call(&second, request()).await {
            Err(Failure::Forbidden) => match self.judge(&second, witness).await? {
                Verdict::Denied => Err(Failure::Forbidden),
                Verdict::Again(third) => Err(third.access().refused()),
            },
            answer => Ok((answer?, second)),
        }
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

    /// Whether the server knows the token.
    async fn alive(&self, login: &Login, witness: Option<&str>) -> Result<bool, Failure> {
        match self.shared.authenticator().look_up(login.access()).await {
            Err(Failure::Forbidden) => {}
            answer => return answer.map(|_| true),
        }
        // A token without the default policy may not look at itself.
        let Some(witness) = witness else { return Ok(false) };
        match self.call(login, Request::get(witness)).await {
            Err(Failure::Forbidden) => Ok(false),
            answer => answer.map(|answer| matches!(answer, Answer::Found(_))),
        }
    }

    /// Decides whose fault a 403 was, with one look at the token for all reads that were refused together, and gets another login for a dead one.
    ///
    /// A dead token without a successor stays in use: should the look be mistaken, only the refused reads suffer.
    async fn judge(&self, used: &Login, witness: Option<&str>) -> Result<Verdict, Failure> {
        let access = used.access();
        let _turn = access.turn().await;
        let alive = match access.lately() {
            Some(false) if self.shared.is_current(used) => return Err(access.refused()),
            Some(alive) => alive,
            // Each look would cost one of the few uses.
            None if access.is_counted() => access.is_fresh(),
            None if self.alive(used, witness).await? => true,
            None if access.is_fresh() => {
                // A standby may not know a new token yet.
                tokio::time::sleep(PROPAGATION).await;
                if self.alive(used, witness).await? {
                    return Ok(Verdict::Again(Arc::clone(used)));
                }
                false
            }
            None => false,
        };
        access.see(alive);
        if alive {
            return Ok(Verdict::Denied);
        }
        let next = self.shared.replace(used).await.map_err(Failure::Login)?;
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

/// How long a token may need until every node knows it.
const PROPAGATION: Duration = Duration::from_millis(300);
