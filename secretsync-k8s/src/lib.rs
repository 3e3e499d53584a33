//! External Secrets Operator's manifests and Kubernetes Secrets for secretsync.
//!
//! - [`api`] holds the kinds as plain data: [`api::parse`] reads a manifest and reports every field it does not know.
//! - [`convert`] turns them into what the engine takes: a [`SyncSpec`](secretsync_core::sync::SyncSpec) and provider configurations.
//! - [`access`] decides which namespaces may use a cluster store.
//! - [`KubeStore`] writes Secrets by server-side apply, and [`KubeCredentials`] reads what stores refer to.
//!
//! This crate knows no concrete provider: a store's configuration stays opaque until a factory of the program's registry reads it.

pub mod access;
pub mod api;
pub mod convert;
mod credentials;
mod problems;
mod request;
mod store;

pub use credentials::{CredentialScope, KubeCredentials};
pub use k8s_openapi;
pub use kube;
pub use store::KubeStore;
