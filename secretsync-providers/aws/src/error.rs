//! Every way to fail here, and the one conversion into the error that leaves the crate.

mod refusal;
mod transport;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt::Display;
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Retry};
use secretsync_core::net::{Cause, Transport};
use secretsync_core::provider::Absence;
use thiserror::Error;

use crate::client::is_too_big;

pub(crate) use refusal::{Meaning, Refusal};
pub(crate) use transport::connector;

/// A failure. `Display` says what happened; [`Failure::into_error`] adds what was attempted on what.
#[derive(Clone, Debug, Error)]
pub(crate) enum Failure {
    /// The identity could not be had: told in the words of whoever failed.
    #[error("the store's credentials could not be obtained")]
    Credential(#[source] Error),
    /// The environment names an endpoint that cannot work.
    #[error("the endpoint cannot be used")]
    Endpoint(#[source] Error),
    #[error("the answer has not the form that AWS documents: {0}")]
    Malformed(&'static str),
    #[error("it is marked for deletion")]
    MarkedDeleted,
    #[error("the answer does not come from AWS (status {0})")]
    NotAws(u16),
    #[error(transparent)]
    Refused(Refusal),
    /// An ARN of a parameter of another account, where AWS knows only names.
    #[error("the ARN is not that of a parameter of the account that asks, whose tags alone AWS tells")]
    OtherAccount,
    #[error("the ARN stands for another object than the name in it")]
    OtherName,
    #[error("the answer is bigger than 32 MiB")]
    TooBig,
    #[error("there are more than 100000 objects")]
    TooMany,
    #[error(transparent)]
    Transport(Transport),
}

impl Failure {
    /// The failure behind an error of the SDK. Of AWS's own words only names of rights and identities are kept.
    pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let answer = error.raw_response();
        let status = answer.map_or(0, |response| response.status().as_u16());
        let pause = answer.and_then(|response| pause(response.headers().get("retry-after")?));
        match error {
            SdkError::ServiceError(context) => {
                let meta = context.err().meta();
                match meta.code() {
                    Some(code) => Self::Refused(Refusal::new(code, meta.message().unwrap_or_default(), pause)),
                    None => Self::unnamed(status, pause),
                }
            }
            // The answer could not be read to its end, or not be understood.
            SdkError::ResponseError(_) if is_too_big(error) => Self::TooBig,
            SdkError::ResponseError(_) => match Transport::read(error, |_| None) {
                broken if broken.cause() == Cause::Other => Self::unnamed(status, pause),
                broken => Self::Transport(broken),
            },
            SdkError::TimeoutError(_) => Self::Transport(Cause::TimedOut.into()),
            other => Self::Transport(transport::dispatch(other)),
        }
    }

    /// An answer without a code of AWS's.
    fn unnamed(status: u16, pause: Option<Duration>) -> Self {
        match status {
            429 => Self::Refused(Refusal::new("Throttling", "", pause)),
            500..=599 => Self::Refused(Refusal::new("ServiceUnavailable", "", pause)),
            _ => Self::NotAws(status),
        }
    }

    /// What AWS meant, if it was AWS that refused.
    pub(crate) fn meaning(&self) -> Option<Meaning> {
        match self {
            Self::Refused(refusal) => Some(refusal.meaning),
            _ => None,
        }
    }

    /// Why the object is not there, if AWS positively said so.
    pub(crate) fn absence(&self) -> Option<Absence> {
        let meaning = self.meaning()?;
        match meaning {
            Meaning::MarkedDeleted => Some(Absence::new(meaning.says(), refusal::RESTORE)),
            Meaning::Missing => Some(MISSING),
            Meaning::ValueMissing => Some(Absence::new(meaning.says(), "give it one, or correct `remoteRef.version`")),
            _ => None,
        }
    }

    /// Whether the credentials are at fault, so that others may do better.
    pub(crate) fn blames_credentials(&self) -> bool {
        matches!(self.meaning(), Some(Meaning::Expired | Meaning::KeysInvalid))
    }

    /// Whether the clock is at fault.
    pub(crate) fn blames_clock(&self) -> bool {
        self.meaning() == Some(Meaning::Skewed)
    }

    /// The error that leaves the crate.
    pub(crate) fn into_error(self, operation: &'static str, subject: impl Display) -> Error {
        let error = match &self {
            Self::Credential(cause) | Self::Endpoint(cause) => {
                let error = Error::new(cause.kind(), operation).with_retry(cause.retry());
                match cause.hint() {
                    Some(hint) => error.with_hint(hint.clone()),
                    None => error,
                }
            }
            known => {
                let (kind, code, advice) = known.verdict();
                Error::new(kind, operation).with_hint(Hint::new(code, advice))
            }
        };
        let error = match &self {
            Self::Refused(Refusal { pause: Some(pause), .. }) => error.with_retry(Retry::After(*pause)),
            Self::Transport(failed) if failed.cause().is_distrust() => error.with_retry(Retry::Never),
            Self::Transport(failed) if failed.cause() == Cause::RefusedAddress => error.with_retry(Retry::Never),
            _ => error,
        };
        error.on(subject).with_source(self)
    }

    fn verdict(&self) -> (ErrorKind, Code, Cow<'static, str>) {
        match self {
            Self::Refused(refusal) => refusal.verdict(),
            Self::Transport(failed) => {
                let (kind, code, advice) = transport::verdict(failed.cause());
                (kind, code, advice.into())
            }
            Self::Malformed(_) => (
                ErrorKind::InvalidData,
                Code::DataInvalid,
                "check the endpoint: AWS itself gives no such answer".into(),
            ),
            Self::MarkedDeleted => (ErrorKind::NotFound, Code::SecretMissing, refusal::RESTORE.into()),
            Self::NotAws(_) => (
                ErrorKind::Unavailable,
                Code::ProviderUnavailable,
                "check the endpoint, and the proxy or load balancer in front of it".into(),
            ),
            Self::OtherAccount => (
                ErrorKind::InvalidConfig,
                Code::ManifestInvalid,
                "read the tags by a store of the account that owns the parameter".into(),
            ),
            Self::OtherName => (
                ErrorKind::InvalidConfig,
                Code::ManifestInvalid,
                "write the name, or a secret's whole ARN, with the six letters that AWS added at its end".into(),
            ),
            Self::TooBig => {
                (ErrorKind::InvalidData, Code::DataInvalid, "check the endpoint: AWS has no answer of this size".into())
            }
            Self::TooMany => {
                (ErrorKind::InvalidConfig, Code::ManifestInvalid, "narrow `find.path` or `find.name`".into())
            }
            // Converted above, with the words of whoever failed.
            Self::Credential(_) | Self::Endpoint(_) => {
                (ErrorKind::Internal, Code::InternalDefect, "report this".into())
            }
        }
    }
}

/// A secret or parameter that AWS does not know, where it was asked for.
pub(crate) const MISSING: Absence =
    Absence::new(Meaning::Missing.says(), "create it, or correct the key or `region` of the store");

/// The pause that an answer asks for: `Retry-After` is a number of seconds, or a time.
fn pause(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = SystemTime::try_from(DateTime::from_str(text, Format::HttpDate).ok()?).ok()?;
    until.duration_since(SystemTime::now()).ok()
}
