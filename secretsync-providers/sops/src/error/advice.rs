//! What kind of failure an error is, and what to do about it.

use std::borrow::Cow;
use std::io;

use secretsync_core::error::{self as core, Code, ErrorKind};

use super::Error;

/// Kind, code and what to do.
pub(super) type Advice = (ErrorKind, Code, Cow<'static, str>);

impl Error {
    /// The one table of kinds, codes and advice.
    pub(super) fn advice(&self) -> Advice {
        use ErrorKind::{InvalidConfig, InvalidData, NotFound, Unavailable, Unsupported};
        let (kind, code, advice) = match self {
            Self::Binding { .. }
            | Self::Credential(_)
            | Self::Identity { .. }
            | Self::KeyFile { .. }
            | Self::NoKey { .. } => {
                return self.about_keys();
            }
            Self::Dangling { .. } => {
                (InvalidConfig, Code::SopsPathRefused, "let the link lead to a file below the store's folder")
            }
            Self::Forged { .. } | Self::MacMismatch | Self::MacMissing => (
                InvalidData,
                Code::SopsMacMismatch,
                "restore the document from a commit you trust, or change it with `sops edit`",
            ),
            Self::Interrupted => (ErrorKind::Internal, Code::InternalDefect, "report this as a defect of secretsync"),
            Self::Io { kind, .. } => io_advice(*kind),
            Self::Malformed { .. } | Self::Syntax { .. } => (
                InvalidData,
                Code::SopsDocumentInvalid,
                "restore the document, or encrypt it again with `sops encrypt`",
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
            Self::Rules { .. } => {
                (InvalidConfig, Code::UsageInvalid, "correct the `.sops.yaml`, or name another with --config")
            }
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

    /// The rows of the table about who may open a document.
    fn about_keys(&self) -> Advice {
        use ErrorKind::{InvalidConfig, PermissionDenied, Unsupported};
        let (kind, code, advice) = match self {
            Self::Binding { namespace, .. } => {
                let advice = format!(
                    "add `secretsync: {{namespace: {namespace}}}` to the document with `sops edit`, in a place that its rule encrypts; a document \
                     for several namespaces belongs into a store without `bind`"
                );
                return (PermissionDenied, Code::SopsNamespaceRefused, advice.into());
            }
            Self::Credential(inner) => {
                (inner.kind(), Code::CredentialMissing, "create the Secret that the store's `keys` name")
            }
            Self::Identity { advice, .. } => (InvalidConfig, Code::SopsKeyMissing, *advice),
            Self::KeyFile { kind: io::ErrorKind::NotFound, .. } => {
                (ErrorKind::NotFound, Code::CredentialMissing, "correct the path in SOPS_AGE_KEY_FILE")
            }
            Self::KeyFile { kind, .. } => io_advice(*kind),
            Self::NoKey { only_unsupported: true, .. } => (
                Unsupported,
                Code::SopsKeyMissing,
                "encrypt the document for an age, AWS KMS or Vault transit key as well: add it to `.sops.yaml` and run `sops updatekeys`",
            ),
            Self::NoKey { cause, .. } => (
                cause.as_ref().map_or(PermissionDenied, core::Error::kind),
                Code::SopsKeyMissing,
                "add a key of the document to the store's `keys`, or the store's key to the document with `sops updatekeys`",
            ),
            _ => (ErrorKind::Internal, Code::InternalDefect, "report this as a defect of secretsync"),
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
        io::ErrorKind::PermissionDenied => {
            (ErrorKind::PermissionDenied, Code::ProviderUnavailable, "let secretsync read the file")
        }
        _ => (ErrorKind::Unavailable, Code::ProviderUnavailable, "make the file readable and try again"),
    }
}
