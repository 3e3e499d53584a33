//! The provider on documents of the real `sops`, on changed ones, and on the file system.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a helper of tests fails like a test")]

mod bind;
mod conformance;
mod ini;
mod interop;
mod key_groups;
mod matrix;
mod service;
mod store;
mod support;
mod tamper;
