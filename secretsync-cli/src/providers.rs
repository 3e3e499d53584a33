//! The one list of compiled-in providers.

use secretsync_core::provider::ProviderRegistry;

/// Every provider of this program.
pub(crate) fn registry() -> ProviderRegistry {
    let mut registry = ProviderRegistry::new();
    secretsync_providers::register_all(&mut registry);
    registry
}
