//! Builds providers from the stores of a program's registry.

use std::sync::Arc;

use async_trait::async_trait;
use secretsync_core::Result;
use secretsync_core::provider::{
    Ambient, BuildContext, CredentialRef, Provider, ProviderFactory, RawConfig, StoreOrigin,
};
use secretsync_core::schema;
use serde_json::Value;

use crate::auth::Surroundings;
use crate::client::Network;
use crate::config::{self, Region};
use crate::session::{Pool, Session};
use crate::{AwsConfig, AwsProvider, KIND};

/// The factory of `provider.aws`. Its stores share a session where they name the same identity.
#[derive(Clone, Debug)]
pub struct AwsFactory {
    shared: Arc<Shared>,
}

/// What the stores of a program share.
#[derive(Debug)]
pub(crate) struct Shared {
    network: Network,
    sessions: Pool,
}

impl Shared {
    /// The session of the identity that a configuration and its surroundings lead to, and the network that it works over.
    pub(crate) async fn connect(
        &self,
        config: &AwsConfig,
        region: &Region,
        context: &BuildContext,
    ) -> Result<(Network, Arc<Session>)> {
        let identity = config::identity(config, region, context)?;
        let network = identity.network(&self.network).await;
        let surroundings = Surroundings { network: network.clone(), credentials: Arc::clone(&context.credentials) };
        Ok((network, Arc::new(Session::new(identity, surroundings, &self.sessions))))
    }
}

impl AwsFactory {
    /// A factory that looks for endpoints and authorities, and for nothing else, in the environment of the process: `AWS_ENDPOINT_URL` and its like, `AWS_CA_BUNDLE`.
    pub fn new() -> Self {
        Self::with_endpoints_from(&Ambient::from_env())
    }

    /// A factory that looks for endpoints and authorities in another environment.
    pub fn with_endpoints_from(environment: &Ambient) -> Self {
        Self { shared: Arc::new(Shared { network: Network::new(environment), sessions: Pool::default() }) }
    }

    #[cfg(feature = "kms")]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Default for AwsFactory {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl ProviderFactory for AwsFactory {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn schema(&self) -> Option<Value> {
        Some(schema::of::<AwsConfig>())
    }

    fn references(&self, config: &RawConfig, origin: &StoreOrigin) -> Result<Vec<CredentialRef>> {
        let config: AwsConfig = config.read(origin, KIND)?;
        config::references(config.auth.as_ref(), origin)
    }

    fn depends_on_consumer(&self, config: &RawConfig, origin: &StoreOrigin) -> Result<bool> {
        let config: AwsConfig = config.read(origin, KIND)?;
        Ok(config::tags_follow_consumer(&config))
    }

    async fn build(&self, config: &RawConfig, context: BuildContext) -> Result<Arc<dyn Provider>> {
        let config: AwsConfig = config.read(&context.origin, KIND)?;
        Ok(Arc::new(AwsProvider::new(&config, &context, &self.shared).await?))
    }
}
