//! Lists and watches of one kind each, as changes. Objects are read as plain JSON here: one that makes no sense must not stop the others
//! (see [`super::listed`]).

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Error, Event, watcher};
use kube::{Client, ResourceExt};
use secretsync_core::error::{causes, chain};
use tokio::sync::mpsc::Sender;

use super::OperatorSettings;
use super::listed::Listed;
use super::reference::Referred;
use crate::api::names::MANAGED_LABEL;
use crate::api::{GENERATORS_GROUP, GROUP, Manifest as _, VaultDynamicSecret};

/// The kinds that are watched.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Kind {
    ClusterExternalSecret,
    ClusterSecretStore,
    ExternalSecret,
    /// `VaultDynamicSecret`, which a cluster may lack.
    Generator,
    /// Metadata only: labels decide about cluster stores.
    Namespace,
    SecretStore,
    /// Secrets with the managed label, metadata only: no value comes into this process.
    Target,
}

/// An object's namespace (empty for cluster-wide ones) and name.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Id {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// What a watch tells.
#[derive(Debug)]
pub(super) enum Change {
    /// An object as it is now.
    Put(Kind, Box<DynamicObject>),
    /// An object that is gone.
    Gone(Kind, Id),
    /// Something that stores refer to is not as it was.
    Reference(Referred),
    /// Everything that was there has been told.
    Complete(Kind),
}

impl Id {
    pub(super) fn of(object: &DynamicObject) -> Self {
        Self { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

impl Kind {
    /// Everything that the operator watches.
    pub(super) const ALL: [Self; 7] = [
        Self::ClusterExternalSecret,
        Self::ClusterSecretStore,
        Self::ExternalSecret,
        Self::Generator,
        Self::Namespace,
        Self::SecretStore,
        Self::Target,
    ];

    /// Whether nothing else can go on before everything of this kind is known. Some clusters have no ClusterExternalSecrets, not even as a kind.
    pub(super) fn is_needed(self) -> bool {
        self != Self::ClusterExternalSecret
    }

    /// Whether an operator with these settings has to do with it.
    pub(super) fn is_watched(self, settings: &OperatorSettings) -> bool {
        match self {
            Self::ClusterExternalSecret => settings.cluster_external_secrets && settings.namespace.is_none(),
            Self::ClusterSecretStore => settings.cluster_stores,
            _ => true,
        }
    }

    fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = match self {
            Self::ClusterExternalSecret => (GROUP, "v1", "ClusterExternalSecret", "clusterexternalsecrets"),
            Self::ClusterSecretStore => (GROUP, "v1", "ClusterSecretStore", "clustersecretstores"),
            Self::ExternalSecret => (GROUP, "v1", "ExternalSecret", "externalsecrets"),
            Self::Generator => (GENERATORS_GROUP, "v1alpha1", VaultDynamicSecret::KIND, "vaultdynamicsecrets"),
            Self::Namespace => ("", "v1", "Namespace", "namespaces"),
            Self::SecretStore => (GROUP, "v1", "SecretStore", "secretstores"),
            Self::Target => ("", "v1", "Secret", "secrets"),
        };
        let gvk = kube::core::GroupVersionKind::gvk(group, version, kind);
        ApiResource::from_gvk_with_plural(&gvk, plural)
    }
}

/// Tells every change of a kind, for ever. Failures are logged, and the watch begins again after growing pauses.
pub(super) async fn watch(client: Client, kind: Kind, namespace: Option<String>, into: Sender<Change>) {
    let config = Config::default();
    match kind {
        Kind::Target => {
            let api: Api<PartialObjectMeta<Secret>> = match namespace {
                Some(namespace) => Api::namespaced(client, &namespace),
                None => Api::all(client),
            };
            let managed = watcher(api, config.labels(&format!("{MANAGED_LABEL}=true")));
            tell(kind, managed.map(|event| event.map(|event| event_of(event, from_metadata))), into).await;
        }
        Kind::Namespace => {
            let config = match &namespace {
                Some(name) => config.fields(&format!("metadata.name={name}")),
                None => config,
            };
            if let Some(name) = namespace {
                until_listed(&Api::all(client.clone()), &name, &into).await;
            }
            let all = watcher(Api::<PartialObjectMeta<Namespace>>::all(client), config);
            tell(kind, all.map(|event| event.map(|event| event_of(event, from_metadata))), into).await;
        }
        Kind::ClusterExternalSecret | Kind::ClusterSecretStore => {
            let api = Api::all_with(client, &kind.resource());
            if namespace.is_some() {
                until_served(kind, &api, &into).await;
            }
            let all = watcher(api, config);
            tell(kind, all.map(|event| event.map(|event| event_of(event, Listed::into_object))), into).await;
        }
        Kind::ExternalSecret | Kind::Generator | Kind::SecretStore => {
            let resource = kind.resource();
            let api: Api<Listed> = match namespace {
                Some(namespace) => Api::namespaced_with(client, &namespace, &resource),
                None => Api::all_with(client, &resource),
            };
            if kind == Kind::Generator {
                until_served(kind, &api, &into).await;
            }
            let all = watcher(api, config);
            tell(kind, all.map(|event| event.map(|event| event_of(event, Listed::into_object))), into).await;
        }
    }
}

/// Looks at the one namespace that matters until it can be watched: a role that is confined to it may read it, and see no list. Whoever may not even read
/// it knows no labels.
async fn until_listed(api: &Api<Namespace>, name: &str, into: &Sender<Change>) {
    let alone = ListParams::default().fields(&format!("metadata.name={name}")).limit(1);
    let mut told = false;
    while let Err(error) = api.list_metadata(&alone).await {
        match api.get_metadata(name).await {
            Ok(found) => {
                let change = Change::Put(Kind::Namespace, Box::new(from_metadata(found)));
                if into.send(change).await.is_err() {
                    return;
                }
            }
            Err(kube::Error::Api(refusal)) if matches!(refusal.code, 403 | 404) => {}
            Err(_) => {
                tracing::warn!(
                    namespace = name,
                    error = &error as &dyn std::error::Error,
                    "the namespace could not be looked at"
                );
                tokio::time::sleep(UNSERVED).await;
                continue;
            }
        }
        if !std::mem::replace(&mut told, true) && into.send(Change::Complete(Kind::Namespace)).await.is_err() {
            return;
        }
        tokio::time::sleep(UNSERVED).await;
    }
}

/// Waits until a kind can be listed that a cluster may do without. What is not there, or may not be looked at, holds nobody up: there is nothing of it.
async fn until_served(kind: Kind, api: &Api<Listed>, into: &Sender<Change>) {
    let mut told = false;
    loop {
        match api.list(&ListParams::default().limit(1)).await {
            Ok(_) => return,
            Err(kube::Error::Api(refusal)) if matches!(refusal.code, 403 | 404) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::info!(
                        ?kind,
                        code = refusal.code,
                        "a kind is not there, or may not be read: none of it is used"
                    );
                    if into.send(Change::Complete(kind)).await.is_err() {
                        return;
                    }
                }
            }
            Err(error) => tracing::warn!(?kind, error = problem(&error), "a kind could not be listed"),
        }
        tokio::time::sleep(UNSERVED).await;
    }
}

async fn tell(
    kind: Kind,
    events: impl Stream<Item = Result<Event<DynamicObject>, Error>> + Send,
    into: Sender<Change>,
) {
    let events = events.default_backoff();
    let mut events = std::pin::pin!(events);
    let (mut known, mut listed) = (BTreeSet::new(), BTreeSet::new());
    while let Some(event) = events.next().await {
        let mut changes = Vec::new();
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(object)) => {
                listed.insert(Id::of(&object));
                changes.push(Change::Put(kind, Box::new(object)));
            }
            Ok(Event::InitDone) => {
                changes.extend(known.difference(&listed).cloned().map(|id| Change::Gone(kind, id)));
                known = std::mem::take(&mut listed);
                changes.push(Change::Complete(kind));
            }
            Ok(Event::Apply(object)) => {
                known.insert(Id::of(&object));
                changes.push(Change::Put(kind, Box::new(object)));
            }
            Ok(Event::Delete(object)) => {
                let id = Id::of(&object);
                known.remove(&id);
                changes.push(Change::Gone(kind, id));
            }
            // The kind may come yet.
            Err(Error::InitialListFailed(kube::Error::Api(refusal))) if refusal.code == 404 && !kind.is_needed() => {
                tracing::debug!(?kind, "the cluster does not know the kind");
            }
            Err(error) => {
                tracing::warn!(?kind, error = problem(&error), "a watch failed and begins again");
            }
        }
        for change in changes {
            if into.send(change).await.is_err() {
                return;
            }
        }
    }
}

/// What went wrong with a watch, for logs. What complains of an answer may quote it, so of that only the place is told.
pub(super) fn problem(error: &(dyn StdError + 'static)) -> String {
    match causes(error).find_map(|cause| cause.downcast_ref::<serde_json::Error>()) {
        Some(unread) => format!("the answer cannot be read at line {} column {}", unread.line(), unread.column()),
        None => chain(error),
    }
}

fn event_of<A, B>(event: Event<A>, convert: impl Fn(A) -> B) -> Event<B> {
    match event {
        Event::Apply(object) => Event::Apply(convert(object)),
        Event::Delete(object) => Event::Delete(convert(object)),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(convert(object)),
        Event::InitDone => Event::InitDone,
    }
}

fn from_metadata<K>(object: PartialObjectMeta<K>) -> DynamicObject {
    DynamicObject { types: object.types, metadata: object.metadata, data: serde_json::Value::Null }
}

/// How often a kind that was not there is looked for.
const UNSERVED: Duration = Duration::from_secs(10);
