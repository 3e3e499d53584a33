//! Bringing one target in line with its sources.
//!
//! The trait is called [`Sync`], like the marker trait, so nothing re-exports it: write `use secretsync_core::sync;` and `sync::Sync`.

mod changes;
mod plan;
mod policy;
mod reason;
mod removal;
mod report;
mod rewrite;
mod spec;
mod template;
mod timing;

use std::fmt;

use async_trait::async_trait;

pub use changes::{Change, Changes};
pub use plan::Plan;
pub use policy::{
    CreationPolicy, DecodingStrategy, DeletionPolicy, KeyConversion, NullBytePolicy, OnMissing, RefreshPolicy,
};
pub use reason::Reason;
pub use removal::{MassDeletion, Removal};
pub use report::{Issued, Outcome, SyncReport, after_end};
pub use rewrite::{Merge, MergeConflict, MergeResult, Rewrite};
pub(crate) use spec::Origin;
pub use spec::{DataEntry, DataFrom, ProviderKey, Selection, SyncSpec, ValueRules};
pub use template::{
    TemplateFrom, TemplateMissing, TemplateScope, TemplateSpec, TemplateTarget, TemplateText, template_missing,
};
pub use timing::{Cron, CronError, SyncWindow, SyncWindows, Timing};

/// Brings targets in line with their sources. [`crate::engine::Engine`] implements it; embedders may wrap it.
///
/// A failure is a report too: neither method has an error of its own, and one failing sync says nothing about others.
#[async_trait]
pub trait Sync: fmt::Debug + Send + std::marker::Sync + 'static {
    /// What a sync would do: keys and reasons, never values. Writes nothing, and sends no issuing read.
    async fn plan(&self, spec: &SyncSpec) -> Plan;

    /// Does it.
    async fn sync(&self, spec: &SyncSpec) -> SyncReport;
}
