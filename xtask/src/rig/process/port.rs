//! Free ports, and who listens on one.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context as _, Result};

/// A loopback port that is free at this moment.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("failed to find a free port")?;
    Ok(listener.local_addr().context("failed to find a free port")?.port())
}

pub(super) fn is_taken(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err()
}

/// Whether the process `pid` itself listens on `port`: a server that lost its port to another process must not have that one
/// answer for it.
///
/// Linux tells it in `/proc`. Elsewhere any listener counts, so there a stranger on the port is only found by its answers.
#[cfg(target_os = "linux")]
pub fn is_owner(pid: u32, port: u16) -> Result<bool> {
    let mut listening = Vec::new();
    for table in ["tcp", "tcp6"] {
        let path = format!("/proc/{pid}/net/{table}");
        let text = std::fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))?;
        listening.extend(text.lines().filter_map(|line| inode_of_listener(line, port).map(str::to_owned)));
    }
    if listening.is_empty() {
        return Ok(false);
    }
    let folder = format!("/proc/{pid}/fd");
    let open = std::fs::read_dir(&folder).with_context(|| format!("failed to read {folder}"))?;
    let sockets = open.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    Ok(sockets.into_iter().any(|link| {
        let link = link.to_string_lossy();
        let inode = link.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
        inode.is_some_and(|inode| listening.iter().any(|known| known == inode))
    }))
}

/// See the Linux version; this one takes any listener for the server.
#[cfg(not(target_os = "linux"))]
pub fn is_owner(_pid: u32, port: u16) -> Result<bool> {
    Ok(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
}

/// The socket's inode, if this line of `/proc/net/tcp` is a listener on `port`. See `proc_pid_net(5)`.
#[cfg(target_os = "linux")]
fn inode_of_listener(line: &str, port: u16) -> Option<&str> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?;
    let (_, local_port) = local.rsplit_once(':')?;
    (state == LISTEN && u16::from_str_radix(local_port, 16) == Ok(port)).then_some(inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_belongs_to_the_process_that_opened_it_and_to_no_other() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut stranger = std::process::Command::new("sleep").arg("60").spawn().unwrap();

        assert!(is_owner(std::process::id(), port).unwrap());
        #[cfg(target_os = "linux")]
        assert!(!is_owner(stranger.id(), port).unwrap());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        drop(listener);
        assert!(!is_owner(std::process::id(), port).unwrap());
    }
}
