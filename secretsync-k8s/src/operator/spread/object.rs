//! The objects that a spread is about, as the operator keeps them.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use kube::api::DynamicObject;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use serde_json::{Value, json};

use super::status::SpreadStatus;
use crate::api::{ClusterExternalSecret, GROUP, GoDuration, LabelSelector, Manifest as _};
use crate::operator::object::read;
use crate::problems::{plain, subject};
use crate::selector;

/// A ClusterExternalSecret.
#[derive(Debug)]
pub(in crate::operator) struct SpreadObject {
    pub(in crate::operator) name: String,
    pub(in crate::operator) uid: String,
    version: String,
    /// Changes with everything that the ExternalSecrets are made of.
    revision: (i64, Option<String>),
    pub(in crate::operator) deleting: bool,
    finalizers: Vec<String>,
    /// What it asks for, or what is wrong with it.
    pub(in crate::operator) wish: Result<Wish>,
    pub(in crate::operator) status: SpreadStatus,
}

/// What a ClusterExternalSecret asks for.
#[derive(Clone, Debug)]
pub(in crate::operator) struct Wish {
    /// The name of the ExternalSecrets.
    pub(in crate::operator) name: String,
    selectors: Vec<LabelSelector>,
    namespaces: Vec<String>,
    /// The time between two passes where nothing changes; `None` for never.
    pub(in crate::operator) interval: Option<Duration>,
    pub(in crate::operator) content: Content,
}

/// What an ExternalSecret has of its ClusterExternalSecret, all of it replaced at each write.
#[derive(Clone, Debug, Hash)]
pub(in crate::operator) struct Content {
    pub(in crate::operator) labels: BTreeMap<String, String>,
    pub(in crate::operator) annotations: BTreeMap<String, String>,
    pub(in crate::operator) spec: Value,
}

/// An ExternalSecret that a ClusterExternalSecret made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::operator) struct Produced {
    pub(in crate::operator) uid: String,
    pub(in crate::operator) version: String,
    /// The ClusterExternalSecret's name and uid.
    pub(in crate::operator) owner: (String, String),
    /// Where the reference to it stands among the owners.
    pub(in crate::operator) place: usize,
    pub(in crate::operator) deleting: bool,
    /// See [`Content::digest`].
    pub(in crate::operator) digest: u64,
}

impl SpreadObject {
    pub(in crate::operator) fn read(object: &DynamicObject) -> Self {
        let forced = object.annotations().get(FORCE_SYNC).cloned();
        Self {
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
            version: object.resource_version().unwrap_or_default(),
            revision: (object.metadata.generation.unwrap_or_default(), forced.clone()),
            deleting: object.metadata.deletion_timestamp.is_some(),
            finalizers: object.finalizers().to_vec(),
            wish: read::<ClusterExternalSecret>(object).and_then(|parsed| Wish::new(parsed, forced)),
            status: SpreadStatus::read(&object.data["status"]),
        }
    }

    /// Whether External Secrets Operator's finalizer is on it.
    pub(in crate::operator) fn is_held(&self) -> bool {
        self.finalizers.iter().any(|finalizer| finalizer == FINALIZER)
    }

    /// A merge patch that takes that finalizer off the object as it was seen.
    pub(in crate::operator) fn released(&self) -> Value {
        let rest: Vec<_> = self.finalizers.iter().filter(|finalizer| *finalizer != FINALIZER).collect();
        json!({"metadata": {"uid": self.uid, "resourceVersion": self.version, "finalizers": rest}})
    }

    /// Whether two readings ask for the same: only the status differs, if anything.
    pub(in crate::operator) fn asks_as(&self, before: &Self) -> bool {
        self.uid == before.uid && self.revision == before.revision
    }
}

impl Wish {
    fn new(object: ClusterExternalSecret, forced: Option<String>) -> Result<Self> {
        let (name, spec) = (object.metadata.name, object.spec);
        let selectors: Vec<_> = spec.namespace_selector.into_iter().chain(spec.namespace_selectors).collect();
        if let Some((place, rule)) = selectors.iter().flat_map(selector::problems).next() {
            return Err(Error::new(ErrorKind::InvalidConfig, "read")
                .on(subject(ClusterExternalSecret::KIND, None, &name))
                .because(format!("`{}` of a selector of namespaces {rule}", plain(&place)))
                .with_hint(Hint::new(Code::ManifestInvalid, "correct the selector; nothing was made or removed")));
        }
        let mut annotations = spec.external_secret_metadata.annotations;
        annotations.remove(FORCE_SYNC);
        annotations.extend(forced.map(|value| (FORCE_SYNC.to_owned(), value)));
        Ok(Self {
            name: spec.external_secret_name.filter(|name| !name.is_empty()).unwrap_or(name),
            selectors,
            namespaces: spec.namespaces,
            interval: spec.refresh_time.map_or(Some(USUAL_INTERVAL), GoDuration::positive),
            content: Content {
                labels: spec.external_secret_metadata.labels,
                annotations,
                spec: spec.external_secret_spec,
            },
        })
    }

    /// Whether a namespace is to have an ExternalSecret: one selector, or a name, is enough.
    pub(in crate::operator) fn selects(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        self.namespaces.iter().any(|name| name == namespace)
            || self.selectors.iter().any(|selector| selector::selects(selector, namespace, labels))
    }
}

impl Content {
    /// What equal contents have in common, in this process.
    pub(in crate::operator) fn digest(&self, hasher: &RandomState) -> u64 {
        hasher.hash_one(self)
    }
}

impl Produced {
    /// Reads an ExternalSecret whose controller is a ClusterExternalSecret; `None` for any other.
    pub(in crate::operator) fn read(object: &DynamicObject, hasher: &RandomState) -> Option<Self> {
        let owners = object.owner_references();
        let (place, owner) = owners.iter().enumerate().find(|(_, owner)| owner.controller == Some(true))?;
        if !is_ours(owner) {
            return None;
        }
        let content = Content {
            labels: object.labels().clone(),
            annotations: object.annotations().clone(),
            spec: object.data["spec"].clone(),
        };
        Some(Self {
            uid: object.uid().unwrap_or_default(),
            version: object.resource_version().unwrap_or_default(),
            owner: (owner.name.clone(), owner.uid.clone()),
            place,
            deleting: object.metadata.deletion_timestamp.is_some(),
            digest: content.digest(hasher),
        })
    }
}

/// Whether an owner is a ClusterExternalSecret, of whatever version.
fn is_ours(owner: &OwnerReference) -> bool {
    let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
    group == GROUP && owner.kind == ClusterExternalSecret::KIND
}

/// The annotation that is mirrored onto the ExternalSecrets.
const FORCE_SYNC: &str = "external-secrets.io/force-sync";

const USUAL_INTERVAL: Duration = Duration::from_hours(1);

/// External Secrets Operator's finalizer on ClusterExternalSecrets.
const FINALIZER: &str = "externalsecrets.external-secrets.io/clusterexternalsecret-cleanup";

/// External Secrets Operator's finalizers on namespaces begin so; the ClusterExternalSecret's name follows.
pub(in crate::operator) const NAMESPACE_FINALIZERS: &str = "externalsecrets.external-secrets.io/ces-";
