//! The steps of a write.

use std::sync::Arc;

use secretsync_core::error::{Error, ErrorKind, Result};
use secretsync_core::secret::SecretKey;
use secretsync_core::store::{Applied, Write};
use secretsync_core::sync::CreationPolicy;
use zeroize::Zeroizing;

use super::managed_fields::is_sync_manager;
use super::ownership::{Marks, contest, refusal};
use super::patch::{self, Apply};
use super::snapshot::Snapshot;
use super::{KubeStore, call, read, secret_of};
use crate::request::{Answer, Conflict, Failure, Verb, View};

impl KubeStore {
    /// Writes on the ground of what is known in this version, or of there being nothing.
    pub(super) async fn apply_recalled(&self, write: &Write<'_>, version: Option<&str>) -> Result<Applied> {
        let known = self.known.as_ref().and_then(|known| known.get(write.target));
        let done = match (known, version) {
            (Some(secret), Some(version)) if secret.metadata.resource_version == version => {
                self.update(write, &secret).await?
            }
            (None, None) => self.create(write, true).await?,
            _ => None,
        };
        Ok(done.unwrap_or(Applied::Outdated))
    }

    /// Writes a Secret that was not there. `None` when it turns out to be there: where it is `guarded`, in any case, else where somebody holds it.
    pub(super) async fn create(&self, write: &Write<'_>, guarded: bool) -> Result<Option<Applied>> {
        if !write.creation.creates() {
            return Err(Error::new(ErrorKind::NotFound, "write").on(secret_of(write.target)).because("it is gone"));
        }
        let marks = Marks::new(write.owner);
        let uid = self.uid_for_new(write).await?;
        let mut apply = Apply::new(write, &marks, uid.as_deref(), None);
        if guarded {
            apply.expect_none();
        }
        match self.send(write, &marks, &apply, false).await {
            Ok(answer) => {
                self.remember(write, &answer)?;
                Ok(Some(if answer.created { Applied::Created } else { Applied::Updated }))
            }
            Err(Failure::Refused(refusal)) if refusal.is_stale() || !refusal.conflicts().is_empty() => Ok(None),
            Err(failure) => Err(failure.into_error(Verb::Patch, &secret_of(write.target))),
        }
    }

    /// Writes a Secret that is there. `None` when it is no longer as it was seen.
    pub(super) async fn update(&self, write: &Write<'_>, seen: &Arc<Snapshot>) -> Result<Option<Applied>> {
        let marks = Marks::new(write.owner);
        self.check(write, &marks, seen).await?;
        let uid = self.uid_over(write, &marks, seen).await?;
        let whole = self.with_type(write, &marks, seen).await?;
        let Some(secret) = whole else { return Ok(None) };
        let mut apply = Apply::new(write, &marks, uid.as_deref(), Some(&secret));
        let Some(version) = self.take_over(write, &marks, uid.as_deref(), &secret).await? else { return Ok(None) };
        apply.expect_version(&version);
        let answer = match self.send(write, &marks, &apply, false).await {
            Err(Failure::Refused(refusal)) if !refusal.conflicts().is_empty() => {
                let force = self.settle(write, &marks, &mut apply, refusal.conflicts()).await?;
                self.send(write, &marks, &apply, force).await
            }
            other => other,
        };
        match answer {
            Ok(answer) => {
                let after = self.remember(write, &answer)?.metadata.resource_version;
                Ok(Some(if after == secret.metadata.resource_version { Applied::Unchanged } else { Applied::Updated }))
            }
            Err(Failure::Refused(refusal)) if refusal.is_stale() => Ok(None),
            Err(failure) => Err(failure.into_error(Verb::Patch, &secret_of(write.target))),
        }
    }

    /// Puts the record of who wrote what in order, so that the apply removes what is to go. Gives the version to expect; `None` when the Secret is no
    /// longer as it was seen.
    async fn take_over(
        &self,
        write: &Write<'_>,
        marks: &Marks<'_>,
        uid: Option<&str>,
        secret: &Snapshot,
    ) -> Result<Option<String>> {
        let metadata = &secret.metadata;
        let living = self.owners.living(marks, write.target, secret).await?;
        let gone = write.remove.iter().map(SecretKey::as_str);
        let fields = metadata.managed_fields.taken_over(&marks.manager, gone, &living);
        // There can be one controller only.
        let former = uid.and_then(|uid| marks.former(secret, uid)).map(|(place, _)| place);
        if fields.is_none() && former.is_none() {
            return Ok(Some(metadata.resource_version.clone()));
        }
        let body = Zeroizing::new(patch::take_over(fields.as_ref(), former, &metadata.resource_version));
        let call = call(Verb::Patch, write.target, View::Metadata);
        let call =
            call.with_query(format!("fieldManager={}", marks.manager)).with_body("application/json-patch+json", body);
        match call.send(&self.server).await {
            Ok(answer) => Ok(Some(read(&answer, write.target)?.metadata.resource_version)),
            Err(Failure::Refused(refusal)) if refusal.is_stale() || refusal.is_absent() => Ok(None),
            Err(failure) => Err(failure.into_error(Verb::Patch, &secret_of(write.target))),
        }
    }

    /// Reads the answer to a write, and keeps what was written in mind where values are never read.
    fn remember(&self, write: &Write<'_>, answer: &Answer) -> Result<Snapshot> {
        let secret = read(answer, write.target)?;
        if self.view == View::Metadata {
            self.written.remember(write, &secret.metadata.uid);
        }
        if let Some(known) = &self.known {
            known.put(write.target.clone(), &secret);
        }
        Ok(secret)
    }

    /// What to do about fields that others hold: whether to take them. Fails when a living sync holds a key.
    async fn settle(
        &self,
        write: &Write<'_>,
        marks: &Marks<'_>,
        apply: &mut Apply,
        conflicts: Vec<Conflict>,
    ) -> Result<bool> {
        let mut force = false;
        for Conflict { field, manager } in conflicts {
            if !is_sync_manager(&manager) || self.owners.has_left(write.owner, &manager, write.target.name()).await? {
                force = true;
            } else if !apply.yield_field(&field) {
                let holder = marks.describe(Some(&manager));
                return Err(match field.strip_prefix(".data.") {
                    Some(key) => contest(secret_of(write.target), key, &holder, write.owner),
                    None => refusal(secret_of(write.target), &holder),
                });
            }
        }
        Ok(force)
    }

    async fn send(&self, write: &Write<'_>, marks: &Marks<'_>, apply: &Apply, force: bool) -> Result<Answer, Failure> {
        self.written.doubt(write);
        let query = format!("fieldManager={}&force={force}", marks.manager);
        let call = call(Verb::Patch, write.target, View::Metadata).with_query(query);
        call.with_body("application/apply-patch+yaml", apply.body(&write.desired.data)).send(&self.server).await
    }

    /// The uid for the owner reference of a new Secret, where one is written: a reference to what is gone would be its end.
    async fn uid_for_new(&self, write: &Write<'_>) -> Result<Option<String>> {
        match self.owners.trusted(write.owner) {
            _ if write.creation != CreationPolicy::Owner => Ok(None),
            Some(uid) => Ok(Some(uid.to_owned())),
            None => self.owners.current(write.owner).await,
        }
    }

    /// The uid for the owner reference of a Secret that is there, where one is written. Where another ExternalSecret of the name is its controller, it is asked
    /// which of the two is the earlier one.
    pub(super) async fn uid_over(
        &self,
        write: &Write<'_>,
        marks: &Marks<'_>,
        secret: &Snapshot,
    ) -> Result<Option<String>> {
        if write.creation != CreationPolicy::Owner {
            return Ok(None);
        }
        let uid = self.owners.uid(write.owner).await?;
        if uid.as_deref().is_none_or(|uid| marks.former(secret, uid).is_none()) {
            return Ok(uid);
        }
        let current = self.owners.current(write.owner).await?;
        if self.owners.trusted(write.owner).is_some_and(|ours| current.as_deref() != Some(ours)) {
            return Err(refusal(secret_of(write.target), "a later ExternalSecret of the same name"));
        }
        Ok(current)
    }

    /// The Secret with its type, where the write has to repeat it: see [`Apply::new`]. `None` when it is gone.
    async fn with_type(
        &self,
        write: &Write<'_>,
        marks: &Marks<'_>,
        seen: &Arc<Snapshot>,
    ) -> Result<Option<Arc<Snapshot>>> {
        let repeated =
            write.desired.meta.secret_type.is_none() && seen.metadata.managed_fields.owns(&marks.manager, "type");
        if seen.is_whole() || !repeated {
            return Ok(Some(Arc::clone(seen)));
        }
        self.fetch(write.target, View::Whole).await
    }
}
