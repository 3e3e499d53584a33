//! The operator: External Secrets Operator's manifests, applied by the engine, on a real API server.
//!
//! One task owns what is known of the cluster and decides what runs (`controller`); watchers feed it, jobs work for it. Jobs write the Secret first, then
//! the status, then events, and report back. State is in the cluster: a restart reads it from there.

mod controller;
mod due;
mod event;
mod http;
mod job;
mod kinds;
mod metrics;
mod object;
mod outbox;
mod settings;
mod spread;
mod status;
mod store;
mod target;
mod watch;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use kube::Client;
use secretsync_core::engine::Engine;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::ProviderRegistry;
use tokio::task::JoinSet;

pub use settings::OperatorSettings;

use self::controller::Controller;
use self::event::Events;
use self::http::Page;
use self::metrics::Metrics;
use self::store::Providers;
use crate::request::{Gate, Server};
use crate::store::Known;
use crate::{KubeStore, KubeTemplates};

/// The operator, ready to run.
pub struct Operator {
    context: Arc<Context>,
}

/// What every part of a running operator uses.
struct Context {
    server: Server,
    engine: Engine,
    /// The managed Secrets as the watch shows them: the store goes by them, too.
    known: Arc<Known>,
    store: Arc<KubeStore>,
    providers: Providers,
    events: Events,
    metrics: Arc<Metrics>,
    settings: OperatorSettings,
}

impl Operator {
    /// An operator over a cluster, with the providers of a registry.
    pub fn new(client: Client, registry: ProviderRegistry, settings: OperatorSettings) -> Self {
        let (left, right) = &settings.delimiters;
        let server = Server::gated(client, Gate::new(settings.rate));
        let known = Arc::new(Known::default());
        let store = Arc::new(KubeStore::watching(server.clone(), Arc::clone(&known)));
        let engine = Engine::builder(Arc::clone(&store) as _)
            .template_source(Arc::new(KubeTemplates::over(server.clone())))
            .template_delimiters(left, right)
            .concurrency(settings.concurrency)
            .build();
        let providers = Providers::new(server.clone(), registry, settings.own_identity.clone());
        let events = Events::new(server.clone());
        let metrics = Arc::default();
        Self { context: Arc::new(Context { server, engine, known, store, providers, events, metrics, settings }) }
    }

    /// Works until `stop` is ready, then ends what is under way and gives back what is held, within [`OperatorSettings::grace`].
    ///
    /// What cannot be done in the cluster now (no connection, no rights, no CRDs) is logged and tried again. An address of the settings that cannot be had
    /// is an error, before anything is done.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> Result<()> {
        let OperatorSettings { grace, live_address, metrics_address, .. } = self.context.settings;
        let mut pages = JoinSet::new();
        for (address, page) in [(live_address, Page::Health), (metrics_address, Page::Metrics)] {
            let Some(address) = address else { continue };
            let serving = http::serve(address, page, Arc::clone(&self.context.metrics)).await;
            pages.spawn(serving.map_err(|error| taken(address, error))?);
        }
        Controller::new(Arc::clone(&self.context)).run(stop).await;
        if !self.context.engine.shutdown(grace).await {
            tracing::warn!("some sessions could not be ended in time; they end by themselves");
        }
        Ok(())
    }
}

fn taken(address: SocketAddr, error: std::io::Error) -> Error {
    Error::new(ErrorKind::InvalidConfig, "listen")
        .on(address)
        .with_source(error)
        .with_hint(Hint::new(Code::UsageInvalid, "choose another address with `--live-addr` or `--metrics-addr`"))
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator").field("settings", &self.context.settings).finish_non_exhaustive()
    }
}
