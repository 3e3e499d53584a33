//! The process that holds the servers of `rig up`.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::session::{READY, Session};
use crate::rig::cluster::Cluster;
use crate::rig::moto::Moto;
use crate::rig::note;
use crate::rig::openbao::OpenBao;
use crate::rig::process::random_token;
use crate::rig::tools;

/// Starts the servers and holds them until told to stop. They end with this process, whatever ends it.
pub(super) fn run(state: &Path) -> Result<()> {
    let _lock = lock(state)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("failed to open a port for `rig down`")?;
    let control = listener.local_addr().context("failed to open a port for `rig down`")?.port();
    note("starting OpenBao, moto and a cluster");
    let (bao, moto, cluster) = start_all()?;
    let environment = [
        ("VAULT_ADDR", bao.address().to_owned()),
        ("VAULT_TOKEN", bao.token().to_owned()),
        ("AWS_ENDPOINT_URL", moto.address().to_owned()),
        ("AWS_ACCESS_KEY_ID", "rig".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "rig".to_owned()),
        ("KUBECONFIG", cluster.kubeconfig().display().to_string()),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let session = Session { control, token: random_token()?, environment, path: tools::command_folders()? };
    session.write(state)?;
    session.print()?;
    let mut last = wait_for_stop(&listener, &session.token)?;
    drop((bao, moto));
    drop(cluster);
    fs::remove_file(state).with_context(|| format!("failed to remove {}", state.display()))?;
    // Whoever asked may be gone; the servers are ended all the same.
    drop(last.write_all(READY.as_bytes()));
    Ok(())
}

/// Starts this program again, holding the servers in the background, and waits until they serve.
pub(super) fn start_in_background(state: &Path) -> Result<Session> {
    let log = log_of(state);
    create_folder_of(state)?;
    let errors = File::create(&log).with_context(|| format!("failed to create {}", log.display()))?;
    let program = std::env::current_exe().context("failed to find this program")?;
    let mut child = Command::new(program)
        .args(["rig", "up", "--foreground", "--state"])
        .arg(state)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        // Ctrl-C in this terminal is not meant for it.
        .process_group(0)
        .spawn()
        .context("failed to start the process that holds the servers")?;
    loop {
        if let Some(session) = Session::find(state)? {
            return Ok(session);
        }
        if let Some(status) = child.try_wait().context("failed to look after the process that holds the servers")? {
            let text = fs::read_to_string(&log).unwrap_or_default();
            bail!("the servers did not start ({status}):\n{}", text.trim_end());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Held as long as the servers run, so that two who start at once do not lose sight of one's servers.
fn lock(state: &Path) -> Result<File> {
    create_folder_of(state)?;
    let path = state.with_extension("lock");
    let file = File::create(&path).with_context(|| format!("failed to create {}", path.display()))?;
    if file.try_lock().is_err() {
        bail!("another `rig up` is starting the servers: wait for it");
    }
    Ok(file)
}

fn create_folder_of(state: &Path) -> Result<()> {
    let Some(folder) = state.parent() else { return Ok(()) };
    fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))
}

fn log_of(state: &Path) -> PathBuf {
    state.with_extension("log")
}

fn start_all() -> Result<(OpenBao, Moto, Cluster)> {
    std::thread::scope(|scope| {
        let others = scope.spawn(|| Ok::<_, anyhow::Error>((OpenBao::start()?, Moto::start()?)));
        let cluster = Cluster::start()?;
        let Ok(others) = others.join() else { bail!("the thread that starts OpenBao and moto panicked") };
        let (bao, moto) = others?;
        Ok((bao, moto, cluster))
    })
}

/// Answers until somebody with the token says `stop`; that connection is returned, to be answered when all has ended.
fn wait_for_stop(listener: &TcpListener, token: &str) -> Result<TcpStream> {
    loop {
        let (mut stream, _) = listener.accept().context("failed to wait for `rig down`")?;
        match order(&stream) {
            Ok(line) if line == format!("stop {token}\n") => return Ok(stream),
            // A caller that is gone needs no answer.
            Ok(line) if line == format!("status {token}\n") => drop(stream.write_all(READY.as_bytes())),
            Ok(_) | Err(_) => {}
        }
    }
}

fn order(stream: &TcpStream) -> io::Result<String> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut line = String::new();
    BufReader::new(stream.take(128)).read_line(&mut line)?;
    Ok(line)
}
