//! Looking at a target.

use crate::error::{ErrorKind, Result};
use crate::secret::{Fingerprint, SecretMap, SecretValue};
use crate::store::file::{Folder, leftovers};
use crate::store::{KeyState, Observed, OwnerId, Present, TargetRef};

use super::{Inner, folders_of};

impl Inner {
    /// Shows the keys that this owner wrote. A target that an earlier run began to create and did not finish is shown as absent, so that it is
    /// created under every policy.
    pub(super) fn observe(&self, target: &TargetRef, owner: &OwnerId) -> Result<Observed> {
        let (namespace, name) = folders_of(target)?;
        let root = Folder::open(&self.root)?;
        let (shares, claims, unfinished) = {
            let mut state = self.state();
            state.refresh(root.as_ref())?;
            let unfinished = state.record.is_unfinished(target, &owner.to_string());
            (state.record.shares(target), state.claims.get(target).cloned(), unfinished)
        };
        let Some(folder) = descend(root.as_ref(), namespace, name)? else { return Ok(Observed::Absent) };
        if unfinished {
            return Ok(Observed::Absent);
        }
        let shares = shares.without_gone(owner, |key| folder.has_file(key.as_str()).unwrap_or(true));
        let shares = shares.with_claims(claims.as_ref(), owner);
        let mut present = Present::new(shares.holder(owner));
        present.intact = leftovers(&folder)?.is_empty();
        for key in shares.of(owner).into_iter().flat_map(|share| &share.keys) {
            let content = match folder.read(key.as_str()) {
                Ok(content) => content,
                // It cannot be compared, and it can be replaced.
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    present.intact = false;
                    present.keys.insert(key.clone(), KeyState::owned(None));
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Some(content) = content {
                present.intact &= content.private;
                present.keys.insert(key.clone(), KeyState::owned(Some(Fingerprint::of_bytes(&content.bytes))));
            }
        }
        Ok(Observed::Present(present))
    }

    pub(super) fn own_values(&self, target: &TargetRef, owner: &OwnerId) -> Result<SecretMap> {
        let (namespace, name) = folders_of(target)?;
        let root = Folder::open(&self.root)?;
        let shares = {
            let mut state = self.state();
            state.refresh(root.as_ref())?;
            state.record.shares(target)
        };
        let Some(folder) = descend(root.as_ref(), namespace, name)? else { return Ok(SecretMap::new()) };
        let mut values = SecretMap::new();
        for key in shares.of(owner).into_iter().flat_map(|share| &share.keys) {
            match folder.read(key.as_str()) {
                Ok(Some(content)) => values.insert(key.clone(), SecretValue::from(content.bytes.as_slice())),
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
                Err(error) => return Err(error),
            }
        }
        Ok(values)
    }
}

/// The folder of a target, if it exists.
pub(super) fn descend(root: Option<&Folder>, namespace: &str, name: &str) -> Result<Option<Folder>> {
    let above = root.map(|root| root.child(namespace)).transpose()?.flatten();
    Ok(above.map(|above| above.child(name)).transpose()?.flatten())
}
