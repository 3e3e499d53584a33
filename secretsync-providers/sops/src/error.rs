//! What can go wrong, and the one conversion into the engine's error.

mod advice;

use std::borrow::Cow;
use std::fmt;
use std::io;

use secretsync_core::error::{self as core, Hint};

/// A failure of this provider. No text here quotes a value; names, keys and positions of a document may appear.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The store binds documents to namespaces, and this one is not bound to the namespace at hand.
    #[error("it {what}")]
    Binding { what: &'static str, namespace: String },
    /// A configured credential could not be obtained.
    #[error("a key of the store could not be obtained")]
    Credential(#[source] core::Error),
    #[error("the value at `{path}` was changed or moved after it was encrypted")]
    Forged { path: String },
    /// The text behind a key reference cannot be used.
    #[error("{from} {what}")]
    Identity { from: String, what: Cow<'static, str>, advice: &'static str },
    /// A task of ours ended early.
    #[error("decrypting stopped unexpectedly")]
    Interrupted,
    #[error("failed to read `{path}`: {}", words(*.kind))]
    Io { path: String, kind: io::ErrorKind },
    /// A file of age keys, which the environment names, could not be read.
    #[error("failed to read `{path}`: {}", words(*.kind))]
    KeyFile { path: String, kind: io::ErrorKind },
    /// A link whose target is not there, perhaps for the moment only.
    #[error("`{path}` is a link that leads to nothing")]
    Dangling { path: String },
    #[error("its MAC does not fit its values: one was added, removed, re-ordered or changed after it was encrypted")]
    MacMismatch,
    #[error("it has no MAC, so changes could not be seen")]
    MacMissing,
    /// The `sops` block, or the document as a whole, cannot be read.
    #[error("{what}")]
    Malformed { what: String },
    /// Each key of the document, and why it did not serve.
    #[error("{missing}: {}", .tried.join("; "))]
    NoKey {
        missing: String,
        tried: Vec<String>,
        /// Whether no configuration at all could use these keys.
        only_unsupported: bool,
        /// The failure of a service that decides whether trying again can help.
        cause: Option<core::Error>,
    },
    #[error("it has no `sops` block")]
    NotEncrypted,
    /// A source with one document was asked for another.
    #[error("the store has one document, `{only}`")]
    OtherName { only: String },
    #[error("{what}")]
    PathRefused { what: String },
    /// What a manifest asks to find cannot be searched for.
    #[error("{what}")]
    Query { what: String, advice: &'static str },
    /// A `.sops.yaml` that cannot be used.
    #[error("{what}")]
    Rules { what: String },
    #[error("the configuration {what}")]
    Settings { what: String, advice: Cow<'static, str> },
    /// The `ConfigMap` or Secret with the documents could not be read.
    #[error("the store's source could not be read")]
    Source(#[source] core::Error),
    #[error("`{path}`, the source of the store, does not exist")]
    SourceMissing { path: String },
    #[error("{what} at line {line}, column {column}")]
    Syntax { what: Cow<'static, str>, line: usize, column: usize },
    #[error("it took longer than it may")]
    TimedOut,
    #[error("{what}")]
    TooLarge { what: String },
    #[error("{what}")]
    Unsupported { what: String, advice: &'static str },
    #[error("the value at `{path}` {what}")]
    Value { path: String, what: &'static str },
}

impl Error {
    pub(crate) fn metadata(what: impl fmt::Display) -> Self {
        Self::Malformed { what: format!("its `sops` block {what}") }
    }

    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed { what: what.into() }
    }

    pub(crate) fn syntax(what: impl Into<Cow<'static, str>>, line: usize, column: usize) -> Self {
        Self::Syntax { what: what.into(), line, column }
    }

    pub(crate) fn settings(what: impl Into<String>, advice: impl Into<Cow<'static, str>>) -> Self {
        Self::Settings { what: what.into(), advice: advice.into() }
    }

    pub(crate) fn unsupported(what: impl Into<String>, advice: &'static str) -> Self {
        Self::Unsupported { what: what.into(), advice }
    }

    pub(crate) fn io(path: impl fmt::Display, error: &io::Error) -> Self {
        Self::Io { path: quoted(&path.to_string()), kind: error.kind() }
    }

    pub(crate) fn key_file(path: impl fmt::Display, error: &io::Error) -> Self {
        Self::KeyFile { path: quoted(&path.to_string()), kind: error.kind() }
    }

    /// Whether something was exchanged while it was looked at, so that another look may find it whole.
    pub(crate) fn is_fleeting(&self) -> bool {
        matches!(self, Self::Dangling { .. } | Self::Io { kind: io::ErrorKind::StaleNetworkFileHandle, .. })
    }

    /// The engine's error: what was attempted on what, this as its cause, and what to do.
    pub(crate) fn into_core(self, operation: &'static str, subject: impl fmt::Display) -> core::Error {
        let (kind, code, advice) = self.advice();
        let error = core::Error::new(kind, operation).on(subject);
        if let Self::NoKey { cause: Some(cause), .. } = &self {
            let hint = cause.hint().cloned().unwrap_or_else(|| Hint::new(code, advice));
            return error.with_retry(cause.retry()).with_hint(hint).with_source(self);
        }
        if let Self::Credential(inner) | Self::Source(inner) = self {
            let error = error.with_retry(inner.retry());
            let error = match inner.hint().cloned() {
                Some(hint) => error.with_hint(hint),
                None => error.with_hint(Hint::new(code, advice)),
            };
            return error.with_source(inner);
        }
        error.with_hint(Hint::new(code, advice)).with_source(self)
    }
}

/// A name from a document or path, fit for a message: on one line, and not too long.
pub(crate) fn quoted(text: &str) -> String {
    shortened(text, 120)
}

/// A text from outside on one line, with as many characters at most.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    let mut shown: String = text
        .chars()
        .take(longest)
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect();
    if text.chars().nth(longest).is_some() {
        shown.push('…');
    }
    shown
}

fn words(kind: io::ErrorKind) -> String {
    // The standard library's own words for a kind; they name no path and no content.
    kind.to_string()
}

#[cfg(test)]
mod tests {
    use secretsync_core::error::ErrorKind;

    use super::*;

    #[test]
    fn names_from_documents_stay_on_one_line_and_short() {
        assert_eq!(quoted("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(quoted(&"x".repeat(500)).chars().count(), 121);
    }

    #[test]
    fn a_credentials_error_keeps_its_kind_hint_and_retry() {
        let inner = core::Error::new(ErrorKind::Unavailable, "resolve").on("key `k` of Secret `s`");
        let error = Error::Credential(inner).into_core("decrypt", "`a.yaml`");
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, core::Retry::Backoff));
        assert_eq!(core::chain(&error), "failed to decrypt `a.yaml`: failed to resolve key `k` of Secret `s`");
    }
}
