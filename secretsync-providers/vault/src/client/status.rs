//! The one table of status codes: what each means, whether it passes, and what to do.

use std::time::Duration;

use secretsync_core::error::{Code, ErrorKind};
use secretsync_core::json::Json;

use crate::error::Failure;

/// What a status means.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) kind: ErrorKind,
    pub(crate) code: Code,
    /// What happened.
    pub(crate) says: &'static str,
    /// What to do about it.
    pub(crate) advice: &'static str,
}

/// The failure behind a status of 201 or more. `errors` are the texts of Vault's own error answer; without them somebody else answered.
pub(super) fn failure(status: u16, errors: Option<&[Json]>, retry_after: Option<Duration>) -> Failure {
    if errors.is_none() && matches!(status, 201..=499) && !matches!(status, 412 | 429 | 472..=474) {
        return Failure::NotVault(status);
    }
    if status == 403 {
        // Later versions say it.
        return if says(errors, "invalid token") { Failure::UnknownToken } else { Failure::Forbidden };
    }
    Failure::Status { status, row: row(status, errors), retry_after }
}

fn row(status: u16, errors: Option<&[Json]>) -> Row {
    use Code::{ProviderRateLimited, ProviderUnavailable, StoreInvalid, VaultSealed};
    use ErrorKind::{InvalidConfig, RateLimited, Unavailable};
    const WAIT: &str = "wait, and look at the server's log if it lasts";
    const NODE: &str = "point `server` at a node that serves requests, or at the load balancer";
    let (kind, code, says, advice) = match status {
        400 if says(errors, "upgrading from non-versioned") => {
            (Unavailable, ProviderUnavailable, "the mount is being upgraded to KV version 2", "wait a minute")
        }
        400 => (
            InvalidConfig,
            StoreInvalid,
            "the request was refused as invalid",
            "check `path` and `version` of the store",
        ),
        405 => (InvalidConfig, StoreInvalid, "the path cannot be read", "check `path` of the store and the key"),
        412 => (Unavailable, ProviderUnavailable, "the node has not caught up with an earlier change", WAIT),
        413 => (InvalidConfig, StoreInvalid, "the request was too big", "shorten `headers` of the store"),
        429 => (RateLimited, ProviderRateLimited, "a quota was exceeded", "raise the quota, or refresh less often"),
        472 => (Unavailable, ProviderUnavailable, "the node is a disaster recovery secondary", NODE),
        473 => (Unavailable, ProviderUnavailable, "the node is a performance standby", NODE),
        474 | 530 => (Unavailable, ProviderUnavailable, "the node is cut off from the cluster", NODE),
        501 => {
            (Unavailable, ProviderUnavailable, "the server is not initialised", "initialise it, or correct `server`")
        }
        502 => (Unavailable, ProviderUnavailable, "the server could not reach what it depends on", WAIT),
        503 if errors.is_some() => (
            Unavailable,
            VaultSealed,
            "it is sealed or has no active node",
            "unseal it; nothing is changed until it answers",
        ),
        503 | 504 => (Unavailable, ProviderUnavailable, "no server is available behind the address", WAIT),
        _ => (Unavailable, ProviderUnavailable, "the server failed", WAIT),
    };
    Row { kind, code, says, advice }
}

/// Whether one of the server's texts contains some words.
fn says(errors: Option<&[Json]>, words: &str) -> bool {
    errors.into_iter().flatten().any(|text| match text {
        Json::String(text) => text.expose().to_lowercase().contains(words),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, errors: Option<&str>) -> (ErrorKind, Code) {
        let texts = errors.map(|text| vec![Json::text(text)]);
        match failure(status, texts.as_deref(), None) {
            Failure::Status { row, .. } => (row.kind, row.code),
            other => panic!("{status}: {other}"),
        }
    }

    #[test]
    fn each_status_has_its_meaning() {
        use ErrorKind::{InvalidConfig, RateLimited, Unavailable};
        for (status, kind, code) in [
            (400, InvalidConfig, Code::StoreInvalid),
            (405, InvalidConfig, Code::StoreInvalid),
            (412, Unavailable, Code::ProviderUnavailable),
            (429, RateLimited, Code::ProviderRateLimited),
            (472, Unavailable, Code::ProviderUnavailable),
            (473, Unavailable, Code::ProviderUnavailable),
            (500, Unavailable, Code::ProviderUnavailable),
            (501, Unavailable, Code::ProviderUnavailable),
            (502, Unavailable, Code::ProviderUnavailable),
            (503, Unavailable, Code::VaultSealed),
            (599, Unavailable, Code::ProviderUnavailable),
        ] {
            assert_eq!(told(status, Some("text")), (kind, code), "{status}");
        }
    }

    #[test]
    fn a_load_balancer_is_not_taken_for_vault() {
        assert_eq!(told(503, None), (ErrorKind::Unavailable, Code::ProviderUnavailable));
        for status in [204, 400, 401, 403, 404, 405, 418] {
            assert!(matches!(failure(status, None, None), Failure::NotVault(_)), "{status}");
        }
    }

    #[test]
    fn a_mount_under_upgrade_passes() {
        let text =
            "Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period";
        assert_eq!(told(400, Some(text)).0, ErrorKind::Unavailable);
    }
}
