//! What can go wrong, and the one conversion into the engine's error.

use std::borrow::Cow;
use std::fmt;
use std::io;

use secretsync_core::error::{self as core, Code, ErrorKind, Hint};

/// A failure of this provider. No text here quotes a value; names, keys and positions of a document may appear.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Error {
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
    #[error("its MAC does not fit its values: it was changed after it was encrypted")]
    MacMismatch,
    #[error("it has no MAC, so changes could not be seen")]
    MacMissing,
    /// The `sops` block, or the document as a whole, cannot be read.
    #[error("{what}")]
    Malformed { what: String },
    #[error("none of the configured keys opens it: {}", .tried.join("; "))]
    NoKey { tried: Vec<String> },
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

    /// The engine's error: what was attempted on what, this as its cause, and what to do.
    pub(crate) fn into_core(self, operation: &'static str, subject: impl fmt::Display) -> core::Error {
        let (kind, code, advice) = self.advice();
        let error = core::Error::new(kind, operation).on(subject);
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

    /// The one table of kinds, codes and advice.
    fn advice(&self) -> (ErrorKind, Code, Cow<'static, str>) {
        use ErrorKind::{InvalidConfig, InvalidData, NotFound, PermissionDenied, Unavailable, Unsupported};
        let (kind, code, advice) = match self {
            Self::Credential(inner) => {
                (inner.kind(), Code::CredentialMissing, "create the Secret that the store's `keys` name")
            }
            Self::Forged { .. } | Self::MacMismatch | Self::MacMissing => (
                InvalidData,
                Code::SopsMacMismatch,
                "restore the document from a commit you trust, or change it with `sops edit`",
            ),
            Self::Identity { advice, .. } => (InvalidConfig, Code::SopsKeyMissing, *advice),
            Self::Interrupted => (ErrorKind::Internal, Code::InternalDefect, "report this as a defect of secretsync"),
            Self::Io { kind, .. } => io_advice(*kind),
            Self::Malformed { .. } | Self::Syntax { .. } => (
                InvalidData,
                Code::SopsDocumentInvalid,
                "restore the document, or encrypt it again with `sops encrypt`",
            ),
            Self::NoKey { .. } => (
                PermissionDenied,
                Code::SopsKeyMissing,
                "add a key of the document to the store's `keys`, or the store's key to the document with `sops updatekeys`",
            ),
            Self::NotEncrypted => (InvalidData, Code::SopsDocumentInvalid, "encrypt the document with `sops encrypt`"),
            Self::Source(inner) => (
                inner.kind(),
                Code::SecretMissing,
                "create the object that the store's `source` names, with the document as a key",
            ),
            Self::OtherName { only } => {
                return (NotFound, Code::SecretMissing, format!("use `{only}` as the key").into());
            }
            Self::PathRefused { .. } => (
                InvalidConfig,
                Code::SopsPathRefused,
                "name a file below the store's folder, without `..` and without links that leave it",
            ),
            Self::Query { advice, .. } => (InvalidConfig, Code::ManifestInvalid, *advice),
            Self::Settings { advice, .. } => return (InvalidConfig, Code::StoreInvalid, advice.clone()),
            Self::SourceMissing { .. } => {
                (NotFound, Code::StoreInvalid, "correct `source.path`, which starts at the folder of the manifest")
            }
            Self::TimedOut => {
                (Unavailable, Code::ProviderUnavailable, "check the file system that holds the documents")
            }
            Self::TooLarge { .. } => (InvalidData, Code::SopsDocumentInvalid, "split the document"),
            Self::Unsupported { advice, .. } => (Unsupported, Code::Unsupported, *advice),
            Self::Value { .. } => (
                InvalidData,
                Code::SopsDocumentInvalid,
                "change the document with `sops edit` instead of a text editor",
            ),
        };
        (kind, code, advice.into())
    }
}

fn io_advice(kind: io::ErrorKind) -> (ErrorKind, Code, &'static str) {
    match kind {
        io::ErrorKind::NotADirectory => (
            ErrorKind::InvalidConfig,
            Code::StoreInvalid,
            "correct `source.path`, which starts at the folder of the manifest",
        ),
        io::ErrorKind::NotFound => {
            (ErrorKind::NotFound, Code::CredentialMissing, "correct the path in SOPS_AGE_KEY_FILE")
        }
        io::ErrorKind::PermissionDenied => {
            (ErrorKind::PermissionDenied, Code::ProviderUnavailable, "let secretsync read the file")
        }
        _ => (ErrorKind::Unavailable, Code::ProviderUnavailable, "make the file readable and try again"),
    }
}

/// A name from a document or path, fit for a message: on one line, and not too long.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 120;
    let mut shown: String = text
        .chars()
        .take(LONGEST)
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
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
