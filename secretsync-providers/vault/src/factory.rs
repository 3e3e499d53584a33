//! Builds providers from the stores of a program's registry.

use std::sync::Arc;

use async_trait::async_trait;
use secretsync_core::Result;
use secretsync_core::provider::{BuildContext, CredentialRef, Provider, ProviderFactory, RawConfig, StoreOrigin};
use secretsync_core::schema;
use serde_json::Value;

use crate::config::references;
use crate::session::Pool;
use crate::{KIND, MEMBER, VaultConfig, VaultProvider};

/// The factory of `provider.vault`. Stores that it builds share a login where they have the same identity at the same server.
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub struct VaultFactory {
    pool: Pool,
}

impl VaultFactory {
    /// A factory with the safe defaults: no plain http beyond this machine.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl ProviderFactory for VaultFactory {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn schema(&self) -> Option<Value> {
        Some(schema::of::<VaultConfig>())
    }

    fn references(&self, config: &RawConfig, origin: &StoreOrigin) -> Result<Vec<CredentialRef>> {
        references(&config.read(origin, KIND)?, origin, MEMBER)
    }

    async fn build(&self, config: &RawConfig, context: BuildContext) -> Result<Arc<dyn Provider>> {
        let config: VaultConfig = config.read(&context.origin, KIND)?;
        Ok(Arc::new(VaultProvider::sharing(&config, context, Some(&self.pool))?))
    }
}
