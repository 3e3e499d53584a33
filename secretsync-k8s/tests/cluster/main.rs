//! `KubeStore` under the real engine, on a real API server.

#![expect(clippy::unwrap_used, reason = "a failure of the test's own steps ends the test")]

mod embedded;
mod keys;
mod missing;
mod ownership;
mod refusals;
mod support;
mod templates;
