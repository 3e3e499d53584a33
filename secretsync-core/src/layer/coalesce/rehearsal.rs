//! A pass in thought: which calls it would make, without making any.

use std::num::NonZeroUsize;

use super::flights::Flights;
use crate::object::{ObjectRef, Read};
use crate::provider::ProviderInfo;

/// The calls of a pass at one provider, by the rules of [`Coalesce`](super::Coalesce) itself. Pure.
pub(crate) struct Rehearsal {
    flights: Flights<()>,
    per_fetch: NonZeroUsize,
    per_request: NonZeroUsize,
}

impl Rehearsal {
    pub(crate) fn new(info: &ProviderInfo) -> Self {
        Self { flights: Flights::default(), per_fetch: info.per_fetch, per_request: info.per_request }
    }

    /// Takes note that somebody will ask for objects.
    pub(crate) fn announce<'a>(&mut self, objects: impl IntoIterator<Item = &'a ObjectRef>) {
        objects.into_iter().for_each(|object| self.flights.announce(object, true));
    }

    /// The calls that somebody causes who asks for objects now.
    pub(crate) fn ask(&mut self, objects: &[ObjectRef]) -> Vec<Vec<ObjectRef>> {
        let mut calls = Vec::new();
        let (shared, issuing): (Vec<_>, Vec<_>) =
            objects.iter().cloned().partition(|object| object.read() == Read::Repeatable);
        for piece in shared.chunks(self.per_fetch.get()) {
            self.flights.begin(piece, self.per_request, |call| calls.push(call.to_vec()));
        }
        calls.extend(issuing.into_iter().map(|object| vec![object]));
        calls
    }
}
