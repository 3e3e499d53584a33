//! `cargo xtask`: the verbs for working on this repository.

use std::process::ExitCode;

fn main() -> ExitCode {
    xtask::cli::run()
}
