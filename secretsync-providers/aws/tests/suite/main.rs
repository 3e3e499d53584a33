//! The provider on moto, a real HTTP server, and on scripted servers where moto is laxer than AWS.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod conformance;
mod credentials;
mod documented;
#[cfg(feature = "kms")]
mod kms;
mod parameters;
mod profiles;
mod secrets;
mod support;
mod tls;
mod wire;
