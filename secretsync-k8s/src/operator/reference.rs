//! What the configurations of stores refer to is watched: files, and Secrets and ConfigMaps as metadata, only where something refers to them.
//!
//! A namespace with a referred object has one watch of its kind; where there would be too many of them, one watch sees all namespaces. Nothing is kept of objects
//! that nobody refers to. Secrets that are managed here are told by the watch of targets, which sees them anyway.

mod files;
mod seen;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use kube::Client;
use kube::api::DynamicObject;
use secretsync_core::provider::{CredentialKind, CredentialRef, StoreOrigin};
use tokio::sync::mpsc::Sender;
use tokio::task::{AbortHandle, JoinSet};

pub(super) use self::files::Files;
pub(crate) use self::seen::Seen;
use super::watch::{Change, Id};
use crate::CredentialScope;

/// A Secret or ConfigMap.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Referred {
    pub(super) kind: CredentialKind,
    pub(super) id: Id,
}

/// Who refers to an object.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Referrer {
    pub(super) origin: StoreOrigin,
    /// The namespace on whose behalf; `None` for all that the store serves.
    pub(super) consumer: Option<String>,
    /// Whether its provider is built from the object; else it reads it anew each time.
    pub(super) built: bool,
}

/// Where one watch looks: at a kind, in one namespace or in all.
type Place = (CredentialKind, Option<String>);

/// The objects that stores refer to, and their watches.
pub(super) struct References {
    client: Client,
    into: Sender<Change>,
    /// The only namespace to work in: what lies elsewhere is watched as far as it may be, but never all of the cluster.
    confined: bool,
    /// What each store refers to.
    of: HashMap<StoreOrigin, BTreeSet<Referred>>,
    by_object: BTreeMap<Referred, BTreeSet<Referrer>>,
    seen: Arc<Seen>,
    tasks: JoinSet<()>,
    watches: HashMap<Place, AbortHandle>,
}

impl References {
    pub(super) fn new(client: Client, into: Sender<Change>, confined: bool, seen: Arc<Seen>) -> Self {
        Self {
            client,
            into,
            confined,
            of: HashMap::new(),
            by_object: BTreeMap::new(),
            seen,
            tasks: JoinSet::new(),
            watches: HashMap::new(),
        }
    }

    /// Takes note of everything that a store refers to, for the namespaces that use it.
    pub(super) fn set(&mut self, origin: &StoreOrigin, references: &[CredentialRef], consumers: &BTreeSet<&str>) {
        self.forget(origin);
        for ((referred, consumer), built) in resolved(origin, references, consumers) {
            let referrer = Referrer { origin: origin.clone(), consumer, built };
            self.seen.want(&referred);
            self.of.entry(origin.clone()).or_default().insert(referred.clone());
            self.by_object.entry(referred).or_default().insert(referrer);
        }
    }

    /// Forgets a store.
    pub(super) fn forget(&mut self, origin: &StoreOrigin) {
        for referred in self.of.remove(origin).unwrap_or_default() {
            let Some(referrers) = self.by_object.get_mut(&referred) else { continue };
            referrers.retain(|referrer| referrer.origin != *origin);
            if referrers.is_empty() {
                self.by_object.remove(&referred);
            }
        }
    }

    /// Begins the watches that are needed now, and ends the others.
    pub(super) fn follow(&mut self) {
        self.seen.retain(|referred| self.by_object.contains_key(referred));
        let places = places(self.by_object.keys(), self.confined);
        self.watches.retain(|place, watch| {
            let stays = places.contains(place);
            if !stays {
                watch.abort();
            }
            stays
        });
        while self.tasks.try_join_next().is_some() {}
        for place in places {
            let Self { client, seen, into, tasks, .. } = self;
            self.watches.entry(place).or_insert_with_key(|(kind, namespace)| {
                let (client, seen, into) = (client.clone(), Arc::clone(seen), into.clone());
                tasks.spawn(watch::watch(client, *kind, namespace.clone(), seen, into))
            });
        }
    }

    /// Who refers to an object.
    pub(super) fn referrers(&self, referred: &Referred) -> Vec<Referrer> {
        self.by_object.get(referred).into_iter().flatten().cloned().collect()
    }

    /// Takes note of a managed Secret as it is now. Says whether that is news of something that is referred to.
    pub(super) fn managed(&self, object: &DynamicObject) -> Option<Referred> {
        let referred = Referred { kind: CredentialKind::Secret, id: Id::of(object) };
        let version = object.metadata.resource_version.as_deref().unwrap_or_default();
        self.seen.is(&referred, version, seen::From::Targets).then_some(referred)
    }

    /// Takes note of a managed Secret that is gone, or is managed no more.
    pub(super) fn unmanaged(&self, id: &Id) -> Option<Referred> {
        let referred = Referred { kind: CredentialKind::Secret, id: id.clone() };
        self.seen.is_gone(&referred).then_some(referred)
    }
}

/// The objects behind references, on whose behalf, and whether something is built from them. What a store may not refer to is left out: it is never read.
fn resolved(
    origin: &StoreOrigin,
    references: &[CredentialRef],
    consumers: &BTreeSet<&str>,
) -> BTreeMap<(Referred, Option<String>), bool> {
    let mut found = BTreeMap::new();
    let watched = |kind| matches!(kind, CredentialKind::ConfigMap | CredentialKind::Secret);
    for reference in references.iter().filter(|reference| watched(reference.kind())) {
        let mut add = |scope: &CredentialScope, consumer| {
            let Ok(namespace) = scope.namespace(reference) else { return };
            let id = Id { namespace: namespace.to_owned(), name: reference.name().to_owned() };
            let built = found.entry((Referred { kind: reference.kind(), id }, consumer)).or_default();
            *built |= !reference.is_whole();
        };
        if origin.namespace().is_some() || reference.namespace().is_some() {
            add(&CredentialScope::new(origin, ""), None);
            continue;
        }
        for consumer in consumers {
            add(&CredentialScope::new(origin, *consumer), Some((*consumer).to_owned()));
        }
    }
    found
}

/// Where watches must look so that they see all these objects.
fn places<'a>(referred: impl Iterator<Item = &'a Referred>, confined: bool) -> BTreeSet<Place> {
    let mut namespaces: BTreeMap<CredentialKind, BTreeSet<&str>> = BTreeMap::new();
    for Referred { kind, id } in referred {
        namespaces.entry(*kind).or_default().insert(&id.namespace);
    }
    let mut places = BTreeSet::new();
    for (kind, namespaces) in namespaces {
        if namespaces.len() > MOST_NAMESPACES && !confined {
            places.insert((kind, None));
        } else {
            places.extend(namespaces.into_iter().map(|namespace| (kind, Some(namespace.to_owned()))));
        }
    }
    places
}

/// How many namespaces have a watch of their own: each keeps a request open.
const MOST_NAMESPACES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn referred(kind: CredentialKind, namespace: &str, name: &str) -> Referred {
        Referred { kind, id: Id { namespace: namespace.to_owned(), name: name.to_owned() } }
    }

    fn shown(found: BTreeMap<(Referred, Option<String>), bool>) -> Vec<String> {
        let one = |((referred, consumer), built): ((Referred, Option<String>), bool)| {
            let how = if built { "builds" } else { "is read" };
            format!("{:?} {} {how} for {}", referred.kind, referred.id, consumer.unwrap_or_default())
        };
        found.into_iter().map(one).collect()
    }

    #[test]
    fn a_namespaced_store_is_told_of_its_own_namespace_only() {
        let references = [
            CredentialRef::secret("token", "t"),
            CredentialRef::secret("token", "other-key").in_namespace(Some("shop")),
            CredentialRef::secret("admin", "t").in_namespace(Some("kube-system")),
            CredentialRef::config_map("ca", "ca.crt"),
            CredentialRef::config_map("documents", "*"),
            CredentialRef::service_account("app"),
        ];
        let found = resolved(&StoreOrigin::namespaced("shop", "v"), &references, &BTreeSet::from(["bank"]));
        assert_eq!(
            shown(found),
            ["ConfigMap shop/ca builds for ", "ConfigMap shop/documents is read for ", "Secret shop/token builds for "]
        );
    }

    #[test]
    fn a_cluster_store_is_told_where_its_references_say_else_in_each_namespace_that_uses_it() {
        let references =
            [CredentialRef::secret("token", "t"), CredentialRef::secret("ca", "t").in_namespace(Some("vault"))];
        let found = resolved(&StoreOrigin::cluster("v"), &references, &BTreeSet::from(["bank", "shop"]));
        assert_eq!(
            shown(found),
            ["Secret bank/token builds for bank", "Secret shop/token builds for shop", "Secret vault/ca builds for "]
        );
    }

    #[test]
    fn a_few_namespaces_have_watches_of_their_own_and_many_share_one() {
        let many: Vec<_> =
            (0..=MOST_NAMESPACES).map(|n| referred(CredentialKind::Secret, &n.to_string(), "x")).collect();
        let one = referred(CredentialKind::ConfigMap, "shop", "ca");
        let config_maps = (CredentialKind::ConfigMap, Some("shop".to_owned()));
        let found = places(many.iter().chain([&one]), false);
        assert_eq!(found, BTreeSet::from([config_maps, (CredentialKind::Secret, None)]));
        assert_eq!(places(many[1..].iter(), false).len(), MOST_NAMESPACES);
        assert_eq!(places(many.iter(), true).len(), MOST_NAMESPACES + 1, "who may see one namespace asks for no more");
    }
}
