//! The few requests that the bench sends itself, as cheaply as they can be sent: blocking, a connection kept by each thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use ureq::Agent;
use ureq::http::Request;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// A server and who one is there.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) address: String,
    pub(super) header: (&'static str, String),
    /// PEM of the authority that signed its certificate; empty for none.
    pub(super) authority: Vec<u8>,
}

/// A connection that is kept.
pub(super) struct Connection<'a> {
    server: &'a Server,
    agent: Agent,
}

impl Server {
    pub(super) fn connect(&self) -> Connection<'_> {
        let certificates = parse_pem(&self.authority).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        });
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .root_certs(RootCerts::Specific(Arc::new(certificates.collect())))
            .build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_mins(2)))
            .proxy(None)
            .tls_config(tls)
            .build();
        Connection { server: self, agent: agent.into() }
    }
}

const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

impl Connection<'_> {
    /// Sends a request, and fails unless it succeeds.
    pub(super) fn send(&self, method: &str, path: &str, content: &str, body: &Value) -> Result<String> {
        let (header, value) = &self.server.header;
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server.address))
            .header(*header, value)
            .header("accept", if method == "PATCH" { METADATA } else { "application/json" });
        let mut answer = if body.is_null() {
            self.agent.run(request.body(())?)
        } else {
            self.agent.run(request.header("content-type", content).body(body.to_string())?)
        }
        .with_context(|| format!("failed to send {method} {path}"))?;
        let text = answer.body_mut().read_to_string().with_context(|| format!("no answer to {method} {path}"))?;
        if !answer.status().is_success() {
            bail!("{method} {path} was answered with {}: {text}", answer.status());
        }
        Ok(text)
    }
}

/// Does something for each number below `count`, in so many threads that each begin by `worker`.
pub(super) fn share<W>(threads: usize, count: usize, worker: impl Fn() -> W + Sync) -> Result<()>
where
    W: FnMut(usize) -> Result<()>,
{
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let run = || {
            let mut work = worker();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return Ok(());
                }
                work(n)?;
            }
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        running.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread failed"))?)
    })
}
