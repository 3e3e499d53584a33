//! Requests to one server and its answers, nothing else: no retries, no logins, no meaning.

mod guard;
mod request;
mod response;
mod status;
mod tls;
mod transport;

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::{Attempt, Policy};
use reqwest::tls::Version;
use reqwest::{StatusCode, Url};
use secretsync_core::net::AddressGuard;
use secretsync_core::secret::SecretValue;

use crate::auth::Token;
use crate::config::Account;
use crate::error::Failure;

pub(crate) use guard::{Guard, is_loopback, refused_host};
pub(crate) use request::{Request, TOKEN, url};
pub(crate) use response::{Answer, capped};
pub(crate) use status::Row;
pub(crate) use tls::{certificates, pem};
pub(crate) use transport::failure;

/// A connection pool to one server, with the store's trust and headers. It knows no token: each call names its own.
pub(crate) struct Client {
    http: reqwest::Client,
    server: Url,
    forward_inconsistent: bool,
    /// The newest state that the server told, if answers may not be older.
    state: Option<Mutex<Option<HeaderValue>>>,
}

impl Client {
    /// `authorities` is PEM and replaces the system's; `identity` is our certificate and its key.
    pub(crate) fn new(
        account: &Account,
        authorities: Option<&[u8]>,
        identity: Option<(&SecretValue, &SecretValue)>,
    ) -> Result<Self, Failure> {
        let plain = account.server.scheme() == "http";
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("secretsync/", env!("CARGO_PKG_VERSION")))
            .default_headers(account.headers.clone())
            .tls_version_min(Version::TLS_1_2)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE)
            .timeout(TIMEOUT)
            .redirect(Policy::custom(redirect))
            .dns_resolver(Guard(AddressGuard::new().loopback_only(plain && !account.allow_plain_http)))
            .referer(false);
        if plain {
            // A proxy of the environment would carry the token in clear to another machine; and no certificate is ever looked at.
            builder = builder.no_proxy().tls_certs_only([]);
        }
        if let Some(pem) = authorities {
            builder = builder.tls_certs_only(certificates(pem).map_err(Failure::Authorities)?);
        }
        if let Some((certificate, key)) = identity {
            builder = builder.identity(tls::identity(certificate, key).map_err(Failure::Identity)?);
        }
        Ok(Self {
            http: builder.build().map_err(|error| Failure::Setup(error.without_url()))?,
            server: account.server.clone(),
            forward_inconsistent: account.forward_inconsistent,
            state: account.keep_state.then(Mutex::default),
        })
    }

    /// Sends one request and reads the answer.
    pub(crate) async fn call(&self, request: Request<'_>, token: Option<&Token>) -> Result<Answer, Failure> {
        match self.ask(request, token).await {
            // What an engine says about tokens may concern another one.
            Err(Failure::UnknownToken) => Err(Failure::Forbidden),
            answer => answer,
        }
    }

    /// As [`call`](Self::call), and tells a token that is not known from one that may not.
    pub(crate) async fn ask(&self, request: Request<'_>, token: Option<&Token>) -> Result<Answer, Failure> {
        let mut request = request.build(&self.http, &self.server, token)?;
        if let Some(state) = &self.state {
            let state = state.lock().unwrap_or_else(PoisonError::into_inner).clone();
            request::consistency(request.headers_mut(), state, self.forward_inconsistent);
        }
        let response = self.http.execute(request).await.map_err(|error| failure(&error))?;
        if let (Some(state), Some(told)) = (&self.state, response.headers().get(request::STATE)) {
            *state.lock().unwrap_or_else(PoisonError::into_inner) = Some(told.clone());
        }
        response::read(response).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may lead through a proxy path that somebody uses as a password.
        f.debug_struct("Client").field("host", &self.server.host_str()).finish_non_exhaustive()
    }
}

/// Follows what a standby answers, but never with our token to another server.
fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let same = attempt.previous().last().is_some_and(|previous| previous.origin() == attempt.url().origin());
    if same && attempt.status() == StatusCode::TEMPORARY_REDIRECT && attempt.previous().len() <= MAX_REDIRECTS {
        return attempt.follow();
    }
    attempt.stop()
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept that nobody needs: each holds buffers, and a burst leaves dozens of them.
const IDLE: Duration = Duration::from_secs(15);
/// As the official clients: long enough for a server under load, short enough to notice a dead one.
const TIMEOUT: Duration = Duration::from_mins(1);
const MAX_REDIRECTS: usize = 3;
