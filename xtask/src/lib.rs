//! What the repository needs to test itself: real servers for tests, and the verbs of `cargo xtask`.
//!
//! Tests of other crates take this crate as a dev-dependency and start what they need:
//!
//! ```no_run
//! let vault = xtask::rig::openbao::OpenBao::start()?;
//! vault.write("secret/data/app", &serde_json::json!({ "data": { "user": "ada" } }))?;
//! # anyhow::Ok(())
//! ```

pub mod cli;
pub mod rig;
