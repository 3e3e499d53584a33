//! One run of one ExternalSecret. What it has to tell is told afterwards: see [`super::outbox`].

use std::sync::Arc;
use std::time::SystemTime;

use secretsync_core::engine::{Announcement, ObjectKey};
use secretsync_core::store::{Store as _, TargetRef};
use secretsync_core::sync::{Outcome, Sync as _, SyncReport, SyncSpec};
use serde_json::json;

use super::Context;
use super::event::Note;
use super::object::{FINALIZER, SyncObject};
use super::store::{Needed, patch};
use super::watch::{Id, Kind};
use crate::request::Target;

/// What is to be done for one ExternalSecret.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: Id,
    pub(super) uid: String,
    pub(super) revision: String,
    /// Whether the target is there already.
    pub(super) existed: bool,
    pub(super) work: Work,
    /// Keeps answers for it that others asked for.
    pub(super) announced: Vec<Announcement>,
}

/// What a job does.
#[derive(Debug)]
pub(super) enum Work {
    /// The manifest or its stores cannot be used: only the status is to be told.
    Refuse(Box<SyncReport>),
    /// The sync, with the providers that it needs, and targets of it that are left over from an earlier name.
    Sync { spec: Box<SyncSpec>, needed: Vec<Needed>, orphans: Vec<TargetRef> },
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) id: Id,
    pub(super) uid: String,
    pub(super) revision: String,
    pub(super) existed: bool,
    pub(super) started: SystemTime,
    pub(super) report: SyncReport,
    /// What it reads, where that can be told.
    pub(super) objects: Option<Vec<ObjectKey>>,
    /// What is to be told besides what the report says.
    pub(super) notes: Vec<Note>,
}

/// Does it.
pub(super) async fn run(context: Arc<Context>, job: Job) -> Done {
    let started = SystemTime::now();
    let (mut objects, mut notes) = (None, Vec::new());
    let report = match &job.work {
        Work::Refuse(report) => (**report).clone(),
        Work::Sync { spec, needed, orphans } => {
            for provider in needed {
                // What cannot be built fails the sync with its own error.
                drop(context.providers.ensure(&context.engine, provider).await);
            }
            objects = context.engine.objects(spec).ok();
            let report = context.engine.sync(spec).await;
            if report.outcome != Outcome::Failed {
                notes = remove_orphans(&context, &job, spec, orphans).await;
            }
            report
        }
    };
    let holds = report.outcome != Outcome::Failed;
    context.metrics.count(Kind::ExternalSecret, &job.id, holds, started.elapsed().unwrap_or_default());
    let Job { id, uid, revision, existed, .. } = job;
    Done { id, uid, revision, existed, started, report, objects, notes }
}

/// Removes what an earlier name of the target left (`eso-compat.md` 2.7).
async fn remove_orphans(context: &Context, job: &Job, spec: &SyncSpec, orphans: &[TargetRef]) -> Vec<Note> {
    let mut notes = Vec::new();
    for orphan in orphans {
        match context.store.remove(orphan, &spec.owner).await {
            Ok(_) => notes.push(Note::normal("Deleted", "secret deleted because it was orphaned")),
            Err(error) => {
                tracing::warn!(sync = %job.id, %orphan, error = &error as &dyn std::error::Error, "a target that is left over was not removed");
            }
        }
    }
    notes
}

/// Takes External Secrets Operator's finalizer off an object that is being deleted: its targets go by their owner references, or stay.
pub(super) async fn release(context: &Context, object: &SyncObject) {
    let target = Target::external_secret(&object.id.namespace, &object.id.name);
    let rest: Vec<_> = object.finalizers.iter().filter(|finalizer| *finalizer != FINALIZER).collect();
    let body = json!({"metadata": {"uid": object.uid, "resourceVersion": object.version, "finalizers": rest}});
    patch(context, target, body).await;
}
