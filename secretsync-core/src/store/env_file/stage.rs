//! What is to be written, until it is: claims, staged changes, and the conflicts between them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use zeroize::Zeroizing;

use super::document::{Document, Section, SectionId, is_variable};
use super::quote::quote;
use super::{Inner, State};
use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::secret::SecretKey;
use crate::store::share::{Share, Shares, check_names};
use crate::store::{Applied, OwnerId, TargetRef, Write};
use crate::sync::CreationPolicy;

/// What a sync said it would write.
#[derive(Default)]
pub(super) struct Claim {
    keys: BTreeSet<SecretKey>,
    owns: bool,
    /// Why it cannot be written, nor anything else beside it.
    pub(super) defect: Option<Error>,
}

/// A change to one section.
#[derive(Clone)]
pub(super) enum Change {
    Removal,
    Update { owns: bool, set: BTreeMap<String, Zeroizing<String>>, unset: BTreeSet<String> },
}

impl Change {
    pub(super) fn of(write: &Write<'_>) -> Self {
        let text = |value: &crate::secret::SecretValue| value.expose_str().map(quote);
        let set = write.desired.data.iter().filter_map(|(key, value)| Some((key.to_string(), text(value)?))).collect();
        let unset = write.remove.iter().map(ToString::to_string).collect();
        Self::Update { owns: write.creation == CreationPolicy::Owner, set, unset }
    }

    /// What becomes of a section.
    pub(super) fn result(&self, id: &SectionId, before: Option<&Section>) -> Option<Section> {
        let Self::Update { owns, set, unset } = self else { return None };
        let entries = before.map(|section| section.entries.clone()).unwrap_or_default();
        let mut section = Section { id: id.clone(), owns: *owns, entries, intact: true };
        section.entries.retain(|name, _| !unset.contains(name));
        section.entries.extend(set.clone());
        Some(section)
    }

    pub(super) fn apply(&self, document: &mut Document, id: &SectionId) {
        match self.result(id, document.section(id)) {
            Some(section) => document.put(section),
            None => document.remove(id),
        }
    }

    /// The two as one.
    fn after(self, earlier: Option<Self>) -> Self {
        match (earlier, self) {
            (Some(Self::Update { set: mut all, unset: mut gone, .. }), Self::Update { owns, set, unset }) => {
                all.retain(|name, _| !unset.contains(name));
                all.extend(set);
                gone.extend(unset);
                gone.retain(|name| !all.contains_key(name));
                Self::Update { owns, set: all, unset: gone }
            }
            (_, later) => later,
        }
    }
}

impl Inner {
    /// What a write claims, if its names can stand in a comment.
    pub(super) fn claim(&self, write: &Write<'_>) -> Result<(SectionId, Claim)> {
        check_names(write.target, write.owner)?;
        let keys: BTreeSet<_> = write.desired.data.keys().cloned().collect();
        let invalid = keys.iter().find(|key| !is_variable(key.as_str()));
        let defect = invalid.map(|key| {
            Error::new(ErrorKind::InvalidConfig, "write")
                .on(format!("key `{key}` of ExternalSecret `{}` to `{}`", write.owner, self.file.path().display()))
                .because("it cannot be the name of a variable")
                .with_hint(Hint::new(
                    Code::EnvKeyInvalid,
                    "name the key with letters, digits and `_`, not beginning with a digit: `secretKey`, a rewrite or a template can",
                ))
        });
        let owns = write.creation == CreationPolicy::Owner;
        Ok((SectionId::new(write.target, write.owner), Claim { keys, owns, defect }))
    }

    /// Remembers a claim, in the place of an earlier one for the same section, and fails if it cannot be written.
    pub(super) fn admit(&self, id: &SectionId, owner: &OwnerId, mut claim: Claim) -> Result<()> {
        let mut state = self.state();
        let current = self.read(&mut state)?;
        state.claims.remove(id);
        let place = self.place(&id.target);
        let written = current.as_ref().map(|current| current.document.shares(&id.target)).unwrap_or_default();
        // Who holds what of a target is a matter between these syncs, so it stops no others.
        written.with_claims(Some(&state.claimed(&id.target)), owner).refuse(&place, owner, &claim.keys)?;
        if claim.defect.is_none() {
            claim.defect = current.and_then(|current| self.conflict(id, &claim, &current.document));
        }
        let defect = claim.defect.clone();
        state.claims.insert(id.clone(), claim);
        defect.map_or(Ok(()), Err)
    }

    pub(super) fn stage(&self, id: &SectionId, change: Change) -> Result<Applied> {
        let mut state = self.state();
        let current = self.read(&mut state)?;
        let change = change.after(state.staged.remove(id));
        let before = current.as_ref().and_then(|current| current.document.section(id));
        let after = change.result(id, before);
        state.staged.insert(id.clone(), change);
        Ok(match (before, after) {
            (None, _) => Applied::Created,
            (Some(before), Some(after))
                if current.as_ref().is_some_and(|current| current.private) && before.is_as(&after) =>
            {
                Applied::Unchanged
            }
            _ => Applied::Updated,
        })
    }

    /// Fails if two sections, or a section and a line of the user's, give one variable. A section that the same sync wrote for another target
    /// gives way: its target was renamed.
    pub(super) fn check_conflicts(&self, document: &mut Document, staged: impl Fn(&SectionId) -> bool) -> Result<()> {
        let mut givers: BTreeMap<String, SectionId> = BTreeMap::new();
        let mut outdated: Vec<Section> = Vec::new();
        let (fresh, old): (Vec<_>, Vec<_>) = document.sections().partition(|section| staged(&section.id));
        for section in fresh.into_iter().chain(old) {
            let mut kept = section.clone();
            for name in section.entries.keys() {
                if let Some(line) = document.foreign_line_of(name) {
                    return Err(self.conflict_with_line(name, &section.id.owner, line));
                }
                match givers.get(name) {
                    Some(giver) if giver.owner == section.id.owner && !staged(&section.id) => {
                        drop(kept.entries.remove(name));
                    }
                    Some(giver) => return Err(self.conflict_of_two(name, &giver.owner, &section.id.owner)),
                    None => {
                        givers.insert(name.clone(), section.id.clone());
                    }
                }
            }
            if kept.entries.len() < section.entries.len() {
                outdated.push(kept);
            }
        }
        for section in outdated {
            if section.entries.is_empty() {
                document.remove(&section.id);
            } else {
                document.put(section);
            }
        }
        Ok(())
    }

    fn conflict(&self, id: &SectionId, claim: &Claim, document: &Document) -> Option<Error> {
        let (key, line) = claim.keys.iter().find_map(|key| Some((key, document.foreign_line_of(key.as_str())?)))?;
        Some(self.conflict_with_line(key.as_str(), &id.owner, line))
    }

    fn conflict_of_two(&self, name: &str, one: &str, two: &str) -> Error {
        Error::new(ErrorKind::InvalidConfig, "write")
            .on(format!("variable `{name}` to `{}`", self.file.path().display()))
            .because(format!("ExternalSecret `{one}` and ExternalSecret `{two}` both give it"))
            .with_hint(Hint::new(
                Code::EnvKeyConflict,
                format!(
                    "rename the key in one of them, or remove the section of the one that is gone from `{}`",
                    self.file.path().display()
                ),
            ))
    }

    fn conflict_with_line(&self, name: &str, owner: &str, line: usize) -> Error {
        Error::new(ErrorKind::InvalidConfig, "write")
            .on(format!("variable `{name}` of ExternalSecret `{owner}` to `{}`", self.file.path().display()))
            .because(format!("line {line} of the file gives it already, and is not ours"))
            .with_hint(Hint::new(Code::EnvKeyConflict, "remove the line, or rename the key"))
    }
}

impl State {
    pub(super) fn claimed(&self, target: &TargetRef) -> Shares {
        let mut shares = Shares::default();
        for (id, claim) in self.claims.iter().filter(|(id, _)| id.target == *target) {
            shares.insert(id.owner.clone(), Share { owns: claim.owns, keys: claim.keys.clone() });
        }
        shares
    }
}

/// Fails if a value cannot stand in an env file. Only this sync fails then: its section stays as it is.
pub(super) fn check_values(path: &Path, write: &Write<'_>) -> Result<()> {
    for (key, value) in &write.desired.data {
        let flaw = match value.expose_str() {
            None => "its value is not UTF-8",
            Some(text) if text.contains('\0') => "its value contains a NUL byte",
            Some(_) => continue,
        };
        return Err(Error::new(ErrorKind::InvalidData, "write")
            .on(format!("key `{key}` of ExternalSecret `{}` to `{}`", write.owner, path.display()))
            .because(flaw)
            .with_hint(Hint::new(
                Code::DataInvalid,
                "write it to a folder (`dir=`), or encode it in a template (`b64enc`)",
            )));
    }
    Ok(())
}
