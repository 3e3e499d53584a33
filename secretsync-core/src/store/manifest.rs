//! Secrets as Kubernetes manifests.

mod document;
mod secret;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use self::document::{Damage, Manifests};
use self::secret::{SecretDocument, Update, encode};
use super::file::{SingleFile, Stamp, blocking};
use super::share::{Share, Shares, check_names};
use super::{Applied, Holder, Observed, OwnerId, Pass, Passes, Present, Removed, Store, TargetRef, Write, not_owned};
use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::secret::SecretMap;
use crate::sync::CreationPolicy;

/// Secrets as YAML documents, ordered by namespace and name, in a file or to a writer.
///
/// Each has the label by which an operator recognises Secrets that it may adopt (`reconcile.external-secrets.io/managed: "true"`), so what is applied from
/// here is taken over as it is. Everything is written in [`flush`](Store::flush).
///
/// # Files
///
/// A file gets mode 0600 and is replaced as a whole, if its content changes; it may not be a symbolic link, and it must be YAML: one that does not
/// parse is refused. Documents without the label belong to somebody else: they stay as they are, above ours, and a Secret among them is never written
/// by a sync. The document of a sync that failed stays as it was. Comments above each of our documents name who wrote what, names only, so that several
/// syncs can merge into one Secret and removed keys go. As in a cluster, `creationPolicy: Owner` holds a Secret alone.
///
/// # Writers
///
/// A writer gets only the documents, without comments, and remembers nothing: every target is absent until it is written. One that is
/// [masked](Self::masked_writer) gets them without values.
#[derive(Clone)]
pub struct ManifestStore(Arc<Inner>);

struct Inner {
    sink: Sink,
    passes: Passes,
    state: Mutex<State>,
}

enum Sink {
    File(SingleFile),
    Writer { writer: Mutex<Box<dyn io::Write + Send>>, masked: bool },
}

#[derive(Default)]
struct State {
    claims: BTreeMap<TargetRef, Shares>,
    staged: BTreeMap<(TargetRef, String), Change>,
    /// The file as it was last read.
    seen: Option<(Stamp, Arc<Current>)>,
}

/// The file as it is.
#[derive(Default)]
struct Current {
    manifests: Manifests,
    /// Whether only its owner may read it.
    private: bool,
}

enum Change {
    Removal,
    Update(Update),
}

impl ManifestStore {
    /// A store that writes `path`. Nothing is read or created yet; the folder that it lies in must exist.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::new(Sink::File(SingleFile::new(path.into())))
    }

    /// A store that writes its documents to `writer`, standard output for example.
    pub fn writer(writer: Box<dyn io::Write + Send>) -> Self {
        Self::new(Sink::Writer { writer: Mutex::new(writer), masked: false })
    }

    /// A store that writes its documents to `writer` with `<hidden>` in place of each value: to look at. It is no base64, so nobody applies it by accident.
    pub fn masked_writer(writer: Box<dyn io::Write + Send>) -> Self {
        Self::new(Sink::Writer { writer: Mutex::new(writer), masked: true })
    }

    fn new(sink: Sink) -> Self {
        Self(Arc::new(Inner { sink, passes: Passes::default(), state: Mutex::default() }))
    }
}

impl fmt::Debug for ManifestStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match &self.0.sink {
            Sink::File(file) => Some(file.path()),
            Sink::Writer { .. } => None,
        };
        f.debug_struct("ManifestStore").field("path", &path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for ManifestStore {
    fn kind(&self) -> &'static str {
        "manifest"
    }

    async fn begin(&self) -> Pass {
        let pass = self.0.passes.next().await;
        let mut state = self.0.state();
        (state.claims, state.staged) = Default::default();
        pass
    }

    fn stages(&self) -> bool {
        true
    }

    async fn observe(&self, target: &TargetRef, owner: &OwnerId) -> Result<Observed> {
        let (inner, target, owner) = (Arc::clone(&self.0), target.clone(), owner.clone());
        blocking(move || inner.observe(&target, &owner)).await
    }

    async fn own_values(&self, target: &TargetRef, owner: &OwnerId) -> Result<SecretMap> {
        let (inner, target, owner) = (Arc::clone(&self.0), target.clone(), owner.clone());
        blocking(move || inner.own_values(&target, &owner)).await
    }

    async fn admit(&self, write: &Write<'_>) -> Result<()> {
        let (inner, target, owner, claim) =
            (Arc::clone(&self.0), write.target.clone(), write.owner.clone(), claim(write));
        blocking(move || inner.admit(&target, &owner, claim)).await
    }

    async fn apply(&self, write: &Write<'_>) -> Result<Applied> {
        let (inner, target, owner, claim) =
            (Arc::clone(&self.0), write.target.clone(), write.owner.clone(), claim(write));
        let update = Update::of(write);
        blocking(move || {
            inner.admit(&target, &owner, claim)?;
            inner.stage(target, update)
        })
        .await
    }

    async fn remove(&self, target: &TargetRef, owner: &OwnerId) -> Result<Removed> {
        let (inner, target, owner) = (Arc::clone(&self.0), target.clone(), owner.clone());
        blocking(move || inner.remove(&target, &owner)).await
    }

    async fn verify(&self) -> Result<()> {
        let inner = Arc::clone(&self.0);
        blocking(move || inner.end(false)).await
    }

    async fn flush(&self) -> Result<()> {
        let inner = Arc::clone(&self.0);
        blocking(move || inner.end(true)).await
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn observe(&self, target: &TargetRef, owner: &OwnerId) -> Result<Observed> {
        let mut state = self.state();
        let current = self.read(&mut state)?;
        if let Some(line) = current.manifests.foreign_line_of(target) {
            return Ok(Observed::Present(Present::new(Holder::Other(by_hand(line)))));
        }
        let Some(document) = current.manifests.get(target) else { return Ok(Observed::Absent) };
        let shares = document.shares().with_claims(state.claims.get(target), owner);
        let mut present = Present::new(shares.holder(owner));
        present.sole = shares.of(owner).map(|share| share.owns);
        let (keys, whole) = document.keys(owner);
        present.keys = keys;
        present.meta = Some(document.meta(owner));
        present.intact = whole && current.private && current.manifests.is_intact(target);
        Ok(Observed::Present(present))
    }

    fn own_values(&self, target: &TargetRef, owner: &OwnerId) -> Result<SecretMap> {
        let current = self.read(&mut self.state())?;
        Ok(current.manifests.get(target).map(|document| document.own_values(owner)).unwrap_or_default())
    }

    /// Refuses what `apply` would refuse, and remembers the claim. A later claim of the same owner on the same target replaces it.
    fn admit(&self, target: &TargetRef, owner: &OwnerId, claim: Share) -> Result<()> {
        check_names(target, owner)?;
        let mut state = self.state();
        let current = self.read(&mut state)?;
        let place = self.place(target);
        if let Some(line) = current.manifests.foreign_line_of(target) {
            let advice =
                format!("remove that document, or add the label `{}: \"true\"` to hand it over", secret::MANAGED);
            return Err(not_owned(place, &by_hand(line), advice));
        }
        let written = current.manifests.get(target).map(SecretDocument::shares).unwrap_or_default();
        let claims = state.claims.entry(target.clone()).or_default();
        written.with_claims(Some(claims), owner).refuse(&place, owner, &claim.keys)?;
        claims.insert(owner.to_string(), claim);
        Ok(())
    }

    fn stage(&self, target: TargetRef, update: Update) -> Result<Applied> {
        let mut state = self.state();
        let current = self.read(&mut state)?;
        let id = (target, update.owner.clone());
        let update = match state.staged.remove(&id) {
            Some(Change::Update(earlier)) => update.after(earlier),
            _ => update,
        };
        let before = current.manifests.get(&id.0);
        let same = current.private
            && current.manifests.is_intact(&id.0)
            && before.is_some_and(|before| *before == SecretDocument::updated(Some(before), &id.0, &update));
        let applied = match before {
            None => Applied::Created,
            Some(_) if same => Applied::Unchanged,
            Some(_) => Applied::Updated,
        };
        state.staged.insert(id, Change::Update(update));
        Ok(applied)
    }

    fn remove(&self, target: &TargetRef, owner: &OwnerId) -> Result<Removed> {
        let mut state = self.state();
        let current = self.read(&mut state)?;
        let id = (target.clone(), owner.to_string());
        state.staged.remove(&id);
        state.claims.entry(target.clone()).or_default().insert(id.1.clone(), Share::default());
        let shares = current.manifests.get(target).map(SecretDocument::shares).unwrap_or_default();
        if let Holder::Other(other) = shares.holder(owner) {
            return Err(not_owned(self.place(target), &other, "remove it with the sync that wrote it"));
        }
        if shares.of(owner).is_none() {
            return Ok(Removed::AlreadyAbsent);
        }
        state.staged.insert(id, Change::Removal);
        Ok(Removed::Removed)
    }

    /// Writes, or only looks whether that could be. What was staged is gone afterwards, written or not: the next run sees what is missing.
    fn end(&self, write: bool) -> Result<()> {
        let staged = std::mem::take(&mut self.state().staged);
        let file = match &self.sink {
            Sink::File(_) if staged.is_empty() => return Ok(()),
            Sink::File(file) => file,
            Sink::Writer { writer, masked } if write => return write_to(writer, *masked, staged),
            Sink::Writer { .. } => return Ok(()),
        };
        // Of the file as it is by now, so that what others wrote meanwhile stays.
        let change = |before: Option<&[u8]>| {
            let mut manifests = before.map(|bytes| parse(file, bytes)).transpose()?.unwrap_or_default();
            change(&mut manifests, staged);
            Ok(manifests.text())
        };
        if write { file.update(change) } else { file.check(change) }
    }

    /// The file, which is empty if there is none.
    fn read(&self, state: &mut State) -> Result<Arc<Current>> {
        let Sink::File(file) = &self.sink else { return Ok(Arc::default()) };
        if let (Some((stamp, seen)), Some(now)) = (&state.seen, file.stamp()?)
            && *stamp == now
        {
            return Ok(Arc::clone(seen));
        }
        let Some(content) = file.read()? else { return Ok(Arc::default()) };
        let current = Arc::new(Current { manifests: parse(file, &content.bytes)?, private: content.private });
        state.seen = Some((content.stamp, Arc::clone(&current)));
        Ok(current)
    }

    /// What messages call a target.
    fn place(&self, target: &TargetRef) -> String {
        match &self.sink {
            Sink::File(file) => format!("Secret `{target}` in `{}`", file.path().display()),
            Sink::Writer { .. } => format!("Secret `{target}`"),
        }
    }
}

impl Update {
    fn of(write: &Write<'_>) -> Self {
        Self {
            owner: write.owner.to_string(),
            owns: write.creation == CreationPolicy::Owner,
            set: write.desired.data.iter().map(|(key, value)| (key.to_string(), encode(value.expose()))).collect(),
            unset: write
                .remove
                .iter()
                .filter(|key| write.desired.data.get(key.as_str()).is_none())
                .map(ToString::to_string)
                .collect(),
            meta: write.desired.meta.clone(),
        }
    }

    /// The two as one.
    fn after(mut self, earlier: Self) -> Self {
        for (key, text) in earlier.set {
            if !self.unset.contains(&key) {
                self.set.entry(key).or_insert(text);
            }
        }
        self.unset.extend(earlier.unset);
        self.unset.retain(|key| !self.set.contains_key(key));
        self
    }
}

fn claim(write: &Write<'_>) -> Share {
    Share { owns: write.creation == CreationPolicy::Owner, keys: write.desired.data.keys().cloned().collect() }
}

fn by_hand(line: usize) -> String {
    format!("whoever wrote the document on line {line}, which has no label of a managed Secret")
}

fn parse(file: &SingleFile, bytes: &[u8]) -> Result<Manifests> {
    let text = std::str::from_utf8(bytes).map_err(|_| file.damaged(1, "the file is not UTF-8"))?;
    Manifests::parse(text).map_err(|Damage(line, what)| file.damaged(line, &what))
}

fn change(manifests: &mut Manifests, staged: BTreeMap<(TargetRef, String), Change>) {
    for ((target, owner), change) in staged {
        let before = manifests.get(&target);
        let after = match change {
            Change::Removal => before.and_then(|before| before.without(&owner)),
            Change::Update(update) => Some(SecretDocument::updated(before, &target, &update)),
        };
        match after {
            Some(after) => manifests.put(after),
            None => manifests.remove(&target),
        }
    }
}

fn write_to(
    writer: &Mutex<Box<dyn io::Write + Send>>,
    masked: bool,
    staged: BTreeMap<(TargetRef, String), Change>,
) -> Result<()> {
    let mut documents: BTreeMap<TargetRef, SecretDocument> = BTreeMap::new();
    for ((target, _), change) in staged {
        if let Change::Update(update) = change {
            let document = SecretDocument::updated(documents.get(&target), &target, &update);
            documents.insert(target, document);
        }
    }
    if masked {
        documents.values_mut().for_each(SecretDocument::mask);
    }
    let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
    let written = documents.values().try_for_each(|document| writer.write_all(document.text(false).as_bytes()));
    written.and_then(|()| writer.flush()).map_err(|error| {
        Error::new(ErrorKind::Unavailable, "write")
            .on("the manifests")
            .with_retry(crate::error::Retry::Never)
            .with_source(error)
            .with_hint(Hint::new(Code::TargetUnwritable, "check where the output goes, and run again"))
    })
}
