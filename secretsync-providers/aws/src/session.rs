//! One session for each identity: credentials that all its stores share, replaced before they end.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use secretsync_core::error::{Error, Result};
use tokio::time::Instant;

use crate::auth::{Access, Identity, obtain};

/// The sessions of a program, by identity. A session lives as long as a store uses it.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<Identity, Weak<Session>>>);

impl Sessions {
    /// The session of an identity: the one that others use, or a new one. Nothing is sent.
    pub(crate) fn of(&self, identity: Identity, access: &Access) -> Arc<Session> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.strong_count() > 0);
        if let Some(session) = sessions.get(&identity).and_then(Weak::upgrade) {
            return session;
        }
        let session = Arc::new(Session(Arc::new(Shared {
            identity: identity.clone(),
            access: access.clone(),
            live: Mutex::default(),
            obtaining: tokio::sync::Mutex::default(),
        })));
        sessions.insert(identity, Arc::downgrade(&session));
        session
    }
}

/// The credentials of one identity.
#[derive(Debug)]
pub(crate) struct Session(Arc<Shared>);

struct Shared {
    identity: Identity,
    access: Access,
    live: Mutex<Option<Live>>,
    /// Held by the one who obtains credentials.
    obtaining: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Live {
    credentials: Credentials,
    window: Option<Window>,
    /// Whether the task that renews them is under way.
    renewing: bool,
}

/// When credentials are to be replaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Window {
    /// From here on in the background, while they still serve.
    soon: Instant,
    /// From here on they serve nobody.
    latest: Instant,
}

impl Window {
    /// 15 and 10 minutes before the end, as AWS's own tools do; short sessions are used for most of their life.
    fn of(lasts: Duration, now: Instant) -> Self {
        let before = |margin: Duration, part: u32| now + lasts.saturating_sub(margin.min(lasts / part));
        Self { soon: before(ADVISORY, 4), latest: before(MANDATORY, 8) }
    }
}

impl Session {
    /// Credentials that are good for a while. Many who ask at once cause one login.
    pub(crate) async fn credentials(&self) -> Result<Credentials> {
        let now = Instant::now();
        match self.0.current() {
            Some(Live { credentials, window: None, .. }) => Ok(credentials),
            Some(Live { credentials, window: Some(window), renewing }) if now < window.latest => {
                if now >= window.soon && !renewing {
                    self.renew_in_background();
                }
                Ok(credentials)
            }
            stale => self.0.obtain(stale.map(|live| live.credentials)).await,
        }
    }

    /// Replaces credentials that AWS refused, unless somebody did so already. Says whether there are others now.
    pub(crate) async fn replace(&self, refused: &Credentials) -> Result<bool> {
        let fresh = self.0.obtain(Some(refused.clone())).await?;
        Ok(fresh != *refused)
    }

    /// One task, whoever notices: it ends with its first attempt, and the next request after a failure starts another.
    fn renew_in_background(&self) {
        self.0.set_renewing(true);
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            let stale = shared.current().map(|live| live.credentials);
            if let Err(error) = shared.obtain(stale).await {
                // The old ones serve on; a pause keeps a failing STS from being asked with each request.
                tracing::warn!(identity = ?shared.identity.source, error = &error as &dyn std::error::Error, "credentials were not renewed yet");
                tokio::time::sleep(PAUSE).await;
                shared.set_renewing(false);
            }
        });
    }
}

impl Shared {
    /// Credentials other than `stale`, obtained by one for all who wait.
    async fn obtain(&self, stale: Option<Credentials>) -> Result<Credentials, Error> {
        let _alone = self.obtaining.lock().await;
        if let Some(live) = self.current()
            && Some(&live.credentials) != stale.as_ref()
            && live.window.is_none_or(|window| Instant::now() < window.latest)
        {
            return Ok(live.credentials);
        }
        let credentials = obtain(&self.identity, &self.access).await?;
        let lasts = credentials.expiry().map(|end| end.duration_since(SystemTime::now()).unwrap_or_default());
        let window = lasts.map(|lasts| Window::of(lasts, Instant::now()));
        *self.lock() = Some(Live { credentials: credentials.clone(), window, renewing: false });
        Ok(credentials)
    }

    fn current(&self) -> Option<Live> {
        self.lock().clone()
    }

    fn set_renewing(&self, renewing: bool) {
        if let Some(live) = self.lock().as_mut() {
            live.renewing = renewing;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl ProvideCredentials for Session {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(
            async move { self.credentials().await.map_err(CredentialsError::provider_error) },
        )
    }
}

const ADVISORY: Duration = Duration::from_mins(15);
const MANDATORY: Duration = Duration::from_mins(10);
const PAUSE: Duration = Duration::from_secs(30);
