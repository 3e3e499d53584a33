//! Kubernetes Secrets as targets.

mod claims;
mod known;
mod managed_fields;
mod owners;
pub(crate) mod ownership;
mod patch;
mod sight;
pub(crate) mod snapshot;
mod values;
mod writing;
mod written;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use kube::Client;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::secret::SecretMap;
use secretsync_core::store::{
    Applied, Holder, Observed, OwnerId, Pass, Passes, Removed, Store, TargetRef, Write, not_owned,
};
use zeroize::Zeroizing;

use self::claims::Claims;
use self::owners::Owners;
use self::ownership::{Claim, Marks, check_fixed, contest, controlled, refusal, stranger};
use self::patch::Apply;
use self::sight::present;
use self::snapshot::Snapshot;
use self::written::Written;
use crate::request::{Answer, Call, Failure, Server, Target, Verb, View};

pub(crate) use self::known::Known;

/// Secrets of a cluster.
///
/// Each ExternalSecret writes under a field manager of its own, by server-side apply, and only the fields it needs; that record, kept by the API
/// server in `metadata.managedFields`, tells later runs which keys are its own.
///
/// # Guarantees
///
/// - A Secret that another controller or ExternalSecret owns, and a key that another ExternalSecret wrote, are never touched.
/// - Every write and deletion of an existing Secret names the version that was looked at, and every creation says that there is none. Where somebody was
///   faster, everything is decided anew.
/// - A write sets and removes keys at once: readers see the old keys or the new ones.
/// - Values are read only to be compared with what is wanted, or to stay where a template would make new ones. Answers to writes carry none.
///
/// # Caveats
///
/// - In a cluster where our ExternalSecret exists, a sync without one counts as gone, also where a pipeline runs it: its keys can be taken.
pub struct KubeStore {
    server: Server,
    view: View,
    seen: Mutex<HashMap<(TargetRef, OwnerId), Seen>>,
    /// What a watch shows, in a program that has one.
    known: Option<Arc<Known>>,
    owners: Owners,
    passes: Passes,
    claims: Claims,
    /// Used where values are never read.
    written: Written,
}

/// What a sync goes by.
#[derive(Clone)]
enum Seen {
    /// What it looked at.
    Looked(Option<Arc<Snapshot>>),
    /// What is known, in this version, or that nothing is: it is not kept twice.
    Recalled(Option<String>),
}

impl KubeStore {
    /// A store for a run over many targets: it reads the Secrets to see what differs, looks up in the cluster whether an ExternalSecret exists there
    /// (uids in manifests may come from another cluster), and remembers what each sync claims, so that runs go one after the other.
    pub fn new(client: Client) -> Self {
        Self::with_view(client.into(), View::Whole)
    }

    /// A store for a program that runs for long: it never reads a value but those that random templates keep. Keys are those of the managers' records, and what
    /// is unchanged it knows by fingerprints of its own writes. Owners are trusted to have the uid that they have in this cluster.
    pub fn metadata_only(client: Client) -> Self {
        Self::with_view(client.into(), View::Metadata)
    }

    /// The same for a program that watches the managed Secrets: what the watch shows is not looked at.
    pub(crate) fn watching(server: Server, known: Arc<Known>) -> Self {
        Self { known: Some(known), ..Self::with_view(server, View::Metadata) }
    }

    fn with_view(server: Server, view: View) -> Self {
        let owners = Owners::new(server.clone(), view == View::Metadata);
        Self {
            server,
            view,
            seen: Mutex::default(),
            known: None,
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
        let secret = self.fetch(target, self.view).await?;
        self.judge(target, owner, secret.clone(), Seen::Looked(secret)).await
    }

    async fn recall(&self, target: &TargetRef, owner: &OwnerId) -> Result<Option<Observed>> {
        let Some(known) = self.known.as_ref().filter(|known| known.is_complete()) else { return Ok(None) };
        let secret = known.get(target);
        let version = secret.as_ref().map(|secret| secret.metadata.resource_version.clone());
        self.judge(target, owner, secret, Seen::Recalled(version)).await.map(Some)
    }

    async fn own_values(&self, target: &TargetRef, owner: &OwnerId) -> Result<SecretMap> {
        match call(Verb::Get, target, View::Whole).send(&self.server).await {
            Ok(answer) => {
                values::of(&answer.body, &Marks::new(owner).manager).ok_or_else(|| unreadable(&secret_of(target)))
            }
            Err(Failure::Refused(refusal)) if refusal.is_absent() => Ok(SecretMap::new()),
            Err(failure) => Err(failure.into_error(Verb::Get, &secret_of(target))),
        }
    }

    async fn admit(&self, write: &Write<'_>) -> Result<()> {
        let remembered = self.seen().get(&key(write)).cloned();
        let secret = match remembered {
            Some(Seen::Looked(secret)) => secret,
            // Where it is another one by now, the write itself finds out.
            Some(Seen::Recalled(_)) => self.known.as_ref().and_then(|known| known.get(write.target)),
            None => self.fetch(write.target, self.view).await?,
        };
        let marks = Marks::new(write.owner);
        if let Some(secret) = &secret {
            self.check(write, &marks, secret).await?;
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
        let mut seen = self.seen().remove(&key(write));
        if let Some(Seen::Recalled(version)) = &seen {
            return self.apply_recalled(write, version.as_deref()).await;
        }
        for attempt in 0..ATTEMPTS {
            let secret = match seen.take() {
                Some(Seen::Looked(secret)) => secret,
                _ => self.fetch(write.target, self.view).await?,
            };
            let done = match secret {
                Some(secret) => self.update(write, &secret).await?,
                // A server that does not understand that there must be none gets no second chance to say so.
                None => self.create(write, attempt == 0).await?,
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
        let mut seen = self.seen().remove(&key(write));
        let marks = Marks::new(write.owner);
        for _ in 0..ATTEMPTS {
            let present = match seen.take() {
                Some(Seen::Looked(secret)) => secret,
                _ => self.fetch(write.target, self.view).await?,
            };
            let Some(secret) = present else { return Ok(()) };
            self.check_claim(write, &marks, &secret).await?;
            let uid = self.uid_over(write, &marks, &secret).await?;
            let body = Zeroizing::new(Apply::new(write, &marks, uid.as_deref(), Some(&secret)).marks());
            let call = call(Verb::Patch, write.target, View::Metadata)
                .with_query(format!("fieldManager={}", marks.manager))
                .with_body("application/strategic-merge-patch+json", body);
            match call.send(&self.server).await {
                Ok(_) => return Ok(()),
                Err(Failure::Refused(refusal)) if refusal.is_stale() || refusal.is_absent() => {}
                Err(failure) => return Err(failure.into_error(Verb::Patch, &secret_of(write.target))),
            }
        }
        Err(contended(Verb::Patch, write.target))
    }

    async fn remove(&self, target: &TargetRef, owner: &OwnerId) -> Result<Removed> {
        self.seen().remove(&(target.clone(), owner.clone()));
        for _ in 0..ATTEMPTS {
            let Some(secret) = self.fetch(target, View::Metadata).await? else { return Ok(Removed::AlreadyAbsent) };
            check_removal(target, owner, &secret)?;
            let body = Zeroizing::new(patch::deletion(&secret));
            let call = call(Verb::Delete, target, View::Metadata).with_body("application/json", body);
            match call.send(&self.server).await {
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
    fn seen(&self) -> MutexGuard<'_, HashMap<(TargetRef, OwnerId), Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a Secret means for a sync, which goes by it from now on.
    async fn judge(
        &self,
        target: &TargetRef,
        owner: &OwnerId,
        secret: Option<Arc<Snapshot>>,
        seen: Seen,
    ) -> Result<Observed> {
        self.seen().insert((target.clone(), owner.clone()), seen);
        let Some(secret) = secret else {
            self.written.forget(target);
            return Ok(Observed::Absent);
        };
        let marks = Marks::new(owner);
        let holder = match self.claim(&marks, &secret).await? {
            Claim::Nobody => Holder::Nobody,
            Claim::Ours => Holder::Ours,
            Claim::Other(holder) => Holder::Other(holder),
            Claim::Sync(manager) => Holder::Other(marks.describe(manager.as_deref())),
        };
        let living = self.owners.living(&marks, target, &secret).await?;
        let mut present = present(holder, &secret, &marks, &living);
        present.controller = stranger(&secret);
        if self.view == View::Metadata {
            self.written.complete(&mut present, target, owner, &secret);
        }
        if present.intact && marks.lack_owner(&secret, self.owners.trusted(owner)) {
            // It was written before the ExternalSecret came to this cluster: by a bootstrap, or for an earlier one of the name.
            present.intact = self.owners.uid(owner).await?.is_none();
        }
        Ok(Observed::Present(present))
    }

    /// The Secret as it is now.
    async fn fetch(&self, target: &TargetRef, view: View) -> Result<Option<Arc<Snapshot>>> {
        match call(Verb::Get, target, view).send(&self.server).await {
            Ok(answer) => read(&answer, target).map(Arc::new).map(Some),
            Err(Failure::Refused(refusal)) if refusal.is_absent() => Ok(None),
            Err(failure) => Err(failure.into_error(Verb::Get, &secret_of(target))),
        }
    }

    /// Whether the Secret may be written at all.
    async fn check(&self, write: &Write<'_>, marks: &Marks<'_>, secret: &Snapshot) -> Result<()> {
        self.check_claim(write, marks, secret).await?;
        let target = secret_of(write.target);
        let living = self.owners.living(marks, write.target, secret).await?;
        if let Some((key, holder)) = marks.contested(secret, write, &living) {
            return Err(contest(target, key, &marks.describe(Some(holder)), write.owner));
        }
        check_fixed(target, secret, write)
    }

    /// Whether the Secret is somebody else's. Into what a controller holds that is no ExternalSecret keys may be merged, and nothing else.
    async fn check_claim(&self, write: &Write<'_>, marks: &Marks<'_>, secret: &Snapshot) -> Result<()> {
        let target = write.target;
        if let Some(holder) = stranger(secret).filter(|_| write.creation.replaces_foreign_keys()) {
            return Err(controlled(secret_of(target), &holder));
        }
        match self.claim(marks, secret).await? {
            Claim::Nobody | Claim::Ours => Ok(()),
            Claim::Other(holder) => Err(refusal(secret_of(target), &holder)),
            Claim::Sync(manager) => Err(refusal(secret_of(target), &marks.describe(manager.as_deref()))),
        }
    }

    /// Whose the Secret is. The mark of a sync that is gone counts no more.
    async fn claim(&self, marks: &Marks<'_>, secret: &Snapshot) -> Result<Claim> {
        match marks.claim(secret) {
            Claim::Sync(manager) if self.owners.is_gone(marks.owner, manager.as_deref()).await? => Ok(Claim::Nobody),
            claim => Ok(claim),
        }
    }
}

/// Whether the Secret may be removed: a sync removes what it alone made.
fn check_removal(target: &TargetRef, owner: &OwnerId, secret: &Snapshot) -> Result<()> {
    let marks = Marks::new(owner);
    if let Some(holder) = stranger(secret) {
        return Err(controlled(secret_of(target), &holder));
    }
    match marks.claim(secret) {
        Claim::Ours if marks.own(secret) => Ok(()),
        Claim::Other(holder) => Err(refusal(secret_of(target), &holder)),
        Claim::Sync(manager) => Err(refusal(secret_of(target), &marks.describe(manager.as_deref()))),
        Claim::Nobody | Claim::Ours => {
            let advice = "set `creationPolicy: Owner` to have Secrets deleted, or delete this one yourself";
            Err(not_owned(secret_of(target), "no ExternalSecret alone", advice))
        }
    }
}

fn call(verb: Verb, target: &TargetRef, view: View) -> Call<'_> {
    Call::new(verb, secret_of(target), view)
}

fn key(write: &Write<'_>) -> (TargetRef, OwnerId) {
    (write.target.clone(), write.owner.clone())
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

/// How often a write is decided anew because somebody was faster.
const ATTEMPTS: usize = 3;
