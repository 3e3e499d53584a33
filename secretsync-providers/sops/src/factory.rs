//! Builds providers from the configuration of stores.

use std::sync::Arc;

use async_trait::async_trait;
use secretsync_core::error::Result;
use secretsync_core::provider::{
    BuildContext, CredentialKind, CredentialRef, Provider, ProviderFactory, RawConfig, StoreOrigin,
};

use crate::KIND;
use crate::client::key;
use crate::config::{Settings, SopsConfig, Source};
use crate::provider::SopsProvider;

/// Reads `spec.provider.sops`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default)]
pub struct SopsFactory {}

impl SopsFactory {
    /// A factory that reads files below the folder of [`BuildContext::base`] only.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl ProviderFactory for SopsFactory {
    fn kind(&self) -> &'static str {
        KIND
    }

    /// The keys' Secrets, and the source where it is a `ConfigMap` or Secret: its key is `*` then, for all of them.
    fn references(&self, config: &RawConfig, origin: &StoreOrigin) -> Result<Vec<CredentialRef>> {
        let config: SopsConfig = config.read(origin, KIND)?;
        let settings = Settings::try_from(config).map_err(|error| error.into_core("configure", origin))?;
        let mut references = settings.keys;
        match settings.source {
            Source::ConfigMap(object) => references.push(key(CredentialKind::ConfigMap, &object, "*")),
            Source::Secret(object) => references.push(key(CredentialKind::Secret, &object, "*")),
            Source::Inline(_) | Source::Path(_) => {}
        }
        Ok(references)
    }

    async fn build(&self, config: &RawConfig, context: BuildContext) -> Result<Arc<dyn Provider>> {
        let config = config.read(&context.origin, KIND)?;
        Ok(Arc::new(SopsProvider::new(config, context)?))
    }
}
