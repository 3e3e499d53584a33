//! A store in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::error::Result;
use crate::secret::{Fingerprint, SecretKey, SecretMap, SecretValue};
use crate::store::{
    Applied, Holder, KeyState, Observed, OwnerId, Pass, Present, Removed, Store, TargetMeta, TargetRef, Write,
    not_owned,
};
use crate::sync::CreationPolicy;

/// Targets that live as long as the store. Writes are counted.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    targets: BTreeMap<TargetRef, Target>,
    writes: usize,
}

#[derive(Debug, Default)]
struct Target {
    /// The sync that owns it whole; `None` for targets that syncs merge into.
    owner: Option<OwnerId>,
    keys: BTreeMap<SecretKey, Kept>,
    secret_type: Option<String>,
    /// What each sync asks for beside keys and type.
    metas: BTreeMap<OwnerId, TargetMeta>,
}

#[derive(Debug)]
struct Kept {
    value: SecretValue,
    writer: Option<OwnerId>,
}

impl MemoryStore {
    /// A store without targets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a key there that no sync wrote.
    pub fn put(&self, namespace: &str, name: &str, key: SecretKey, value: SecretValue) {
        let mut state = self.state();
        let target = state.targets.entry(TargetRef::new(namespace, name)).or_default();
        target.keys.insert(key, Kept { value, writer: None });
    }

    /// A copy of a value.
    pub fn value(&self, namespace: &str, name: &str, key: &str) -> Option<SecretValue> {
        let state = self.state();
        Some(state.targets.get(&TargetRef::new(namespace, name))?.keys.get(key)?.value.duplicate())
    }

    /// The keys of a target, or `None` if there is no such target.
    pub fn keys(&self, namespace: &str, name: &str) -> Option<Vec<SecretKey>> {
        Some(self.state().targets.get(&TargetRef::new(namespace, name))?.keys.keys().cloned().collect())
    }

    /// The metadata of a target.
    pub fn meta(&self, namespace: &str, name: &str) -> Option<TargetMeta> {
        Some(self.state().targets.get(&TargetRef::new(namespace, name))?.meta())
    }

    /// How often something was written or removed.
    pub fn writes(&self) -> usize {
        self.state().writes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    fn holder(&self, owner: &OwnerId) -> Holder {
        let ours = self.keys.values().any(|kept| kept.writer.as_ref() == Some(owner));
        match &self.owner {
            Some(other) if other != owner => Holder::Other(format!("ExternalSecret `{other}`")),
            Some(_) => Holder::Ours,
            None if ours => Holder::Ours,
            None => Holder::Nobody,
        }
    }

    /// What all syncs together ask for.
    fn meta(&self) -> TargetMeta {
        let mut all = TargetMeta { secret_type: self.secret_type.clone(), ..TargetMeta::default() };
        for meta in self.metas.values() {
            all.immutable |= meta.immutable;
            all.labels.extend(meta.labels.clone());
            all.annotations.extend(meta.annotations.clone());
            let new = meta.finalizers.iter().filter(|name| !all.finalizers.contains(name));
            all.finalizers.extend(new.cloned().collect::<Vec<_>>());
        }
        all
    }

    /// What is there on behalf of `owner`.
    fn meta_of(&self, owner: &OwnerId) -> TargetMeta {
        let TargetMeta { labels, annotations, .. } = self.metas.get(owner).cloned().unwrap_or_default();
        TargetMeta { labels, annotations, ..self.meta() }
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn kind(&self) -> &'static str {
        "memory"
    }

    async fn begin(&self) -> Pass {
        Pass::default()
    }

    fn stages(&self) -> bool {
        false
    }

    async fn observe(&self, target: &TargetRef, owner: &OwnerId) -> Result<Observed> {
        let state = self.state();
        let Some(found) = state.targets.get(target) else { return Ok(Observed::Absent) };
        let mut present = Present::new(found.holder(owner));
        let meta = found.meta_of(owner);
        present.immutable = meta.immutable;
        present.sole = Some(found.owner.as_ref() == Some(owner));
        present.meta = Some(meta);
        present.keys.extend(found.keys.iter().map(|(key, kept)| {
            let fingerprint = Some(Fingerprint::of(&kept.value));
            let ours = kept.writer.as_ref() == Some(owner);
            (key.clone(), if ours { KeyState::owned(fingerprint) } else { KeyState::foreign(fingerprint) })
        }));
        Ok(Observed::Present(present))
    }

    async fn own_values(&self, target: &TargetRef, owner: &OwnerId) -> Result<SecretMap> {
        let state = self.state();
        let kept = state.targets.get(target).into_iter().flat_map(|found| &found.keys);
        let own = kept.filter(|(_, kept)| kept.writer.as_ref() == Some(owner));
        Ok(own.map(|(key, kept)| (key.clone(), kept.value.duplicate())).collect())
    }

    async fn admit(&self, write: &Write<'_>) -> Result<()> {
        let state = self.state();
        let Some(target) = state.targets.get(write.target) else { return Ok(()) };
        if let Holder::Other(holder) = target.holder(write.owner) {
            return Err(refusal(write.target, &holder));
        }
        for key in write.desired.data.keys() {
            if let Some(Kept { writer: Some(writer), .. }) = target.keys.get(key)
                && writer != write.owner
            {
                return Err(refusal(write.target, &format!("ExternalSecret `{writer}` (key `{key}`)")));
            }
        }
        Ok(())
    }

    async fn apply(&self, write: &Write<'_>) -> Result<Applied> {
        self.admit(write).await?;
        let mut state = self.state();
        state.writes += 1;
        let existed = state.targets.contains_key(write.target);
        let target = state.targets.entry(write.target.clone()).or_default();
        for key in write.remove {
            target.keys.remove(key);
        }
        for (key, value) in &write.desired.data {
            target.keys.insert(key.clone(), Kept { value: value.duplicate(), writer: Some(write.owner.clone()) });
        }
        let meta = write.desired.meta.clone();
        let kept = || target.secret_type.take().unwrap_or_else(|| "Opaque".to_owned());
        target.secret_type = Some(meta.secret_type.clone().unwrap_or_else(kept));
        target.metas.insert(write.owner.clone(), meta);
        target.owner = (write.creation == CreationPolicy::Owner).then(|| write.owner.clone());
        Ok(if existed { Applied::Updated } else { Applied::Created })
    }

    async fn remove(&self, target: &TargetRef, owner: &OwnerId) -> Result<Removed> {
        let mut state = self.state();
        let Some(found) = state.targets.get_mut(target) else { return Ok(Removed::AlreadyAbsent) };
        match found.holder(owner) {
            Holder::Ours => {}
            Holder::Nobody => return Err(refusal(target, "nobody that this sync knows of")),
            Holder::Other(holder) => return Err(refusal(target, &holder)),
        }
        if found.owner.is_none() {
            found.keys.retain(|_, kept| kept.writer.as_ref() != Some(owner));
            found.metas.remove(owner);
        }
        if found.owner.is_some() || found.keys.is_empty() {
            state.targets.remove(target);
        }
        state.writes += 1;
        Ok(Removed::Removed)
    }

    async fn verify(&self) -> Result<()> {
        Ok(())
    }

    async fn flush(&self) -> Result<()> {
        Ok(())
    }
}

fn refusal(target: &TargetRef, holder: &str) -> crate::Error {
    not_owned(format!("target `{target}`"), holder, "choose another `target.name`")
}
