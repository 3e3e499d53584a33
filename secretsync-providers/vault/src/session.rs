//! What all reads of one identity share: the connections and the token, resolved late and replaced when they die.

use std::sync::Arc;
use std::time::{Duration, Instant};

use secretsync_core::provider::CredentialSource;
use tokio::sync::Mutex;

use crate::auth::Token;
use crate::client::{Answer, Client, Request};
use crate::config::{Authorities, Settings};
use crate::error::Failure;

/// One identity at one server.
#[derive(Debug)]
pub(crate) struct Session {
    settings: Settings,
    credentials: Arc<dyn CredentialSource>,
    /// Held while credentials are resolved or judged, so that many reads that fail together ask once.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    live: Option<Arc<Live>>,
    /// The token that was found dead last, and when.
    dead: Option<(Option<Token>, Instant)>,
}

/// Connections and token that belong together.
#[derive(Debug)]
struct Live {
    client: Client,
    token: Option<Token>,
    /// When the token was last seen alive after it had been refused.
    proven: std::sync::Mutex<Option<Instant>>,
}

/// Whose fault a 403 is.
enum Verdict {
    /// The policies': the token lives.
    Denied,
    /// The token's, but there is another one now.
    Replaced(Arc<Live>),
}

impl Session {
    pub(crate) fn new(settings: Settings, credentials: Arc<dyn CredentialSource>) -> Self {
        Self { settings, credentials, state: Mutex::default() }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Reads a path. A dead token is replaced once; [`Failure::Forbidden`] means that the token lives and may not.
    pub(crate) async fn get(&self, path: &str, query: Option<(&'static str, &str)>) -> Result<Answer, Failure> {
        let first = self.live().await?;
        let refused = match self.send(&first, path, query).await {
            Err(Failure::Forbidden) => self.judge(&first).await?,
            answer => return answer,
        };
        let Verdict::Replaced(second) = refused else { return Err(Failure::Forbidden) };
        match self.send(&second, path, query).await {
            Err(Failure::Forbidden) => match self.judge(&second).await? {
                Verdict::Denied => Err(Failure::Forbidden),
                Verdict::Replaced(third) => Err(Failure::TokenRefused { sent: third.token.is_some() }),
            },
            answer => answer,
        }
    }

    /// Reads a path whose 403 says nothing about the token: it is no reason to look closer.
    pub(crate) async fn glance(&self, path: &str) -> Result<Answer, Failure> {
        let live = self.live().await?;
        self.send(&live, path, None).await
    }

    /// Gives a lease back. A failure is logged only: the lease ends by itself.
    pub(crate) async fn revoke(&self, lease: &secretsync_core::json::Json) {
        let mut body = zeroize::Zeroizing::new(br#"{"sync":true,"lease_id":"#.to_vec());
        body.extend_from_slice(&lease.compact());
        body.push(b'}');
        let Ok(live) = self.live().await else { return };
        let request = Request::post("sys/leases/revoke", body).in_namespace(self.settings.namespace.as_ref());
        if let Err(error) = live.client.call(request, live.token.as_ref()).await {
            tracing::warn!(store = %self.settings.origin, error = &error as &dyn std::error::Error, "a lease was not revoked");
        }
    }

    /// Proves that server and token work.
    pub(crate) async fn check(&self) -> Result<(), Failure> {
        let first = self.live().await?;
        match self.lookup(&first).await {
            Err(Failure::Forbidden) => {
                let second = self.replace(&mut *self.state.lock().await, &first).await?;
                self.lookup(&second).await.map_err(|failure| match failure {
                    Failure::Forbidden => Failure::TokenRefused { sent: second.token.is_some() },
                    other => other,
                })
            }
            answer => answer,
        }
    }

    /// Ends the connections and wipes the token. A token that was given to us is never revoked.
    pub(crate) async fn close(&self) {
        self.state.lock().await.live = None;
    }

    async fn live(&self) -> Result<Arc<Live>, Failure> {
        let mut state = self.state.lock().await;
        if let Some(live) = &state.live {
            return Ok(Arc::clone(live));
        }
        let live = self.open().await?;
        if let Some((dead, at)) = &state.dead
            && at.elapsed() < MEMORY
            && same(dead.as_ref(), live.token.as_ref())
        {
            return Err(Failure::TokenRefused { sent: live.token.is_some() });
        }
        state.live = Some(Arc::clone(&live));
        Ok(live)
    }

    /// Resolves everything anew, so that a rotated token, certificate or authority is found.
    async fn open(&self) -> Result<Arc<Live>, Failure> {
        let settings = &self.settings;
        let resolve = async |reference| self.credentials.resolve(reference).await.map_err(Failure::Credential);
        let token = settings.method.token(&*self.credentials).await.map_err(Failure::Credential)?;
        let authorities = match &settings.authorities {
            Authorities::Pem(pem) => Some(pem.clone()),
            Authorities::Reference(reference) => Some(crate::client::pem(resolve(reference).await?.expose())),
            Authorities::System => None,
        };
        let identity = match &settings.identity {
            Some(identity) => Some((resolve(&identity.certificate).await?, resolve(&identity.key).await?)),
            None => None,
        };
        let identity = identity.as_ref().map(|(certificate, key)| (certificate, key));
        let client = Client::new(settings, authorities.as_deref(), identity)?;
        tracing::debug!(store = %settings.origin, "resolved the credentials of the store");
        Ok(Arc::new(Live { client, token, proven: std::sync::Mutex::default() }))
    }

    async fn send(&self, live: &Arc<Live>, path: &str, query: Option<(&'static str, &str)>) -> Result<Answer, Failure> {
        let request = Request::get(path).with_query(query).in_namespace(self.settings.namespace.as_ref());
        let answer = live.client.call(request, live.token.as_ref()).await;
        if matches!(&answer, Err(failure) if failure.is_tls()) {
            // The authority or our certificate may have been rotated: the next use resolves them again.
            let mut state = self.state.lock().await;
            state.live.take_if(|current| Arc::ptr_eq(current, live));
        }
        answer
    }

    async fn lookup(&self, live: &Live) -> Result<(), Failure> {
        let request = Request::get(LOOKUP).in_namespace(self.settings.auth_namespace.as_ref());
        live.client.call(request, live.token.as_ref()).await.map(drop)
    }

    /// Decides whose fault a 403 was, with one look at the token for all reads that were refused together.
    async fn judge(&self, used: &Arc<Live>) -> Result<Verdict, Failure> {
        let mut state = self.state.lock().await;
        match &state.live {
            Some(current) if !Arc::ptr_eq(current, used) => return Ok(Verdict::Replaced(Arc::clone(current))),
            None if state.dead.as_ref().is_some_and(|(dead, _)| same(dead.as_ref(), used.token.as_ref())) => {
                return Err(Failure::TokenRefused { sent: used.token.is_some() });
            }
            _ => {}
        }
        if used.recently_proven() {
            return Ok(Verdict::Denied);
        }
        match self.lookup(used).await {
            Ok(()) => {
                used.prove();
                Ok(Verdict::Denied)
            }
            Err(Failure::Forbidden) => self.replace(&mut state, used).await.map(Verdict::Replaced),
            Err(other) => Err(other),
        }
    }

    /// Puts freshly resolved credentials in the place of dead ones.
    async fn replace(&self, state: &mut State, used: &Arc<Live>) -> Result<Arc<Live>, Failure> {
        if let Some(current) = state.live.as_ref().filter(|current| !Arc::ptr_eq(current, used)) {
            return Ok(Arc::clone(current));
        }
        state.live = None;
        let fresh = self.open().await?;
        if same(fresh.token.as_ref(), used.token.as_ref()) {
            let sent = fresh.token.is_some();
            state.dead = Some((fresh.token.as_ref().map(Token::duplicate), Instant::now()));
            return Err(Failure::TokenRefused { sent });
        }
        tracing::debug!(store = %self.settings.origin, "replaced a token that is no longer accepted");
        state.live = Some(Arc::clone(&fresh));
        Ok(fresh)
    }
}

impl Live {
    fn recently_proven(&self) -> bool {
        let proven = *self.proven.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        proven.is_some_and(|at| at.elapsed() < MEMORY)
    }

    fn prove(&self) {
        *self.proven.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Instant::now());
    }
}

fn same(one: Option<&Token>, other: Option<&Token>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.same(other),
        (None, None) => true,
        _ => false,
    }
}

const LOOKUP: &str = "auth/token/lookup-self";
/// How long a verdict on a token stands, so that a thousand refused reads cost one look at it.
const MEMORY: Duration = Duration::from_secs(5);
