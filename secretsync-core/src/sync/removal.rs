//! Whether a target may be removed now, when its sources are gone.

use std::fmt;

/// Whether a target may be removed now, when its sources are gone and `deletionPolicy: Delete` removes it. Who runs many syncs decides that: see
/// [`crate::guard`].
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Removal {
    /// It may.
    #[default]
    Allowed,
    /// Not yet: it stays, and the report says so ([`Reason::DeletionHeld`](super::Reason::DeletionHeld)).
    Held,
    /// Too many targets of one store are to go: it stays, and the sync fails
    /// ([`Code::DeletionPaused`](crate::error::Code::DeletionPaused)).
    Paused(MassDeletion),
}

/// Too many targets of one store are to be deleted at once: more likely than their end is that the store is not what it was.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MassDeletion {
    /// The store, as messages name it.
    pub store: String,
    /// How many of its targets are to be deleted.
    pub due: usize,
    /// How many targets it has.
    pub of: usize,
}

impl MassDeletion {
    /// Whether so many of a store's targets are too many at once: more than ten, and more than a fifth.
    pub fn is(due: usize, of: usize) -> bool {
        due > FEW && due.saturating_mul(SHARE) > of
    }
}

impl fmt::Display for MassDeletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, due, of } = self;
        match due {
            // An earlier process counted them.
            0 => write!(f, "many targets of {store} were due for deletion at once, so none is deleted"),
            _ => write!(f, "{due} of {of} targets of {store} are due for deletion at once, so none is deleted"),
        }
    }
}

/// So many targets may always go.
const FEW: usize = 10;
/// More than one in so many is suspicious.
const SHARE: usize = 5;
