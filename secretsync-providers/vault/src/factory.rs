//! Builds providers from the stores of a program's registry.

use std::sync::Arc;

use async_trait::async_trait;
use secretsync_core::Result;
use secretsync_core::provider::{BuildContext, CredentialRef, Provider, ProviderFactory, RawConfig, StoreOrigin};

use crate::config::references;
use crate::{KIND, VaultConfig, VaultProvider};

/// The factory of `provider.vault`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default)]
pub struct VaultFactory {}

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

    fn references(&self, config: &RawConfig, origin: &StoreOrigin) -> Result<Vec<CredentialRef>> {
        Ok(references(&config.read(origin, KIND)?))
    }

    async fn build(&self, config: &RawConfig, context: BuildContext) -> Result<Arc<dyn Provider>> {
        let config: VaultConfig = config.read(&context.origin, KIND)?;
        Ok(Arc::new(VaultProvider::new(&config, context)?))
    }
}
