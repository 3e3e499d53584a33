//! What a sync does to the keys of a target.

use crate::secret::SecretKey;

/// What happens to the keys of a target: names only.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Changes {
    /// Each key with what happens to it, in order of the keys.
    pub keys: Vec<(SecretKey, Change)>,
    /// Whether type, labels, annotations or ownership marks change.
    pub metadata: bool,
}

/// What happens to one key.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Change {
    /// It is new.
    Created,
    /// It goes.
    Removed,
    /// It stays as it is.
    Unchanged,
    /// It gets another value.
    Updated,
}

impl Change {
    /// The word that people and scripts read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Removed => "removed",
            Self::Unchanged => "unchanged",
            Self::Updated => "updated",
        }
    }
}

impl Changes {
    /// Whether anything changes at all.
    pub fn any(&self) -> bool {
        self.metadata || self.keys.iter().any(|(_, change)| *change != Change::Unchanged)
    }

    /// The same keys, nothing having happened to those that stay.
    pub(crate) fn into_unchanged(self) -> Self {
        let stays = self.keys.into_iter().filter(|(_, change)| *change != Change::Removed);
        Self { keys: stays.map(|(key, _)| (key, Change::Unchanged)).collect(), metadata: false }
    }

    /// The keys that something happens to.
    pub fn of(&self, wanted: Change) -> impl Iterator<Item = &SecretKey> {
        self.keys.iter().filter(move |(_, change)| *change == wanted).map(|(key, _)| key)
    }
}
