#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod access;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod engine;
pub mod error;
pub mod guard;
mod jitter;
pub mod json;
pub mod layer;
pub mod memory;
pub mod net;
pub mod object;
#[cfg(feature = "path-watch")]
#[cfg_attr(docsrs, doc(cfg(feature = "path-watch")))]
pub mod path_watch;
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
pub use secretsync_template::float;
