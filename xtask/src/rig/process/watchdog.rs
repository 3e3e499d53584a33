//! A small shell process that ends the servers when this process is gone, however it went.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::failure;

/// Reads orders from its standard input. The end of it without `done` means that the process at the other end is gone: the
/// kernel closes the pipe even when that one was killed.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
folder=$1 marker=$2 pids=
while read -r order pid; do
    case $order in
        watch) pids="$pids $pid" ;;
        forget) kept=; for each in $pids; do [ "$each" = "$pid" ] || kept="$kept $each"; done; pids=$kept ;;
        done) exit 0 ;;
    esac
done
for pid in $pids; do kill -TERM "$pid"; done
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    alive=; for pid in $pids; do kill -0 "$pid" && alive=yes; done
    [ "$alive" ] || break
    sleep 0.1
done
for pid in $pids; do kill -KILL "$pid"; done
if [ -e "$folder/$marker" ]; then rm -rf "$folder/data"; else rm -rf "$folder"; fi
"#;

#[derive(Debug)]
pub(super) struct Watchdog {
    child: Child,
    orders: Option<ChildStdin>,
}

impl Watchdog {
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", SCRIPT, "rig-watchdog"])
            .arg(folder)
            .arg(failure::MARKER)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C and the end of a terminal go to a whole process group; this one must outlive them.
            .process_group(0)
            .spawn()
            .context("failed to start the watchdog of the servers with sh")?;
        let orders = child.stdin.take();
        Ok(Self { child, orders })
    }

    pub(super) fn watch(&mut self, pid: u32) -> Result<()> {
        self.order(&format!("watch {pid}"))
    }

    /// To be called after the process was waited for.
    pub(super) fn forget(&mut self, pid: u32) {
        // A watchdog that is gone has nothing to forget.
        drop(self.order(&format!("forget {pid}")));
    }

    /// To be called when no server is left; afterwards the watchdog is gone too.
    pub(super) fn dismiss(&mut self) {
        drop(self.order("done"));
        drop(self.orders.take());
        drop(self.child.wait());
    }

    /// Leaves it as a killed process would, and waits until it did its work.
    #[cfg(test)]
    pub(super) fn abandon(&mut self) {
        drop(self.orders.take());
        self.child.wait().unwrap();
    }

    fn order(&mut self, line: &str) -> Result<()> {
        let Some(pipe) = &mut self.orders else { bail!("the watchdog of the servers has no input") };
        writeln!(pipe, "{line}").context("failed to reach the watchdog of the servers")
    }
}
