//! `cargo xtask rig`: the servers of the tests, for a person to play with.

mod serve;
mod session;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::rig::cache::Cache;
use crate::rig::note;
use crate::rig::tools::{self, Tool};
use session::Session;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// End the servers that `up` started.
    Down(State),
    /// Install all tools that the servers and the tests need.
    Install,
    /// Start OpenBao, moto (AWS) and a Kubernetes cluster, and print the environment to use them.
    ///
    /// Use it as `eval "$(cargo xtask rig up)"`: kubectl, bao and sops are then on the PATH and talk to these servers.
    Up(Up),
}

#[derive(Args, Debug)]
pub(super) struct Up {
    /// Keep them in this terminal until Ctrl-C, instead of in the background.
    #[arg(long)]
    foreground: bool,
    #[command(flatten)]
    state: State,
}

#[derive(Args, Debug)]
pub(super) struct State {
    /// Where to remember the running servers, if not in the cache folder; each file is a rig of its own.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

impl State {
    fn path(self) -> Result<PathBuf> {
        let Self { state } = self;
        state.map_or_else(|| Ok(Cache::from_env()?.root().join("up.json")), Ok)
    }
}

pub(super) fn run(verb: Verb) -> Result<()> {
    match verb {
        Verb::Down(state) => down(state),
        Verb::Install => tools::install(&Tool::RIG),
        Verb::Up(Up { foreground, state }) => up(foreground, state),
    }
}

fn up(foreground: bool, state: State) -> Result<()> {
    let state = state.path()?;
    if let Some(session) = Session::find(&state)? {
        note("the servers are running already");
        return session.print();
    }
    tools::install(&Tool::RIG)?;
    if foreground {
        return serve::run(&state);
    }
    let session = serve::start_in_background(&state)?;
    session.print()
}

fn down(state: State) -> Result<()> {
    let Some(session) = Session::find(&state.path()?)? else {
        note("no servers are running");
        return Ok(());
    };
    session.stop()?;
    note("the servers have ended");
    Ok(())
}
