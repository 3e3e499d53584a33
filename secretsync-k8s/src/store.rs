//! Kubernetes Secrets as targets.

mod claims;
mod managed_fields;
mod owners;
pub(crate) mod ownership;
mod patch;
pub(crate) mod snapshot;
mod values;
mod written;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use kube::Client;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::secret::{SecretKey, SecretMap};
use secretsync_core::store::{
    Applied, Holder, KeyState, Observed, OwnerId, Pass, Passes, Present, Removed, Store, TargetMeta, TargetRef, Write,
    not_owned,
};
use secretsync_core::sync::CreationPolicy;
use zeroize::Zeroizing;

use self::claims::Claims;
use self::managed_fields::is_sync_manager;
use self::owners::Owners;
use self::ownership::{Claim, Marks, check_fixed, contest, refusal};
use self::patch::Apply;
use self::snapshot::Snapshot;
use self::written::Written;
use crate::api::names::{CREATED_BY_LABEL, DATA_HASH_ANNOTATION, MANAGED_LABEL};
use crate::request::{Answer, Call, Conflict, Failure, Target, Verb, View};

/// Secrets of a cluster.
///
/// Each ExternalSecret writes under a field manager of its own, by server-side apply, and only the fields it needs; that record, kept by the API
/// server in `metadata.managedFields`, tells later runs which keys are its own.
///
/// # Guarantees
///
/// - A Secret that another controller or ExternalSecret owns, and a key that another ExternalSecret wrote, are never touched.
/// - Every write and deletion of an existing Secret names the version that was looked at. Where somebody was faster, everything is decided anew.
/// - A write sets and removes keys at once: readers see the old keys or the new ones.
/// - Values are read only to be compared with what is wanted, or to stay where a template would make new ones. Answers to writes carry none.
///
/// # Caveats
///
/// - Between the look at an absent Secret and its creation somebody else may create it. Then the two are merged, and the next run sees whose is whose.
/// - In a cluster where our ExternalSecret exists, a sync without one counts as gone, also where a pipeline runs it: its keys can be taken.
pub struct KubeStore {
    client: Client,
    view: View,
    seen: Mutex<HashMap<TargetRef, Option<Arc<Snapshot>>>>,
    owners: Owners,
    passes: Passes,
    claims: Claims,
    /// Used where values are never read.
    written: Written,
}

impl KubeStore {
    /// A store for a run over many targets: it reads the Secrets to see what differs, looks up in the cluster whether an ExternalSecret exists there
    /// (uids in manifests may come from another cluster), and remembers what each sync claims, so that runs go one after the other.
    pub fn new(client: Client) -> Self {
        Self::with_view(client, View::Whole)
    }

    /// A store for a program that runs for long: it never reads a value but those that random templates keep. Keys are those of the managers' records, and what
    /// is unchanged it knows by fingerprints of its own writes. Owners are trusted to have the uid that they have in this cluster.
    pub fn metadata_only(client: Client) -> Self {
        Self::with_view(client, View::Metadata)
    }

    fn with_view(client: Client, view: View) -> Self {
        let owners = Owners::new(client.clone(), view == View::Metadata);
        Self {
            client,
            view,
            seen: Mutex::default(),
            owners,
            passes: Passes::default(),
            claims: Claims::default(),
            written: Written::default(),
        }
    }
}

impl fmt::Debug for KubeStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubeStore").field("view", &self.view).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for KubeStore {
    fn kind(&self) -> &'static str {
        "kubernetes"
    }

    async fn begin(&self) -> Pass {
        match self.view {
            View::Whole => {
                let pass = self.passes.next().await;
                self.claims.clear();
                pass
            }
            View::Metadata => Pass::default(),
        }
    }

    fn stages(&self) -> bool {
        false
    }

    async fn observe(&self, target: &TargetRef, owner: &OwnerId) -> Result<Observed> {
        let seen = self.fetch(target, self.view).await?;
        self.seen().insert(target.clone(), seen.clone());
        let Some(secret) = seen else {
            self.written.forget(target);
            return Ok(Observed::Absent);
        };
        let marks = Marks::new(owner);
        let holder = match self.claim(&marks, &secret, self.owners.trusted(owner)).await? {
            Claim::Nobody => Holder::Nobody,
            Claim::Ours => Holder::Ours,
            Claim::Other(holder) => Holder::Other(holder),
            Claim::Sync(manager) => Holder::Other(marks.describe(manager.as_deref())),
        };
        let living = self.owners.living(&marks, &secret).await?;
        let mut present = present(holder, &secret, &marks, &living);
        if self.view == View::Metadata {
            self.written.complete(&mut present, target, owner, &secret);
        }
        if present.intact && marks.lack_owner(&secret) {
            // It was written before the ExternalSecret came to this cluster, by a bootstrap for example.
            present.intact = self.owners.uid(owner).await?.is_none();
        }
        Ok(Observed::Present(present))
    }

    async fn own_values(&self, target: &TargetRef, owner: &OwnerId) -> Result<SecretMap> {
        match call(Verb::Get, target, View::Whole).send(&self.client).await {
            Ok(answer) => {
                values::of(&answer.body, &Marks::new(owner).manager).ok_or_else(|| unreadable(&secret_of(target)))
            }
            Err(Failure::Refused(refusal)) if refusal.is_absent() => Ok(SecretMap::new()),
            Err(failure) => Err(failure.into_error(Verb::Get, &secret_of(target))),
        }
    }

    async fn admit(&self, write: &Write<'_>) -> Result<()> {
        let remembered = self.seen().get(write.target).cloned();
        let secret = match remembered {
            Some(secret) => secret,
            None => self.fetch(write.target, self.view).await?,
        };
        let marks = Marks::new(write.owner);
        if let Some(secret) = &secret {
            self.check(write, &marks, secret, self.owners.trusted(write.owner)).await?;
        }
        match self.view {
            View::Whole => self.claims.claim(write, secret_of(write.target)),
            // A program that runs for long would keep claims of syncs that are gone; there the record on the server alone decides.
            View::Metadata => Ok(()),
        }
    }

    async fn apply(&self, write: &Write<'_>) -> Result<Applied> {
        // The owner's name is part of the field manager, and so of the URL.
        Target::external_secret(write.owner.namespace(), write.owner.name()).path()?;
        let mut seen = self.seen().remove(write.target);
        for _ in 0..ATTEMPTS {
            let present = match seen.take() {
                Some(present) => present,
                None => self.fetch(write.target, self.view).await?,
            };
            let done = match present {
                Some(secret) => self.update(write, &secret).await?,
                None => self.create(write).await?,
            };
            if let Some(applied) = done {
                return Ok(applied);
            }
        }
        Err(contended(Verb::Patch, write.target))
    }

    fn marks(&self) -> bool {
        true
    }

    async fn mark(&self, write: &Write<'_>) -> Result<()> {
        let mut seen = self.seen().remove(write.target);
        let marks = Marks::new(write.owner);
        for _ in 0..ATTEMPTS {
            let present = match seen.take() {
                Some(present) => present,
                None => self.fetch(write.target, self.view).await?,
            };
            let Some(secret) = present else { return Ok(()) };
            let uid = self.uid_for(write).await?;
            self.check_claim(write.target, &marks, &secret, uid.as_deref()).await?;
            let body = Zeroizing::new(Apply::new(write, &marks, uid.as_deref(), Some(&secret)).marks());
            let call = call(Verb::Patch, write.target, View::Metadata)
                .with_query(format!("fieldManager={}", marks.manager))
                .with_body("application/strategic-merge-patch+json", body);
            match call.send(&self.client).await {
                Ok(_) => return Ok(()),
                Err(Failure::Refused(refusal)) if refusal.is_stale() || refusal.is_absent() => {}
                Err(failure) => return Err(failure.into_error(Verb::Patch, &secret_of(write.target))),
            }
        }
        Err(contended(Verb::Patch, write.target))
    }

    async fn remove(&self, target: &TargetRef, owner: &OwnerId) -> Result<Removed> {
        self.seen().remove(target);
        for _ in 0..ATTEMPTS {
            let Some(secret) = self.fetch(target, View::Metadata).await? else { return Ok(Removed::AlreadyAbsent) };
            self.check_removal(target, owner, &secret)?;
            let body = Zeroizing::new(patch::deletion(&secret));
            let call = call(Verb::Delete, target, View::Metadata).with_body("application/json", body);
            match call.send(&self.client).await {
                Ok(_) => return Ok(Removed::Removed),
                Err(Failure::Refused(refusal)) if refusal.is_absent() => return Ok(Removed::AlreadyAbsent),
                Err(Failure::Refused(refusal)) if refusal.is_stale() => {}
                Err(failure) => return Err(failure.into_error(Verb::Delete, &secret_of(target))),
            }
        }
        Err(contended(Verb::Delete, target))
    }

    async fn verify(&self) -> Result<()> {
        Ok(())
    }

    async fn flush(&self) -> Result<()> {
        Ok(())
    }
}

impl KubeStore {
    fn seen(&self) -> MutexGuard<'_, HashMap<TargetRef, Option<Arc<Snapshot>>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The Secret as it is now.
    async fn fetch(&self, target: &TargetRef, view: View) -> Result<Option<Arc<Snapshot>>> {
        match call(Verb::Get, target, view).send(&self.client).await {
            Ok(answer) => read(&answer, target).map(Arc::new).map(Some),
            Err(Failure::Refused(refusal)) if refusal.is_absent() => Ok(None),
            Err(failure) => Err(failure.into_error(Verb::Get, &secret_of(target))),
        }
    }

    /// Writes a Secret that was not there. `None` when it turns out to be there, held by somebody.
    async fn create(&self, write: &Write<'_>) -> Result<Option<Applied>> {
        if !write.creation.creates() {
            return Err(Error::new(ErrorKind::NotFound, "write").on(secret_of(write.target)).because("it is gone"));
        }
        let marks = Marks::new(write.owner);
        let uid = self.uid_for(write).await?;
        let apply = Apply::new(write, &marks, uid.as_deref(), None);
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
    async fn update(&self, write: &Write<'_>, seen: &Arc<Snapshot>) -> Result<Option<Applied>> {
        let marks = Marks::new(write.owner);
        let uid = self.uid_for(write).await?;
        self.check(write, &marks, seen, uid.as_deref()).await?;
        let whole = self.with_type(write, &marks, seen).await?;
        let Some(secret) = whole else { return Ok(None) };
        let mut apply = Apply::new(write, &marks, uid.as_deref(), Some(&secret));
        let Some(version) = self.take_over(write, &marks, &secret).await? else { return Ok(None) };
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
    async fn take_over(&self, write: &Write<'_>, marks: &Marks<'_>, secret: &Snapshot) -> Result<Option<String>> {
        let metadata = &secret.metadata;
        let living = self.owners.living(marks, secret).await?;
        let gone = write.remove.iter().map(SecretKey::as_str);
        let Some(fields) = metadata.managed_fields.taken_over(&marks.manager, gone, &living) else {
            return Ok(Some(metadata.resource_version.clone()));
        };
        let body = Zeroizing::new(patch::take_over(&fields, &metadata.resource_version));
        let call = call(Verb::Patch, write.target, View::Metadata);
        let call =
            call.with_query(format!("fieldManager={}", marks.manager)).with_body("application/json-patch+json", body);
        match call.send(&self.client).await {
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
            if !is_sync_manager(&manager) || self.owners.is_gone(write.owner, Some(&manager)).await? {
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
        let query = format!("fieldManager={}&force={force}", marks.manager);
        let call = call(Verb::Patch, write.target, View::Metadata).with_query(query);
        call.with_body("application/apply-patch+yaml", apply.body(&write.desired.data)).send(&self.client).await
    }

    /// Whether the Secret may be written at all.
    async fn check(&self, write: &Write<'_>, marks: &Marks<'_>, secret: &Snapshot, uid: Option<&str>) -> Result<()> {
        self.check_claim(write.target, marks, secret, uid).await?;
        let target = secret_of(write.target);
        let living = self.owners.living(marks, secret).await?;
        if let Some((key, holder)) = marks.contested(secret, write, &living) {
            return Err(contest(target, key, &marks.describe(Some(holder)), write.owner));
        }
        check_fixed(target, secret, write)
    }

    /// Whether the Secret is somebody else's.
    async fn check_claim(
        &self,
        target: &TargetRef,
        marks: &Marks<'_>,
        secret: &Snapshot,
        uid: Option<&str>,
    ) -> Result<()> {
        match self.claim(marks, secret, uid).await? {
            Claim::Nobody | Claim::Ours => Ok(()),
            Claim::Other(holder) => Err(refusal(secret_of(target), &holder)),
            Claim::Sync(manager) => Err(refusal(secret_of(target), &marks.describe(manager.as_deref()))),
        }
    }

    fn check_removal(&self, target: &TargetRef, owner: &OwnerId, secret: &Snapshot) -> Result<()> {
        let marks = Marks::new(owner);
        let labelled = secret.metadata.labels.get(CREATED_BY_LABEL).is_some_and(|label| label == marks.created_by());
        match marks.claim(secret, self.owners.trusted(owner)) {
            Claim::Ours if labelled || marks.control(secret) => Ok(()),
            Claim::Other(holder) => Err(refusal(secret_of(target), &holder)),
            Claim::Sync(manager) => Err(refusal(secret_of(target), &marks.describe(manager.as_deref()))),
            Claim::Nobody | Claim::Ours => {
                let advice = "set `creationPolicy: Owner` to have Secrets deleted, or delete this one yourself";
                Err(not_owned(secret_of(target), "no ExternalSecret alone", advice))
            }
        }
    }

    /// Whose the Secret is. The mark of a sync that is gone counts no more.
    async fn claim(&self, marks: &Marks<'_>, secret: &Snapshot, uid: Option<&str>) -> Result<Claim> {
        match marks.claim(secret, uid) {
            Claim::Sync(manager) if self.owners.is_gone(marks.owner, manager.as_deref()).await? => Ok(Claim::Nobody),
            claim => Ok(claim),
        }
    }

    /// The uid for the owner reference, where one is written.
    async fn uid_for(&self, write: &Write<'_>) -> Result<Option<String>> {
        if write.creation == CreationPolicy::Owner { self.owners.uid(write.owner).await } else { Ok(None) }
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

fn call(verb: Verb, target: &TargetRef, view: View) -> Call<'_> {
    Call::new(verb, secret_of(target), view)
}

fn secret_of(target: &TargetRef) -> Target<'_> {
    Target::secret(target.namespace(), target.name())
}

fn read(answer: &Answer, target: &TargetRef) -> Result<Snapshot> {
    Snapshot::read(&answer.body).ok_or_else(|| unreadable(&secret_of(target)))
}

fn unreadable(target: &Target<'_>) -> Error {
    Error::new(ErrorKind::Unavailable, "read")
        .on(target)
        .because("the answer is none of a Kubernetes API server")
        .with_hint(Hint::new(
            Code::KubernetesUnavailable,
            "check the address in the kubeconfig: a proxy may answer in its place",
        ))
}

fn contended(verb: Verb, target: &TargetRef) -> Error {
    Error::new(ErrorKind::Unavailable, verb.word())
        .on(secret_of(target))
        .because("somebody else keeps changing it at the same time")
        .with_hint(Hint::new(
            Code::TargetUnwritable,
            "run again; `kubectl get secret -o yaml --show-managed-fields` shows who writes it",
        ))
}

/// What a sync sees of a Secret. Keys that only a living sync wrote are left out: they are not for this one to decide about.
fn present(holder: Holder, secret: &Snapshot, marks: &Marks<'_>, living: &BTreeSet<String>) -> Present {
    let fields = &secret.metadata.managed_fields;
    let mut present = Present::new(holder);
    for (key, fingerprint) in secret.keys() {
        let owned = fields.owns_key(&marks.manager, key);
        if let Ok(name) = SecretKey::new(key)
            && (owned || !living.iter().any(|manager| fields.owns_key(manager, key)))
        {
            present
                .keys
                .insert(name, if owned { KeyState::owned(fingerprint) } else { KeyState::foreign(fingerprint) });
        }
    }
    let mut meta = TargetMeta::default();
    meta.secret_type.clone_from(&secret.secret_type);
    // Metadata do not show it; but they show that somebody set it.
    meta.immutable = secret.immutable || !secret.is_whole() && fields.have("immutable");
    meta.finalizers.clone_from(&secret.metadata.finalizers);
    let kept = |names: BTreeSet<&str>, values: &BTreeMap<String, String>| {
        names
            .into_iter()
            .filter(|name| !MARKS.contains(name))
            .filter_map(|name| Some((name.to_owned(), values.get(name)?.clone())))
            .collect()
    };
    meta.labels = kept(fields.labels(&marks.manager), &secret.metadata.labels);
    meta.annotations = kept(fields.annotations(&marks.manager), &secret.metadata.annotations);
    present.meta = Some(meta);
    present.intact = marks.are_on(secret);
    present.sole = Some(marks.own(secret));
    present.immutable = secret.immutable;
    present
}

/// Labels and annotations that are no part of what a sync asks for.
const MARKS: [&str; 3] = [CREATED_BY_LABEL, DATA_HASH_ANNOTATION, MANAGED_LABEL];

/// How often a write is decided anew because somebody was faster.
const ATTEMPTS: usize = 3;
