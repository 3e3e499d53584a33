//! SOPS documents as a secretsync provider.
//!
//! A document is one object: its keys are the object's properties. It is read from a file or folder, a `ConfigMap`, a Secret, or the store itself,
//! and decrypted here, without the `sops` program. Every value's tag and the document's MAC are verified before one value leaves.

mod address;
mod auth;
mod client;
mod config;
mod document;
mod error;
mod factory;
mod find;
mod provider;
mod session;

pub use config::{SopsAge, SopsBind, SopsConfig, SopsKey, SopsObjectRef, SopsSecretKeyRef, SopsSource};
pub use factory::SopsFactory;
pub use provider::SopsProvider;

/// The member of a store's `provider` that configures this provider.
pub const KIND: &str = "sops";
