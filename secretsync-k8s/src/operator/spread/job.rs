//! One pass over the namespaces of one ClusterExternalSecret: ExternalSecrets first, then the status.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::{StreamExt as _, stream};
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use secretsync_core::error::{Error, one_line};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::object::{Content, NAMESPACE_FINALIZERS, Produced};
use super::plan::{EXISTS, Plan};
use super::status::SpreadStatus;
use crate::api::{API_VERSION, ClusterExternalSecret, ExternalSecret, Manifest as _};
use crate::operator::Context;
use crate::operator::store::patch;
use crate::operator::watch::Id;
use crate::request::{Call, Failure, Target, Verb, View};

/// What is to be done for one ClusterExternalSecret.
#[derive(Debug)]
pub(in crate::operator) struct Job {
    pub(in crate::operator) name: String,
    pub(in crate::operator) uid: String,
    pub(in crate::operator) plan: Plan,
    /// What the ExternalSecrets are made of; nothing where nothing is made.
    pub(in crate::operator) content: Option<Content>,
    /// The status in the cluster.
    pub(in crate::operator) status: SpreadStatus,
}

/// What became of it.
#[derive(Debug)]
pub(in crate::operator) struct Done {
    pub(in crate::operator) name: String,
    pub(in crate::operator) uid: String,
    /// The status in the cluster.
    pub(in crate::operator) status: SpreadStatus,
    /// Whether something failed that may succeed later.
    pub(in crate::operator) again: bool,
    /// Whether every namespace has its ExternalSecret.
    pub(in crate::operator) holds: bool,
    pub(in crate::operator) took: Duration,
}

/// One write, and where it belongs.
enum Step<'a> {
    Create(&'a str),
    Remove(&'a Id, &'a str),
    Update(&'a str, &'a Produced),
}

/// Does it.
pub(in crate::operator) async fn run(context: Arc<Context>, job: Job) -> Done {
    let started = SystemTime::now();
    let plan = &job.plan;
    let mut status = plan.status();
    let mut again = false;
    let removals = plan.remove.iter().map(|(id, uid)| Step::Remove(id, uid));
    let writes = plan.create.iter().map(|namespace| Step::Create(namespace));
    let updates = plan.update.iter().map(|(namespace, known)| Step::Update(namespace, known));
    // What is left over goes first, as a renamed ExternalSecret may write the same Secret.
    for steps in [removals.collect::<Vec<_>>(), writes.chain(updates).collect()] {
        let calls: Vec<_> = steps.into_iter().map(|step| step.run(&context, &job)).collect();
        let mut outcomes = stream::iter(calls).buffer_unordered(AT_ONCE);
        while let Some((namespace, outcome)) = outcomes.next().await {
            match outcome {
                Ok(Some(namespace)) => drop(status.provisioned.insert(namespace)),
                Ok(None) => {}
                Err(Trouble::Exists) => drop(status.failed.insert(namespace, EXISTS.to_owned())),
                Err(Trouble::Failed(error)) => {
                    again = true;
                    tracing::warn!(spread = %job.name, namespace, error = &*error as &dyn std::error::Error, "an ExternalSecret was not written");
                    let advice = error.hint().map(|hint| format!("; {} [{}]", hint.advice(), hint.code()));
                    status.failed.insert(namespace, format!("{}{}", one_line(&*error), advice.unwrap_or_default()));
                }
            }
        }
    }
    let status = SpreadStatus::after(status.name, status.provisioned, status.failed);
    let (holds, took) = (status.failed.is_empty(), started.elapsed().unwrap_or_default());
    let is_written = status != job.status && write(&context, &job, &status).await;
    let status = if is_written { status } else { job.status };
    Done { again, holds, took, status, name: job.name, uid: job.uid }
}

/// Why a step did not succeed.
enum Trouble {
    /// Somebody else's object has the name.
    Exists,
    Failed(Box<Error>),
}

impl Step<'_> {
    /// Gives the namespace it is about, and again where an ExternalSecret is there now.
    async fn run(self, context: &Context, job: &Job) -> (String, Result<Option<String>, Trouble>) {
        let (namespace, name) = match &self {
            Self::Remove(id, _) => (id.namespace.as_str(), id.name.as_str()),
            Self::Create(namespace) | Self::Update(namespace, _) => (*namespace, job.plan.name.as_str()),
        };
        let target = Target::external_secret(namespace, name);
        let (verb, form, body) = match &self {
            Self::Remove(_, uid) => (Verb::Delete, "application/json", json!({"preconditions": {"uid": uid}})),
            Self::Create(namespace) => (Verb::Create, "application/json", job.made(namespace)),
            Self::Update(_, known) => (Verb::Patch, "application/json-patch+json", job.mended(known)),
        };
        let call = Call::new(verb, target, View::Metadata)
            .with_query(format!("fieldManager={MANAGER}"))
            .with_body(form, Zeroizing::new(body.to_string().into_bytes()));
        let is_there = !matches!(self, Self::Remove(..));
        let outcome = match call.send(&context.server).await {
            Ok(_) => Ok(is_there.then(|| namespace.to_owned())),
            // Gone, or another one by now: that one is nobody's.
            Err(Failure::Refused(refusal)) if !is_there && (refusal.is_absent() || refusal.is_stale()) => Ok(None),
            Err(Failure::Refused(refusal)) if verb == Verb::Create && refusal.is_stale() => Err(Trouble::Exists),
            Err(failure) => Err(Trouble::Failed(Box::new(failure.into_error(verb, &target)))),
        };
        (namespace.to_owned(), outcome)
    }
}

impl Job {
    /// A new ExternalSecret.
    fn made(&self, namespace: &str) -> Value {
        let Some(Content { labels, annotations, spec }) = &self.content else { return Value::Null };
        json!({
            "apiVersion": API_VERSION,
            "kind": ExternalSecret::KIND,
            "metadata": {
                "name": self.plan.name,
                "namespace": namespace,
                "labels": labels,
                "annotations": annotations,
                "ownerReferences": [self.owner()],
            },
            "spec": spec,
        })
    }

    /// What puts an ExternalSecret right, as long as it is the one that was seen.
    fn mended(&self, known: &Produced) -> Value {
        let Some(Content { labels, annotations, spec }) = &self.content else { return Value::Null };
        let owner = format!("/metadata/ownerReferences/{}", known.place);
        json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": known.version},
            {"op": "replace", "path": owner, "value": self.owner()},
            {"op": "add", "path": "/metadata/labels", "value": labels},
            {"op": "add", "path": "/metadata/annotations", "value": annotations},
            {"op": "add", "path": "/spec", "value": spec},
        ])
    }

    fn owner(&self) -> Value {
        json!({
            "apiVersion": API_VERSION,
            "kind": ClusterExternalSecret::KIND,
            "name": self.name,
            "uid": self.uid,
            "controller": true,
            "blockOwnerDeletion": true,
        })
    }
}

async fn write(context: &Context, job: &Job, status: &SpreadStatus) -> bool {
    patch(context, Target::cluster_external_secret_status(&job.name), status.patch(&job.uid)).await
}

/// Takes External Secrets Operator's finalizer off a ClusterExternalSecret: what it made goes by its owner references.
pub(in crate::operator) async fn release(context: &Context, name: &str, change: Value) {
    patch(context, Target::cluster_external_secret(name), change).await;
}

/// Takes External Secrets Operator's finalizers off a namespace: it would wait for an operator that is not there any more.
pub(in crate::operator) async fn release_namespace(context: &Context, namespace: &DynamicObject) {
    let rest: Vec<_> = namespace.finalizers().iter().filter(|it| !it.starts_with(NAMESPACE_FINALIZERS)).collect();
    let (uid, version) = (namespace.uid(), namespace.resource_version());
    let body = json!({"metadata": {"uid": uid, "resourceVersion": version, "finalizers": rest}});
    patch(context, Target::namespace(&namespace.name_any()), body).await;
}

/// How many writes of one pass are under way at once.
const AT_ONCE: usize = 8;

/// Whose the fields of the ExternalSecrets are.
const MANAGER: &str = "external-secrets";
