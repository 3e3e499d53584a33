//! `onMissing: Keep`: which keys of the target stay as they are.

use std::collections::BTreeSet;

use super::super::reads::at;
use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::secret::SecretKey;
use crate::sync::{OnMissing, Origin, Selection, SyncSpec, TemplateScope, TemplateSpec, TemplateTarget, TemplateText};

/// The keys that stay, because the entry that they come from is missing. An entry that is missing gives what the target has: a `data` entry its key, a
/// `dataFrom` entry every key of this sync, since nothing else tells which members the object had. As always, later entries win.
#[derive(Debug, Default)]
pub(crate) struct Keep {
    /// Keys of `data` entries.
    named: BTreeSet<SecretKey>,
    /// The keys that entries after the last missing `dataFrom` decide about: all others stay. `None` where no such entry is missing.
    decided: Option<BTreeSet<SecretKey>>,
}

impl Keep {
    /// Whether something stays.
    pub(crate) fn any(&self) -> bool {
        self.decided.is_some() || !self.named.is_empty()
    }

    /// Whether a key stays, if the target has it.
    pub(crate) fn holds(&self, key: &SecretKey) -> bool {
        self.named.contains(key) || self.decided.as_ref().is_some_and(|decided| !decided.contains(key))
    }

    /// A missing `data` entry keeps its key.
    pub(super) fn key(&mut self, key: SecretKey) {
        self.named.insert(key);
    }

    /// A missing `dataFrom` entry keeps every key.
    pub(super) fn all(&mut self) {
        self.decided = Some(BTreeSet::new());
    }

    /// An entry gives a key, or leaves it out: what earlier ones kept of it counts no more.
    pub(super) fn decide(&mut self, key: &SecretKey) {
        self.named.remove(key.as_str());
        if let Some(decided) = &mut self.decided {
            decided.insert(key.clone());
        }
    }
}

/// Refuses `Keep` where the target does not tell what to keep.
pub(crate) fn check(spec: &SyncSpec) -> Result<()> {
    let keeps = |on_missing| on_missing == Some(OnMissing::Keep);
    for (index, entry) in spec.data_from.iter().enumerate().filter(|(_, entry)| keeps(entry.on_missing)) {
        let refuse = |why, advice| Err(at(&Origin::data_from(index, entry), unclear(why, advice)));
        if let Selection::Find(_) = entry.selection {
            let why = "a search does not tell an object that is gone from one that never matched";
            return refuse(why, "use `Skip` or `Fail`, or name the objects");
        }
        if spec.template.as_ref().is_some_and(makes_keys) {
            let why = "`target.template` makes keys, and the target does not tell them from those of the object";
            return refuse(why, "name the values one by one with `data`, or use `Skip`");
        }
    }
    let Some(template) = &spec.template else { return Ok(()) };
    for (index, entry) in spec.data.iter().enumerate().filter(|(_, entry)| keeps(entry.on_missing)) {
        let refuse = |why, advice| Err(at(&Origin::data(index, entry), unclear(why, advice)));
        if !template.keeps_data() {
            let why = "`target.template` takes the place of the data, so the target does not have the value";
            return refuse(why, "set `target.template.mergePolicy: Merge`, or use `Skip`");
        }
        if may_make(template, &entry.secret_key) {
            let why =
                "`target.template` makes or may make a key of the same name, so the target does not have the value";
            return refuse(why, "choose another `secretKey`, or use `Skip`");
        }
    }
    Ok(())
}

fn makes_keys(template: &TemplateSpec) -> bool {
    !template.data.is_empty() || template.from.iter().any(|from| from.target == TemplateTarget::Data)
}

fn may_make(template: &TemplateSpec, key: &str) -> bool {
    let texts = template.from.iter().filter(|from| from.target == TemplateTarget::Data).flat_map(|from| &from.texts);
    template.data.contains_key(key)
        || texts.into_iter().any(|text| match text {
            TemplateText::Item { reference, scope: TemplateScope::Values } => reference.key() == key,
            // Its keys are known when it is rendered.
            TemplateText::Item { .. } | TemplateText::Literal(_) => true,
        })
}

fn unclear(why: &'static str, advice: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfig, "use `onMissing: Keep`")
        .because(why)
        .with_hint(Hint::new(Code::ManifestInvalid, advice))
}
