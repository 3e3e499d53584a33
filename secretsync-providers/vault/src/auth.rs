//! From the configured method to the token that requests carry.

pub(crate) mod answer;
mod token;

use secretsync_core::provider::{Ambient, CredentialRef, CredentialSource};
use secretsync_core::session::Term;

use crate::client::Client;
use crate::config::Account;
use crate::error::Failure;

pub(crate) use token::Token;

/// How the token is obtained.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Method {
    /// From the environment of the process, because the user asked for that.
    Ambient(Ambient),
    /// Not at all: requests carry none.
    None,
    /// From a Secret.
    Token(CredentialRef),
}

/// What a login gave.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) token: Option<Token>,
    pub(crate) term: Term,
    /// Whether it was made for us, so that it is ours to end.
    pub(crate) ours: bool,
    /// Whether it serves a few requests only.
    pub(crate) counted: bool,
}

impl Granted {
    /// A token that somebody else made and looks after.
    fn given(token: Token) -> Self {
        Self { token: Some(token), term: Term::unknown(), ours: false, counted: false }
    }
}

impl Method {
    /// The member of `auth` that chose it.
    pub(crate) fn name(&self) -> Option<&'static str> {
        match self {
            Self::Ambient(_) | Self::None => None,
            Self::Token(_) => Some("tokenSecretRef"),
        }
    }

    /// What it reads from outside.
    pub(crate) fn references(&self) -> Vec<CredentialRef> {
        match self {
            Self::Ambient(_) | Self::None => Vec::new(),
            Self::Token(reference) => vec![reference.clone()],
        }
    }

    /// Obtains a token anew: a rotated credential is found here.
    pub(crate) async fn log_in(
        &self,
        _account: &Account,
        _client: &Client,
        credentials: &dyn CredentialSource,
    ) -> Result<Granted, Failure> {
        match self {
            Self::Ambient(ambient) => token::ambient(ambient).map(Granted::given).map_err(Failure::Credential),
            Self::None => Ok(Granted { token: None, term: Term::endless(), ours: false, counted: false }),
            Self::Token(reference) => {
                token::referenced(credentials, reference).await.map(Granted::given).map_err(Failure::Credential)
            }
        }
    }
}
