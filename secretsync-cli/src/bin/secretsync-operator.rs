//! The `secretsync-operator` program.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

// The usual allocator keeps what a burst of syncs took for as long as the process lives. A short run of `secretsync` has no use for that.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    secretsync_cli::operate(std::env::args_os())
}
