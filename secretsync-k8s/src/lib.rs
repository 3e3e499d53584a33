#![doc = include_str!("../README.md")]

pub mod access;
pub mod api;
pub mod convert;
pub mod crd;
mod credentials;
pub mod operator;
mod problems;
mod request;
mod selector;
mod store;

pub use credentials::{CredentialScope, KubeCredentials, KubeTemplates};
pub use k8s_openapi;
pub use kube;
pub use store::KubeStore;
