//! The operator: External Secrets Operator's manifests, applied by the engine, on a real API server.
//!
//! One task owns what is known of the cluster and decides what runs (`controller`); watchers feed it, jobs work for it. Jobs write the Secret first, then
//! the status, then events, and report back. State is in the cluster: a restart reads it from there.
//!
//! # Inside your own program
//!
//! An [`Operator`] is a value: a program gives it the client that it has, the providers that it wants, and a future that ends it, and runs it beside its own
//! controllers. It installs nothing for the process (no logger, no signal handler, no cryptography), reads no environment, opens no port unless
//! [`OperatorSettings`] name one, and leaves no task behind when [`Operator::run`] has ended. Two of them live in one process, each with its own
//! [class](OperatorSettings::class) or [namespace](OperatorSettings::namespace). The whole of it:
//!
//! ```no_run
//! use secretsync_core::provider::ProviderRegistry;
//! use secretsync_k8s::operator::{Operator, OperatorSettings};
//!
//! # async fn beside_your_controllers(client: kube::Client, stop: impl Future<Output = ()> + Send + 'static) {
//! // `secretsync_providers::register_all(&mut registry)` adds ours; `registry.register(…)` one of your own.
//! let registry = ProviderRegistry::new();
//! let operator = Operator::new(client, registry, OperatorSettings::default());
//! let view = operator.view(); // for pages of your own: `view.is_ready()`, `view.metrics()`
//! let running = tokio::spawn(operator.run(stop));
//! # drop((view, running));
//! # }
//! ```
//!
//! A program that shows kube's own logs leaves out `kube_client::client` and `kube_runtime::watcher` below `error`: they print answers that they cannot read,
//! or parts of them, values included.

mod controller;
mod due;
mod event;
mod http;
mod job;
mod kinds;
mod lease;
mod listed;
mod metrics;
mod object;
mod outbox;
mod reference;
mod settings;
mod spread;
mod status;
mod store;
mod target;
mod view;
mod watch;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use kube::Client;
use secretsync_core::engine::Engine;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::ProviderRegistry;
use secretsync_core::sync::SyncReport;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

pub(crate) use reference::Seen;
pub use settings::OperatorSettings;
pub use view::OperatorView;

use self::controller::{Controller, Replacements};
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
    replacements: UnboundedReceiver<SyncReport>,
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
        let (observer, replacements) = Replacements::new();
        let engine = Engine::builder(Arc::clone(&store) as _)
            .observer(Arc::new(observer))
            .template_source(Arc::new(KubeTemplates::over(server.clone())))
            .template_delimiters(left, right)
            .concurrency(settings.concurrency)
            .build();
        let providers = Providers::new(server.clone(), registry, &settings);
        let events = Events::new(server.clone());
        let metrics = Arc::new(Metrics::new(settings.extended_metric_labels));
        Self {
            context: Arc::new(Context { server, engine, known, store, providers, events, metrics, settings }),
            replacements,
        }
    }

    /// What it tells of itself while it runs.
    pub fn view(&self) -> OperatorView {
        OperatorView::new(Arc::clone(&self.context.metrics))
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
        Controller::new(Arc::clone(&self.context), self.replacements).run(stop).await;
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
