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
mod transit;

pub use config::{OpenBaoConfig, TransitConfig, VaultConfig};
pub use factory::{OpenBaoFactory, VaultFactory};
pub use generator::{
    GENERATOR_KIND, ResultType, VaultDynamicSecret, VaultDynamicSecretConfig, VaultDynamicSecretFactory,
};
pub use provider::VaultProvider;
pub use transit::TransitFactory;

/// The member of a store's `provider` that [`VaultFactory`] reads.
pub const KIND: &str = VAULT.kind;

/// A member of a store's `provider`.
#[derive(Clone, Copy, Debug)]
struct Member {
    kind: &'static str,
    /// Its path in `spec`.
    member: &'static str,
}

const OPENBAO: Member = Member { kind: "openBao", member: "provider.openBao" };
const VAULT: Member = Member { kind: "vault", member: "provider.vault" };
