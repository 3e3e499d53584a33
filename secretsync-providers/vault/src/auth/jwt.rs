//! JSON web tokens: issued for a service account, kept in a Secret, or the one that Kubernetes mounts into a pod.

use std::path::Path;
use std::time::Duration;

use secretsync_core::error::{Code, Error, ErrorKind, Hint};
use secretsync_core::provider::{Ambient, CredentialRef, TokenRequest};
use secretsync_core::secret::SecretValue;
use zeroize::Zeroizing;

use super::login::{Door, text};
use super::token;
use crate::error::Failure;

/// Where a token comes from.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Jwt {
    /// Issued at each login.
    Account {
        account: CredentialRef,
        audiences: Vec<String>,
        lifetime: Duration,
    },
    /// The token of the pod that this process runs in, where it may be lent.
    Mounted(Option<Ambient>),
    Secret(CredentialRef),
}

impl Jwt {
    pub(super) fn reference(&self) -> Option<CredentialRef> {
        match self {
            Self::Account { account, .. } => Some(account.clone()),
            Self::Mounted(_) => None,
            Self::Secret(reference) => Some(reference.clone()),
        }
    }

    pub(super) async fn token(&self, door: &Door<'_>) -> Result<Zeroizing<String>, Failure> {
        match self {
            Self::Account { account, audiences, lifetime } => {
                let request = TokenRequest::new(audiences.clone()).with_lifetime(*lifetime);
                let issued = door.credentials.token(account, &request).await.map_err(Failure::Credential)?;
                text(&issued.token, account)
            }
            Self::Mounted(_) => mounted(Path::new(MOUNTED)).map_err(Failure::Credential),
            Self::Secret(reference) => door.text(reference).await,
        }
    }
}

/// Read at each login: Kubernetes replaces the file before the token ends.
fn mounted(path: &Path) -> Result<Zeroizing<String>, Error> {
    let missing = || {
        Error::new(ErrorKind::NotFound, "read").on("the service account token of this pod").with_hint(Hint::new(
            Code::CredentialMissing,
            "name a service account in `serviceAccountRef`, or a token in `secretRef`: this process does not run in a pod with one",
        ))
    };
    let found = token::read(path).map_err(|error| missing().with_source(error))?;
    trimmed(&found).ok_or_else(missing)
}

fn trimmed(value: &SecretValue) -> Option<Zeroizing<String>> {
    let text = value.expose_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned().into())
}

const MOUNTED: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_the_pod_is_read_at_each_login() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for text in ["first", "second\n"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(*mounted(&path).unwrap(), text.trim());
        }
        std::fs::write(&path, "").unwrap();
        let error = mounted(&path).unwrap_err();
        assert_eq!((error.kind(), error.hint().unwrap().code()), (ErrorKind::NotFound, Code::CredentialMissing));
        assert!(mounted(&folder.path().join("other")).is_err());
    }
}
