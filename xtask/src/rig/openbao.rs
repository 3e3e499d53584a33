//! An `OpenBao` server of its own for a test: real storage, real audit log, ended with the test.

mod audit;
mod http;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};

use super::process::{Group, free_port};
use super::tools::Tool;

pub use audit::AuditRequest;
pub use http::Answer;

const NAME: &str = "openbao";

/// A running `OpenBao`, unsealed, with the KV v2 engine at `secret/` and KV v1 at `kv1/`.
///
/// It takes about two seconds to start, so the tests of one file share one in a `LazyLock` where they can; a static is never
/// dropped, but the server ends with the test process all the same. Unlike a dev server it keeps its data over [`restart`](Self::restart), can be sealed, and writes an audit log.
#[derive(Debug)]
pub struct OpenBao {
    group: Group,
    port: u16,
    tls_port: Option<u16>,
    address: String,
    unseal_key: String,
    token: String,
}

impl OpenBao {
    /// Starts a server on a free loopback port, about two seconds. Installs `OpenBao` first if need be. Its data lives in memory: no election and no
    /// disk can get in the way of a test.
    pub fn start() -> Result<Self> {
        Self::start_on(Storage::Memory, None)
    }

    /// As [`start`](Self::start), and with a second address that speaks TLS with this certificate, given as PEM, and asks for one of the client.
    pub fn start_with_tls(certificate: &str, key: &str) -> Result<Self> {
        Self::start_on(Storage::Memory, Some((certificate, key)))
    }

    /// As [`start`](Self::start), with data that survives [`restart`](Self::restart).
    pub fn start_persistent() -> Result<Self> {
        Self::start_on(Storage::Disk, None)
    }

    fn start_on(storage: Storage, tls: Option<(&str, &str)>) -> Result<Self> {
        let program = Tool::OpenBao.path()?;
        let mut group = Group::new(NAME)?;
        let data = group.data();
        fs::create_dir(data.join("raft")).context("failed to create the folder of OpenBao's storage")?;
        let configuration = data.join("openbao.hcl");
        let (more, tls_port) = match tls {
            Some((certificate, key)) => {
                let port = free_port()?;
                (tls_listener(&data, port, certificate, key)?, Some(port))
            }
            None => (String::new(), None),
        };
        let port = group.start_on_free_port(NAME, |port| {
            let text = configuration_of(storage, &data, port) + &more;
            fs::write(&configuration, text).context("failed to configure OpenBao")?;
            Ok(server(program.clone(), &configuration))
        })?;
        let address = format!("http://{}:{port}", Ipv4Addr::LOCALHOST);
        let mut bao = Self { group, port, tls_port, address, unseal_key: String::new(), token: String::new() };
        bao.initialise().context("failed to set OpenBao up")?;
        Ok(bao)
    }

    /// The address for clients, `http://127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address that speaks TLS, `https://localhost:PORT`. Fails when the server was started without one.
    pub fn tls_address(&self) -> Result<String> {
        let port = self.tls_port.ok_or_else(|| anyhow!("the server was started without TLS"))?;
        Ok(format!("https://localhost:{port}"))
    }

    /// The root token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Reads an API path such as `secret/data/app`. Fails when the answer is no success.
    pub fn read(&self, path: &str) -> Result<Value> {
        self.request("GET", path, None)?.into_success()
    }

    /// Writes `body` to an API path. Fails when the answer is no success. A mount that is still making itself ready is waited for.
    pub fn write(&self, path: &str, body: &Value) -> Result<Value> {
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            let answer = self.request("POST", path, Some(body))?;
            if !answer.is_upgrading() {
                return answer.into_success();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("{path} is still being upgraded")
    }

    /// As [`write`](Self::write), with the answer wrapped for a minute; returns the wrapping token.
    pub fn write_wrapped(&self, path: &str, body: &Value) -> Result<String> {
        let answer = http::send_wrapped(&self.address, path, &self.token, &body.to_string())?.into_success()?;
        text(&answer, "/wrap_info/token")
    }

    /// Writes a text of JSON to an API path as it stands: numbers keep their spelling. Fails when the answer is no success.
    pub fn write_text(&self, path: &str, json: &str) -> Result<Value> {
        http::send(&self.address, "POST", path, &self.token, json)?.into_success()
    }

    /// Deletes an API path. Fails when the answer is no success.
    pub fn delete(&self, path: &str) -> Result<Value> {
        self.request("DELETE", path, None)?.into_success()
    }

    /// Sends one request with the root token and returns the answer whatever its status. Fails when there is no answer.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        self.request_as(&self.token, method, path, body)
    }

    /// As [`request`](Self::request), with the given token; none is sent when it is empty.
    pub fn request_as(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let text = body.map_or_else(String::new, Value::to_string);
        http::send(&self.address, method, path, token, &text)
    }

    /// A token that holds just the rules of `policy`, written in HCL.
    pub fn token_with_policy(&self, name: &str, policy: &str) -> Result<String> {
        self.write(&format!("sys/policies/acl/{name}"), &json!({ "policy": policy }))?;
        let answer = self.write("auth/token/create", &json!({ "policies": [name], "no_default_policy": true }))?;
        text(&answer, "/auth/client_token")
    }

    /// Every request that the server audited so far, in order, those of this helper among them.
    ///
    /// Requests that need no token (`sys/health`, `sys/seal-status`) are never audited.
    pub fn audit_requests(&self) -> Result<Vec<AuditRequest>> {
        audit::read(&self.audit_log())
    }

    /// Seals the server: it keeps running and answers everything with 503.
    pub fn seal(&self) -> Result<()> {
        self.write("sys/seal", &json!({})).map(drop)
    }

    /// Opens a sealed server again and waits until it serves.
    pub fn unseal(&mut self) -> Result<()> {
        self.write("sys/unseal", &json!({ "key": self.unseal_key }))?;
        self.wait_for(200)
    }

    /// Ends the server; connections are refused from then on. Data and address stay for [`restart`](Self::restart).
    pub fn stop(&mut self) {
        self.group.stop(NAME);
    }

    /// Starts a stopped server again at the same address with the same data and token. A running one is stopped first.
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        self.group.start(NAME, server(Tool::OpenBao.path()?, &self.group.data().join("openbao.hcl")))?;
        self.group.wait_for_port(NAME, self.port)?;
        self.wait_for(503)?;
        self.unseal()
    }

    fn audit_log(&self) -> PathBuf {
        self.group.logs().join("audit.jsonl")
    }

    fn initialise(&mut self) -> Result<()> {
        const UNINITIALISED: u16 = 501;
        self.wait_for(UNINITIALISED)?;
        let answer = self.write("sys/init", &json!({ "secret_shares": 1, "secret_threshold": 1 }))?;
        self.unseal_key = text(&answer, "/keys_base64/0")?;
        self.token = text(&answer, "/root_token")?;
        self.unseal()?;
        self.write("sys/mounts/kv1", &json!({ "type": "kv", "options": { "version": "1" } }))?;
        self.write("sys/mounts/secret", &json!({ "type": "kv", "options": { "version": "2" } }))?;
        // A new KV v2 mount refuses everything until it has upgraded itself.
        let (address, token) = (self.address.clone(), self.token.clone());
        self.group
            .wait_until(NAME, || http::send(&address, "GET", "secret/config", &token, "")?.into_success().map(drop))
    }

    /// Waits until the health endpoint gives `status`.
    fn wait_for(&mut self, status: u16) -> Result<()> {
        let address = self.address.clone();
        self.group.wait_until(NAME, || {
            let answer = http::send(&address, "GET", "sys/health", "", "")?;
            if answer.status() == status {
                return Ok(());
            }
            bail!("sys/health answers {}", answer.status())
        })
    }
}

fn server(program: PathBuf, configuration: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["server", "-config"]).arg(configuration);
    command
}

/// Where a server keeps its data.
#[derive(Clone, Copy, Debug)]
enum Storage {
    /// Raft on one node: the multiplier makes the first election quick, and its own port stays unused.
    Disk,
    /// Gone with the server.
    Memory,
}

fn configuration_of(storage: Storage, data: &Path, port: u16) -> String {
    let raft = data.join("raft");
    let audit = data.with_file_name("logs").join("audit.jsonl");
    let storage = match storage {
        Storage::Disk => format!(
            r#"storage "raft" {{
  path                   = "{}"
  node_id                = "rig"
  performance_multiplier = "1"
}}"#,
            raft.display()
        ),
        Storage::Memory => r#"storage "inmem" {}"#.to_owned(),
    };
    format!(
        r#"
{storage}
listener "tcp" {{
  address         = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:0"
  tls_disable     = true
}}
api_addr     = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:1"
audit "file" "file" {{
  options = {{
    file_path = "{audit}"
  }}
}}
"#,
        audit = audit.display(),
    )
}

/// A listener that asks for client certificates and leaves it to auth methods which ones are good.
fn tls_listener(data: &Path, port: u16, certificate: &str, key: &str) -> Result<String> {
    let (certificate_file, key_file) = (data.join("tls.crt"), data.join("tls.key"));
    for (path, text) in [(&certificate_file, certificate), (&key_file, key)] {
        fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(format!(
        r#"
listener "tcp" {{
  address         = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:0"
  tls_cert_file   = "{}"
  tls_key_file    = "{}"
}}
"#,
        certificate_file.display(),
        key_file.display()
    ))
}

fn text(answer: &Value, pointer: &str) -> Result<String> {
    let value = answer.pointer(pointer).and_then(Value::as_str);
    value.map(str::to_owned).ok_or_else(|| anyhow!("the answer of OpenBao has no {pointer}"))
}
