//! What stays of servers after a failed test. Alone in its file: a panic concerns every group of the process.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use xtask::rig::process::Group;

#[test]
fn the_logs_stay_after_a_panic_and_the_data_goes() -> Result<()> {
    let mut group = Group::new("logs")?;
    let mut server = Command::new("sh");
    server.args(["-c", "echo listening; exec sleep 600"]);
    group.start("server", server)?;
    let (data, logs) = (group.data(), group.logs());
    let log = logs.join("server.log");
    group.wait_until("server", || {
        ensure!(fs::read_to_string(&log)? == "listening\n", "no line yet");
        Ok(())
    })?;

    std::thread::spawn(|| panic!("a failed assertion, by design")).join().unwrap_err();
    drop(group);

    assert!(!data.exists());
    assert_eq!(fs::read_to_string(&log)?, "listening\n");
    fs::remove_dir_all(logs.parent().context("the logs have no folder")?)?;
    Ok(())
}
