//! The `secretsync-operator` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    secretsync_cli::operate(std::env::args_os())
}
