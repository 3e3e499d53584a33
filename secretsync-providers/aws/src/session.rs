//! One session for each identity: credentials that all its stores share, replaced before they end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use secretsync_core::error::Result;
use secretsync_core::session::{self, Authenticator, SessionPool, SessionSettings, SharedSession, Term};

use crate::auth::{self, Identity, IdentityKey, Surroundings};

/// The sessions of a program.
pub(crate) type Pool = SessionPool<IdentityKey, Taker>;

pub(crate) type Login = Arc<session::Login<Credentials>>;

/// One store's use of the credentials of its identity.
#[derive(Debug)]
pub(crate) struct Session(SharedSession<Taker>);

impl Session {
    /// The session of an identity: the one that others use, or a new one. Nothing is sent.
    pub(crate) fn new(identity: Identity, surroundings: Surroundings, pool: &Pool) -> Self {
        let key = identity.key(&*surroundings.credentials);
        let make = || session::Session::new(Taker { identity, surroundings }, SessionSettings::default());
        Self(match key {
            Some(key) => pool.join(&key, make),
            None => SharedSession::alone(make()),
        })
    }

    /// Credentials that are good for a while. Many who ask at once cause one login.
    pub(crate) async fn login(&self) -> Result<Login> {
        self.0.login().await
    }

    /// Replaces credentials that AWS refused. Says whether there are others now.
    pub(crate) async fn replace(&self, refused: &Login) -> Result<bool> {
        Ok(self.0.replace(refused).await?.access() != refused.access())
    }

    /// Ends this store's part.
    pub(crate) async fn close(&self) {
        self.0.close().await;
    }
}

impl ProvideCredentials for Session {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            let login = self.login().await.map_err(CredentialsError::provider_error)?;
            Ok(login.access().clone())
        })
    }
}

/// Obtains credentials of one identity. They cannot be extended: before their end others take their place.
#[derive(Debug)]
pub(crate) struct Taker {
    identity: Identity,
    surroundings: Surroundings,
}

#[async_trait]
impl Authenticator for Taker {
    type Access = Credentials;

    async fn log_in(&self) -> Result<(Credentials, Term)> {
        let credentials = auth::obtain(&self.identity, &self.surroundings).await?;
        // By a clock that is wrong they may have ended already. AWS tells if they really have.
        let lasts =
            credentials.expiry().map(|end| end.duration_since(SystemTime::now()).unwrap_or_default().max(SHORTEST));
        Ok((credentials, lasts.map_or_else(Term::endless, Term::lasting)))
    }

    async fn inspect(&self, _access: &Credentials) -> Result<Term> {
        // Credentials always tell how long they last.
        Ok(Term::endless())
    }

    async fn renew(&self, access: &Credentials) -> Result<Term> {
        self.inspect(access).await
    }

    async fn end(&self, _access: &Credentials) {
        // AWS knows no way to give credentials back.
    }
}

/// The shortest life of credentials: otherwise each request would ask for others.
const SHORTEST: Duration = Duration::from_mins(1);
