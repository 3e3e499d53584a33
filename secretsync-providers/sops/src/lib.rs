#![doc = include_str!("../README.md")]

mod address;
mod auth;
mod client;
mod config;
mod document;
mod error;
mod factory;
mod find;
mod inspect;
mod provider;
mod session;

pub use config::{SopsAge, SopsBind, SopsConfig, SopsKey, SopsObjectRef, SopsSecretKeyRef, SopsSource};
pub use factory::SopsFactory;
pub use inspect::{SopsCheck, SopsFinding, SopsInspector, SopsRecipient, SopsRecipients, SopsRule, SopsRules};
pub use provider::SopsProvider;

/// The member of a store's `provider` that configures this provider.
pub const KIND: &str = "sops";
