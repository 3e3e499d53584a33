//! A moto server of its own for a test: AWS's answers over HTTP, without accounts, policies or signatures.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use ureq::Agent;

use super::process::Group;
use super::tools::Tool;

const NAME: &str = "moto";

/// A request as moto wrote it down.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Recorded {
    /// `secretsmanager.GetSecretValue`, `sts.AssumeRole`.
    pub operation: String,
    /// The access key that signed it; `None` for one without a signature.
    pub access_key: Option<String>,
    /// The region that it was signed for.
    pub region: Option<String>,
    /// What was sent: JSON, or a form to STS.
    pub body: String,
}

/// A running moto: Secrets Manager, Parameter Store, STS and KMS at one address. Regions are apart from each other.
///
/// It takes about two seconds to start, so tests share one and take names of their own. It looks at no signature and no policy.
#[derive(Debug)]
pub struct Moto {
    /// Ends the server when it is dropped.
    _group: Group,
    address: String,
    /// Where moto writes down each request.
    recording: PathBuf,
}

impl Moto {
    /// Starts a server on a free loopback port. Installs moto first if need be.
    pub fn start() -> Result<Self> {
        let program = Tool::Moto.path()?;
        let packages = program.parent().and_then(Path::parent).context("moto has no folder")?.to_path_buf();
        let mut group = Group::new(NAME)?;
        let data = group.data();
        let recording = data.join("requests.jsonl");
        let port = group.start_on_free_port(NAME, |port| {
            let mut command = Command::new("python3");
            command.args(["-m", "moto.server", "-H", &Ipv4Addr::LOCALHOST.to_string(), "-p", &port.to_string()]);
            command.env("PYTHONPATH", &packages).env("PYTHONDONTWRITEBYTECODE", "1");
            command.env("MOTO_ENABLE_RECORDING", "1").env("MOTO_RECORDER_FILEPATH", &recording);
            // Python puts its working folder on the module path: an empty one. A person's own profile is none of moto's business.
            command.current_dir(&data).env_remove("AWS_PROFILE");
            Ok(command)
        })?;
        let address = format!("http://{}:{port}", Ipv4Addr::LOCALHOST);
        let probe = address.clone();
        group.wait_until(NAME, || request(&format!("{probe}/moto-api/"), "GET", "", &[]).map(drop))?;
        Ok(Self { _group: group, address, recording })
    }

    /// The address for clients, `http://127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Calls an operation as its JSON protocol names it, `secretsmanager.CreateSecret` for example. Fails when the answer is no success.
    pub fn call(&self, region: &str, target: &str, body: &Value) -> Result<Value> {
        let service = match target.split('.').next() {
            Some("secretsmanager") => "secretsmanager",
            Some("AmazonSSM") => "ssm",
            Some("TrentService") => "kms",
            _ => bail!("`{target}` is no operation that this helper knows"),
        };
        let scope = format!("rig/20260101/{region}/{service}/aws4_request");
        let headers = [
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target", target.to_owned()),
            ("authorization", format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=rig")),
        ];
        let text = request(&self.address, "POST", &body.to_string(), &headers)
            .with_context(|| format!("failed to call {target}"))?;
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }

    /// Makes a secret from text and returns its ARN.
    pub fn secret(&self, region: &str, name: &str, text: &str) -> Result<String> {
        let made = self.call(region, "secretsmanager.CreateSecret", &json!({ "Name": name, "SecretString": text }))?;
        made["ARN"].as_str().map(str::to_owned).ok_or_else(|| anyhow!("the new secret has no ARN"))
    }

    /// Makes or replaces a parameter of type `kind`.
    pub fn parameter(&self, region: &str, name: &str, kind: &str, value: &str) -> Result<()> {
        let body = json!({ "Name": name, "Type": kind, "Value": value, "Overwrite": true });
        self.call(region, "AmazonSSM.PutParameter", &body).map(drop)
    }

    /// The operations that were called so far, in order, those of this helper among them: `secretsmanager.GetSecretValue`, `sts.AssumeRole`.
    pub fn requests(&self) -> Result<Vec<String>> {
        Ok(self.recorded()?.into_iter().map(|request| request.operation).collect())
    }

    /// The requests so far, in order, those of this helper among them.
    pub fn recorded(&self) -> Result<Vec<Recorded>> {
        let text = fs::read_to_string(&self.recording).context("failed to read moto's recording")?;
        text.lines().filter(|line| !line.trim().is_empty()).map(recorded).collect()
    }
}

fn recorded(line: &str) -> Result<Recorded> {
    let entry: Value = serde_json::from_str(line).context("failed to read moto's recording")?;
    let header = |name: &str| {
        let headers = entry["headers"].as_object()?;
        let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.as_str()).map(str::to_owned)
    };
    let body = BASE64.decode(entry["body"].as_str().unwrap_or_default()).unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    let action = body.split('&').find_map(|field| field.strip_prefix("Action="));
    let operation = header("x-amz-target").unwrap_or_else(|| format!("sts.{}", action.unwrap_or("?")));
    let authorization = header("authorization").unwrap_or_default();
    let mut scope = authorization.split_once("Credential=").map(|(_, scope)| scope.split('/').map(str::to_owned));
    let mut next = |skipped| scope.as_mut().and_then(|scope| scope.nth(skipped));
    let (access_key, region) = (next(0), next(1));
    Ok(Recorded { operation, access_key, region, body })
}

fn request(url: &str, method: &str, body: &str, headers: &[(&str, String)]) -> Result<String> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .proxy(None)
        .build()
        .into();
    let mut builder = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        builder = builder.header(*name, value);
    }
    let built = builder.body(body.to_owned()).with_context(|| format!("{url} is no valid address"))?;
    let mut response = agent.run(built).with_context(|| format!("failed to reach {url}"))?;
    let status = response.status();
    let text = response.body_mut().read_to_string().context("failed to read moto's answer")?;
    if !status.is_success() {
        bail!("moto answers {status}: {text}");
    }
    Ok(text)
}
