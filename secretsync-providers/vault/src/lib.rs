#![doc = include_str!("../README.md")]

mod address;
mod auth;
mod client;
pub mod config;
mod error;
mod factory;
mod find;
mod generator;
mod lease;
mod mounts;
mod provider;
mod session;

pub use config::VaultConfig;
pub use factory::VaultFactory;
pub use generator::{
    GENERATOR_KIND, ResultType, VaultDynamicSecret, VaultDynamicSecretConfig, VaultDynamicSecretFactory,
};
pub use provider::VaultProvider;

/// The member of a store's `provider` that this crate reads.
pub const KIND: &str = "vault";

/// Where it is in a store's `spec`.
const MEMBER: &str = "provider.vault";
