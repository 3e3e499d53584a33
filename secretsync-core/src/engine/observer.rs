//! Watching an engine at work.

use std::fmt;

use crate::sync::SyncReport;

/// Hooks for progress, metrics and events. They are called on the engine's way: return quickly.
pub trait EngineObserver: fmt::Debug + Send + Sync + 'static {
    /// A sync or a plan has run. A store that writes one document for many targets writes it afterwards, so a success told here may still become a
    /// failure in the report that [`crate::engine::Engine::sync_all`] returns.
    fn finished(&self, report: &SyncReport);

    /// A sync has run by itself, because something that it was issued was about to end. It is told to [`finished`](Self::finished) as well.
    fn replaced(&self, _report: &SyncReport) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NoObserver;

impl EngineObserver for NoObserver {
    fn finished(&self, _report: &SyncReport) {}
}
