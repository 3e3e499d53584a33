//! What is known of running servers: a state file, and a port to ask the process that holds them.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

/// The answer that shows that the port still belongs to our process.
pub(super) const READY: &str = "ready\n";

/// Servers that another process holds.
#[derive(Debug)]
pub(super) struct Session {
    /// Port of the process that holds the servers.
    pub(super) control: u16,
    /// Must be sent with each request to `control`.
    pub(super) token: String,
    /// Variables for the environment of a person.
    pub(super) environment: Vec<(String, String)>,
    /// Folders for the PATH of a person.
    pub(super) path: Vec<PathBuf>,
}

impl Session {
    /// The session that `state` tells of, if its process still answers. A state without one is removed.
    pub(super) fn find(state: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(state) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("failed to read {}", state.display())),
        };
        if let Some(session) = parse(&text)
            && session.ask("status").is_ok_and(|answer| answer == READY)
        {
            return Ok(Some(session));
        }
        fs::remove_file(state).with_context(|| format!("failed to remove {}", state.display()))?;
        Ok(None)
    }

    /// Writes the state, readable by this user only, since it holds tokens.
    pub(super) fn write(&self, state: &Path) -> Result<()> {
        let environment: Value = self.environment.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let text =
            json!({ "control": self.control, "token": self.token, "environment": environment, "path": self.path });
        let temporary = state.with_extension("new");
        let mut file = OpenOptions::new();
        let file = file.create(true).truncate(true).write(true).mode(0o600).open(&temporary);
        file.and_then(|mut file| file.write_all(text.to_string().as_bytes()))
            .and_then(|()| fs::rename(&temporary, state))
            .with_context(|| format!("failed to write {}", state.display()))
    }

    /// Prints shell commands that set the environment.
    pub(super) fn print(&self) -> Result<()> {
        io::stdout().write_all(self.exports().as_bytes()).context("failed to print the environment")
    }

    /// Asks the process to end its servers and waits until it did.
    pub(super) fn stop(&self) -> Result<()> {
        match self.ask("stop") {
            Ok(answer) if answer == READY => Ok(()),
            Ok(_) => bail!("the process that holds the servers did not understand"),
            Err(error) => Err(error).context("failed to reach the process that holds the servers"),
        }
    }

    fn exports(&self) -> String {
        let variables = self.environment.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value)));
        let folders = self.path.iter().map(|folder| format!("{}:", quoted(&folder.to_string_lossy())));
        let path = format!("export PATH={}\"$PATH\"\n", folders.collect::<String>());
        let hint = "# kubectl, bao and sops are on this PATH. End the servers with: cargo xtask rig down\n";
        variables.chain([path, hint.to_owned()]).collect()
    }

    /// Sends one order; the answer ends when the process closes the connection.
    fn ask(&self, order: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.control))?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        writeln!(stream, "{order} {}", self.token)?;
        let mut answer = String::new();
        stream.take(64).read_to_string(&mut answer)?;
        Ok(answer)
    }
}

fn parse(text: &str) -> Option<Session> {
    let state: Value = serde_json::from_str(text).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let environment = state["environment"].as_object()?;
    Some(Session {
        control: u16::try_from(state["control"].as_u64()?).ok()?,
        token: text(&state["token"])?,
        environment: environment.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect(),
        path: state["path"].as_array()?.iter().filter_map(text).map(PathBuf::from).collect(),
    })
}

/// For a POSIX shell: in single quotes unless every letter is harmless.
fn quoted(text: &str) -> String {
    let harmless = |letter: char| letter.is_ascii_alphanumeric() || "/._-:".contains(letter);
    if !text.is_empty() && text.chars().all(harmless) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_is_exported() {
        let session = Session {
            control: 1,
            token: "t".to_owned(),
            environment: vec![("KUBECONFIG".to_owned(), "/home/o'neil/a b".to_owned())],
            path: vec!["/first one".into(), "/second".into()],
        };
        let script = format!("PATH=/bin:/usr/bin\n{}echo \"$KUBECONFIG|$PATH\"", session.exports());
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "/home/o'neil/a b|/first one:/second:/bin:/usr/bin\n");
    }

    #[test]
    fn a_state_that_nobody_answers_for_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("up.json");
        let port = crate::rig::process::free_port().unwrap();
        let session = Session { control: port, token: "t".to_owned(), environment: Vec::new(), path: Vec::new() };
        session.write(&state).unwrap();

        assert!(Session::find(&state).unwrap().is_none());
        assert!(!state.exists());
    }
}
