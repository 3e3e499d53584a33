//! Who logs in: an account at a server, with credentials that are resolved at each login.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secretsync_core::error::{Error, Result};
use secretsync_core::provider::CredentialSource;
use secretsync_core::session::{Authenticator, Term};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::auth::{Door, Token, Unwrapped, answer};
use crate::client::{Answer, Client, Request};
use crate::config::{Account, Authorities};
use crate::error::Failure;

/// An account, and where its credentials come from.
pub(crate) struct Identity {
    account: Arc<Account>,
    credentials: Arc<dyn CredentialSource>,
    unwrapped: std::sync::Mutex<Option<Unwrapped>>,
    /// When a login was replaced last without a proof that it was dead.
    doubted: std::sync::Mutex<Option<Instant>>,
}

/// Connections and token that belong together.
#[derive(Debug)]
pub(crate) struct Access {
    client: Client,
    token: Option<Token>,
    /// Whether we made the token, so that it is ours to end.
    ours: bool,
    /// What the login told about it.
    told: Term,
    since: Instant,
    /// Held while the token is looked at, so that many reads that were refused together look once.
    turn: Mutex<()>,
    /// Whether the token was alive when it was looked at last, and when that was.
    seen: std::sync::Mutex<Option<(bool, Instant)>>,
}

impl Identity {
    pub(crate) fn new(account: Arc<Account>, credentials: Arc<dyn CredentialSource>) -> Self {
        Self { account, credentials, unwrapped: std::sync::Mutex::default(), doubted: std::sync::Mutex::default() }
    }

    /// What the server says about the token. [`Failure::UnknownToken`] says that it is dead; a bare refusal may have another reason.
    pub(crate) async fn look_up(&self, access: &Access) -> Result<Answer, Failure> {
        access
            .client
            .ask(Request::get(LOOKUP).in_namespace(self.account.namespace.as_ref()), access.token.as_ref())
            .await
    }

    /// Whether the token can extend itself, which no dead one can: for tokens that may not look at themselves.
    pub(crate) async fn extends(&self, access: &Access) -> Result<bool, Failure> {
        // A token that we were given is not changed to find out; the credential behind it is looked at again, which costs no login.
        if !access.told.is_renewable() {
            return Ok(false);
        }
        match self.post(RENEW, access).await {
            // Status 400 refuses an end that cannot be moved, of a token that is known.
            Ok(Answer::Found(_)) | Err(Failure::Status { status: 400, .. }) => Ok(true),
            Ok(_) | Err(Failure::Forbidden | Failure::NotVault(400..=499)) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Whether a login may be made in the place of one that may work: not again and again, for the next one may not do more.
    pub(crate) fn may_doubt(&self) -> bool {
        let mut doubted = self.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        let may = doubted.is_none_or(|at| at.elapsed() >= DOUBT);
        if may {
            *doubted = Some(Instant::now());
        }
        may
    }

    /// Resolves everything anew, so that a rotated token, certificate or authority is found.
    async fn open(&self) -> Result<(Access, Term), Failure> {
        let Self { account, credentials, unwrapped, .. } = self;
        let resolve = async |reference| credentials.resolve(reference).await.map_err(Failure::Credential);
        let authorities = match &account.authorities {
            Authorities::Pem(pem) => Some(pem.clone()),
            Authorities::Reference(reference) => Some(crate::client::pem(resolve(reference).await?.expose())),
            Authorities::System => None,
        };
        let identity = match account.certificate() {
            Some(identity) => Some((resolve(&identity.certificate).await?, resolve(&identity.key).await?)),
            None => None,
        };
        let identity = identity.as_ref().map(|(certificate, key)| (certificate, key));
        let client = Client::new(account, authorities.as_deref(), identity)?;
        let door = Door { account, client: &client, credentials: &**credentials, unwrapped };
        let granted = account.method.log_in(&door).await?;
        tracing::debug!(server = %account.server.host_str().unwrap_or_default(), method = account.method.name().unwrap_or("none"), "logged in");
        let access = Access {
            client,
            token: granted.token,
            ours: granted.ours,
            told: granted.term,
            since: Instant::now(),
            turn: Mutex::default(),
            seen: std::sync::Mutex::default(),
        };
        Ok((access, granted.term))
    }

    async fn post(&self, path: &str, access: &Access) -> Result<Answer, Failure> {
        let body = Zeroizing::new(b"{}".to_vec());
        access.call(Request::post(path, body).in_namespace(self.account.namespace.as_ref())).await
    }

    fn error(&self, operation: &'static str, failure: Failure) -> Error {
        failure.into_error(operation, &*self.account)
    }
}

#[async_trait]
impl Authenticator for Identity {
    type Access = Access;

    async fn log_in(&self) -> Result<(Access, Term)> {
        self.open().await.map_err(|failure| self.error("log in to", failure))
    }

    async fn inspect(&self, access: &Access) -> Result<Term> {
        match self.look_up(access).await {
            Ok(Answer::Found(body)) => Ok(answer::looked_up(&body)),
            // A token without the default policy may not look at itself: its end will be seen when it is refused.
            Ok(_) | Err(Failure::Forbidden | Failure::UnknownToken) => Ok(Term::endless()),
            Err(failure) => Err(self.error("look at the token for", failure)),
        }
    }

    async fn renew(&self, access: &Access) -> Result<Term> {
        let answered = self.post(RENEW, access).await;
        let term = answered.and_then(|answered| match answered {
            Answer::Found(body) => answer::renewed(&body).ok_or(Failure::NoToken),
            _ => Err(Failure::NoToken),
        });
        term.map_err(|failure| self.error("renew the token for", failure))
    }

    async fn end(&self, access: &Access) {
        if !access.ours {
            return;
        }
        let ended = tokio::time::timeout(GOODBYE, self.post("auth/token/revoke-self", access)).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(error = &error as &dyn std::error::Error, "a token was not revoked: it ends by itself");
        }
    }
}

impl Access {
    /// Sends a request with the token.
    pub(crate) async fn call(&self, request: Request<'_>) -> Result<Answer, Failure> {
        self.client.call(request, self.token.as_ref()).await
    }

    /// Whether we made the token: nobody else has it.
    pub(crate) fn is_ours(&self) -> bool {
        self.ours
    }

    /// Whether each request costs one of a few uses.
    pub(super) fn is_counted(&self) -> bool {
        self.told.is_counted()
    }

    /// Whether we made it a moment ago.
    pub(super) fn is_fresh(&self) -> bool {
        self.ours && self.since.elapsed() < FRESH
    }

    /// Whether it came without a login, so that another look for it costs none.
    pub(super) fn is_given(&self) -> bool {
        self.token.is_none() || self.told == Term::unknown()
    }

    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// What was seen of the token, if that was not long ago.
    pub(super) fn lately(&self) -> Option<bool> {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.filter(|(_, at)| at.elapsed() < MEMORY).map(|(alive, _)| alive)
    }

    pub(super) fn see(&self, alive: bool) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((alive, Instant::now()));
    }

    pub(super) fn same_token(&self, other: &Self) -> bool {
        match (&self.token, &other.token) {
            (Some(one), Some(other)) => one.same(other),
            (None, None) => true,
            _ => false,
        }
    }

    pub(super) fn refused(&self) -> Failure {
        Failure::TokenRefused { sent: self.token.is_some() }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The source of credentials is somebody else's, and may show what it holds.
        f.debug_struct("Identity").field("account", &self.account).finish_non_exhaustive()
    }
}

const LOOKUP: &str = "auth/token/lookup-self";
const RENEW: &str = "auth/token/renew-self";
/// How long a login is not replaced on suspicion again.
const DOUBT: Duration = Duration::from_mins(1);
/// How long a verdict on a token stands, so that a thousand refused reads cost one look at it.
const MEMORY: Duration = Duration::from_secs(5);
/// How long a new token may be unknown to a standby.
const FRESH: Duration = Duration::from_secs(2);
/// How long a goodbye may take at the end of a run.
const GOODBYE: Duration = Duration::from_secs(5);
