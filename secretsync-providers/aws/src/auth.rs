//! From a configured identity to credentials: where they come from, then the roles that they take, one after the other.

mod account;
mod ambient;
mod container;
mod instance;
mod keys;
mod profile;
mod sts;

use std::sync::Arc;

use aws_credential_types::Credentials;
use secretsync_core::error::Result;
use secretsync_core::provider::{Ambient, CredentialRef, CredentialSource};

use crate::client::Network;
use crate::config::{Region, SessionTag};

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) source: Source,
    /// The roles to take, in order.
    pub(crate) roles: Vec<Role>,
    /// Where STS is asked.
    pub(crate) region: Region,
}

/// Everything that decides who asks: equal keys share one session.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct IdentityKey {
    source: SourceKey,
    roles: Vec<Role>,
    region: Region,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum SourceKey {
    Named { references: Vec<String>, audiences: Vec<String> },
    Own(ambient::Environment),
}

impl Identity {
    /// The identity as others may share it; `None` where nobody knows what its references mean elsewhere.
    pub(crate) fn key(&self, credentials: &dyn CredentialSource) -> Option<IdentityKey> {
        let named = |references: &[&CredentialRef], audiences: &[String]| {
            let references =
                references.iter().map(|reference| credentials.identity(reference)).collect::<Option<_>>()?;
            Some(SourceKey::Named { references, audiences: audiences.to_vec() })
        };
        let source = match &self.source {
            Source::Account { account, audiences } => named(&[account], audiences)?,
            Source::Keys { id, secret, token: None } => named(&[id, secret], &[])?,
            Source::Keys { id, secret, token: Some(token) } => named(&[id, secret, token], &[])?,
            Source::Own(environment) => SourceKey::Own(environment.clone()),
        };
        Some(IdentityKey { source, roles: self.roles.clone(), region: self.region.clone() })
    }
}

/// Where the first credentials come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A role that a service account may take.
    Account { account: CredentialRef, audiences: Vec<String> },
    /// Keys in Secrets.
    Keys { id: CredentialRef, secret: CredentialRef, token: Option<CredentialRef> },
    /// What this process finds in its environment.
    Own(ambient::Environment),
}

impl Identity {
    /// The network with the endpoints that this identity brings: those of the process's profile go with its credentials.
    pub(crate) async fn network(&self, network: &Network) -> Network {
        match &self.source {
            Source::Own(environment) => network.led_by_profile(profile::endpoints(environment).await),
            Source::Account { .. } | Source::Keys { .. } => network.clone(),
        }
    }
}

impl Source {
    /// The identity of this process.
    pub(crate) fn own(environment: Ambient) -> Self {
        Self::Own(ambient::Environment::new(environment))
    }
}

/// A role and how to ask for it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) external_id: Option<String>,
    pub(crate) tags: Vec<SessionTag>,
    pub(crate) transitive: Vec<String>,
}

impl Role {
    /// A role that wants nothing else.
    pub(crate) fn new(arn: impl Into<String>) -> Self {
        Self { arn: arn.into(), external_id: None, tags: Vec::new(), transitive: Vec::new() }
    }
}

/// What obtaining credentials needs.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) network: Network,
    pub(crate) credentials: Arc<dyn CredentialSource>,
}

/// Obtains the credentials of an identity anew.
pub(crate) async fn obtain(identity: &Identity, surroundings: &Surroundings) -> Result<Credentials> {
    let sts = sts::Sts::new(&surroundings.network, &identity.region);
    let mut credentials = match &identity.source {
        Source::Account { account, audiences } => {
            account::obtain(&sts, account, audiences, &*surroundings.credentials).await?
        }
        Source::Keys { id, secret, token } => {
            keys::obtain(id, secret, token.as_ref(), &*surroundings.credentials).await?
        }
        Source::Own(environment) => ambient::obtain(environment, &sts).await?,
    };
    for role in &identity.roles {
        credentials = sts.assume(credentials, role).await?;
    }
    Ok(credentials)
}
