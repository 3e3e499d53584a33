//! No step back: a node that lags behind may answer with an older version than one that was already seen.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use secretsync_core::object::ObjectRef;
use secretsync_core::secret::Version;

/// When the newest version of each object was born that this provider has seen. Numbers alone would not do: they begin anew when an object is
/// deleted with its metadata and written again.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<ObjectRef, Timestamp>>);

impl Seen {
    /// Whether an answer is not older than the ones before. Pinned versions are what they are.
    pub(super) fn is_current(&self, object: &ObjectRef, version: Option<&Version>) -> bool {
        let born = version.and_then(|version| version.as_str().split_once('@')?.1.parse::<Timestamp>().ok());
        let (Some(born), None) = (born, object.version()) else { return true };
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get_mut(object) {
            Some(newest) if born < *newest => false,
            Some(newest) => {
                *newest = born;
                true
            }
            None => {
                if seen.len() < REMEMBERED {
                    seen.insert(object.clone(), born);
                }
                true
            }
        }
    }
}

/// More objects than any store should have; memory stays bounded.
const REMEMBERED: usize = 100_000;

#[cfg(test)]
mod tests {
    use secretsync_core::secret::{Secret, SecretValue};

    use super::*;

    #[test]
    fn an_older_version_is_no_answer_and_a_rewritten_object_is_one() {
        let seen = Seen::default();
        let object = ObjectRef::new("app").within("kv");
        let current = |object: &ObjectRef, version: &str| {
            seen.is_current(object, Secret::bytes(SecretValue::from("")).with_version(version).version.as_ref())
        };
        assert!(current(&object, "1@2026-01-01T00:00:00.1Z"));
        assert!(current(&object, "2@2026-01-02T00:00:00Z"));
        assert!(current(&object, "2@2026-01-02T00:00:00Z"), "the same again");
        assert!(!current(&object, "1@2026-01-01T00:00:00.1Z"));
        assert!(current(&object.clone().with_version("1"), "1@2026-01-01T00:00:00.1Z"));
        assert!(current(&object, "1@2026-01-03T00:00:00Z"), "deleted with its metadata and written again");
        assert!(current(&ObjectRef::new("other"), "1@2025-01-01T00:00:00Z"));
        assert!(current(&object, "odd") && seen.is_current(&object, None));
    }
}
