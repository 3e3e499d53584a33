//! The secretsync engine.

pub mod error;
pub mod json;
pub mod object;
pub mod provider;
pub mod secret;
pub mod store;
pub mod sync;

pub use error::{Error, ErrorKind, Result};
