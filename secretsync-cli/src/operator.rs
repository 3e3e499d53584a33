//! `secretsync-operator`: External Secrets Operator's flags, and the operator behind them.

mod flags;

use std::ffi::OsString;
use std::process::ExitCode;

use secretsync_core::error::Result;
use secretsync_k8s::operator::Operator;

use crate::args::When;
use crate::operator::flags::Flags;
use crate::process::Threads;
use crate::{output, process, providers, target};

/// Runs the operator with the flags `arguments` (the program's name first) until SIGINT or SIGTERM: 0 when it was asked to end, 2 when it could not start.
pub fn operate(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let flags = match Flags::parse(arguments) {
        Ok(flags) => flags,
        Err(stop) => return output::clap_stop(&stop),
    };
    if let Err(error) = process::prepare(flags.loglevel, When::Auto) {
        return output::refusal(&error, None);
    }
    match process::runtime(Threads::Many).and_then(|runtime| runtime.block_on(run(flags))) {
        Ok(()) => output::stopped(),
        Err(error) => output::refusal(&error, None),
    }
}

async fn run(flags: Flags) -> Result<()> {
    flags.warn_about_ignored();
    let settings = flags.settings()?;
    let stop = process::stop()?;
    let client = target::connect(None).await?;
    Operator::new(client, providers::registry(), settings).run(stop).await
}
