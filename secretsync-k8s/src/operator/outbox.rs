//! What is still to be told: statuses, then events, while Secrets are written.
//!
//! Of several statuses of one object only the last one is written, and two of them never at once: the later one must win. Pure but for the two functions that tell.

use std::collections::{HashMap, VecDeque};

use super::Context;
use super::event::Note;
use super::status::Status;
use super::store::patch;
use super::watch::Id;
use crate::request::Target;

/// Everything that is still to be told.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    statuses: HashMap<Id, Letter>,
    /// The statuses that wait, in the order in which they came. It may name what was told since, or is being told.
    order: VecDeque<Id>,
    under_way: HashMap<Id, Status>,
    notes: VecDeque<(Id, String, Note)>,
    noting: usize,
}

#[derive(Debug)]
struct Letter {
    uid: String,
    status: Status,
}

/// What is told next.
#[derive(Debug)]
pub(super) enum Next {
    Status { id: Id, uid: String, status: Status },
    Note { id: Id, uid: String, note: Note },
}

/// What has been told.
#[derive(Debug)]
pub(super) enum Told {
    /// The status of an object, if it was taken.
    Status {
        id: Id,
        uid: String,
        status: Option<Box<Status>>,
    },
    Note,
}

impl Outbox {
    /// Takes a status, in the place of one of the same object that still waits.
    pub(super) fn status(&mut self, id: &Id, uid: &str, status: Status) {
        if self.statuses.insert(id.clone(), Letter { uid: uid.to_owned(), status }).is_none() {
            self.order.push_back(id.clone());
        }
    }

    /// Takes events. Where too many wait, the oldest are lost: nobody reads them all.
    pub(super) fn notes(&mut self, id: &Id, uid: &str, notes: Vec<Note>) {
        self.notes.extend(notes.into_iter().map(|note| (id.clone(), uid.to_owned(), note)));
        let excess = self.notes.len().saturating_sub(MOST_NOTES);
        drop(self.notes.drain(..excess));
    }

    /// The status that an object will have when everything has been told.
    pub(super) fn latest(&self, id: &Id) -> Option<&Status> {
        self.statuses.get(id).map(|letter| &letter.status).or_else(|| self.under_way.get(id))
    }

    /// What is to be told now.
    pub(super) fn next(&mut self) -> Option<Next> {
        if self.under_way.len() < STATUSES {
            for _ in 0..self.order.len() {
                let Some(id) = self.order.pop_front() else { break };
                if self.under_way.contains_key(&id) {
                    self.order.push_back(id);
                    continue;
                }
                let Some(Letter { uid, status }) = self.statuses.remove(&id) else { continue };
                if self.statuses.is_empty() {
                    // A cold start has thousands, and never again.
                    self.statuses.shrink_to(STATUSES);
                }
                self.under_way.insert(id.clone(), status.clone());
                return Some(Next::Status { id, uid, status });
            }
        }
        if self.statuses.is_empty() && self.noting < NOTES {
            let (id, uid, note) = self.notes.pop_front()?;
            self.noting += 1;
            return Some(Next::Note { id, uid, note });
        }
        None
    }

    /// Takes in that something has been told.
    pub(super) fn told(&mut self, told: &Told) {
        match told {
            Told::Status { id, .. } => drop(self.under_way.remove(id)),
            Told::Note => self.noting -= 1,
        }
    }

    /// Forgets what waits of an object that is gone.
    pub(super) fn forget(&mut self, id: &Id) {
        self.statuses.remove(id);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.statuses.is_empty() && self.under_way.is_empty() && self.notes.is_empty() && self.noting == 0
    }
}

/// Tells it.
pub(super) async fn tell(context: &Context, next: Next) -> Told {
    match next {
        Next::Status { id, uid, status } => {
            let target = Target::external_secret_status(&id.namespace, &id.name);
            let taken = patch(context, target, status.patch(&uid)).await;
            Told::Status { id, uid, status: taken.then(|| Box::new(status)) }
        }
        Next::Note { id, uid, note } => {
            context.events.note("ExternalSecret", &id, &uid, note).await;
            Told::Note
        }
    }
}

/// How many statuses are being told at once: the gate decides how many of them are sent.
const STATUSES: usize = 32;
const NOTES: usize = 8;
const MOST_NOTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> Id {
        Id { namespace: "shop".to_owned(), name: name.to_owned() }
    }

    fn status(revision: &str) -> Status {
        Status { synced_revision: Some(revision.to_owned()), ..Status::default() }
    }

    fn told(next: &Next) -> Told {
        match next {
            Next::Status { id, uid, status } => {
                Told::Status { id: id.clone(), uid: uid.clone(), status: Some(Box::new(status.clone())) }
            }
            Next::Note { .. } => Told::Note,
        }
    }

    fn shown(next: Option<&Next>) -> String {
        match next {
            Some(Next::Status { id, status, .. }) => {
                format!("{} {}", id.name, status.synced_revision.as_deref().unwrap_or_default())
            }
            Some(Next::Note { note, .. }) => note.reason.to_owned(),
            None => String::new(),
        }
    }

    #[test]
    fn the_last_status_of_an_object_is_told_and_never_two_at_once() {
        let mut outbox = Outbox::default();
        outbox.status(&id("a"), "u", status("1"));
        outbox.status(&id("b"), "u", status("1"));
        outbox.status(&id("a"), "u", status("2"));
        let first = outbox.next();
        assert_eq!(shown(first.as_ref()), "a 2");
        outbox.status(&id("a"), "u", status("3"));
        assert_eq!(outbox.latest(&id("a")), Some(&status("3")));
        assert_eq!(shown(outbox.next().as_ref()), "b 1");
        assert_eq!(shown(outbox.next().as_ref()), "", "the one before is under way");
        outbox.told(&told(&first.unwrap()));
        assert_eq!(shown(outbox.next().as_ref()), "a 3");
        assert!(!outbox.is_empty());
    }

    #[test]
    fn events_wait_for_statuses_and_the_oldest_go_when_there_are_too_many() {
        let mut outbox = Outbox::default();
        outbox.notes(&id("a"), "u", vec![Note::normal("Created", "secret created")]);
        for n in 0..=STATUSES {
            outbox.status(&id(&n.to_string()), "u", status("1"));
        }
        let sent: Vec<_> = (0..STATUSES).map(|_| outbox.next().unwrap()).collect();
        assert!(outbox.next().is_none(), "one status still waits");
        outbox.told(&told(&sent[0]));
        assert!(shown(outbox.next().as_ref()).ends_with(" 1"));
        assert_eq!(shown(outbox.next().as_ref()), "Created");
        outbox.notes(&id("a"), "u", vec![Note::normal("Updated", ""); MOST_NOTES + 5]);
        assert_eq!(outbox.notes.len(), MOST_NOTES);
    }

    #[test]
    fn what_is_gone_is_not_told() {
        let mut outbox = Outbox::default();
        outbox.status(&id("a"), "u", status("1"));
        outbox.forget(&id("a"));
        assert!(outbox.next().is_none() && outbox.is_empty());
    }
}
