//! Who reads, waits for and announced what. Pure.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;

use indexmap::IndexSet;

use crate::object::{ObjectRef, Part};

/// Every object that somebody needs. `B` is a read under way, of one call.
pub(super) struct Flights<B> {
    by_object: HashMap<ObjectRef, Flight<B>>,
    /// What can be taken along, in the order of the announcements. It may name what was read or given up since.
    announced: VecDeque<ObjectRef>,
}

/// One object that is announced, being read or was read.
pub(super) struct Flight<B> {
    /// Who will still ask.
    pub(super) expected: usize,
    /// Who is waiting now.
    pub(super) waiting: usize,
    /// The read, and the object's place in it; `None` until somebody asks.
    pub(super) read: Option<(B, usize)>,
}

impl<B> Default for Flights<B> {
    fn default() -> Self {
        Self { by_object: HashMap::new(), announced: VecDeque::new() }
    }
}

impl<B> Default for Flight<B> {
    fn default() -> Self {
        Self { expected: 0, waiting: 0, read: None }
    }
}

impl<B: Clone> Flights<B> {
    /// Takes note that somebody will ask for an object. What may turn out to be issued is not `shared`: nobody else's request takes it along.
    pub(super) fn announce(&mut self, object: &ObjectRef, shared: bool) {
        let flight = self.by_object.entry(object.clone()).or_default();
        flight.expected += 1;
        if shared && flight.expected == 1 && flight.read.is_none() && goes_along(object) {
            self.announced.push_back(object.clone());
        }
    }

    /// Begins to read what nobody has read yet of some objects: `start` makes each call.
    pub(super) fn begin(
        &mut self,
        objects: &[ObjectRef],
        per_request: NonZeroUsize,
        mut start: impl FnMut(&[ObjectRef]) -> B,
    ) {
        let fresh = objects.iter().filter(|object| !self.is_read(object)).cloned().collect();
        for piece in self.pieces(fresh, per_request) {
            let batch = start(&piece);
            for (place, object) in piece.into_iter().enumerate() {
                self.of(object).read = Some((batch.clone(), place));
            }
        }
    }

    fn is_read(&self, object: &ObjectRef) -> bool {
        self.by_object.get(object).is_some_and(|flight| flight.read.is_some())
    }

    /// The flight of an object, a new one if there is none.
    pub(super) fn of(&mut self, object: ObjectRef) -> &mut Flight<B> {
        self.by_object.entry(object).or_default()
    }

    /// What is to be read, call by call: the objects themselves, and where a request reads many, what fills it up.
    fn pieces(&mut self, fresh: IndexSet<ObjectRef>, per_request: NonZeroUsize) -> Vec<Vec<ObjectRef>> {
        let per_request = per_request.get();
        if per_request == 1 {
            return if fresh.is_empty() { Vec::new() } else { vec![fresh.into_iter().collect()] };
        }
        let (mut together, alone): (IndexSet<_>, IndexSet<_>) = fresh.into_iter().partition(goes_along);
        while together.len() % per_request != 0
            && let Some(next) = self.announced.pop_front()
        {
            if self.by_object.get(&next).is_some_and(|flight| flight.read.is_none()) {
                together.insert(next);
            }
        }
        let together: Vec<_> = together.into_iter().collect();
        let alone = (!alone.is_empty()).then(|| alone.into_iter().collect());
        together.chunks(per_request).map(<[ObjectRef]>::to_vec).chain(alone).collect()
    }

    /// Takes every read out of its flight; whoever waits for one has it already.
    pub(super) fn outdate(&mut self) -> Vec<(B, usize)> {
        self.by_object.values_mut().filter_map(|flight| flight.read.take()).collect()
    }

    /// Lets somebody leave; a flight that nobody needs any more is handed out, to be dropped.
    pub(super) fn leave(&mut self, object: &ObjectRef, change: impl FnOnce(&mut Flight<B>)) -> Option<Flight<B>> {
        let Entry::Occupied(mut entry) = self.by_object.entry(object.clone()) else { return None };
        change(entry.get_mut());
        if entry.get().expected > 0 || entry.get().waiting > 0 {
            return None;
        }
        let gone = entry.remove();
        self.forget_some();
        Some(gone)
    }

    /// Keeps the announcements from growing: many are read before it is their turn to be taken along.
    fn forget_some(&mut self) {
        if self.announced.len() > 2 * self.by_object.len() {
            let Self { by_object, announced } = self;
            let mut seen = IndexSet::new();
            announced.retain(|object| {
                by_object.get(object).is_some_and(|flight| flight.read.is_none()) && seen.insert(object.clone())
            });
        }
    }
}

/// Whether an object can be read beside others in one request: the newest value of something.
pub(crate) fn goes_along(object: &ObjectRef) -> bool {
    object.version().is_none() && object.part() == Part::Value
}
