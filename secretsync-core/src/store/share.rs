//! Which sync wrote which keys of a target, as the file stores remember it: names only.

use std::collections::{BTreeMap, BTreeSet};

use super::{Holder, OwnerId, TargetRef, not_owned};
use crate::error::{Code, Error, ErrorKind, Hint, Result};
use crate::secret::SecretKey;

/// What one sync wrote at a target.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Share {
    /// Whether it holds the target alone (`creationPolicy: Owner`): others may not write there at all.
    pub(super) owns: bool,
    pub(super) keys: BTreeSet<SecretKey>,
}

/// What each sync wrote at a target, by the owner's text (`namespace/name`).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Shares(BTreeMap<String, Share>);

impl Shares {
    pub(super) fn of(&self, owner: &OwnerId) -> Option<&Share> {
        self.0.get(&owner.to_string())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Share)> {
        self.0.iter().map(|(owner, share)| (owner.as_str(), share))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn insert(&mut self, owner: String, share: Share) {
        self.0.insert(owner, share);
    }

    pub(super) fn remove(&mut self, owner: &str) -> Option<Share> {
        self.0.remove(owner)
    }

    /// Takes `keys` from everybody but `owner`, and returns who lost some.
    pub(super) fn take_over(&mut self, owner: &OwnerId, keys: &BTreeSet<SecretKey>) -> Vec<String> {
        let owner = owner.to_string();
        let mut losers = Vec::new();
        for (other, share) in self.0.iter_mut().filter(|(other, _)| **other != owner) {
            let before = share.keys.len();
            share.keys.retain(|key| !keys.contains(key));
            if share.keys.len() < before {
                losers.push(other.clone());
            }
        }
        losers
    }

    /// The same without keys of others that are gone: what somebody wrote once and deleted since gives no claim.
    pub(super) fn without_gone(&self, owner: &OwnerId, is_there: impl Fn(&SecretKey) -> bool) -> Self {
        let owner = owner.to_string();
        let keep = |(other, share): (&String, &Share)| {
            let keys: BTreeSet<_> = share.keys.iter().filter(|key| *other == owner || is_there(key)).cloned().collect();
            (*other == owner || !keys.is_empty()).then(|| (other.clone(), Share { owns: share.owns, keys }))
        };
        Self(self.0.iter().filter_map(keep).collect())
    }

    /// The same with what others claim in this pass in the place of what they wrote earlier.
    pub(super) fn with_claims(mut self, claims: Option<&Self>, owner: &OwnerId) -> Self {
        let owner = owner.to_string();
        for (other, share) in claims.into_iter().flat_map(Self::iter).filter(|(other, _)| *other != owner) {
            self.insert(other.to_owned(), share.clone());
        }
        self
    }

    /// Who holds the target, seen by `owner`: another sync that holds it alone, else this one if it wrote here, else nobody. So several syncs
    /// can merge into one target, as in a cluster, where only `creationPolicy: Owner` makes a controller.
    pub(super) fn holder(&self, owner: &OwnerId) -> Holder {
        match self.sole_holder_but(owner) {
            Some(other) => Holder::Other(external_secret(other)),
            None if self.of(owner).is_some() => Holder::Ours,
            None => Holder::Nobody,
        }
    }

    /// Fails where a write of `keys` would touch what another sync holds: the whole target, or one of the keys.
    pub(super) fn refuse(&self, place: &str, owner: &OwnerId, keys: &BTreeSet<SecretKey>) -> Result<()> {
        self.refuse_target(place, owner)?;
        let text = owner.to_string();
        let taken =
            |(other, share): (&String, &Share)| Some((other.clone(), share.keys.intersection(keys).next()?.clone()));
        match self.0.iter().filter(|(other, _)| **other != text).find_map(taken) {
            None => Ok(()),
            Some((other, key)) => Err(Error::new(ErrorKind::NotOwned, "write")
                .on(format!("key `{key}` of {place} for ExternalSecret `{owner}`"))
                .because(format!("it belongs to {}", external_secret(&other)))
                .with_hint(Hint::new(Code::NotOwned, advice(place, owner, &other)))),
        }
    }

    /// Fails where another sync holds the whole target.
    fn refuse_target(&self, place: &str, owner: &OwnerId) -> Result<()> {
        match self.sole_holder_but(owner) {
            Some(other) => Err(not_owned(place, &external_secret(other), advice(place, owner, other))),
            None => Ok(()),
        }
    }

    fn sole_holder_but(&self, owner: &OwnerId) -> Option<&str> {
        let owner = owner.to_string();
        self.0
            .iter()
            .find(|(other, share)| **other != owner && share.owns && !share.keys.is_empty())
            .map(|(other, _)| other.as_str())
    }
}

/// Refuses names that could not stand in a comment: one with a line break would end it.
pub(super) fn check_names(target: &TargetRef, owner: &OwnerId) -> Result<()> {
    let good =
        |part: &&str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/');
    if [target.namespace(), target.name(), owner.namespace(), owner.name()].iter().all(good) {
        return Ok(());
    }
    let shown: String = format!("{target}` for `{owner}").chars().take(320).flat_map(char::escape_debug).collect();
    Err(Error::new(ErrorKind::InvalidConfig, "write")
        .on(format!("target `{shown}`"))
        .because("a name is empty or contains a blank, a control character or a `/`")
        .with_hint(Hint::new(Code::TargetUnwritable, "give target and sync names that a cluster would take")))
}

fn external_secret(owner: &str) -> String {
    format!("ExternalSecret `{owner}`")
}

fn advice(place: &str, owner: &OwnerId, other: &str) -> String {
    format!("give `{owner}` a target or keys of its own, or remove {place} first if `{other}` is gone")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&str]) -> BTreeSet<SecretKey> {
        names.iter().map(|name| SecretKey::new(*name).unwrap()).collect()
    }

    fn shares(entries: &[(&str, bool, &[&str])]) -> Shares {
        let mut shares = Shares::default();
        for (owner, owns, names) in entries {
            shares.insert((*owner).to_owned(), Share { owns: *owns, keys: keys(names) });
        }
        shares
    }

    #[test]
    fn only_a_sole_holder_keeps_others_out() {
        let b = OwnerId::new("shop", "b");
        for (entries, holder) in [
            (&[][..], Holder::Nobody),
            (&[("shop/a", false, &["k"][..])], Holder::Nobody),
            (&[("shop/a", true, &["k"][..])], Holder::Other("ExternalSecret `shop/a`".into())),
            (&[("shop/a", true, &[][..])], Holder::Nobody),
            (&[("shop/a", false, &["k"][..]), ("shop/b", false, &["l"][..])], Holder::Ours),
            (
                &[("shop/a", true, &["k"][..]), ("shop/b", false, &["l"][..])],
                Holder::Other("ExternalSecret `shop/a`".into()),
            ),
        ] {
            assert_eq!(shares(entries).holder(&b), holder, "{entries:?}");
        }
    }

    #[test]
    fn a_key_of_another_sync_is_refused_and_both_are_named() {
        let shares = shares(&[("shop/a", false, &["k"])]);
        let b = OwnerId::new("shop", "b");
        assert!(shares.refuse("folder `x`", &b, &keys(&["l"])).is_ok());
        let error = shares.refuse("folder `x`", &b, &keys(&["k"])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotOwned);
        assert_eq!(
            error.to_string(),
            "failed to write key `k` of folder `x` for ExternalSecret `shop/b`: it belongs to ExternalSecret `shop/a`"
        );
    }

    #[test]
    fn what_is_gone_gives_no_claim() {
        let all = shares(&[("shop/a", true, &["k", "gone"]), ("shop/c", true, &["gone"]), ("shop/b", true, &["gone"])]);
        let left = all.without_gone(&OwnerId::new("shop", "b"), |key| key.as_str() != "gone");
        assert_eq!(left, shares(&[("shop/a", true, &["k"]), ("shop/b", true, &["gone"])]));
    }
}
