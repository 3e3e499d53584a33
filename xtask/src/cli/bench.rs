//! `cargo xtask bench`: whole programs beside those that people use today, in one run on one machine.

mod operator;
mod sops;
mod vault;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::Value;

use super::{capture, cargo, pass_through, target_folder};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// The operator with 1,000 ExternalSecrets beside a client that only reads and writes: cold start, new objects while all refresh, calls and memory.
    /// Fails over the budget.
    Operator(operator::Arguments),
    /// One key out of a SOPS document of 100 and of 10,000 values, in each text format, beside `sops decrypt`. Fails below 4 and 10 times its speed.
    Sops,
    /// 1,000 objects of OpenBao beside a reader that does nothing else, and one of them beside `bao kv get`. Fails below 0.8 and 5 times their speed.
    Vault,
}

pub(super) fn run(verb: &Verb) -> Result<()> {
    match verb {
        Verb::Operator(arguments) => operator::run(arguments),
        Verb::Sops => sops::run(),
        Verb::Vault => vault::run(),
    }
}

/// What a program took.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// The median of the time of a whole process.
    milliseconds: f64,
    /// The most memory that any of the processes held.
    mebibytes: f64,
}

/// Runs a command line several times; `{run}` in an argument is the number of the run. Python measures, since only a parent learns the peak memory
/// of a process without unsafe code of ours.
fn measure(runs: usize, command: &Command) -> Result<Cost> {
    const SCRIPT: &str = "import json, os, resource, statistics, subprocess, sys, time
runs, line = int(sys.argv[1]), sys.argv[2:]
times = []
for run in range(runs):
    words = [word.replace('{run}', str(run)) for word in line]
    start = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    times.append(time.perf_counter() - start)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([statistics.median(times) * 1000, peak / 1024]))";
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT, &runs.to_string()]).arg(command.get_program()).args(command.get_args());
    python.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let figures: Value = serde_json::from_str(&capture(python)?).context("failed to parse the figures")?;
    let figure = |index: usize| figures[index].as_f64().context("a figure is missing");
    Ok(Cost { milliseconds: figure(0)?, mebibytes: figure(1)? })
}

/// A program as it is released.
fn program(name: &str) -> Result<PathBuf> {
    pass_through(cargo(&["build", "--release", "--quiet", "--locked", "--bin", name]))?;
    Ok(target_folder()?.join("release").join(name))
}
