//! The three servers of a cluster and the flags they need to be up within seconds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{User, audit};
use crate::rig::process::Group;
use crate::rig::tools::Tool;

pub(super) const API_SERVER: &str = "kube-apiserver";
pub(super) const CONTROLLERS: &str = "kube-controller-manager";

/// Starts etcd and the API server, and returns the port of the latter, which listens but need not be ready.
pub(super) fn start_api_server(group: &mut Group, users: &[User], audited: bool) -> Result<u16> {
    let (etcd, api_server) = (Tool::Etcd.path()?, Tool::KubeApiserver.path()?);
    let data = group.data();
    let write = |name: &str, text: String| {
        let path = data.join(name);
        fs::write(&path, text).with_context(|| format!("failed to write {}", path.display())).map(|()| path)
    };
    let key = write("service-account.key", elliptic_curve_key()?)?;
    let tokens = write("tokens.csv", token_file(users))?;
    let policy = if audited { Some(write("audit-policy.json", audit::policy())?) } else { None };
    let log = audit::log(group);
    let etcd_port = group.start_on_free_port("etcd", |port| Ok(etcd_command(&etcd, &data, port)))?;
    group.start_on_free_port(API_SERVER, |port| {
        let mut command = Command::new(&api_server);
        command
            .arg(format!("--etcd-servers=http://127.0.0.1:{etcd_port}"))
            .arg(format!("--secure-port={port}"))
            .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"])
            .arg(flag("cert-dir", &data.join("certificates")))
            .arg(flag("service-account-key-file", &key))
            .arg(flag("service-account-signing-key-file", &key))
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg(flag("token-auth-file", &tokens))
            .args(["--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24"])
            // It waits for a service account before it admits a pod; there are no pods.
            .arg("--disable-admission-plugins=ServiceAccount");
        if let Some(policy) = &policy {
            command.arg(flag("audit-policy-file", policy)).arg(flag("audit-log-path", &log));
        }
        Ok(command)
    })
}

pub(super) fn start_controllers(group: &mut Group, kubeconfig: &Path) -> Result<()> {
    let mut command = Command::new(Tool::KubeControllerManager.path()?);
    command
        .arg(flag("kubeconfig", kubeconfig))
        .arg("--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller")
        .args(["--leader-elect=false", "--secure-port=0"]);
    group.start(CONTROLLERS, command)
}

/// The API server makes its certificate itself; the file holds it and the authority that signed it.
pub(super) fn certificate(group: &Group) -> PathBuf {
    group.data().join("certificates").join("apiserver.crt")
}

fn etcd_command(program: &Path, data: &Path, port: u16) -> Command {
    let client = format!("http://127.0.0.1:{port}");
    let mut command = Command::new(program);
    command
        .arg(flag("data-dir", &data.join("etcd")))
        .arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg("--listen-peer-urls=http://127.0.0.1:0")
        // The data need not survive the machine.
        .args(["--unsafe-no-fsync", "--log-level=warn"]);
    command
}

fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

/// Lines of `token,user,uid,"group1,group2"`.
fn token_file(users: &[User]) -> String {
    let line = |user: &User| format!("{},{},{},\"{}\"\n", user.token, user.name, user.name, user.groups.join(","));
    users.iter().map(line).collect()
}

/// A new P-256 private key as PEM, for signing service account tokens.
///
/// An `ECPrivateKey` (RFC 5915) without its optional public key is 32 random bytes in a fixed frame, so no library is needed.
fn elliptic_curve_key() -> Result<String> {
    let mut scalar = [0_u8; 32];
    getrandom::fill(&mut scalar).map_err(|error| anyhow!("failed to get random bytes: {error}"))?;
    // The order of the curve begins with ff, so this keeps the scalar between 1 and the order.
    scalar[0] = scalar[0] % 0xfe + 1;
    let version_and_length = [0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
    let curve = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let der = [&version_and_length[..], &scalar, &curve].concat();
    Ok(format!("-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----\n", pem_lines(&der)))
}

fn pem_lines(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let (first, rest) = text.split_at(text.len().min(64));
    format!("{first}\n{rest}")
}
