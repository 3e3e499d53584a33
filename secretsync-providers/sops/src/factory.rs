//! Builds providers from the configuration of stores.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use secretsync_core::error::Result;
use secretsync_core::provider::{
    BuildContext, CredentialKind, CredentialRef, KeyServiceFactory, Provider, ProviderFactory, RawConfig, StoreOrigin,
};
use secretsync_core::schema;
use serde_json::Value;

use crate::KIND;
use crate::auth::{Service, Services};
use crate::client::key;
use crate::config::{Key, Settings, SopsBind, SopsConfig, Source, below};
use crate::error::Error;
use crate::provider::SopsProvider;

/// Reads `spec.provider.sops`.
#[derive(Clone, Debug, Default)]
pub struct SopsFactory {
    services: Vec<Arc<dyn KeyServiceFactory>>,
}

impl SopsFactory {
    /// A factory that reads files below the folder of [`BuildContext::base`] only, and knows age keys only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets stores configure keys of one more kind, which a service unwraps: `keys[].vaultTransit`, `keys[].awsKms`. A service of the same
    /// member is replaced.
    #[must_use]
    pub fn with_key_service(mut self, service: impl KeyServiceFactory) -> Self {
        self.services.retain(|known| known.member() != service.member());
        self.services.push(Arc::new(service));
        self
    }

    fn service(&self, member: &str, place: &str) -> Result<&Arc<dyn KeyServiceFactory>, Error> {
        self.services.iter().find(|service| service.member() == member).ok_or_else(|| {
            Error::unsupported(
                format!("`{place}` needs a provider that is not part of this program"),
                "use a program that is built with it, or encrypt the documents for an age key as well and configure that",
            )
        })
    }

    fn settings(config: &RawConfig, origin: &StoreOrigin) -> Result<Settings> {
        let config: SopsConfig = config.read(origin, KIND)?;
        Settings::try_from(config).map_err(|error| configuring(error, origin))
    }

    /// Builds the services of a configuration, in its order.
    async fn build_services(&self, keys: &[Key], context: &BuildContext) -> Result<Services> {
        let mut services = Vec::new();
        for key in keys {
            let Key::Service { member, place, config } = key else { continue };
            let factory = self.service(member, place).map_err(|error| configuring(error, &context.origin))?;
            let built = factory.build(config, context.clone()).await;
            let inner = built.map_err(|error| error.within("configure", told(place, &context.origin)))?;
            services.push(Service { place: place.clone(), kind: factory.kind(), inner });
        }
        Ok(services.into())
    }
}

fn configuring(error: Error, origin: &StoreOrigin) -> secretsync_core::error::Error {
    error.into_core("configure", format!("the provider `{KIND}` of {origin}"))
}

fn told(place: &str, origin: &StoreOrigin) -> String {
    format!("`spec.provider.{KIND}.{place}` of {origin}")
}

#[async_trait]
impl ProviderFactory for SopsFactory {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn schema(&self) -> Option<Value> {
        Some(schema::of::<SopsConfig>())
    }

    /// The keys' Secrets, what their services read, and the source where it is a `ConfigMap` or Secret: its key is `*` then, for all of them.
    fn references(&self, config: &RawConfig, origin: &StoreOrigin) -> Result<Vec<CredentialRef>> {
        let Settings { source, keys, bind: _ } = Self::settings(config, origin)?;
        let mut references = Vec::new();
        for setting in keys {
            match setting {
                Key::Age(reference) => references.push(reference),
                Key::Service { member, place, config } => {
                    let factory = self.service(member, &place).map_err(|error| configuring(error, origin))?;
                    let more = factory.references(&config, origin);
                    references.extend(more.map_err(|error| error.within("read", told(&place, origin)))?);
                }
            }
        }
        match source {
            Source::ConfigMap(object) => references.push(key(CredentialKind::ConfigMap, &object, "*")),
            Source::Secret(object) => references.push(key(CredentialKind::Secret, &object, "*")),
            Source::Inline(_) | Source::Path(_) => {}
        }
        Ok(references)
    }

    /// The file or folder of documents.
    fn paths(&self, config: &RawConfig, context: &BuildContext) -> Result<Vec<PathBuf>> {
        let Settings { source, .. } = Self::settings(config, &context.origin)?;
        let (Source::Path(path), Some(base)) = (source, &context.base) else { return Ok(Vec::new()) };
        let inside = below(base, &path).map_err(|error| configuring(error, &context.origin))?;
        Ok(vec![base.join(inside)])
    }

    /// With `bind: Namespace`, what a provider hands out depends on whom it serves; with some services, who asks for the keys.
    fn depends_on_consumer(&self, config: &RawConfig, origin: &StoreOrigin) -> Result<bool> {
        let Settings { keys, bind, source: _ } = Self::settings(config, origin)?;
        if bind == SopsBind::Namespace {
            return Ok(true);
        }
        for key in &keys {
            let Key::Service { member, place, config } = key else { continue };
            let factory = self.service(member, place).map_err(|error| configuring(error, origin))?;
            let depends = factory.depends_on_consumer(config, origin);
            if depends.map_err(|error| error.within("read", told(place, origin)))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn build(&self, config: &RawConfig, context: BuildContext) -> Result<Arc<dyn Provider>> {
        let settings = Self::settings(config, &context.origin)?;
        let services = self.build_services(&settings.keys, &context).await?;
        let origin = context.origin.clone();
        let provider = SopsProvider::new(settings, services, context).map_err(|error| configuring(error, &origin))?;
        Ok(Arc::new(provider))
    }
}
