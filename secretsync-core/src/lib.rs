#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod access;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod engine;
pub mod error;
mod jitter;
pub mod json;
pub mod layer;
pub mod memory;
pub mod net;
pub mod object;
pub mod provider;
pub mod regex;
pub mod schedule;
pub mod schema;
pub mod secret;
pub mod session;
pub mod store;
pub mod sync;
pub mod yaml;

pub use error::{Error, ErrorKind, Result};
