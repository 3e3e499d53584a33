//! Writing and removing a target.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::read::descend;
use super::{CreationPolicy, Inner, State, folders_of};
use crate::error::{ErrorKind, Result};
use crate::secret::{SecretKey, SecretMap};
use crate::store::file::{Folder, Staging, leftovers};
use crate::store::share::{Share, Shares};
use crate::store::{Applied, Holder, OwnerId, Removed, TargetRef, Write, not_owned};

/// A write that can go to another thread.
pub(super) struct Work {
    target: TargetRef,
    owner: OwnerId,
    data: SecretMap,
    keys: BTreeSet<SecretKey>,
    remove: BTreeSet<SecretKey>,
    owns: bool,
}

/// How a target differs from what it should be.
struct Difference {
    write: Vec<SecretKey>,
    remove: Vec<SecretKey>,
    tidy: Vec<String>,
    /// Files that this owner has not written so far and that are overwritten.
    adopt: BTreeSet<SecretKey>,
}

impl Work {
    /// Without the values.
    pub(super) fn names_of(write: &Write<'_>) -> Self {
        Self {
            target: write.target.clone(),
            owner: write.owner.clone(),
            data: SecretMap::new(),
            keys: write.desired.data.keys().cloned().collect(),
            remove: write.remove.iter().filter(|key| write.desired.data.get(key.as_str()).is_none()).cloned().collect(),
            owns: write.creation == CreationPolicy::Owner,
        }
    }

    pub(super) fn of(write: &Write<'_>) -> Self {
        let data = write.desired.data.iter().map(|(key, value)| (key.clone(), value.duplicate())).collect();
        Self { data, ..Self::names_of(write) }
    }
}

impl Inner {
    /// Refuses what `apply` would refuse, and remembers the claim. A later claim of the same owner on the same target replaces it.
    pub(super) fn admit(&self, work: &Work) -> Result<()> {
        let (namespace, name) = folders_of(&work.target)?;
        let root = self.folder()?;
        let mut state = self.state();
        state.refresh(root.as_ref())?;
        let folder = descend(root.as_ref(), namespace, name)?;
        let shares = state.present_shares(&work.target, &work.owner, folder.as_ref());
        self.refuse(&shares.with_claims(state.claims.get(&work.target), &work.owner), work, folder.as_ref())?;
        let claim = Share { owns: work.owns, keys: work.keys.clone() };
        state.claims.entry(work.target.clone()).or_default().insert(work.owner.to_string(), claim);
        Ok(())
    }

    pub(super) fn apply(&self, work: &Work) -> Result<Applied> {
        let (namespace, name) = folders_of(&work.target)?;
        let _shared = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        let root = state.open_session(&self.root)?;
        let existing = descend(Some(&root), namespace, name)?;
        // Without claims: what another sync gives up but has not removed, perhaps because it failed, is still there.
        self.refuse(&state.present_shares(&work.target, &work.owner, existing.as_ref()), work, existing.as_ref())?;
        let mine = state.record.shares(&work.target).of(&work.owner).cloned().unwrap_or_default();
        let difference = Difference::between(work, &mine, existing.as_ref())?;
        let created = existing.is_none() || state.record.is_unfinished(&work.target, &work.owner.to_string());
        state.grow(work, &mine, created)?;
        let folder = match existing {
            Some(folder) => folder,
            None => root.ensure_child(namespace)?.ensure_child(name)?,
        };
        state.name()?;
        drop(state);

        let changed = match difference.settle(work, &folder) {
            Ok(changed) => changed,
            Err(error) => {
                self.state().disown(work, &difference.adopt);
                return Err(error);
            }
        };
        self.state().settle(work);
        Ok(match (created, changed) {
            (true, _) => Applied::Created,
            (false, true) => Applied::Updated,
            (false, false) => Applied::Unchanged,
        })
    }

    pub(super) fn remove(&self, target: &TargetRef, owner: &OwnerId) -> Result<Removed> {
        let (namespace, name) = folders_of(target)?;
        let _alone = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let Some(root) = self.folder()? else { return Ok(Removed::AlreadyAbsent) };
        let mut state = self.state();
        state.refresh(Some(&root))?;
        let folder = descend(Some(&root), namespace, name)?;
        let shares = state.present_shares(target, owner, folder.as_ref());
        if let Holder::Other(other) = shares.holder(owner) {
            return Err(not_owned(self.place(target), &other, "remove it with the sync that wrote it"));
        }
        if shares.of(owner).is_none() {
            return Ok(Removed::AlreadyAbsent);
        }
        let root = state.open_session(&self.root)?;
        // Another run may have written between the look and the lock.
        let Some(mine) = state.record.shares(target).remove(&owner.to_string()) else {
            return Ok(Removed::AlreadyAbsent);
        };
        let removed = match (root.child(namespace)?, descend(Some(&root), namespace, name)?) {
            (Some(above), Some(folder)) => {
                clear(&folder, &mine)?;
                above.remove_if_empty(name)?;
                root.remove_if_empty(namespace)?;
                root.sync()?;
                Removed::Removed
            }
            _ => Removed::AlreadyAbsent,
        };
        state.record.forget(target, &owner.to_string());
        if let Some(claims) = state.claims.get_mut(target) {
            claims.remove(&owner.to_string());
        }
        state.shrunk();
        Ok(removed)
    }

    fn refuse(&self, shares: &Shares, work: &Work, folder: Option<&Folder>) -> Result<()> {
        for key in folder.into_iter().flat_map(|_| work.keys.iter().chain(&work.remove)) {
            folder.map(|folder| folder.has_file(key.as_str())).transpose()?;
        }
        shares.refuse(&self.place(&work.target), &work.owner, &work.keys)
    }
}

impl State {
    /// Who wrote what is there.
    fn present_shares(&self, target: &TargetRef, owner: &OwnerId, folder: Option<&Folder>) -> Shares {
        let is_there = |key: &SecretKey| folder.is_some_and(|folder| folder.has_file(key.as_str()).unwrap_or(true));
        self.record.shares(target).without_gone(owner, is_there)
    }

    /// Adds what is about to be written to the record.
    fn grow(&mut self, work: &Work, mine: &Share, created: bool) -> Result<()> {
        let owner = work.owner.to_string();
        let keys: BTreeSet<_> = mine.keys.union(&work.keys).cloned().collect();
        let known = self.record.shares(&work.target).of(&work.owner).is_some();
        if known && keys == mine.keys && work.owns == mine.owns {
            return Ok(());
        }
        let unfinished = self.record.is_unfinished(&work.target, &owner);
        let mut owners = self.record.take_over(&work.target, &work.owner, &keys);
        self.record.put(&work.target, &owner, Share { owns: work.owns, keys }, created);
        owners.push(owner.clone());
        self.note(&work.target, &owners).inspect_err(|_| {
            if known {
                self.record.put(&work.target, &owner, mine.clone(), unfinished);
            } else {
                self.record.forget(&work.target, &owner);
            }
        })
    }

    /// Takes files back from the record that were there before and that, after a failure, may not be ours.
    fn disown(&mut self, work: &Work, adopt: &BTreeSet<SecretKey>) {
        let owner = work.owner.to_string();
        let unfinished = self.record.is_unfinished(&work.target, &owner);
        if let Some(mine) = self.record.shares(&work.target).remove(&owner) {
            let keys = mine.keys.difference(adopt).cloned().collect();
            self.record.put(&work.target, &owner, Share { owns: mine.owns, keys }, unfinished);
        }
    }

    /// Takes what was removed from the record.
    fn settle(&mut self, work: &Work) {
        let owner = work.owner.to_string();
        let Some(mine) = self.record.shares(&work.target).remove(&owner) else { return };
        let keys: BTreeSet<_> = mine.keys.difference(&work.remove).cloned().collect();
        let fewer = keys != mine.keys;
        if fewer || self.record.is_unfinished(&work.target, &owner) {
            self.record.put(&work.target, &owner, Share { owns: mine.owns, keys }, false);
            if let Some(session) = &mut self.session {
                // What is gone from the record shall be gone from its file.
                session.shrunk |= fewer;
                session.lines.entry((work.target.clone(), owner)).or_default();
            }
        }
    }

    /// See [`Session::name`](super::Session::name).
    fn name(&mut self) -> Result<()> {
        self.session.as_mut().map_or(Ok(()), super::Session::name)
    }

    fn shrunk(&mut self) {
        if let Some(session) = &mut self.session {
            session.shrunk = true;
        }
    }
}

impl Difference {
    fn between(work: &Work, mine: &Share, folder: Option<&Folder>) -> Result<Self> {
        let (mut write, mut adopt) = (Vec::new(), BTreeSet::new());
        for (key, value) in &work.data {
            let (exists, same) = match folder.map(|folder| folder.read(key.as_str())).transpose() {
                Ok(found) => match found.flatten() {
                    Some(content) => (true, content.private && content.bytes.as_slice() == value.expose()),
                    None => (false, false),
                },
                // It cannot be compared, and it can be replaced.
                Err(error) if error.kind() == ErrorKind::PermissionDenied => (true, false),
                Err(error) => return Err(error),
            };
            if exists && !mine.keys.contains(key) {
                adopt.insert(key.clone());
            }
            if !same {
                write.push(key.clone());
            }
        }
        let remove = work.remove.intersection(&mine.keys).cloned().collect();
        let tidy = folder.map(leftovers).transpose()?.unwrap_or_default();
        Ok(Self { write, remove, tidy, adopt })
    }

    /// Writes first and removes last, so that a key that was renamed is missing at no time.
    fn settle(&self, work: &Work, folder: &Folder) -> Result<bool> {
        for leftover in &self.tidy {
            folder.remove_file(leftover)?;
        }
        let mut staging = Staging::new(folder);
        for key in &self.write {
            if let Some(value) = work.data.get(key.as_str()) {
                staging.add(key.as_str(), value.expose())?;
            }
        }
        if !self.write.is_empty() {
            staging.commit()?;
        }
        for key in &self.remove {
            folder.remove_file(key.as_str())?;
        }
        if !self.remove.is_empty() || !self.tidy.is_empty() {
            folder.sync()?;
        }
        Ok(!(self.write.is_empty() && self.remove.is_empty() && self.tidy.is_empty()))
    }
}

/// Removes the files of a share, and nothing if there is something else in the place of one.
fn clear(folder: &Folder, share: &Share) -> Result<()> {
    for key in &share.keys {
        folder.has_file(key.as_str())?;
    }
    for key in &share.keys {
        folder.remove_file(key.as_str())?;
    }
    for leftover in leftovers(folder)? {
        folder.remove_file(&leftover)?;
    }
    folder.sync()
}
