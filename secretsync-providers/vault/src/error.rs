//! Every way to fail here, and the one conversion into the error that leaves the crate.

mod verdict;

use std::fmt::Display;
use std::time::Duration;

use secretsync_core::error::{Code, Error, Hint, Retry};
use secretsync_core::net::{Cause, Transport};
use thiserror::Error;

use crate::auth::Wrapped;
use crate::client::Row;
use crate::config::KvVersion;
use crate::generator::ResultType;

/// A failure. `Display` says what happened, without addresses of ours: [`Failure::into_error`] adds what was attempted on what.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error("no proof of the AWS identity could be made: {0}")]
    Aws(&'static str),
    #[error("AWS refused to give keys (status {0})")]
    AwsRefused(u16),
    #[error("the certificates of the authority cannot be used: {0}")]
    Authorities(&'static str),
    #[error("the credentials could not be obtained")]
    Credential(#[source] Error),
    #[error("secretsync itself failed")]
    Defect,
    #[error("the token is valid, but may not do this")]
    Denied(Grant),
    /// A bare 403, before it is known whose fault it is. It leaves the crate only if nobody could tell.
    #[error("permission denied (status 403)")]
    Forbidden,
    /// A 403 that says that the server does not know the token.
    #[error("the server does not know the token (status 403)")]
    UnknownToken,
    #[error("the client certificate cannot be used: {0}")]
    Identity(&'static str),
    #[error("reading it issued a credential with a lease, which was given back: the engine there is not KV")]
    Leased,
    #[error("the login failed")]
    Login(#[source] Error),
    #[error("the server refused the login (status {0})")]
    LoginRefused(u16),
    #[error("the answer has not the form of KV {version}: {found}")]
    Malformed { version: KvVersion, found: &'static str },
    #[error("{problem} (tried `{url}`)")]
    Mount { problem: MountProblem, url: String },
    #[error("nothing is stored there")]
    NoFolder,
    #[error("the answer does not say how long its lease lasts")]
    OddLease,
    #[error("the answer has no token")]
    NoToken,
    #[error("the answer does not come from Vault (status {0})")]
    NotVault(u16),
    #[error("unable to get dynamic secret: empty response from Vault")]
    NoContent,
    #[error("the answer has no {}", member(*.0))]
    NoSuchPart(ResultType),
    #[error("nothing is issued there")]
    NothingIssued,
    #[error("a redirect was not followed (status {0})")]
    Redirect(u16),
    #[error("the login wants a second factor")]
    SecondFactor,
    #[error("the HTTP client could not be set up")]
    Setup(#[source] reqwest::Error),
    #[error("the node answered with an older version than one that was already seen")]
    Stale,
    #[error("{} (status {status})", row.says)]
    Status { status: u16, row: Row, retry_after: Option<Duration> },
    #[error("the token is not accepted: it is wrong, expired or revoked")]
    TokenRefused { sent: bool },
    #[error("the answer is bigger than 32 MiB")]
    TooBig,
    #[error("there are more than 100000 objects")]
    TooMany,
    #[error(transparent)]
    Transport(Transport),
    #[error("the transit engine could not decrypt it")]
    Undecryptable,
    #[error("{}", wrapped(*.0))]
    Wrapped(Wrapped),
}

/// A right that the token lacks.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    /// The path as policies write it.
    pub(crate) path: String,
    pub(crate) capability: &'static str,
    pub(crate) namespace: Option<String>,
}

/// What is wrong with the place where the object was looked for.
#[derive(Debug, Error)]
pub(crate) enum MountProblem {
    #[error("the secrets engine is mounted at `{mount}`")]
    Elsewhere { mount: String },
    #[error("no secrets engine answers there")]
    Missing,
    #[error("`{mount}` is a secrets engine of type `{kind}`, not KV")]
    NotKv { mount: String, kind: String },
    #[error("`{mount}` has KV version {found}, the store says {configured}")]
    Version { mount: String, found: KvVersion, configured: KvVersion },
}

impl Failure {
    /// The error that leaves the crate.
    pub(crate) fn into_error(self, operation: &'static str, subject: impl Display) -> Error {
        if let Self::Login(error) | Self::Credential(error) = self {
            return error.within(operation, subject);
        }
        let (kind, code, advice) = self.verdict();
        let error = Error::new(kind, operation).with_hint(Hint::new(code, advice));
        let error = match self.retry() {
            Some(retry) => error.with_retry(retry),
            None => error,
        };
        error.on(subject).with_source(self)
    }

    /// Whether the request may have been carried out although its answer is of no use.
    pub(crate) fn may_have_been_done(&self) -> bool {
        match self {
            Self::Transport(transport) => matches!(transport.cause(), Cause::TimedOut | Cause::Closed | Cause::Other),
            // 412, 429, 473, 501 and a sealed or inactive node turn a request away at the door. What a proxy or a CDN says with numbers of its own
            // tells nothing about what is behind it.
            Self::Status { status, row, .. } => *status >= 500 && *status != 501 && row.code != Code::VaultSealed,
            Self::Defect
            | Self::Malformed { .. }
            | Self::NoContent
            | Self::NoSuchPart(_)
            | Self::NotVault(_)
            | Self::OddLease
            | Self::TooBig => true,
            _ => false,
        }
    }

    /// Whether the trust between us and the server is broken, as after a change of certificates.
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Transport(transport) if transport.cause().is_distrust())
    }

    fn retry(&self) -> Option<Retry> {
        match self {
            Self::Status { retry_after: Some(pause), .. } => Some(Retry::After(*pause)),
            Self::Redirect(_) | Self::Setup(_) | Self::TooBig => Some(Retry::Never),
            failure if failure.is_tls() => Some(Retry::Never),
            _ => None,
        }
    }
}

fn wrapped(problem: Wrapped) -> &'static str {
    match problem {
        Wrapped::Gone => "the wrapped secret id was unwrapped before or has expired",
        Wrapped::Substituted => "what is wrapped is no secret id of this mount",
    }
}

/// The member of an answer that a result type takes.
fn member(result: ResultType) -> &'static str {
    match result {
        ResultType::Auth => "`auth`: it gives no token",
        ResultType::Data => "`data`: it hands out nothing, or a token",
        ResultType::Raw => "members",
    }
}
