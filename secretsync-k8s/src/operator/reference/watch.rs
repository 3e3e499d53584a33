//! One watch of Secrets or ConfigMaps, as metadata.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::{NamespaceResourceScope, Resource};
use kube::api::Api;
use kube::core::{PartialObjectMeta, Resource as KubeResource};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Client, ResourceExt};
use secretsync_core::provider::CredentialKind;
use tokio::sync::mpsc::Sender;

use super::Referred;
use super::seen::{From, Seen};
use crate::api::names::MANAGED_LABEL;
use crate::operator::watch::{Change, Id, problem};

/// Tells every change of the objects that are wanted, for as long as somebody listens.
pub(super) async fn watch(
    client: Client,
    kind: CredentialKind,
    namespace: Option<String>,
    seen: Arc<Seen>,
    into: Sender<Change>,
) {
    let config = Config::default();
    if kind == CredentialKind::ConfigMap {
        return tell(api::<ConfigMap>(client, namespace.as_deref()), config, kind, namespace, &seen, into).await;
    }
    // The managed ones are watched as targets.
    let config = config.labels(&format!("{MANAGED_LABEL}!=true"));
    tell(api::<Secret>(client, namespace.as_deref()), config, kind, namespace, &seen, into).await;
}

fn api<K>(client: Client, namespace: Option<&str>) -> Api<PartialObjectMeta<K>>
where
    K: Resource<Scope = NamespaceResourceScope>,
    PartialObjectMeta<K>: KubeResource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    }
}

async fn tell<K>(
    api: Api<PartialObjectMeta<K>>,
    config: Config,
    kind: CredentialKind,
    namespace: Option<String>,
    seen: &Seen,
    into: Sender<Change>,
) where
    PartialObjectMeta<K>:
        KubeResource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let mut events = std::pin::pin!(watcher(api, config).default_backoff());
    let (mut from, mut listed, mut failing) = (From::FirstList, BTreeSet::new(), false);
    let referred = |object: &PartialObjectMeta<K>| Referred {
        kind,
        id: Id { namespace: object.namespace().unwrap_or_default(), name: object.name_any() },
    };
    while let Some(event) = events.next().await {
        let mut news = Vec::new();
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(object)) => {
                let referred = referred(&object);
                if seen.is(&referred, &object.resource_version().unwrap_or_default(), from) {
                    news.push(referred.clone());
                }
                if seen.wants(&referred) {
                    listed.insert(referred);
                }
            }
            Ok(Event::InitDone) => {
                let gone = seen.known(kind, namespace.as_deref()).into_iter().filter(|known| !listed.contains(known));
                news.extend(gone.filter(|gone| seen.is_gone(gone)));
                (from, failing) = (From::Watch, false);
                listed.clear();
            }
            Ok(Event::Apply(object)) => {
                let referred = referred(&object);
                if seen.is(&referred, &object.resource_version().unwrap_or_default(), from) {
                    news.push(referred);
                }
            }
            Ok(Event::Delete(object)) => news.extend(Some(referred(&object)).filter(|referred| seen.is_gone(referred))),
            Err(error) => {
                let place = namespace.as_deref().unwrap_or("all namespaces");
                let error = problem(&error);
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(
                        ?kind,
                        place,
                        error,
                        "what stores refer to cannot be watched: a change is seen at their next validation"
                    );
                }
            }
        }
        for referred in news {
            if into.send(Change::Reference(referred)).await.is_err() {
                return;
            }
        }
    }
}
