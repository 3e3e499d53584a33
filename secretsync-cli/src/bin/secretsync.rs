//! The `secretsync` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    secretsync_cli::run(std::env::args_os())
}
