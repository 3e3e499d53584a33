//! Builds providers from the stores of a program's registry.

use std::sync::Arc;

use async_trait::async_trait;
use secretsync_core::Result;
use secretsync_core::provider::{BuildContext, CredentialRef, Provider, ProviderFactory, RawConfig, StoreOrigin};
use secretsync_core::schema;
use serde_json::Value;

use crate::config::{open_bao, references};
use crate::generator::VaultDynamicSecretFactory;
use crate::session::Pool;
use crate::{OPENBAO, OpenBaoConfig, VAULT, VaultConfig, VaultProvider};

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

    /// The factory of `VaultDynamicSecret`s, which share logins with the stores of this one.
    pub fn dynamic_secrets(&self) -> VaultDynamicSecretFactory {
        VaultDynamicSecretFactory::new(self.pool.clone())
    }
}

/// The factory of `provider.openBao`, the smaller form of `provider.vault`.
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub struct OpenBaoFactory {
    pool: Pool,
}

impl OpenBaoFactory {
    /// A factory with the safe defaults: no plain http beyond this machine.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl ProviderFactory for VaultFactory {
    fn kind(&self) -> &'static str {
        VAULT.kind
    }

    fn schema(&self) -> Option<Value> {
        Some(schema::of::<VaultConfig>())
    }

    fn references(&self, config: &RawConfig, origin: &StoreOrigin) -> Result<Vec<CredentialRef>> {
        references(&config.read(origin, VAULT.kind)?, origin, VAULT.member)
    }

    async fn build(&self, config: &RawConfig, context: BuildContext) -> Result<Arc<dyn Provider>> {
        let config: VaultConfig = config.read(&context.origin, VAULT.kind)?;
        Ok(Arc::new(VaultProvider::sharing(VAULT, &config, context, Some(&self.pool))?))
    }
}

#[async_trait]
impl ProviderFactory for OpenBaoFactory {
    fn kind(&self) -> &'static str {
        OPENBAO.kind
    }

    fn schema(&self) -> Option<Value> {
        Some(schema::of::<OpenBaoConfig>())
    }

    fn references(&self, config: &RawConfig, origin: &StoreOrigin) -> Result<Vec<CredentialRef>> {
        references(&open_bao(config, origin)?, origin, OPENBAO.member)
    }

    async fn build(&self, config: &RawConfig, context: BuildContext) -> Result<Arc<dyn Provider>> {
        let config = open_bao(config, &context.origin)?;
        Ok(Arc::new(VaultProvider::sharing(OPENBAO, &config, context, Some(&self.pool))?))
    }
}
