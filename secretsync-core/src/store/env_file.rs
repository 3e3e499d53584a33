//! Secrets as variables of one env file.

mod document;
mod quote;
mod stage;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use self::document::{Damage, Document, SectionId};
use self::stage::{Change, Claim};
use super::file::{SingleFile, Stamp, blocking};
use super::share::{Share, Shares};
use super::{
    Applied, Holder, KeyState, Observed, OwnerId, Pass, Passes, Present, Removed, Store, TargetRef, Write, not_owned,
};
use crate::error::Result;
use crate::secret::{Fingerprint, SecretKey, SecretMap, SecretValue};
use zeroize::Zeroizing;

/// One env file (dotenv) for all targets: each key is a variable.
///
/// The file gets mode 0600 and is replaced as a whole in [`flush`](Store::flush), if its content changes. Type, labels and annotations of a target
/// have no place in it and are dropped. The file itself may not be a symbolic link.
///
/// # Quoting
///
/// `sh` (`set -a; . FILE`) always reads each value as it is. Other readers do for all values but these: with `'` beside one of
/// `" \ $` and back quote, with `\` at the end, with a carriage return, and in python-dotenv with `\\` or `${…}`. Values with NUL bytes or that are not
/// UTF-8 are refused.
///
/// # Ownership
///
/// What a sync wrote for a target lies between two comments that name both. Lines outside are the user's: they stay where they are, byte for byte, and a
/// variable given there is never written a second time. As in a cluster, `creationPolicy: Owner` holds a target alone and other policies share it.
/// The section of a sync that failed stays as it was.
///
/// # Conflicts
///
/// A key that cannot be a variable ([`EnvKeyInvalid`](crate::error::Code::EnvKeyInvalid)), or that two targets or a sync and the user give
/// ([`EnvKeyConflict`](crate::error::Code::EnvKeyConflict)), makes [`flush`](Store::flush) fail and change nothing: half of an environment is worse than
/// an old one. Where one sync alone is to blame, it is refused when it is admitted, too.
#[derive(Clone)]
pub struct EnvFileStore(Arc<Inner>);

struct Inner {
    file: SingleFile,
    passes: Passes,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    claims: BTreeMap<SectionId, Claim>,
    staged: BTreeMap<SectionId, Change>,
    /// The file as it was last read.
    seen: Option<(Stamp, Arc<Current>)>,
}

/// The file as it is.
struct Current {
    document: Document,
    /// Whether only its owner may read it.
    private: bool,
}

impl EnvFileStore {
    /// A store that writes `path`. Nothing is read or created yet; the folder that it lies in must exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let (passes, state) = (Passes::default(), Mutex::default());
        Self(Arc::new(Inner { file: SingleFile::new(path.into()), passes, state }))
    }
}

impl fmt::Debug for EnvFileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvFileStore").field("path", &self.0.file.path()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for EnvFileStore {
    fn kind(&self) -> &'static str {
        "env"
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
        let (id, claim) = self.0.claim(write)?;
        stage::check_values(self.0.file.path(), write)?;
        let (inner, owner) = (Arc::clone(&self.0), write.owner.clone());
        blocking(move || inner.admit(&id, &owner, claim)).await
    }

    async fn apply(&self, write: &Write<'_>) -> Result<Applied> {
        let (id, claim) = self.0.claim(write)?;
        stage::check_values(self.0.file.path(), write)?;
        let (inner, owner, change) = (Arc::clone(&self.0), write.owner.clone(), Change::of(write));
        blocking(move || {
            inner.admit(&id, &owner, claim)?;
            inner.stage(&id, change)
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
        let Some(current) = self.read(&mut state)? else { return Ok(Observed::Absent) };
        let shares = current.document.shares(target);
        if shares.is_empty() {
            return Ok(Observed::Absent);
        }
        let mut present = Present::new(shares.with_claims(Some(&state.claimed(target)), owner).holder(owner));
        if let Some(section) = current.document.section(&SectionId::new(target, owner)) {
            present.intact = section.intact && current.private;
            for (name, text) in &section.entries {
                let value = quote::unquote(text).filter(|(_, length)| *length == text.len());
                let state = KeyState::owned(value.map(|(value, _)| Fingerprint::of_bytes(value.as_bytes())));
                present.keys.extend(SecretKey::new(name.as_str()).ok().map(|key| (key, state)));
            }
        }
        Ok(Observed::Present(present))
    }

    fn own_values(&self, target: &TargetRef, owner: &OwnerId) -> Result<SecretMap> {
        let Some(current) = self.read(&mut self.state())? else { return Ok(SecretMap::new()) };
        let section = current.document.section(&SectionId::new(target, owner));
        let value = |(name, text): (&String, &Zeroizing<String>)| {
            let (value, _) = quote::unquote(text).filter(|(_, length)| *length == text.len())?;
            Some((SecretKey::new(name.as_str()).ok()?, SecretValue::from(value.as_bytes())))
        };
        Ok(section.into_iter().flat_map(|section| &section.entries).filter_map(value).collect())
    }

    fn remove(&self, target: &TargetRef, owner: &OwnerId) -> Result<Removed> {
        let mut state = self.state();
        let Some(current) = self.read(&mut state)? else { return Ok(Removed::AlreadyAbsent) };
        if let Holder::Other(other) = current.document.shares(target).holder(owner) {
            return Err(not_owned(self.place(target), &other, "remove it with the sync that wrote it"));
        }
        let id = SectionId::new(target, owner);
        state.claims.insert(id.clone(), Claim::default());
        state.staged.remove(&id);
        if current.document.section(&id).is_none() {
            return Ok(Removed::AlreadyAbsent);
        }
        state.staged.insert(id, Change::Removal);
        Ok(Removed::Removed)
    }

    /// Writes all or nothing, or only looks whether that could be. What was staged is gone afterwards either way: the next run sees what is missing.
    fn end(&self, write: bool) -> Result<()> {
        let (staged, defect) = {
            let mut state = self.state();
            let defect = state.claims.values().find_map(|claim| claim.defect.clone());
            (std::mem::take(&mut state.staged), defect)
        };
        if let Some(defect) = defect {
            return Err(defect);
        }
        if staged.is_empty() {
            return Ok(());
        }
        // Of the file as it is by now, so that what others wrote meanwhile stays.
        let change = |before: Option<&[u8]>| {
            let mut document = before.map(|bytes| self.parse(bytes)).transpose()?.unwrap_or_default();
            for (id, change) in &staged {
                change.apply(&mut document, id);
            }
            self.check_conflicts(&mut document, |id| staged.contains_key(id))?;
            Ok(document.text())
        };
        if write { self.file.update(change) } else { self.file.check(change) }
    }

    /// The file, or `None` if there is none.
    fn read(&self, state: &mut State) -> Result<Option<Arc<Current>>> {
        if let (Some((stamp, seen)), Some(now)) = (&state.seen, self.file.stamp()?)
            && *stamp == now
        {
            return Ok(Some(Arc::clone(seen)));
        }
        let Some(content) = self.file.read()? else { return Ok(None) };
        let current = Arc::new(Current { document: self.parse(&content.bytes)?, private: content.private });
        state.seen = Some((content.stamp, Arc::clone(&current)));
        Ok(Some(current))
    }

    fn parse(&self, bytes: &[u8]) -> Result<Document> {
        let text = std::str::from_utf8(bytes).map_err(|_| self.file.damaged(1, "the file is not UTF-8"))?;
        Document::parse(text).map_err(|Damage(line, what)| self.file.damaged(line, what))
    }

    /// What messages call a target.
    fn place(&self, target: &TargetRef) -> String {
        format!("the section of Secret `{target}` in `{}`", self.file.path().display())
    }
}

impl Document {
    /// Who wrote what for a target.
    fn shares(&self, target: &TargetRef) -> Shares {
        let mut shares = Shares::default();
        for section in self.sections().filter(|section| section.id.target == *target) {
            let keys = section.entries.keys().filter_map(|name| SecretKey::new(name.as_str()).ok()).collect();
            shares.insert(section.id.owner.clone(), Share { owns: section.owns, keys });
        }
        shares
    }
}

impl SectionId {
    fn new(target: &TargetRef, owner: &OwnerId) -> Self {
        Self { target: target.clone(), owner: owner.to_string() }
    }
}
