//! From the configured method to the token that requests carry.

mod token;

use secretsync_core::error::Result;
use secretsync_core::provider::{Ambient, CredentialRef, CredentialSource};

pub(crate) use token::Token;

/// How the token is obtained.
#[derive(Debug)]
pub(crate) enum Method {
    /// From the environment of the process, because the user asked for that.
    Ambient(Ambient),
    /// Not at all: requests carry none.
    None,
    /// From a Secret.
    Token(CredentialRef),
}

impl Method {
    /// Obtains the token anew: a rotated credential is found here.
    pub(crate) async fn token(&self, credentials: &dyn CredentialSource) -> Result<Option<Token>> {
        match self {
            Self::Ambient(ambient) => token::ambient(ambient).map(Some),
            Self::None => Ok(None),
            Self::Token(reference) => token::referenced(credentials, reference).await.map(Some),
        }
    }
}
