//! Every way to fail here, and the one conversion into the error that leaves the crate.

use std::borrow::Cow;
use std::fmt::Display;
use std::time::Duration;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Retry};
use thiserror::Error;

use crate::client::{Cause, Row, Transport};
use crate::config::KvVersion;
use crate::generator::ResultType;

/// A failure. `Display` says what happened, without addresses of ours: [`Failure::into_error`] adds what was attempted on what.
#[derive(Debug, Error)]
pub(crate) enum Failure {
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
    #[error("the client certificate cannot be used: {0}")]
    Identity(&'static str),
    #[error("reading it issued a credential with a lease, which was given back: the engine there is not KV")]
    Leased,
    #[error("the login failed")]
    Login(#[source] Error),
    #[error("the answer has not the form of KV {version}: {found}")]
    Malformed { version: KvVersion, found: &'static str },
    #[error("{problem} (tried `{url}`)")]
    Mount { problem: MountProblem, url: String },
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
    #[error("the HTTP client could not be set up")]
    Setup(#[source] reqwest::Error),
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
            Self::Transport(transport) => matches!(transport.cause, Cause::TimedOut | Cause::Closed | Cause::Other),
            // 412, 429, 473 and a sealed or inactive node turn a request away at the door.
            Self::Status { status, row, .. } => matches!(status, 500 | 502..=504) && row.code != Code::VaultSealed,
            Self::Defect
            | Self::Malformed { .. }
            | Self::NoContent
            | Self::NoSuchPart(_)
            | Self::NotVault(_)
            | Self::TooBig => true,
            _ => false,
        }
    }

    /// Whether the trust between us and the server is broken, as after a change of certificates.
    pub(crate) fn is_tls(&self) -> bool {
        use Cause::{CertificateExpired, CertificateName, CertificateUnknown, Tls};
        matches!(
            self,
            Self::Transport(Transport { cause: CertificateExpired | CertificateName | CertificateUnknown | Tls, .. })
        )
    }

    fn retry(&self) -> Option<Retry> {
        match self {
            Self::Status { retry_after: Some(pause), .. } => Some(Retry::After(*pause)),
            Self::Redirect(_) | Self::Setup(_) | Self::TooBig => Some(Retry::Never),
            failure if failure.is_tls() => Some(Retry::Never),
            _ => None,
        }
    }

    fn verdict(&self) -> (ErrorKind, Code, Cow<'static, str>) {
        use ErrorKind::{
            Internal, InvalidConfig, InvalidData, NotFound, PermissionDenied, Unauthenticated, Unavailable,
        };
        let (kind, code, advice) = match self {
            Self::Denied(grant) => return (PermissionDenied, Code::VaultPermissionDenied, grant.advice().into()),
            Self::Mount { problem, .. } => return (problem.kind(), Code::VaultMountMissing, problem.advice().into()),
            Self::Status { row, .. } => (row.kind, row.code, row.advice),
            Self::Transport(transport) => transport_verdict(transport.cause),
            Self::TokenRefused { sent: true } => {
                (Unauthenticated, Code::VaultTokenInvalid, "put a valid token where the store refers to")
            }
            Self::TokenRefused { sent: false } => {
                (Unauthenticated, Code::VaultTokenInvalid, "add `auth` to the store: its requests carry no token")
            }
            Self::Forbidden => (PermissionDenied, Code::VaultPermissionDenied, "check the policies of the token"),
            Self::Leased => (
                InvalidConfig,
                Code::StoreInvalid,
                "run again if the mount was just replaced; engines that issue credentials are read with `version: v1`",
            ),
            Self::NothingIssued => (
                NotFound,
                Code::SecretMissing,
                "create the role, or correct the key; `bao read` shows what the engine has",
            ),
            Self::NoContent => {
                (InvalidData, Code::DataInvalid, "correct `path` and `method`, or set `allowEmptyResponse: true`")
            }
            Self::NoSuchPart(_) => {
                (InvalidData, Code::DataInvalid, "set `resultType` to what the path answers: `Data`, `Auth` or `Raw`")
            }
            Self::Defect => {
                (Internal, Code::InternalDefect, "report it with the version and the manifest, without values")
            }
            Self::Malformed { .. } => (InvalidData, Code::DataInvalid, "check `path` and `version` of the store"),
            Self::NotVault(_) => (
                Unavailable,
                Code::ProviderUnavailable,
                "check `server`, and the proxy or load balancer in front of it",
            ),
            Self::Redirect(_) => (
                Unavailable,
                Code::ProviderUnavailable,
                "write the address that it leads to into `server`: tokens are not sent to another server",
            ),
            Self::TooBig => (InvalidData, Code::DataInvalid, "check `server`: Vault has no object of this size"),
            Self::TooMany => (InvalidConfig, Code::ManifestInvalid, "narrow `find.path`"),
            Self::Authorities(_) => (InvalidConfig, Code::StoreInvalid, "check `caBundle` or `caProvider`"),
            Self::Identity(_) => {
                (InvalidConfig, Code::StoreInvalid, "check `tls.certSecretRef` and `tls.keySecretRef`")
            }
            Self::Setup(_) => (
                InvalidConfig,
                Code::StoreInvalid,
                "install the system's certificates of authorities, or give `caBundle`; check that `tls` holds a certificate and its key",
            ),
            Self::NoToken => (Unavailable, Code::ProviderUnavailable, "check that `server` is Vault or OpenBao"),
            // Converted above, with the words of whoever failed.
            Self::Credential(_) | Self::Login(_) => (Internal, Code::InternalDefect, "report this"),
        };
        (kind, code, advice.into())
    }
}

impl Grant {
    fn advice(&self) -> String {
        let Self { path, capability, namespace } = self;
        let path = path.replace('\\', r"\\").replace('"', "\\\"");
        let place = namespace.as_ref().map(|name| format!(" in namespace `{name}`")).unwrap_or_default();
        format!(
            "add to the token's policy{place}: path \"{path}\" {{ capabilities = [\"{capability}\"] }}; a mount that does not exist looks the same"
        )
    }
}

impl MountProblem {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing => ErrorKind::NotFound,
            Self::Elsewhere { .. } | Self::NotKv { .. } | Self::Version { .. } => ErrorKind::InvalidConfig,
        }
    }

    fn advice(&self) -> String {
        match self {
            Self::Elsewhere { mount } => {
                format!("write `path: {mount}` into the store, or the key as `{mount}/data/...`")
            }
            Self::Missing => {
                "enable a KV engine there, or correct `path` of the store (without it: the first segment of the key)"
                    .to_owned()
            }
            Self::NotKv { .. } => "correct `path` of the store, or the key".to_owned(),
            Self::Version { found, .. } => format!("write `version: {found}` into the store"),
        }
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

fn transport_verdict(cause: Cause) -> (ErrorKind, Code, &'static str) {
    let advice = match cause {
        Cause::CertificateExpired => "renew the server's certificate, or set the clock",
        Cause::CertificateName => "write the name into `server` that the certificate is for",
        Cause::CertificateUnknown => "give the authority's certificate in `caBundle` or `caProvider`",
        Cause::Closed | Cause::Other => "check the server, and the proxy or load balancer in front of it",
        Cause::Dns => "check the host name in `server`, and the name service",
        Cause::NotTls => "write `server` with the scheme that the server speaks",
        Cause::Refused => "check host and port in `server`, and that the server runs",
        Cause::RefusedAddress => return (ErrorKind::InvalidConfig, Code::StoreInvalid, "name the Vault server itself"),
        Cause::TimedOut => "check that the server runs, and that no firewall drops the packets",
        Cause::Tls => "check the certificates on both sides",
        Cause::Unreachable => "check host in `server`, and the network",
    };
    (ErrorKind::Unavailable, Code::ProviderUnavailable, advice)
}
