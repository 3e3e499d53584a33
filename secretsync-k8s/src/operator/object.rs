//! Objects of the cluster as the operator keeps them: compact, and each on its own, so that a broken one spoils nothing but itself.

use kube::ResourceExt;
use kube::api::DynamicObject;
use secretsync_core::error::Result;
use serde_json::{Value, json};

use super::status::{Condition, Status};
use super::watch::{Id, Kind};
use crate::api::names::synced_revision;
use crate::api::{self, API_VERSION, ClusterSecretStore, ExternalSecret, SecretStore};
use crate::convert::{self, StoreSpec};

/// An ExternalSecret.
#[derive(Debug)]
pub(super) struct SyncObject {
    pub(super) id: Id,
    pub(super) uid: String,
    /// What [`Status::synced_revision`] is compared with.
    pub(super) revision: String,
    /// Whether it waits for its finalizers.
    pub(super) deleting: bool,
    pub(super) finalizers: Vec<String>,
    pub(super) version: String,
    /// The manifest as text: taken apart it takes many times as much.
    text: Box<[u8]>,
    pub(super) status: Status,
}

/// A SecretStore or ClusterSecretStore.
#[derive(Clone, Debug)]
pub(super) struct StoreObject {
    pub(super) kind: Kind,
    pub(super) id: Id,
    pub(super) uid: String,
    /// Changes with everything that a provider is built from.
    pub(super) version: String,
    /// What it configures, or what is wrong with it.
    pub(super) spec: Result<StoreSpec>,
    pub(super) ready: Option<Condition>,
}

impl SyncObject {
    pub(super) fn read(object: &DynamicObject) -> Self {
        let generation = object.metadata.generation.unwrap_or_default();
        Self {
            id: Id::of(object),
            uid: object.uid().unwrap_or_default(),
            revision: synced_revision(generation, object.labels(), object.annotations()),
            deleting: object.metadata.deletion_timestamp.is_some(),
            finalizers: object.finalizers().to_vec(),
            version: object.resource_version().unwrap_or_default(),
            text: manifest(object, "ExternalSecret").to_string().into_bytes().into(),
            status: Status::read(&object.data["status"]),
        }
    }
}

impl SyncObject {
    /// The manifest, or what is wrong with it.
    pub(super) fn manifest(&self) -> Result<ExternalSecret> {
        api::parse(serde_json::from_slice(&self.text).unwrap_or_default())
    }
}

impl StoreObject {
    pub(super) fn read(kind: Kind, object: &DynamicObject) -> Self {
        let uid = object.uid().unwrap_or_default();
        let spec = if kind == Kind::ClusterSecretStore {
            api::parse::<ClusterSecretStore>(manifest(object, "ClusterSecretStore"))
                .and_then(|store| convert::cluster_store(&store))
        } else {
            api::parse::<SecretStore>(manifest(object, "SecretStore")).and_then(|store| convert::store(&store))
        };
        Self {
            kind,
            id: Id::of(object),
            version: format!("{uid}/{}", object.metadata.generation.unwrap_or_default()),
            uid,
            spec,
            ready: Condition::read(&object.data["status"]),
        }
    }

    /// How messages name the kind.
    pub(super) fn kind_name(&self) -> &'static str {
        if self.kind == Kind::ClusterSecretStore { "ClusterSecretStore" } else { "SecretStore" }
    }

    /// Whether a controller of this class handles it. One that cannot be read is everybody's, so that somebody says so.
    pub(super) fn is_of_class(&self, class: &str) -> bool {
        self.spec.as_ref().map_or(true, |spec| spec.controller.as_deref().is_none_or(|theirs| theirs == class))
    }
}

/// The object as a manifest: what lists leave out is put back, and what the cluster adds is left out.
pub(super) fn manifest(object: &DynamicObject, kind: &str) -> Value {
    let metadata = &object.metadata;
    json!({
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {
            "name": metadata.name,
            "namespace": metadata.namespace,
            "labels": object.labels(),
            "annotations": object.annotations(),
            "uid": metadata.uid,
            "generation": metadata.generation,
        },
        "spec": object.data["spec"],
    })
}

/// External Secrets Operator's finalizer. It is never added here: deletion needs nothing from us that the garbage collector does not do.
pub(super) const FINALIZER: &str = "externalsecrets.external-secrets.io/externalsecret-cleanup";
