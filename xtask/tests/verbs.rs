//! The verbs of `cargo xtask` as a person types them.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

fn xtask(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments);
    command
}

fn up(state: &Path) -> Result<Output> {
    Ok(xtask(&["rig", "up", "--state"]).arg(state).output()?)
}

fn down(state: &Path) -> Result<Output> {
    Ok(xtask(&["rig", "down", "--state"]).arg(state).output()?)
}

/// Runs a shell script with the environment that `up` printed.
fn in_environment(exports: &[u8], script: &str) -> Result<Output> {
    let script = format!("{}\n{script}", String::from_utf8_lossy(exports));
    Ok(Command::new("sh").args(["-ec", &script]).output()?)
}

fn exported(exports: &[u8], name: &str) -> Result<String> {
    let value = in_environment(exports, &format!("printf %s \"${name}\""))?;
    Ok(String::from_utf8(value.stdout)?)
}

fn answers(address: &str) -> bool {
    TcpStream::connect(address.trim_start_matches("http://")).is_ok()
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
    let started = Instant::now();
    while !condition() {
        if started.elapsed() > Duration::from_mins(2) {
            bail!("not in two minutes: {what}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

#[test]
fn up_prints_an_environment_that_works_until_down() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("up.json");

    let _guard = DownAfterwards(&state);
    let first = up(&state)?;
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let use_it = "bao kv put -mount=secret app user=ada >&2
        bao kv get -mount=secret -field=user app
        echo
        kubectl get namespace default --output=name
        sops --version --disable-version-check >&2";
    let used = in_environment(&first.stdout, use_it)?;
    assert_eq!(
        String::from_utf8(used.stdout)?,
        "ada\nnamespace/default\n",
        "{}",
        String::from_utf8_lossy(&used.stderr)
    );

    let second = up(&state)?;
    assert_eq!(String::from_utf8_lossy(&second.stdout), String::from_utf8_lossy(&first.stdout));

    let address = exported(&first.stdout, "VAULT_ADDR")?;
    assert!(answers(&address));
    assert!(down(&state)?.status.success());
    assert!(!answers(&address), "OpenBao still answers");
    assert!(!state.exists() && !Path::new(&exported(&first.stdout, "KUBECONFIG")?).exists());

    let again = down(&state)?;
    assert!(again.status.success());
    assert_eq!(String::from_utf8_lossy(&again.stderr), "rig: no servers are running\n");
    Ok(())
}

#[test]
fn a_killed_holder_takes_its_servers_along() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("up.json");
    let mut holder = Holder(
        xtask(&["rig", "up", "--foreground", "--state"])
            .arg(&state)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?,
    );
    eventually("the servers serve", || state.exists())?;
    let environment = up(&state)?.stdout;
    let (address, kubeconfig) = (exported(&environment, "VAULT_ADDR")?, exported(&environment, "KUBECONFIG")?);
    assert!(answers(&address) && Path::new(&kubeconfig).exists());

    holder.0.kill().context("failed to kill the holder")?;
    holder.0.wait()?;

    eventually("OpenBao is gone", || !answers(&address))?;
    eventually("the files of the cluster are gone", || !Path::new(&kubeconfig).exists())?;
    assert_eq!(String::from_utf8_lossy(&down(&state)?.stderr), "rig: no servers are running\n");
    Ok(())
}

#[test]
fn a_wrong_verb_is_a_usage_error_that_lists_the_right_ones() -> Result<()> {
    let output = xtask(&["rig", "sideways"]).output()?;
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr)?;
    assert!(text.contains("sideways") && text.contains("cargo xtask rig"), "{text}");
    Ok(())
}

/// A child that does not outlive a failed test.
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The servers in the background do not outlive a failed test.
struct DownAfterwards<'a>(&'a Path);

impl Drop for DownAfterwards<'_> {
    fn drop(&mut self) {
        drop(down(self.0));
    }
}
