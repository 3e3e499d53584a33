//! Builds providers from `VaultDynamicSecret`s.

use std::sync::Arc;

use async_trait::async_trait;
use secretsync_core::Result;
use secretsync_core::provider::{BuildContext, CredentialRef, Provider, ProviderFactory, RawConfig, StoreOrigin};
use secretsync_core::schema;
use serde_json::Value;

use super::{GENERATOR_KIND, MEMBER, VaultDynamicSecret, VaultDynamicSecretConfig};
use crate::config::references;
use crate::session::Pool;

/// The factory of `VaultDynamicSecret`s. Its generators share logins with the stores of the factory that it comes from.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct VaultDynamicSecretFactory {
    pool: Pool,
}

impl VaultDynamicSecretFactory {
    pub(crate) fn new(pool: Pool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl ProviderFactory for VaultDynamicSecretFactory {
    fn kind(&self) -> &'static str {
        GENERATOR_KIND
    }

    fn schema(&self) -> Option<Value> {
        Some(schema::of::<VaultDynamicSecretConfig>())
    }

    fn references(&self, config: &RawConfig, origin: &StoreOrigin) -> Result<Vec<CredentialRef>> {
        let config: VaultDynamicSecretConfig = config.read(origin, GENERATOR_KIND)?;
        references(config.provider(origin)?, origin, MEMBER)
    }

    async fn build(&self, config: &RawConfig, context: BuildContext) -> Result<Arc<dyn Provider>> {
        let config: VaultDynamicSecretConfig = config.read(&context.origin, GENERATOR_KIND)?;
        Ok(Arc::new(VaultDynamicSecret::sharing(&config, context, Some(&self.pool))?))
    }
}
