#![doc = include_str!("../README.md")]

mod address;
mod auth;
mod client;
pub mod config;
mod error;
mod factory;
mod find;
#[cfg(feature = "kms")]
mod kms;
mod provider;
mod session;

pub use config::AwsConfig;
pub use factory::AwsFactory;
#[cfg(feature = "kms")]
pub use kms::{KmsConfig, KmsFactory};
pub use provider::AwsProvider;

/// The member of a store's `provider` that this crate reads.
pub const KIND: &str = "aws";
