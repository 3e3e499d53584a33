//! What each failure means to the user: its kind, its code and what to do.

use std::borrow::Cow;

use secretsync_core::error::{Code, ErrorKind};
use secretsync_core::net::Cause;

use super::{Failure, Grant, MountProblem};
use crate::auth::Wrapped;

type Verdict = (ErrorKind, Code, Cow<'static, str>);

impl Failure {
    pub(super) fn verdict(&self) -> Verdict {
        use ErrorKind::{InvalidConfig, InvalidData, NotFound, PermissionDenied, Unauthenticated, Unavailable};
        let (kind, code, advice) = match self {
            Self::Denied(grant) => return (PermissionDenied, Code::VaultPermissionDenied, grant.advice().into()),
            Self::Mount { problem, .. } => return (problem.kind(), Code::VaultMountMissing, problem.advice().into()),
            Self::Stale => (
                Unavailable,
                Code::ProviderUnavailable,
                "wait: a standby catches up; `forwardInconsistent` with `readYourWrites` lets it forward",
            ),
            Self::Status { row, .. } => (row.kind, row.code, row.advice),
            Self::Transport(transport) => transport_verdict(transport.cause()),
            Self::TokenRefused { sent: true } => {
                (Unauthenticated, Code::VaultTokenInvalid, "put a valid token where the store refers to")
            }
            Self::TokenRefused { sent: false } => {
                (Unauthenticated, Code::VaultTokenInvalid, "add `auth` to the store: its requests carry no token")
            }
            Self::Forbidden | Self::UnknownToken => {
                (PermissionDenied, Code::VaultPermissionDenied, "check the policies of the token")
            }
            Self::Malformed { .. } => (InvalidData, Code::DataInvalid, "check `path` and `version` of the store"),
            Self::NoFolder => (
                NotFound,
                Code::SecretMissing,
                "correct `find.path`; with `deletionPolicy: Delete` or `Merge` nothing to find is no error",
            ),
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
            Self::Undecryptable => (
                InvalidData,
                Code::SopsKeyMissing,
                "check that the document was encrypted with this key, and that its `min_decryption_version` still allows the key's version",
            ),
            other => return other.issue_verdict(),
        };
        (kind, code, advice.into())
    }

    /// What went wrong where something was to be issued, or was although it should not.
    fn issue_verdict(&self) -> Verdict {
        let (kind, code, advice) = match self {
            Self::Leased => (
                ErrorKind::InvalidConfig,
                Code::StoreInvalid,
                "run again if the mount was just replaced; engines that issue credentials are read with `version: v1`",
            ),
            Self::NothingIssued => (
                ErrorKind::NotFound,
                Code::SecretMissing,
                "create the role, or correct the key; `bao read` shows what the engine has",
            ),
            Self::OddLease => (
                ErrorKind::InvalidData,
                Code::DataInvalid,
                "check `server`, and the proxy in front of it: the lease was given back",
            ),
            Self::NoContent => (
                ErrorKind::InvalidData,
                Code::DataInvalid,
                "correct `path` and `method`, or set `allowEmptyResponse: true`",
            ),
            Self::NoSuchPart(_) => (
                ErrorKind::InvalidData,
                Code::DataInvalid,
                "set `resultType` to what the path answers: `Data`, `Auth` or `Raw`",
            ),
            Self::Defect => (
                ErrorKind::Internal,
                Code::InternalDefect,
                "report it with the version and the manifest, without values",
            ),
            other => return other.login_verdict(),
        };
        (kind, code, advice.into())
    }

    /// What went wrong with a login.
    fn login_verdict(&self) -> Verdict {
        use ErrorKind::{Internal, InvalidConfig, Unauthenticated, Unavailable, Unsupported};
        let (kind, code, advice) = match self {
            Self::Aws(_) => (InvalidConfig, Code::StoreInvalid, "check `auth.iam.region`, and AWS_ENDPOINT_URL_STS"),
            Self::AwsRefused(_) => (
                Unauthenticated,
                Code::VaultLoginRefused,
                "check that the access keys or the service account may take the AWS role (its trust policy), and the external id",
            ),
            Self::LoginRefused(_) => (
                Unauthenticated,
                Code::VaultLoginRefused,
                "check the credentials that `auth` refers to, the role or user name, the mount of the method, and `auth.namespace`",
            ),
            Self::SecondFactor => {
                (Unsupported, Code::Unsupported, "log in with a method that is made for machines, or exempt the role")
            }
            Self::Wrapped(Wrapped::Gone) => (
                Unauthenticated,
                Code::VaultLoginRefused,
                "wrap a new secret id; if nobody of yours unwrapped this one, somebody else did: revoke its secret ids",
            ),
            Self::Wrapped(Wrapped::Substituted) => (
                Unauthenticated,
                Code::VaultLoginRefused,
                "wrap a secret id of this mount; if nobody of yours wrapped something else, somebody put it there",
            ),
            Self::NoToken => (Unavailable, Code::ProviderUnavailable, "check that `server` is Vault or OpenBao"),
            // The others are told above; these two come with the words of whoever failed.
            _ => (Internal, Code::InternalDefect, "report this"),
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

fn transport_verdict(cause: Cause) -> (ErrorKind, Code, &'static str) {
    let advice = match cause {
        Cause::CertificateExpired => "renew the server's certificate, or set the clock",
        Cause::CertificateName => "write the name into `server` that the certificate is for",
        Cause::CertificateUnknown => "give the authority's certificate in `caBundle` or `caProvider`",
        Cause::Dns => "check the host name in `server`, and the name service",
        Cause::NotTls => "write `server` with the scheme that the server speaks",
        Cause::Refused => "check host and port in `server`, and that the server runs",
        Cause::RefusedAddress => return (ErrorKind::InvalidConfig, Code::StoreInvalid, "name the Vault server itself"),
        Cause::TimedOut => "check that the server runs, and that no firewall drops the packets",
        Cause::Tls => "check the certificates on both sides",
        Cause::Unreachable => "check host in `server`, and the network",
        _ => "check the server, and the proxy or load balancer in front of it",
    };
    (ErrorKind::Unavailable, Code::ProviderUnavailable, advice)
}
