//! Objects of the cluster as the operator keeps them: compact, and each on its own, so that a broken one spoils nothing but itself.

use kube::ResourceExt;
use kube::api::DynamicObject;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use serde_json::{Value, json};

use super::OperatorSettings;
use super::listed::is_unreadable;
use super::named::Named;
use super::status::{Condition, DELETION_PAUSED, READY, Status};
use super::watch::{Id, Kind};
use crate::api::names::{ALLOW_MASS_DELETION_ANNOTATION, synced_revision};
use crate::api::{self, ClusterSecretStore, ExternalSecret, Manifest, SecretStore, VaultDynamicSecret};
use crate::convert::{self, StoreSpec};
use crate::problems::subject;

/// An ExternalSecret.
#[derive(Clone, Debug)]
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
    text: Result<Box<[u8]>>,
    /// The stores that it names, also where the manifest makes no sense.
    pub(super) stores: Named,
    pub(super) status: Status,
}

/// What configures a provider: a SecretStore, a ClusterSecretStore or a generator.
#[derive(Clone, Debug)]
pub(super) struct StoreObject {
    pub(super) kind: Kind,
    pub(super) id: Id,
    pub(super) uid: String,
    /// Changes with everything that a provider is built from.
    pub(super) version: String,
    /// The class of the controllers that handle it; `None` where all do.
    pub(super) class: Option<String>,
    /// What it configures, or what is wrong with it.
    pub(super) spec: Result<StoreSpec>,
    pub(super) ready: Option<Condition>,
    /// The condition that tells that none of its targets is deleted, while that is so.
    pub(super) paused: Option<Condition>,
    /// Whether somebody allows that any number of its targets is deleted.
    pub(super) allows_mass_deletion: bool,
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
            text: manifest::<ExternalSecret>(object).map(|manifest| manifest.to_string().into_bytes().into()),
            stores: Named::read(&object.data["spec"], &object.namespace().unwrap_or_default()),
            status: Status::read(&object.data["status"]),
        }
    }
}

impl SyncObject {
    /// The manifest, or what is wrong with it.
    pub(super) fn manifest(&self) -> Result<ExternalSecret> {
        api::parse(serde_json::from_slice(self.text.as_ref().map_err(Clone::clone)?).unwrap_or_default())
    }
}

impl StoreObject {
    pub(super) fn read(kind: Kind, object: &DynamicObject) -> Self {
        let uid = object.uid().unwrap_or_default();
        let spec = match kind {
            Kind::ClusterSecretStore => {
                read::<ClusterSecretStore>(object).and_then(|store| convert::cluster_store(&store))
            }
            Kind::Generator => read::<VaultDynamicSecret>(object).and_then(|it| convert::dynamic_secret(&it)),
            _ => read::<SecretStore>(object).and_then(|store| convert::store(&store)),
        };
        Self {
            kind,
            id: Id::of(object),
            version: format!("{uid}/{}", object.metadata.generation.unwrap_or_default()),
            uid,
            class: object.data["spec"]["controller"].as_str().filter(|class| !class.is_empty()).map(str::to_owned),
            spec,
            ready: Condition::read(&object.data["status"], READY),
            paused: Condition::read(&object.data["status"], DELETION_PAUSED).filter(|paused| paused.holds),
            allows_mass_deletion: object
                .annotations()
                .get(ALLOW_MASS_DELETION_ANNOTATION)
                .is_some_and(|it| it == "true"),
        }
    }

    /// How messages name the kind.
    pub(super) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::ClusterSecretStore => ClusterSecretStore::KIND,
            Kind::Generator => VaultDynamicSecret::KIND,
            _ => SecretStore::KIND,
        }
    }

    /// Whether a controller of this class handles it.
    pub(super) fn is_of_class(&self, class: &str) -> bool {
        self.class.as_deref().is_none_or(|theirs| theirs == class)
    }

    /// Whether an operator with these settings tries it and tells how it is.
    pub(super) fn is_validated_by(&self, settings: &OperatorSettings) -> bool {
        let serves = match self.kind {
            Kind::ClusterSecretStore => settings.cluster_stores,
            Kind::SecretStore => settings.stores,
            _ => false,
        };
        serves && self.is_of_class(&settings.class)
    }
}

/// Reads an object as the kind that it is listed as.
pub(super) fn read<T: Manifest>(object: &DynamicObject) -> Result<T> {
    manifest::<T>(object).and_then(api::parse)
}

/// The object as a manifest: what lists leave out is put back, and what the cluster adds is left out.
fn manifest<T: Manifest>(object: &DynamicObject) -> Result<Value> {
    if is_unreadable(object) {
        return Err(Error::new(ErrorKind::InvalidConfig, "read")
            .on(subject(T::KIND, object.metadata.namespace.as_deref(), &object.name_any()))
            .because("`spec`: the manifest is nested too deeply, or has a number beyond all bounds")
            .with_hint(Hint::new(Code::ManifestInvalid, "correct the manifest; it was not applied")));
    }
    let metadata = &object.metadata;
    Ok(json!({
        "apiVersion": T::API_VERSION,
        "kind": T::KIND,
        "metadata": {
            "name": metadata.name,
            "namespace": metadata.namespace,
            "labels": object.labels(),
            "annotations": object.annotations(),
            "uid": metadata.uid,
            "generation": metadata.generation,
        },
        "spec": object.data["spec"],
    }))
}

/// External Secrets Operator's finalizer. It is added only to what has leases, which are given back before it goes: either operator takes it off again.
pub(super) const FINALIZER: &str = "externalsecrets.external-secrets.io/externalsecret-cleanup";
