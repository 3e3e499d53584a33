//! The `secretsync` command line: the engine, the providers and the stores put together. A library only so that its parts can be tested.

mod args;
mod command;
mod credentials;
mod diagnose;
mod manifests;
mod operator;
mod output;
mod process;
mod providers;
mod target;

use std::ffi::OsString;
use std::process::ExitCode;

pub use operator::operate;

use crate::process::Threads;

/// Runs the command line `arguments` (the program's name first) and returns its exit code: 0 done, 1 at least one sync failed, 2 nothing was tried, 3 a
/// plan found something to change.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let invocation = match args::parse(arguments) {
        Ok(invocation) => invocation,
        Err(stop) => return output::clap_stop(&stop),
    };
    if let Err(error) = process::prepare(invocation.log, invocation.color) {
        return output::refusal(&error, None);
    }
    let threads = if invocation.verb.lasts() { Threads::Many } else { Threads::One };
    match process::runtime(threads) {
        Ok(runtime) => runtime.block_on(command::dispatch(invocation)),
        Err(error) => output::refusal(&error, None),
    }
}
