//! The providers that an engine knows: fixed in a program that runs once, changing in one that runs for long.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::layer::Coalesce;
use crate::sync::ProviderKey;

/// Providers by name, each with its layers, or why there is none.
#[derive(Debug, Default)]
pub(crate) struct Providers(RwLock<HashMap<ProviderKey, Result<Arc<Coalesce>>>>);

impl Providers {
    /// The provider with its layers, or why there is none.
    pub(crate) fn get(&self, key: &ProviderKey) -> Result<Arc<Coalesce>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        known.unwrap_or_else(|| {
            Err(Error::new(ErrorKind::InvalidConfig, "find the store")
                .on(format!("`{key}`"))
                .because("no such store was configured")
                .with_hint(Hint::new(Code::StoreMissing, "add the store, or correct `secretStoreRef`")))
        })
    }

    /// Sets or replaces a provider; gives the one that it replaces.
    pub(crate) fn set(&self, key: ProviderKey, provider: Result<Arc<Coalesce>>) -> Option<Arc<Coalesce>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key, provider)?.ok()
    }

    /// Takes a provider away.
    pub(crate) fn take(&self, key: &ProviderKey) -> Option<Arc<Coalesce>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(key)?.ok()
    }

    /// Every provider that works.
    pub(crate) fn all(&self) -> Vec<Arc<Coalesce>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().flatten().cloned().collect()
    }
}
