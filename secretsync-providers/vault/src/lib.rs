//! Vault and OpenBao as a secretsync provider: KV versions 1 and 2 over HTTP.
//!
//! A store configures it with External Secrets Operator's `provider.vault` fields; `docs/providers/vault.md` lists them all, with the policy that the
//! token needs and what each error means.
//!
//! ```
//! use std::sync::Arc;
//!
//! use secretsync_core::provider::{BuildContext, NoCredentials, ProviderFactory, RawConfig, StoreOrigin};
//! use secretsync_provider_vault::VaultFactory;
//!
//! # async fn build() -> secretsync_core::Result<()> {
//! let config = RawConfig::from_json(r#"{"server": "https://vault.example.com", "path": "kv"}"#);
//! let context = BuildContext::new(StoreOrigin::cluster("vault"), Arc::new(NoCredentials::default()));
//! let provider = VaultFactory::new().build(&config, context).await?;
//! assert_eq!(provider.info().kind, "vault");
//! # Ok(())
//! # }
//! ```

mod address;
mod auth;
mod client;
pub mod config;
mod error;
mod factory;
mod find;
mod mounts;
mod provider;
mod session;

pub use config::VaultConfig;
pub use factory::VaultFactory;
pub use provider::VaultProvider;

/// The member of a store's `provider` that this crate reads.
pub const KIND: &str = "vault";
