//! The test rig: real servers and programs, each installed once into a cache folder and ended with the process that uses it.

pub mod cache;
pub mod cluster;
pub mod moto;
pub mod openbao;
pub mod postgres;
pub mod process;
pub mod sops;
pub mod tls;
pub mod tools;

use std::fmt::Display;
use std::io::Write as _;

/// Tells the person at the terminal what the rig is doing, past the capture of test output.
pub(crate) fn note(message: impl Display) {
    // A closed standard error is no reason to stop.
    drop(writeln!(std::io::stderr(), "rig: {message}"));
}
