//! The few requests that tests send to `OpenBao` themselves: blocking, on loopback, without TLS.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use ureq::Agent;
use ureq::http::Request;

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    request: String,
    status: u16,
    body: Value,
}

impl Answer {
    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The body; `null` when there was none.
    pub const fn body(&self) -> &Value {
        &self.body
    }

    /// Whether a KV v2 mount answers that it is not ready yet, as it does for a moment after it was made.
    pub(super) fn is_upgrading(&self) -> bool {
        let told = |text: &str| text.starts_with("Upgrading from non-versioned");
        self.status == 400 && self.body.pointer("/errors/0").and_then(Value::as_str).is_some_and(told)
    }

    /// The body of a 2xx answer. Fails on any other, with the server's own words.
    pub fn into_success(self) -> Result<Value> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let errors = self.body.get("errors").map_or_else(|| "no message".to_owned(), Value::to_string);
        bail!("{} was answered with {}: {errors}", self.request, self.status)
    }
}

/// Sends one request to the API path `path` (without `/v1/`); `body` is JSON or empty.
pub(super) fn send(address: &str, method: &str, path: &str, token: &str, body: &str) -> Result<Answer> {
    send_with(&[("x-vault-token", token)], address, method, path, body)
}

/// Writes to a path and has the answer wrapped.
pub(super) fn send_wrapped(address: &str, path: &str, token: &str, body: &str) -> Result<Answer> {
    send_with(&[("x-vault-token", token), ("x-vault-wrap-ttl", "60s")], address, "POST", path, body)
}

/// Headers without a value are left out.
fn send_with(headers: &[(&str, &str)], address: &str, method: &str, path: &str, body: &str) -> Result<Answer> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        // A proxy of the environment has no business on loopback.
        .proxy(None)
        .build()
        .into();
    let request = format!("{method} {path}");
    let mut builder = Request::builder().method(method).uri(format!("{address}/v1/{path}"));
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        builder = builder.header(*name, *value);
    }
    let built = builder.body(body.to_owned()).with_context(|| format!("{request} is no valid request"))?;
    let mut response = agent.run(built).with_context(|| format!("failed to send {request} to {address}"))?;
    let text =
        response.body_mut().read_to_string().with_context(|| format!("failed to read the answer to {request}"))?;
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
    Ok(Answer { request, status: response.status().as_u16(), body })
}
