//! Watching an engine at work.

use std::fmt;

use crate::sync::SyncReport;

/// Hooks for progress, metrics and events. They are called on the engine's way: return quickly.
pub trait EngineObserver: fmt::Debug + Send + Sync + 'static {
    /// A sync or a plan has ended.
    fn finished(&self, report: &SyncReport);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NoObserver;

impl EngineObserver for NoObserver {
    fn finished(&self, _report: &SyncReport) {}
}
