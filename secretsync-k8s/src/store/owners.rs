//! The ExternalSecrets of the cluster: which uid they have, and whether they are gone.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use secretsync_core::error::Result;
use secretsync_core::store::{OwnerId, TargetRef};
use serde_json::Value;

use super::ownership::Marks;
use super::snapshot::Snapshot;
use super::unreadable;
use crate::request::{Call, Failure, Server, Target, Verb, View};

/// Looks up the ExternalSecrets of a cluster.
pub(super) struct Owners {
    server: Server,
    /// Whether the uids that owners bring along are those of this cluster.
    trusting: bool,
    known: Mutex<HashMap<OwnerId, Option<String>>>,
}

impl Owners {
    pub(super) fn new(server: Server, trusting: bool) -> Self {
        Self { server, trusting, known: Mutex::default() }
    }

    /// The managers of the other syncs that wrote keys of the Secret, without those that have positively left it.
    pub(super) async fn living(
        &self,
        marks: &Marks<'_>,
        target: &TargetRef,
        secret: &Snapshot,
    ) -> Result<BTreeSet<String>> {
        let mut living = BTreeSet::new();
        for manager in secret.metadata.managed_fields.other_syncs(&marks.manager) {
            if !self.has_left(marks.owner, &manager, target.name()).await? {
                living.insert(manager);
            }
        }
        Ok(living)
    }

    /// Whether another sync is positively gone: this cluster has ExternalSecrets, ours among them, and not that one.
    pub(super) async fn is_gone(&self, owner: &OwnerId, manager: Option<&str>) -> Result<bool> {
        Ok(self.other(owner, manager).await? == Some(LookUp::Absent))
    }

    /// Whether another sync is positively gone, or writes another Secret now. Keys that it merged into an earlier one stay there, and are nobody's.
    pub(super) async fn has_left(&self, owner: &OwnerId, manager: &str, secret: &str) -> Result<bool> {
        Ok(match self.other(owner, Some(manager)).await? {
            Some(LookUp::Absent) => true,
            Some(LookUp::Present { target, .. }) => target != secret,
            Some(LookUp::Hidden) | None => false,
        })
    }

    /// What a look for the ExternalSecret behind a field manager finds, where that can be told, and this is the cluster of ours.
    async fn other(&self, owner: &OwnerId, manager: Option<&str>) -> Result<Option<LookUp>> {
        let Some(name) = manager.and_then(Marks::sync_behind) else { return Ok(None) };
        if self.uid(owner).await?.is_none() {
            return Ok(None);
        }
        self.look_up(owner.namespace(), name, View::Whole).await.map(Some)
    }

    /// The uid that an owner brings along, where it can be trusted.
    pub(super) fn trusted<'o>(&self, owner: &'o OwnerId) -> Option<&'o str> {
        owner.uid().filter(|_| self.trusting)
    }

    /// The uid of an owner in this cluster, looked up once.
    pub(super) async fn uid(&self, owner: &OwnerId) -> Result<Option<String>> {
        if let Some(uid) = self.trusted(owner) {
            return Ok(Some(uid.to_owned()));
        }
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(owner) {
            return Ok(known.clone());
        }
        self.current(owner).await
    }

    /// The uid of an owner in this cluster as it is now.
    pub(super) async fn current(&self, owner: &OwnerId) -> Result<Option<String>> {
        let uid = match self.look_up(owner.namespace(), owner.name(), View::Metadata).await? {
            LookUp::Present { uid, .. } => Some(uid),
            LookUp::Absent | LookUp::Hidden => None,
        };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(owner.clone(), uid.clone());
        Ok(uid)
    }

    /// Whether an ExternalSecret exists in this cluster. A cluster without the kind has none.
    async fn look_up(&self, namespace: &str, name: &str, view: View) -> Result<LookUp> {
        let target = Target::external_secret(namespace, name);
        match Call::new(Verb::Get, target, view).send(&self.server).await {
            Ok(answer) => LookUp::read(&answer.body, name).ok_or_else(|| unreadable(&target)),
            Err(Failure::Refused(refusal)) if refusal.is_absent() => Ok(LookUp::Absent),
            // Who may not read ExternalSecrets, in a pipeline for example, writes without an owner reference.
            Err(Failure::Refused(refusal)) if refusal.is_forbidden() => Ok(LookUp::Hidden),
            Err(failure) => Err(failure.into_error(Verb::Get, &target)),
        }
    }
}

/// What a look for an ExternalSecret found.
#[derive(Debug, Eq, PartialEq)]
enum LookUp {
    Absent,
    Hidden,
    Present {
        uid: String,
        /// The Secret that it writes, where the whole object was read.
        target: String,
    },
}

impl LookUp {
    /// Reads the API server's answer. A target without a name has that of its ExternalSecret.
    fn read(json: &[u8], name: &str) -> Option<Self> {
        let object: Value = serde_json::from_slice(json).ok()?;
        let uid = object["metadata"]["uid"].as_str()?.to_owned();
        let target = object["spec"]["target"]["name"].as_str().filter(|target| !target.is_empty()).unwrap_or(name);
        Some(Self::Present { uid, target: target.to_owned() })
    }
}
