//! The ExternalSecrets of the cluster: which uid they have, and whether they are gone.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use secretsync_core::error::Result;
use secretsync_core::store::OwnerId;

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

    /// The managers of the other syncs that wrote keys of the Secret, without those that are positively gone.
    pub(super) async fn living(&self, marks: &Marks<'_>, secret: &Snapshot) -> Result<BTreeSet<String>> {
        let mut living = BTreeSet::new();
        for manager in secret.metadata.managed_fields.other_syncs(&marks.manager) {
            if !self.is_gone(marks.owner, Some(&manager)).await? {
                living.insert(manager);
            }
        }
        Ok(living)
    }

    /// Whether another sync is positively gone: this cluster has ExternalSecrets, ours among them, and not that one.
    pub(super) async fn is_gone(&self, owner: &OwnerId, manager: Option<&str>) -> Result<bool> {
        let Some(name) = manager.and_then(Marks::sync_behind) else { return Ok(false) };
        Ok(self.uid(owner).await?.is_some() && self.look_up(owner.namespace(), name).await? == LookUp::Absent)
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
        let uid = match self.look_up(owner.namespace(), owner.name()).await? {
            LookUp::Present(uid) => Some(uid),
            LookUp::Absent | LookUp::Hidden => None,
        };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(owner.clone(), uid.clone());
        Ok(uid)
    }

    /// Whether an ExternalSecret exists in this cluster. A cluster without the kind has none.
    async fn look_up(&self, namespace: &str, name: &str) -> Result<LookUp> {
        let target = Target::external_secret(namespace, name);
        match Call::new(Verb::Get, target, View::Metadata).send(&self.server).await {
            Ok(answer) => match Snapshot::read(&answer.body) {
                Some(object) => Ok(LookUp::Present(object.metadata.uid)),
                None => Err(unreadable(&target)),
            },
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
    Present(String),
}
