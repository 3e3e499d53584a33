//! What a watch shows of the Secrets that syncs manage.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use secretsync_core::store::TargetRef;

use super::snapshot::{Metadata, Snapshot};

/// The managed Secrets, as a watch and our own writes told of them. Who feeds it and who goes by it share it.
///
/// It may be behind. So whoever writes on the ground of it names the version that it shows, or that there is none.
#[derive(Debug, Default)]
pub(crate) struct Known(RwLock<State>);

#[derive(Debug, Default)]
struct State {
    /// Whether everything that was there has been told.
    complete: bool,
    secrets: HashMap<TargetRef, Compact>,
}

/// The metadata of a Secret as text: a tenth of what it takes when it is taken apart, which is a matter of microseconds.
#[derive(Debug)]
struct Compact {
    uid: Box<str>,
    /// `None` where it is no number, so that it cannot be compared.
    version: Option<u64>,
    metadata: Box<[u8]>,
}

impl Known {
    /// Takes in a Secret as it was at some moment. What is known of a later one stays.
    pub(crate) fn put(&self, target: TargetRef, secret: &Snapshot) {
        let Some(secret) = Compact::new(&secret.metadata) else { return };
        let mut state = self.write();
        let newer = |known: &Compact| known.uid == secret.uid && known.version > secret.version;
        if !state.secrets.get(&target).is_some_and(newer) {
            state.secrets.insert(target, secret);
        }
    }

    /// Takes in that one is gone, or is managed no more.
    pub(crate) fn remove(&self, target: &TargetRef) {
        self.write().secrets.remove(target);
    }

    /// Takes in that everything that was there has been told.
    pub(crate) fn set_complete(&self) {
        self.write().complete = true;
    }

    /// A Secret as it was told last.
    pub(crate) fn get(&self, target: &TargetRef) -> Option<Arc<Snapshot>> {
        self.read().secrets.get(target).and_then(Compact::snapshot).map(Arc::new)
    }

    /// Whether a Secret that is not known is not there, or not managed.
    pub(crate) fn is_complete(&self) -> bool {
        self.read().complete
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Compact {
    /// `None` for what cannot be written as text, which is nothing that was read from one.
    fn new(metadata: &Metadata) -> Option<Self> {
        Some(Self {
            uid: metadata.uid.as_str().into(),
            version: metadata.resource_version.parse().ok(),
            metadata: serde_json::to_vec(metadata).ok()?.into(),
        })
    }

    fn snapshot(&self) -> Option<Snapshot> {
        serde_json::from_slice::<Metadata>(&self.metadata).ok().map(Snapshot::from)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::snapshot::tests::snapshot;
    use super::*;

    fn version(uid: &str, version: &str) -> Snapshot {
        snapshot(&json!({"metadata": {"uid": uid, "resourceVersion": version}}))
    }

    #[test]
    fn what_was_told_is_known_until_it_is_gone() {
        let (known, target) = (Known::default(), TargetRef::new("shop", "db"));
        known.put(target.clone(), &version("1", "7"));
        assert!(!known.is_complete() && known.get(&target).is_some());
        known.set_complete();
        known.remove(&target);
        assert!(known.is_complete() && known.get(&target).is_none());
    }

    #[test]
    fn news_that_come_late_change_nothing() {
        let (known, target) = (Known::default(), TargetRef::new("shop", "db"));
        let seen = || known.get(&target).unwrap().metadata.resource_version.clone();
        known.put(target.clone(), &version("1", "10"));
        known.put(target.clone(), &version("1", "9"));
        assert_eq!(seen(), "10", "versions are numbers");
        known.put(target.clone(), &version("2", "8"));
        assert_eq!(seen(), "8", "another object has begun anew");
    }
}
