//! One run of one ExternalSecret: the Secret first, then the status, then events.

use std::sync::Arc;
use std::time::SystemTime;

use secretsync_core::error::chain;
use secretsync_core::store::{Store as _, TargetRef};
use secretsync_core::sync::{CreationPolicy, Outcome, Sync as _, SyncReport, SyncSpec};
use serde_json::json;

use super::Context;
use super::object::{FINALIZER, SyncObject};
use super::status::{Run, Status};
use super::store::{Needed, patch};
use super::watch::{Id, Kind};
use crate::KubeStore;
use crate::request::Target;

/// What is to be done for one ExternalSecret.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: Id,
    pub(super) uid: String,
    pub(super) revision: String,
    pub(super) status: Status,
    /// Whether the target is there already.
    pub(super) existed: bool,
    /// The failure that was told last, so that the same one is not told again.
    pub(super) told: Option<String>,
    pub(super) work: Work,
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
    pub(super) report: SyncReport,
    /// The status as it is in the cluster now.
    pub(super) status: Status,
    /// The status as it would be, had it been written.
    pub(super) fresh: Status,
    pub(super) told: Option<String>,
}

/// Does it.
pub(super) async fn run(context: Arc<Context>, job: Job) -> Done {
    let started = SystemTime::now();
    let (report, creation, interval) = match &job.work {
        Work::Refuse(report) => ((**report).clone(), CreationPolicy::default(), None),
        Work::Sync { spec, needed, orphans } => {
            for provider in needed {
                // What cannot be built fails the sync with its own error.
                drop(context.providers.ensure(&context.engine, provider).await);
            }
            let report = context.engine.sync(spec).await;
            if report.outcome != Outcome::Failed {
                remove_orphans(&context, &job, spec, orphans).await;
            }
            (report, spec.creation, spec.timing.interval)
        }
    };
    let run = Run { report: &report, revision: &job.revision, creation, existed: job.existed, started };
    let fresh = job.status.after(run);
    let heartbeat = context.settings.heartbeat;
    let heartbeat = if heartbeat.is_zero() { heartbeat } else { heartbeat.max(interval.unwrap_or_default()) };
    let mut status = job.status.clone();
    if fresh.is_news(&status, heartbeat) {
        let target = Target::external_secret_status(&job.id.namespace, &job.id.name);
        if patch(&context, target, fresh.patch(&job.uid)).await {
            status = fresh.clone();
        }
    }
    let holds = report.outcome != Outcome::Failed;
    context.metrics.count(Kind::ExternalSecret, &job.id, holds, started.elapsed().unwrap_or_default());
    let told = tell(&context, &job, &report).await;
    Done { id: job.id, uid: job.uid, report, status, fresh, told }
}

/// Records what happened, and gives the failure that is known now.
async fn tell(context: &Context, job: &Job, report: &SyncReport) -> Option<String> {
    let (kind, id, uid) = ("ExternalSecret", &job.id, job.uid.as_str());
    let normal = |reason, note: String| context.events.normal(kind, id, uid, reason, note);
    for entry in &report.missing {
        if report.outcome != Outcome::Unchanged {
            let note = format!("secret does not exist at provider using {entry}");
            normal("MissingProviderSecret", note).await;
        }
    }
    match report.outcome {
        Outcome::Created => normal("Created", "secret created".to_owned()).await,
        Outcome::Updated => normal("Updated", "secret updated".to_owned()).await,
        Outcome::Removed => normal("Deleted", "secret deleted due to DeletionPolicy=Delete".to_owned()).await,
        _ => {}
    }
    let failure = report.error.as_ref().map(|error| chain(error));
    if let Some(text) = failure.as_ref().filter(|text| job.told.as_ref() != Some(text)) {
        context.events.warning(kind, id, uid, "UpdateFailed", text.clone()).await;
    }
    failure
}

/// Removes what an earlier name of the target left (`eso-compat.md` 2.7).
async fn remove_orphans(context: &Context, job: &Job, spec: &SyncSpec, orphans: &[TargetRef]) {
    let store = KubeStore::metadata_only(context.client.clone());
    for orphan in orphans {
        match store.remove(orphan, &spec.owner).await {
            Ok(_) => {
                let note = "secret deleted because it was orphaned".to_owned();
                context.events.normal("ExternalSecret", &job.id, &job.uid, "Deleted", note).await;
            }
            Err(error) => {
                tracing::warn!(sync = %job.id, %orphan, error = &error as &dyn std::error::Error, "a target that is left over was not removed");
            }
        }
    }
}

/// Takes External Secrets Operator's finalizer off an object that is being deleted: its targets go by their owner references, or stay.
pub(super) async fn release(context: &Context, object: &SyncObject) {
    let target = Target::external_secret(&object.id.namespace, &object.id.name);
    let rest: Vec<_> = object.finalizers.iter().filter(|finalizer| *finalizer != FINALIZER).collect();
    let body = json!({"metadata": {"uid": object.uid, "resourceVersion": object.version, "finalizers": rest}});
    patch(context, target, body).await;
}
