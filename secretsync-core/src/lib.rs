//! The secretsync engine.
#![allow(dead_code, reason = "placeholder: the engine that uses these modules is written elsewhere")]

pub mod engine;
pub mod error;
pub mod json;
pub mod object;
pub mod provider;
pub mod secret;
pub mod store;
pub mod sync;
pub mod yaml;

pub use error::{Error, ErrorKind, Result};
