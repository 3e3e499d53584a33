//! `cargo xtask deny`: cargo-deny, installed once beside the tools of the rig.

use std::process::Command;

use anyhow::Result;

use super::{pass_through, root};
use crate::rig::tools::Tool;

pub(super) fn run() -> Result<()> {
    let mut deny = Command::new(Tool::CargoDeny.path()?);
    // The advisories check clones a database from the network, so it has its place in a scheduled run.
    deny.args(["check", "bans", "licenses", "sources"]).current_dir(root());
    pass_through(deny)
}
