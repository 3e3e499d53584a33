//! How an engine is put together.

use std::sync::Arc;
use std::time::Duration;

use secretsync_template::Delimiters;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::inputs::Inputs;
use super::ledger::{Ledger, OVERLAP};
use super::providers::Providers;
use super::render::TemplateParser;
use super::{Engine, EngineObserver, NoObserver, Shared};
use crate::error::Error;
use crate::layer::{LayerSettings, stack};
use crate::provider::{CredentialSource, Provider};
use crate::store::Store;
use crate::sync::ProviderKey;

/// Builds an [`Engine`].
#[derive(Debug)]
pub struct EngineBuilder {
    store: Arc<dyn Store>,
    providers: Providers,
    observer: Arc<dyn EngineObserver>,
    layers: LayerSettings,
    templates: Option<Arc<dyn CredentialSource>>,
    delimiters: Delimiters,
    concurrency: usize,
    overlap: Duration,
    issues: bool,
    mass_deletion: bool,
}

impl EngineBuilder {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            providers: Providers::default(),
            observer: Arc::new(NoObserver),
            layers: LayerSettings::default(),
            templates: None,
            delimiters: Delimiters::default(),
            concurrency: 64,
            overlap: OVERLAP,
            issues: true,
            mass_deletion: false,
        }
    }

    /// Adds a provider under the name that specs use, with every layer around it. Set [`layers`](Self::layers) first.
    #[must_use]
    pub fn provider(self, key: ProviderKey, provider: Arc<dyn Provider>) -> Self {
        self.providers.set(key, Ok(Arc::new(stack(provider, &self.layers))));
        self
    }

    /// Adds a provider that could not be built: each sync that needs it fails with this error, the others run.
    #[must_use]
    pub fn broken_provider(self, key: ProviderKey, error: Error) -> Self {
        self.providers.set(key, Err(error));
        self
    }

    /// Sets the layers of the providers that are added afterwards.
    #[must_use]
    pub fn layers(mut self, layers: LayerSettings) -> Self {
        self.layers = layers;
        self
    }

    /// Sets who watches.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn EngineObserver>) -> Self {
        self.observer = observer;
        self
    }

    /// Sets where the texts of `templateFrom` come from. Each reference names its namespace: that of the sync's owner.
    #[must_use]
    pub fn template_source(mut self, source: Arc<dyn CredentialSource>) -> Self {
        self.templates = Some(source);
        self
    }

    /// Sets what encloses the actions of all templates. An empty text stands for the default, `{{` or `}}`.
    #[must_use]
    pub fn template_delimiters(mut self, left: impl Into<String>, right: impl Into<String>) -> Self {
        self.delimiters = Delimiters::new(left, right);
        self
    }

    /// Sets how many syncs run at once, at least one. The default is 64.
    #[must_use]
    pub fn concurrency(mut self, syncs: usize) -> Self {
        self.concurrency = syncs.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// Sets how long the lease of something that was replaced lives on after its successor was written, so that whoever uses it has time to notice; half of what is left of
    /// it at most. The default is two minutes.
    #[must_use]
    pub fn overlap(mut self, overlap: Duration) -> Self {
        self.overlap = overlap;
        self
    }

    /// Has nothing issued: a sync that would need it fails, as [`Code::IssuingRefused`] tells. For those who only want to look.
    ///
    /// [`Code::IssuingRefused`]: crate::error::Code::IssuingRefused
    #[must_use]
    pub fn without_issuing(mut self) -> Self {
        self.issues = false;
        self
    }

    /// Allows to delete any number of targets of one store at once, because their sources are gone: see [`crate::guard`].
    #[must_use]
    pub fn allow_mass_deletion(mut self, allowed: bool) -> Self {
        self.mass_deletion = allowed;
        self
    }

    /// The engine.
    pub fn build(self) -> Engine {
        let shared = Shared {
            store: self.store,
            providers: self.providers,
            observer: self.observer,
            templates: self.templates,
            parser: Arc::new(TemplateParser::new(self.delimiters)),
            slots: Semaphore::new(self.concurrency),
            ledger: Ledger::default(),
            inputs: Inputs::default(),
            overlap: self.overlap,
            issues: self.issues,
            mass_deletion: self.mass_deletion,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            changes: broadcast::Sender::new(CHANGES),
            replacements: broadcast::Sender::new(REPLACEMENTS),
            concurrency: self.concurrency,
        };
        Engine { shared: Arc::new(shared) }
    }
}

/// How many changes of sources a watch may be late with; it takes it that everything changed when there are more.
const CHANGES: usize = 256;

/// How many reports of what ran by itself a watch may be late with; what is older is not told.
const REPLACEMENTS: usize = 1024;
