//! One run of one ExternalSecret: the Secret first, then the status, then events.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;
use secretsync_core::error::chain;
use secretsync_core::store::{OwnerId, Store as _, TargetRef};
use secretsync_core::sync::{CreationPolicy, Outcome, Sync as _, SyncReport, SyncSpec};
use serde_json::json;

use super::Context;
use super::lease;
use super::object::{FINALIZER, SyncObject};
use super::status::{Run, Status};
use super::store::{Needed, patch};
use super::watch::{Id, Kind};
use crate::KubeStore;
use crate::request::{Call, Target, Verb, View};

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
    /// The finalizers and the version of the object, as they were seen last.
    pub(super) finalizers: Vec<String>,
    pub(super) work: Work,
}

/// What a job does.
#[derive(Debug)]
pub(super) enum Work {
    /// What an earlier process was issued for it is taken over.
    Adopt { spec: Box<SyncSpec>, needed: Vec<Needed> },
    /// The status is to say what is issued now: renewals move ends.
    Look(OwnerId, TargetRef),
    /// The manifest or its stores cannot be used: only the status is to be told.
    Refuse(Box<SyncReport>),
    /// The engine synced by itself, before something that it was issued ended: only the status is to be told.
    Replaced(Box<SyncReport>),
    /// The sync, with the providers that it needs, and targets of it that are left over from an earlier name.
    Sync { spec: Box<SyncSpec>, needed: Vec<Needed>, orphans: Vec<TargetRef> },
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) id: Id,
    pub(super) uid: String,
    pub(super) ended: Ended,
    /// The status as it is in the cluster now.
    pub(super) status: Status,
    /// The status as it would be, had it been written.
    pub(super) fresh: Status,
    pub(super) told: Option<String>,
}

/// How it ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// What was issued earlier was taken over, or not.
    Adopted(bool),
    /// It was looked at only.
    Looked,
    /// The engine synced by itself, with this report.
    Replaced(SyncReport),
    /// A sync ran.
    Synced(SyncReport),
}

/// Does it.
pub(super) async fn run(context: Arc<Context>, job: Job) -> Done {
    let started = SystemTime::now();
    let (report, creation, interval) = match &job.work {
        Work::Adopt { spec, needed } => {
            let adopted = lease::adopt(&context, spec, needed, &job.status.issued).await;
            let status = job.status.clone();
            return job.done(Ended::Adopted(adopted), status.clone(), status);
        }
        Work::Look(owner, target) => {
            let mut fresh = job.status.clone();
            fresh.issued = fresh.issued.followed_by(&context.engine.issued(owner, target), started);
            let status = write(&context, &job, &fresh, Duration::MAX).await;
            return job.done(Ended::Looked, status, fresh);
        }
        Work::Refuse(report) | Work::Replaced(report) => ((**report).clone(), CreationPolicy::default(), None),
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
    let replaced = matches!(job.work, Work::Replaced(_));
    // By itself the engine knows only the manifest that was synced last.
    let revision = job.status.synced_revision.as_ref().filter(|_| replaced).unwrap_or(&job.revision);
    let run = Run { report: &report, revision, creation, existed: job.existed, started };
    let fresh = job.status.after(run);
    let heartbeat = context.settings.heartbeat;
    let heartbeat = if heartbeat.is_zero() { heartbeat } else { heartbeat.max(interval.unwrap_or_default()) };
    let status = write(&context, &job, &fresh, heartbeat).await;
    lease::hold(&context, &job, &status.issued).await;
    let holds = report.outcome != Outcome::Failed;
    context.metrics.count(Kind::ExternalSecret, &job.id, holds, started.elapsed().unwrap_or_default());
    let told = tell(&context, &job, &report).await;
    let ended = if replaced { Ended::Replaced(report) } else { Ended::Synced(report) };
    Done { told, ..job.done(ended, status, fresh) }
}

/// Writes a status if it is news; gives the one that is in the cluster then.
async fn write(context: &Context, job: &Job, fresh: &Status, heartbeat: Duration) -> Status {
    let target = Target::external_secret_status(&job.id.namespace, &job.id.name);
    if fresh.is_news(&job.status, heartbeat) && patch(context, target, fresh.patch(&job.uid)).await {
        return fresh.clone();
    }
    job.status.clone()
}

impl Job {
    fn done(self, ended: Ended, status: Status, fresh: Status) -> Done {
        Done { id: self.id, uid: self.uid, ended, status, fresh, told: self.told }
    }
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

/// Takes the finalizer off an object that is being deleted: its targets go by their owner references, or stay.
pub(super) async fn release(context: &Context, object: &SyncObject) {
    let target = Target::external_secret(&object.id.namespace, &object.id.name);
    let mut known = Some((object.version.clone(), object.finalizers.clone()));
    for _ in 0..ATTEMPTS {
        let Some((version, finalizers)) = known else { return };
        let rest: Vec<_> = finalizers.iter().filter(|finalizer| *finalizer != FINALIZER).collect();
        if rest.len() == finalizers.len() {
            return;
        }
        let body = json!({"metadata": {"uid": object.uid, "resourceVersion": version, "finalizers": rest}});
        if patch(context, target, body).await {
            return;
        }
        // Somebody else wrote it meanwhile, or it is gone.
        known = look_up(context, target, &object.uid).await;
    }
}

/// The version and the finalizers of an object; `None` where it is gone or another one.
async fn look_up(context: &Context, target: Target<'_>, uid: &str) -> Option<(String, Vec<String>)> {
    let answer = Call::new(Verb::Get, target, View::Metadata).send(&context.client).await.ok()?;
    let found: PartialObjectMeta<DynamicObject> = serde_json::from_slice(&answer.body).ok()?;
    let metadata = found.metadata;
    (metadata.uid.as_deref() == Some(uid))
        .then(|| (metadata.resource_version.unwrap_or_default(), metadata.finalizers.unwrap_or_default()))
}

/// How often it is tried to take the finalizer off, while others write the object too.
const ATTEMPTS: usize = 5;
