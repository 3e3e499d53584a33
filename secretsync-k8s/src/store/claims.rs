//! What the syncs of one run claim, so that two of them that want the same are refused before anything is written.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use secretsync_core::error::Result;
use secretsync_core::store::{OwnerId, TargetRef, Write};
use secretsync_core::sync::CreationPolicy;

use super::ownership::{contest, refusal};
use crate::problems::subject;

/// The claims of one run, by target.
#[derive(Debug, Default)]
pub(crate) struct Claims(Mutex<HashMap<TargetRef, HashMap<OwnerId, Claimed>>>);

/// What one sync claims of a target.
#[derive(Debug)]
struct Claimed {
    keys: BTreeSet<String>,
    owns: bool,
}

impl Claims {
    /// Forgets them: the next run begins.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Claims what `write` needs; a later claim of the same owner replaces its earlier one.
    pub(crate) fn claim(&self, write: &Write<'_>, target: impl std::fmt::Display) -> Result<()> {
        let claimed = Claimed {
            keys: write.desired.data.keys().map(|key| key.as_str().to_owned()).collect(),
            owns: write.creation == CreationPolicy::Owner,
        };
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_target = claims.entry(write.target.clone()).or_default();
        for (other, theirs) in of_target.iter().filter(|(other, _)| *other != write.owner) {
            let holder = subject("ExternalSecret", Some(other.namespace()), other.name());
            if theirs.owns && claimed.owns {
                return Err(refusal(target, &holder));
            }
            if let Some(key) = claimed.keys.intersection(&theirs.keys).next() {
                return Err(contest(target, key, &holder, write.owner));
            }
        }
        of_target.insert(write.owner.clone(), claimed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use secretsync_core::secret::SecretKey;
    use secretsync_core::store::{Desired, TargetMeta};

    use super::*;

    fn claim(claims: &Claims, owner: &str, creation: CreationPolicy, keys: &[&str]) -> Option<String> {
        let (owner, target) = (OwnerId::new("shop", owner), TargetRef::new("shop", "db"));
        let data = keys.iter().map(|key| (SecretKey::new(*key).unwrap(), "v".into())).collect();
        let desired = Desired::new(data, TargetMeta::default());
        let write = Write::new(&target, &owner, &desired).under(creation);
        claims.claim(&write, "Secret `shop/db`").err().map(|error| error.to_string())
    }

    #[test]
    fn two_syncs_share_a_target_as_long_as_they_want_other_keys() {
        let claims = Claims::default();
        assert_eq!(claim(&claims, "a", CreationPolicy::Merge, &["x"]), None);
        assert_eq!(claim(&claims, "b", CreationPolicy::Merge, &["y"]), None);
        assert_eq!(
            claim(&claims, "c", CreationPolicy::Merge, &["y"]).as_deref(),
            Some(
                "failed to write key `y` of Secret `shop/db`: ExternalSecret `shop/b` and ExternalSecret `shop/c` both want it"
            )
        );
        assert_eq!(claim(&claims, "b", CreationPolicy::Merge, &["z"]), None);
        assert_eq!(
            claim(&claims, "c", CreationPolicy::Merge, &["y"]),
            None,
            "a new claim of the same sync releases the old one"
        );
    }

    #[test]
    fn only_one_sync_can_own_a_target() {
        let claims = Claims::default();
        assert_eq!(claim(&claims, "a", CreationPolicy::Owner, &["x"]), None);
        assert_eq!(
            claim(&claims, "b", CreationPolicy::Owner, &["y"]).as_deref(),
            Some("failed to write Secret `shop/db`: it belongs to ExternalSecret `shop/a`")
        );
    }
}
