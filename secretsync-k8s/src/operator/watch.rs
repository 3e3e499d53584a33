//! Lists and watches of one kind each, as changes. Objects are read as plain JSON here: one that makes no sense must not stop the others.

use std::collections::BTreeSet;

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, ApiResource, DynamicObject};
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Error, Event, watcher};
use kube::{Client, ResourceExt};
use tokio::sync::mpsc::Sender;

use crate::api::GROUP;
use crate::api::names::MANAGED_LABEL;

/// The kinds that are watched.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Kind {
    ClusterExternalSecret,
    ClusterSecretStore,
    ExternalSecret,
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
    pub(super) const ALL: [Self; 6] = [
        Self::ClusterExternalSecret,
        Self::ClusterSecretStore,
        Self::ExternalSecret,
        Self::Namespace,
        Self::SecretStore,
        Self::Target,
    ];

    /// Whether nothing else can go on before everything of this kind is known. Some clusters have no ClusterExternalSecrets, not even as a kind.
    pub(super) fn is_needed(self) -> bool {
        self != Self::ClusterExternalSecret
    }

    fn resource(self) -> ApiResource {
        let (group, kind, plural) = match self {
            Self::ClusterExternalSecret => (GROUP, "ClusterExternalSecret", "clusterexternalsecrets"),
            Self::ClusterSecretStore => (GROUP, "ClusterSecretStore", "clustersecretstores"),
            Self::ExternalSecret => (GROUP, "ExternalSecret", "externalsecrets"),
            Self::Namespace => ("", "Namespace", "namespaces"),
            Self::SecretStore => (GROUP, "SecretStore", "secretstores"),
            Self::Target => ("", "Secret", "secrets"),
        };
        let gvk = kube::core::GroupVersionKind::gvk(group, "v1", kind);
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
            let all = watcher(Api::<PartialObjectMeta<Namespace>>::all(client), config);
            tell(kind, all.map(|event| event.map(|event| event_of(event, from_metadata))), into).await;
        }
        Kind::ClusterExternalSecret | Kind::ClusterSecretStore => {
            tell(kind, watcher(Api::all_with(client, &kind.resource()), config), into).await;
        }
        Kind::ExternalSecret | Kind::SecretStore => {
            let resource = kind.resource();
            let api: Api<DynamicObject> = match namespace {
                Some(namespace) => Api::namespaced_with(client, &namespace, &resource),
                None => Api::all_with(client, &resource),
            };
            tell(kind, watcher(api, config), into).await;
        }
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
                tracing::warn!(?kind, error = &error as &dyn std::error::Error, "a watch failed and begins again");
            }
        }
        for change in changes {
            if into.send(change).await.is_err() {
                return;
            }
        }
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
