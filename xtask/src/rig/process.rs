//! Servers as child processes: started, proven to be the ones that answer, and ended with whoever started them.

mod failure;
mod port;
mod watchdog;

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

use watchdog::Watchdog;

pub use port::{free_port, is_owner};

/// How long a server may take to start; generous, because builds share the machine.
const START: Duration = Duration::from_mins(2);
/// How long a server may take to end after the polite request.
const STOP: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// Servers that live and die together, with the folder of their data and logs.
///
/// # Guarantees
///
/// The servers end when the group is dropped, and also when the process that holds it ends in any way, killed included. Their
/// folder goes with them, except the logs of a group that was alive when a thread panicked: those stay, and their place is
/// told.
#[derive(Debug)]
pub struct Group {
    folder: PathBuf,
    watchdog: Watchdog,
    servers: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Group {
    /// A group without servers, in a new temporary folder that only this user may read.
    pub fn new(name: &str) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("secretsync-{name}-"))
            .tempdir()
            .context("failed to create a temporary folder for servers")?
            .keep();
        for part in ["data", "logs"] {
            fs::create_dir(folder.join(part)).with_context(|| format!("failed to create {part}"))?;
        }
        let watchdog = Watchdog::start(&folder)?;
        failure::register(&folder);
        Ok(Self { folder, watchdog, servers: Vec::new() })
    }

    /// The folder for the data of the servers; it goes with the group.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The folder of the logs, one file for each server.
    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// Starts `command` under `name`, its output going to the log. Does not wait for anything.
    pub fn start(&mut self, name: &str, mut command: Command) -> Result<()> {
        let path = self.logs().join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(&path);
        let log = log.with_context(|| format!("failed to create the log {}", path.display()))?;
        let errors = log.try_clone().context("failed to share a log file")?;
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        // Ctrl-C ends the test process; ending the servers in order is then the watchdog's work.
        command.process_group(0);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().with_context(|| format!("failed to start {name} from {program}"))?;
        let watched = self.watchdog.watch(child.id());
        self.servers.push(Server { name: name.to_owned(), child, log: path });
        watched
    }

    /// Starts the server that `command` makes for a port that was free a moment ago, and waits until it listens there.
    ///
    /// Should another process take the port in between, the next port is tried.
    pub fn start_on_free_port(&mut self, name: &str, command: impl Fn(u16) -> Result<Command>) -> Result<u16> {
        let mut attempts_left = 2;
        loop {
            let port = free_port()?;
            self.start(name, command(port)?)?;
            let Err(error) = self.wait_for_port(name, port) else { return Ok(port) };
            self.stop(name);
            if attempts_left == 0 || !port::is_taken(port) {
                return Err(error);
            }
            attempts_left -= 1;
        }
    }

    /// Waits until the process that was started as `name` itself listens on `port` of the loopback address.
    pub fn wait_for_port(&mut self, name: &str, port: u16) -> Result<()> {
        let pid = self.pid(name).ok_or_else(|| anyhow!("no server {name} was started"))?;
        self.wait_until(name, || {
            let absent = || format!("process {pid} does not listen on port {port}");
            if is_owner(pid, port).with_context(absent)? { Ok(()) } else { Err(anyhow!(absent())) }
        })
    }

    /// Asks `probe` until it succeeds. Fails when the server `name` ends first or does not get there in two minutes; the error
    /// then carries the last answer of `probe` and the end of the log.
    pub fn wait_until<T>(&mut self, name: &str, mut probe: impl FnMut() -> Result<T>) -> Result<T> {
        let server = self.servers.iter_mut().find(|server| server.name == name);
        let server = server.ok_or_else(|| anyhow!("no server {name} was started"))?;
        let started = Instant::now();
        loop {
            let error = match probe() {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if let Some(status) = server.child.try_wait().with_context(|| format!("failed to look after {name}"))? {
                bail!("{name} ended with {status} before it was ready ({error:#}){}", server.last_words());
            }
            if started.elapsed() > START {
                bail!("{name} was not ready after {} s ({error:#}){}", START.as_secs(), server.last_words());
            }
            std::thread::sleep(POLL);
        }
    }

    /// The process id of the server `name`, as long as it is in the group.
    pub fn pid(&self, name: &str) -> Option<u32> {
        self.servers.iter().find(|server| server.name == name).map(|server| server.child.id())
    }

    /// Ends the server `name` and waits for it; its data and log stay. Does nothing when there is none.
    pub fn stop(&mut self, name: &str) {
        if let Some(index) = self.servers.iter().position(|server| server.name == name) {
            let mut server = self.servers.remove(index);
            let pid = server.child.id();
            end_one(&mut server.child);
            self.watchdog.forget(pid);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        end(&mut self.servers);
        self.watchdog.dismiss();
        failure::clean(&self.folder);
    }
}

impl Server {
    fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let tail = &lines[lines.len().saturating_sub(15)..];
        if tail.is_empty() {
            return format!("\nits log {} is empty", self.log.display());
        }
        format!("\nthe end of its log:\n  {}", tail.join("\n  "))
    }
}

/// A token that nobody can guess: 128 random bits in hexadecimal.
pub fn random_token() -> Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("failed to get random bytes: {error}"))?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

/// Ends the servers one by one, the last started first: an API server that has lost its etcd waits for it until the deadline.
fn end(servers: &mut [Server]) {
    for server in servers.iter_mut().rev() {
        end_one(&mut server.child);
    }
}

/// Asks politely, then ends by force. A child that was not waited for keeps its id, so no other process can be hit.
fn end_one(child: &mut Child) {
    if let (Ok(None), Some(pid)) = (child.try_wait(), pid_of(child)) {
        // It may end by itself just now.
        kill_process(pid, Signal::TERM).ok();
    }
    let asked = Instant::now();
    while matches!(child.try_wait(), Ok(None)) {
        if asked.elapsed() > STOP {
            drop(child.kill());
            drop(child.wait());
            return;
        }
        std::thread::sleep(POLL);
    }
}

fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Command {
        let mut command = Command::new("sleep");
        command.arg("600");
        command
    }

    fn is_running(pid: u32) -> bool {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap();
        rustix::process::test_kill_process(pid).is_ok()
    }

    #[test]
    fn a_server_that_ends_early_is_an_error_with_its_last_words() {
        let mut group = Group::new("early").unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such flag >&2; exit 7"]);
        group.start("picky", command).unwrap();

        let error = group.wait_until("picky", || -> Result<()> { bail!("refused") }).unwrap_err().to_string();

        assert!(error.contains("picky ended with exit status: 7"), "{error}");
        assert!(error.contains("no such flag"), "{error}");
        assert!(error.contains("refused"), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_that_names_it() {
        let error = Group::new("absent").unwrap().start("ghost", Command::new("/nowhere/ghost")).unwrap_err();
        assert_eq!(error.to_string(), "failed to start ghost from /nowhere/ghost");
    }

    #[test]
    fn a_dropped_group_takes_its_servers_and_its_folder_along() {
        let mut group = Group::new("drop").unwrap();
        group.start("one", sleeper()).unwrap();
        group.start("two", sleeper()).unwrap();
        let pids = ["one", "two"].map(|name| group.pid(name).unwrap());
        let folder = group.data();
        assert!(pids.iter().all(|&pid| is_running(pid)));

        drop(group);

        assert!(!pids.iter().any(|&pid| is_running(pid)));
        assert!(!folder.exists());
    }

    #[test]
    fn a_server_that_ignores_the_polite_request_is_ended_by_force() {
        let mut group = Group::new("stubborn").unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"]);
        group.start("stubborn", command).unwrap();
        let log = group.logs().join("stubborn.log");
        group.wait_until("stubborn", || if fs::read(&log)?.is_empty() { bail!("not yet") } else { Ok(()) }).unwrap();
        let pid = group.pid("stubborn").unwrap();

        group.stop("stubborn");

        assert!(!is_running(pid));
    }

    #[test]
    fn the_watchdog_ends_what_is_left_and_removes_the_folder_when_its_owner_is_gone() {
        let mut group = Group::new("orphan").unwrap();
        group.start("kept", sleeper()).unwrap();
        group.start("stopped", sleeper()).unwrap();
        group.stop("stopped");
        // What the kernel does when this process is killed: the pipe closes without a last order.
        group.watchdog.abandon();

        assert!(group.servers[0].child.try_wait().unwrap().is_some());
        assert!(!group.folder.exists());
        fs::create_dir(&group.folder).unwrap();
    }

    #[test]
    fn tokens_differ() {
        let tokens = [random_token().unwrap(), random_token().unwrap()];
        assert_ne!(tokens[0], tokens[1]);
        assert!(tokens.iter().all(|token| token.len() == 32));
    }

    #[test]
    fn a_taken_port_is_not_taken_for_the_servers_own() {
        let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = stranger.local_addr().unwrap().port();
        let mut group = Group::new("taken").unwrap();
        let mut command = Command::new("sleep");
        command.arg("0.3");
        group.start("late", command).unwrap();

        let error = group.wait_for_port("late", port).unwrap_err().to_string();

        assert!(error.contains("does not listen on port"), "{error}");
        drop(stranger);
    }
}
