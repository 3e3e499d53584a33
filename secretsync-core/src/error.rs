//! The one error of every public function: what was attempted on what, what kind of failure it is, whether to retry, and what to do.

mod code;
mod hint;
mod report;
mod template;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use code::Code;
pub use hint::Hint;
pub use report::{causes, chain, one_line};
pub use template::{TemplateFailure, TemplatePlace};

/// A boxed cause, as std spells it.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// Result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure: cheap to clone, so that one failed read can be reported by every sync that needed it.
///
/// `Display` says what was attempted on what, without the cause; [`StdError::source`] carries the cause, and [`chain`] prints both once.
///
/// # Secrets
///
/// No error carries a secret value, a token, a query string or a response body.
///
/// ```
/// use secretsync_core::error::{Code, Error, ErrorKind, Hint};
///
/// let error = Error::new(ErrorKind::PermissionDenied, "read")
///     .on("`kv/app/db` from provider `prod`")
///     .with_hint(Hint::new(Code::VaultPermissionDenied, "grant `read` on `kv/data/app/db` to the token's policy"));
/// assert_eq!(error.to_string(), "failed to read `kv/app/db` from provider `prod`");
/// assert_eq!(error.hint().unwrap().code().as_str(), "vault-permission-denied");
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    operation: Cow<'static, str>,
    subject: Option<String>,
    detail: Option<Cow<'static, str>>,
    retry: Retry,
    hint: Option<Hint>,
    source: Option<Arc<dyn StdError + Send + Sync + 'static>>,
}

/// What kind of failure it is: conditions, metrics, exit codes and retries are decided by it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ErrorKind {
    /// A defect of secretsync itself.
    Internal,
    /// What the user configured cannot work: a manifest, a flag, a store's settings.
    InvalidConfig,
    /// The remote data is not what the manifest expects: no such property, not base64, a document whose MAC is wrong.
    InvalidData,
    /// Something around an object is missing: a mount, a store, a credential. (An absent object is [`crate::provider::Fetched::Absent`].)
    NotFound,
    /// The target belongs to somebody else.
    NotOwned,
    /// The identity is known and may not do this.
    PermissionDenied,
    /// The other side asks us to slow down.
    RateLimited,
    /// The identity is not accepted.
    Unauthenticated,
    /// The other side cannot be reached or cannot answer now.
    Unavailable,
    /// A known feature that is not supported here.
    Unsupported,
}

impl ErrorKind {
    /// Lower-case words for labels and machine-readable output, `permission_denied` for example.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::InvalidConfig => "invalid_config",
            Self::InvalidData => "invalid_data",
            Self::NotFound => "not_found",
            Self::NotOwned => "not_owned",
            Self::PermissionDenied => "permission_denied",
            Self::RateLimited => "rate_limited",
            Self::Unauthenticated => "unauthenticated",
            Self::Unavailable => "unavailable",
            Self::Unsupported => "unsupported",
        }
    }
}

/// Whether and when trying again can help.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retry {
    /// The other side said when: not before this time has passed. In an [`Error`] a day at most.
    After(Duration),
    /// Transient: try again with growing pauses.
    Backoff,
    /// Trying again without a change cannot help.
    Never,
}

impl Error {
    /// A failure of `operation`, an infinitive without "to": `read`, `decrypt`. Retry advice follows the kind until set.
    pub fn new(kind: ErrorKind, operation: impl Into<Cow<'static, str>>) -> Self {
        let retry = match kind {
            ErrorKind::RateLimited | ErrorKind::Unavailable => Retry::Backoff,
            _ => Retry::Never,
        };
        Self(Arc::new(Inner {
            kind,
            operation: operation.into(),
            subject: None,
            detail: None,
            retry,
            hint: None,
            source: None,
        }))
    }

    /// Names what the operation was tried on. What nobody would read to its end is cut, so that one manifest cannot fill a log.
    #[must_use]
    pub fn on(mut self, subject: impl fmt::Display) -> Self {
        const LONGEST: usize = 1_000;
        let mut subject = subject.to_string();
        if subject.len() > LONGEST {
            subject.truncate(subject.floor_char_boundary(LONGEST));
            subject.push('…');
        }
        self.inner().subject = Some(subject);
        self
    }

    /// Says what went wrong in a few words, for failures without a source error. Never a value.
    #[must_use]
    pub fn because(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.inner().detail = Some(detail.into());
        self
    }

    /// Replaces the retry advice. A pause is a day at most: nobody is left alone for longer because an answer says so, and every clock can count it.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        const LONGEST: Duration = Duration::from_hours(24);
        self.inner().retry = match retry {
            Retry::After(asked) => Retry::After(asked.min(LONGEST)),
            known => known,
        };
        self
    }

    /// Adds what the user can do about it, with the stable code that `docs/errors.md` explains.
    #[must_use]
    pub fn with_hint(mut self, hint: Hint) -> Self {
        self.inner().hint = Some(hint);
        self
    }

    /// Adds the cause. Its text must not contain secret values.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.inner().source = Some(Arc::from(source.into()));
        self
    }

    /// Puts this failure into the larger one that it caused: same kind, advice and hint, this error as the cause.
    #[must_use]
    pub fn within(self, operation: impl Into<Cow<'static, str>>, subject: impl fmt::Display) -> Self {
        let outer = Self::new(self.kind(), operation).on(subject).with_retry(self.retry());
        let outer = match self.hint() {
            Some(hint) => outer.with_hint(hint.clone()),
            None => outer,
        };
        outer.with_source(self)
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether and when trying again can help.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// What to do about it, if the user can do something.
    pub fn hint(&self) -> Option<&Hint> {
        self.0.hint.as_ref()
    }

    /// What was tried, an infinitive without "to".
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// What the operation was tried on.
    pub fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to {}", self.0.operation)?;
        if let Some(subject) = &self.0.subject {
            write!(f, " {subject}")?;
        }
        match &self.0.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &chain(self))
            .field("retry", &self.0.retry)
            .field("code", &self.0.hint.as_ref().map(|hint| hint.code().as_str()))
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_leaves_the_cause_to_the_chain() {
        let cause = Error::new(ErrorKind::Unavailable, "connect").on("to `vault`").because("connection refused");
        let error = Error::new(ErrorKind::Unavailable, "read").on("`kv/a`").with_source(cause);
        assert_eq!(error.to_string(), "failed to read `kv/a`");
        assert_eq!(chain(&error), "failed to read `kv/a`: failed to connect to `vault`: connection refused");
    }

    #[test]
    fn a_subject_of_any_length_is_told_in_a_bearable_one() {
        let text = Error::new(ErrorKind::NotFound, "read").on("é".repeat(100_000)).to_string();
        assert!(text.ends_with('…') && text.len() < 1_100, "{}", text.len());
    }

    #[test]
    fn changing_a_clone_leaves_the_original_alone() {
        let original = Error::new(ErrorKind::NotFound, "read");
        let changed = original.clone().on("`a`");
        assert_eq!((original.subject(), changed.subject()), (None, Some("`a`")));
    }
}
