//! One run of one ExternalSecret. What it has to tell is told afterwards: see [`super::outbox`].

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kube::ResourceExt;
use secretsync_core::engine::{Announcement, ObjectKey};
use secretsync_core::store::{OwnerId, Store as _, TargetRef};
use secretsync_core::sync::{Issued, Reason, Sync as _, SyncReport, SyncSpec};
use serde_json::json;

use super::Context;
use super::event::Note;
use super::lease::{self, Issuances};
use super::listed::Listed;
use super::object::{FINALIZER, SyncObject};
use super::store::{Needed, patch};
use super::watch::Id;
use crate::request::{Call, Target, Verb, View};

/// What is to be done for one ExternalSecret.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: Id,
    pub(super) uid: String,
    pub(super) revision: String,
    pub(super) work: Work,
    /// Keeps answers for it that others asked for.
    pub(super) announced: Vec<Announcement>,
}

/// What a job does.
#[derive(Debug)]
pub(super) enum Work {
    /// The manifest or its stores cannot be used: only the status is to be told.
    Refuse(Box<SyncReport>),
    /// What an earlier process was issued for it is taken over.
    Adopt { spec: Box<SyncSpec>, needed: Vec<Needed>, issued: Issuances },
    /// The status is to say what is issued now: renewals move ends.
    Look(OwnerId, TargetRef),
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
    pub(super) revision: String,
    pub(super) started: SystemTime,
    pub(super) took: Duration,
    pub(super) ended: Ended,
    /// What it reads, where that can be told.
    pub(super) objects: Option<Vec<ObjectKey>>,
    /// What is to be told besides what the report says.
    pub(super) notes: Vec<Note>,
}

/// How it ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// What was issued earlier was taken over, or not.
    Adopted(bool),
    /// This is issued now.
    Looked(Vec<Issued>),
    /// The engine synced by itself.
    Replaced(SyncReport),
    /// A sync ran.
    Synced(SyncReport),
}

/// Does it.
pub(super) async fn run(context: Arc<Context>, job: Job) -> Done {
    let started = SystemTime::now();
    let (mut objects, mut notes) = (None, Vec::new());
    let ended = match &job.work {
        Work::Adopt { spec, needed, issued } => Ended::Adopted(lease::adopt(&context, spec, needed, issued).await),
        Work::Look(owner, target) => Ended::Looked(context.engine.issued(owner, target)),
        Work::Refuse(report) => Ended::Synced((**report).clone()),
        Work::Replaced(report) => Ended::Replaced((**report).clone()),
        Work::Sync { spec, needed, orphans } => {
            for provider in needed {
                // What cannot be built fails the sync with its own error.
                drop(context.providers.ensure(&context.engine, provider).await);
            }
            objects = context.engine.objects(spec).ok();
            let report = context.engine.sync(spec).await;
            // What an earlier name left may be all that there is, unless the target has what the sources have: one that is to stay as it is may not.
            if report.reason == Reason::Synced {
                notes = remove_orphans(&context, &job, spec, orphans).await;
            }
            Ended::Synced(report)
        }
    };
    let took = started.elapsed().unwrap_or_default();
    let Job { id, uid, revision, .. } = job;
    Done { id, uid, revision, started, took, ended, objects, notes }
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
    let answer = Call::new(Verb::Get, target, View::Metadata).send(&context.server).await.ok()?;
    let found = serde_json::from_slice::<Listed>(&answer.body).ok()?.into_object();
    (found.uid().as_deref() == Some(uid))
        .then(|| (found.resource_version().unwrap_or_default(), found.finalizers().to_vec()))
}

/// How often it is tried to take the finalizer off, while others write the object too.
const ATTEMPTS: usize = 5;
