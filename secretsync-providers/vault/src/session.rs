//! What all reads of one identity share: the connections and the token, resolved late and replaced when they die.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use secretsync_core::provider::CredentialSource;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::auth::Token;
use crate::client::{Answer, Client, Request};
use crate::config::{Authorities, Settings};
use crate::error::Failure;

/// One identity at one server.
pub(crate) struct Session {
    settings: Settings,
    credentials: Arc<dyn CredentialSource>,
    /// Held while credentials are resolved or judged, so that many reads that fail together ask once.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    live: Option<Arc<Live>>,
}

/// Connections and token that belong together.
#[derive(Debug)]
pub(crate) struct Live {
    client: Client,
    token: Option<Token>,
    /// Whether the token was alive when it was looked at last, and when that was.
    seen: std::sync::Mutex<Option<(bool, Instant)>>,
}

/// Whose fault a 403 is.
enum Verdict {
    /// The policies': the token lives.
    Denied,
    /// The token's, but there is another one now.
    Replaced(Arc<Live>),
}

/// What a request went through.
pub(crate) type Login = Arc<Live>;

impl Session {
    pub(crate) fn new(settings: Settings, credentials: Arc<dyn CredentialSource>) -> Self {
        Self { settings, credentials, state: Mutex::default() }
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

    /// As [`get`](Self::get), for any request. What was used comes along: what the answer hands out may end with it.
    pub(crate) async fn ask<'r>(
        &self,
        request: impl Fn() -> Request<'r>,
        witness: Option<&str>,
    ) -> Result<(Answer, Login), Failure> {
        let first = self.live().await?;
        let verdict = match self.send(&first, request()).await {
            Err(Failure::Forbidden) => self.judge(&first, witness).await?,
            answer => return Ok((answer?, first)),
        };
        let Verdict::Replaced(second) = verdict else { return Err(Failure::Forbidden) };
        match self.send(&second, request()).await {
            Err(Failure::Forbidden) => match self.judge(&second, witness).await? {
                Verdict::Denied => Err(Failure::Forbidden),
                Verdict::Replaced(third) => Err(third.refused()),
            },
            answer => Ok((answer?, second)),
        }
    }

    /// Reads a path whose 403 says nothing about the token: it is no reason to look closer.
    pub(crate) async fn glance(&self, path: &str) -> Result<Answer, Failure> {
        let live = self.live().await?;
        self.send(&live, Request::get(path)).await
    }

    /// Proves that server and token work.
    pub(crate) async fn check(&self, witness: Option<&str>) -> Result<(), Failure> {
        let first = self.live().await?;
        if self.alive(&first, witness).await? {
            return Ok(());
        }
        let Verdict::Replaced(second) = self.judge(&first, witness).await? else { return Ok(()) };
        if self.alive(&second, witness).await? { Ok(()) } else { Err(second.refused()) }
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
        Ok(Arc::new(Live { client, token, seen: std::sync::Mutex::default() }))
    }

    async fn send<'s>(&'s self, live: &Arc<Live>, request: Request<'s>) -> Result<Answer, Failure> {
        let answer = live.client.call(request.in_namespace(self.settings.namespace.as_ref()), live.token.as_ref()).await;
        if matches!(&answer, Err(failure) if failure.is_tls()) {
            // The authority or our certificate may have been rotated: the next use resolves them again.
            let mut state = self.state.lock().await;
            state.live.take_if(|current| Arc::ptr_eq(current, live));
        }
        answer
    }

    /// Whether the server knows the token.
    async fn alive(&self, live: &Live, witness: Option<&str>) -> Result<bool, Failure> {
        let lookup = Request::get(LOOKUP).in_namespace(self.settings.auth_namespace.as_ref());
        match live.client.call(lookup, live.token.as_ref()).await {
            Err(Failure::Forbidden) => {}
            answer => return answer.map(|_| true),
        }
        // A token without the default policy may not look at itself.
        let Some(witness) = witness else { return Ok(false) };
        let witness = Request::get(witness).in_namespace(self.settings.namespace.as_ref());
        match live.client.call(witness, live.token.as_ref()).await {
            Err(Failure::Forbidden) => Ok(false),
            answer => answer.map(|answer| matches!(answer, Answer::Found(_))),
        }
    }

    /// Decides whose fault a 403 was, with one look at the token for all reads that were refused together, and puts freshly resolved
    /// credentials in the place of dead ones.
    ///
    /// A dead token without a successor stays in use: should the look be mistaken, only the refused reads suffer.
    async fn judge(&self, used: &Arc<Live>, witness: Option<&str>) -> Result<Verdict, Failure> {
        let mut state = self.state.lock().await;
        if let Some(current) = state.live.as_ref().filter(|current| !Arc::ptr_eq(current, used)) {
            return Ok(Verdict::Replaced(Arc::clone(current)));
        }
        let alive = match used.lately() {
            Some(false) => return Err(used.refused()),
            Some(true) => true,
            None => self.alive(used, witness).await?,
        };
        used.see(alive);
        if alive {
            return Ok(Verdict::Denied);
        }
        let fresh = self.open().await?;
        if same(fresh.token.as_ref(), used.token.as_ref()) {
            return Err(used.refused());
        }
        tracing::debug!(store = %self.settings.origin, "replaced a token that is no longer accepted");
        state.live = Some(Arc::clone(&fresh));
        Ok(Verdict::Replaced(fresh))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The source of credentials is somebody else's, and may show what it holds.
        f.debug_struct("Session").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Live {
    /// What was seen of the token, if that was not long ago.
    fn lately(&self) -> Option<bool> {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.filter(|(_, at)| at.elapsed() < MEMORY).map(|(alive, _)| alive)
    }

    fn see(&self, alive: bool) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((alive, Instant::now()));
    }

    fn refused(&self) -> Failure {
        Failure::TokenRefused { sent: self.token.is_some() }
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
