//! `cargo xtask golden`: our template engine beside Go's own, which a small program of ours in `xtask/oracle` runs.

mod bench;
mod compare;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Subcommand;

use super::{capture, cargo, root};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Measure both engines on the same templates, and print how many times as fast ours is.
    Bench,
    /// Render vectors with both engines, and print those that differ.
    ///
    /// Go's engine has sprig but not the functions of External Secrets Operator: vectors that use those are passed over, and those with a `shape`.
    Compare {
        /// Vectors in the goldens' format: one JSON object a line with id, template and data.
        #[arg(value_name = "FILE", default_value = "secretsync-core/template/tests/template.jsonl")]
        vectors: PathBuf,
    },
    /// Write docs/templates.md, the page of template functions.
    Reference,
}

pub(super) fn run(verb: Verb) -> Result<()> {
    match verb {
        Verb::Bench => bench::run(),
        Verb::Compare { vectors } => compare::run(&vectors),
        Verb::Reference => reference(),
    }
}

/// A test of the crate compares the page, so there is no verb that checks it.
fn reference() -> Result<()> {
    let example = ["run", "--quiet", "--package", TEMPLATE, "--features", "crypto", "--example", "function_reference"];
    let page = capture(cargo(&example))?;
    let path = root().join("docs/templates.md");
    fs::write(&path, page).with_context(|| format!("failed to write {}", path.display()))
}

/// The program with Go's engine; Go compiles it when it changed.
fn oracle() -> Command {
    let mut command = Command::new("go");
    command.args(["run", "."]).current_dir(root().join("xtask/oracle"));
    command
}

const TEMPLATE: &str = "secretsync-template";
