//! The provider on documents of the real `sops`, on changed ones, and on the file system.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a helper of tests fails like a test")]

mod conformance;
mod interop;
mod store;
mod support;
mod tamper;
