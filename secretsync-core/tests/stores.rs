//! The file stores on a real file system: what a user finds there afterwards.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "stores/directory.rs"]
mod directory;
#[path = "stores/env_file.rs"]
mod env_file;
#[path = "stores/manifest.rs"]
mod manifest;
#[path = "stores/support.rs"]
mod support;
