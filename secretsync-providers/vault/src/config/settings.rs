//! The configuration of a store, checked once: a `Settings` cannot be wrong in itself.

use std::sync::Arc;

use reqwest::header::HeaderValue;
use secretsync_core::error::Result;
use secretsync_core::provider::{BuildContext, CredentialRef, StoreOrigin};

use super::account::{self, Account};
use super::place::Place;
use super::{KvVersion, TransitConfig, VaultConfig};
use crate::address;

/// What a provider needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The store, for messages.
    pub(crate) origin: StoreOrigin,
    pub(crate) account: Arc<Account>,
    /// The mount in canonical form.
    pub(crate) mount: Option<String>,
    pub(crate) version: KvVersion,
    /// The namespace of the secrets.
    pub(crate) namespace: Option<HeaderValue>,
}

impl Settings {
    /// Checks the configuration at `member` of a store.
    pub(crate) fn new(config: &VaultConfig, context: &BuildContext, member: &str) -> Result<Self> {
        Self::read(config, &Place { origin: &context.origin, member }, Some(context))
    }

    fn read(config: &VaultConfig, place: &Place<'_>, context: Option<&BuildContext>) -> Result<Self> {
        let namespace = account::namespace(place, "namespace", config.namespace.as_deref())?;
        let version = config.version.unwrap_or_default();
        if version == KvVersion::V1 && config.check_and_set.as_ref().is_some_and(|check| check.required == Some(true)) {
            return Err(place.invalid("checkAndSet.required", "KV version v1 has no versions to check", "remove it"));
        }
        Ok(Self {
            origin: place.origin.clone(),
            account: Arc::new(Account::new(config, place, context, namespace.clone())?),
            mount: mount(place, config.path.as_deref())?,
            version,
            namespace,
        })
    }
}

/// The Secrets, ConfigMaps and service accounts that a configuration reads.
pub(crate) fn references(config: &VaultConfig, origin: &StoreOrigin, member: &str) -> Result<Vec<CredentialRef>> {
    Ok(Settings::read(config, &Place { origin, member }, None)?.account.references())
}

/// The names of the transit keys that may be used.
pub(crate) fn key_names(config: &TransitConfig, origin: &StoreOrigin, member: &str) -> Result<Vec<String>> {
    let place = Place { origin, member };
    let names: Vec<_> = config.key.iter().chain(config.keys.iter().flatten()).cloned().collect();
    let is_name =
        |name: &String| !name.contains('/') && address::segments(name).is_ok_and(|segments| segments.len() == 1);
    if names.iter().all(is_name) {
        return Ok(names);
    }
    let field = if config.key.as_ref().is_some_and(|name| !is_name(name)) { "key" } else { "keys" };
    Err(place.invalid(field, "it is no name of a key", "write the name alone, as `vault list transit/keys` shows it"))
}

fn mount(place: &Place<'_>, path: Option<&str>) -> Result<Option<String>> {
    let segments = address::segments(path.unwrap_or_default())
        .map_err(|reason| place.invalid("path", reason, "write the mount as `vault secrets list` shows it"))?;
    Ok(if segments.is_empty() { None } else { Some(segments.join("/")) })
}

#[cfg(test)]
mod tests;
