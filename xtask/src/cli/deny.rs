//! `cargo xtask deny`: cargo-deny, installed once beside the tools of the rig.

use std::process::Command;

use anyhow::Result;

use super::{pass_through, root};
use crate::rig::tools::Tool;

/// The advisories check clones a database from the network, so it has its place in a scheduled run.
const CHECKS: [&str; 3] = ["bans", "licenses", "sources"];

pub(super) fn run() -> Result<()> {
    let program = Tool::CargoDeny.path()?;
    let deny = |options: &[&str]| {
        let mut command = Command::new(&program);
        command.arg("check").args(options).args(CHECKS).current_dir(root());
        pass_through(command)
    };
    // Thousands of lines otherwise, for crates that exist in two versions.
    if deny(&["--hide-inclusion-graph"]).is_ok() {
        return Ok(());
    }
    // Now the graphs are wanted: they show who brings a refused crate in.
    deny(&["--allow", "duplicate"])
}
