//! In which version the objects were seen last that stores refer to. No I/O.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use secretsync_core::provider::CredentialKind;

use super::Referred;
use crate::operator::watch::Id;

/// The objects that something refers to.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashMap<Referred, Sight>>);

/// What is known of one.
#[derive(Debug, Default)]
struct Sight {
    last: Last,
    /// How often it has changed.
    changes: u64,
}

/// How it was seen last.
#[derive(Debug, Default)]
enum Last {
    #[default]
    Unknown,
    Absent,
    There(String, From),
}

/// Who saw an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum From {
    /// The first list of a watch: what it tells of an object that was not known is no change.
    FirstList,
    /// A later list, or the watch itself.
    Watch,
    /// The watch of managed Secrets.
    Targets,
}

impl Seen {
    /// Begins to take note of an object.
    pub(super) fn want(&self, referred: &Referred) {
        self.all().entry(referred.clone()).or_default();
    }

    /// Whether note is taken of an object.
    pub(super) fn wants(&self, referred: &Referred) -> bool {
        self.all().contains_key(referred)
    }

    /// Forgets all others.
    pub(super) fn retain(&self, wanted: impl Fn(&Referred) -> bool) {
        self.all().retain(|referred, _| wanted(referred));
    }

    /// Takes note of a version. Says whether it is news of an object that is wanted.
    pub(super) fn is(&self, referred: &Referred, version: &str, from: From) -> bool {
        let mut all = self.all();
        let Some(sight) = all.get_mut(referred) else { return false };
        let news = match &sight.last {
            Last::Unknown => from != From::FirstList,
            Last::Absent => true,
            Last::There(known, _) => known != version,
        };
        sight.last = Last::There(version.to_owned(), from);
        sight.changes += u64::from(news);
        news
    }

    /// Takes note that an object is gone. Says whether it is wanted and was not known to be.
    pub(super) fn is_gone(&self, referred: &Referred) -> bool {
        let mut all = self.all();
        let Some(sight) = all.get_mut(referred) else { return false };
        let news = !matches!(sight.last, Last::Absent);
        sight.last = Last::Absent;
        sight.changes += u64::from(news);
        news
    }

    /// The wanted objects of a place that a watch of it saw before, and that it would see again if they were there.
    pub(super) fn known(&self, kind: CredentialKind, namespace: Option<&str>) -> Vec<Referred> {
        let there = |referred: &Referred, sight: &Sight| {
            referred.kind == kind
                && namespace.is_none_or(|namespace| referred.id.namespace == namespace)
                && matches!(&sight.last, Last::There(_, from) if *from != From::Targets)
        };
        self.all()
            .iter()
            .filter(|(referred, sight)| there(referred, sight))
            .map(|(referred, _)| referred.clone())
            .collect()
    }

    /// How often an object was seen to change: who was built before must not pass for who is built now.
    pub(crate) fn changes(&self, kind: CredentialKind, namespace: &str, name: &str) -> u64 {
        let id = Id { namespace: namespace.to_owned(), name: name.to_owned() };
        self.all().get(&Referred { kind, id }).map_or(0, |sight| sight.changes)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Referred, Sight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Referred {
        let id = Id { namespace: "shop".to_owned(), name: "token".to_owned() };
        Referred { kind: CredentialKind::Secret, id }
    }

    #[test]
    fn only_what_changed_since_it_was_seen_first_is_news() {
        let (seen, token) = (Seen::default(), token());
        assert!(!seen.is(&token, "1", From::Watch), "nobody wants it");
        seen.want(&token);
        assert!(!seen.is(&token, "1", From::FirstList));
        assert!(!seen.is(&token, "1", From::Watch), "told twice");
        assert!(seen.is(&token, "2", From::Watch));
        assert!(seen.is(&token, "3", From::FirstList), "another watch begins, and knows more");
        assert!(seen.is_gone(&token) && !seen.is_gone(&token));
        assert!(seen.is(&token, "4", From::FirstList));
        assert_eq!(seen.changes(CredentialKind::Secret, "shop", "token"), 4);
        assert_eq!(seen.changes(CredentialKind::ConfigMap, "shop", "token"), 0);
    }

    #[test]
    fn what_comes_into_being_is_news_and_so_is_what_was_wanted_only_lately() {
        let (seen, token) = (Seen::default(), token());
        seen.want(&token);
        assert!(seen.is(&token, "1", From::Watch));
    }

    #[test]
    fn a_list_misses_only_what_a_watch_like_it_had_seen() {
        let (seen, token) = (Seen::default(), token());
        seen.want(&token);
        let known = || seen.known(CredentialKind::Secret, Some("shop")).len();
        assert_eq!(known(), 0);
        seen.is(&token, "1", From::Targets);
        assert_eq!(known(), 0, "a managed Secret is not in it");
        seen.is(&token, "2", From::Watch);
        assert_eq!((known(), seen.known(CredentialKind::Secret, Some("bank")).len()), (1, 0));
        assert_eq!(seen.known(CredentialKind::Secret, None).len(), 1);
        seen.retain(|_| false);
        assert_eq!(known(), 0);
    }
}
