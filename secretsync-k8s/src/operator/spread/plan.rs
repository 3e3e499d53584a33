//! From what is known to what is to be done for one ClusterExternalSecret (`eso-compat.md` 1.5). Pure.

use std::collections::{BTreeMap, BTreeSet};

use secretsync_core::error::{Result, one_line};

use super::object::{Produced, Wish};
use super::status::SpreadStatus;
use crate::operator::watch::Id;

/// What is to be done for a ClusterExternalSecret.
#[derive(Debug, Default, Eq, PartialEq)]
pub(in crate::operator) struct Plan {
    /// ExternalSecrets to remove, by their uid: of an earlier name, or where no selector reaches any more.
    pub(in crate::operator) remove: Vec<(Id, String)>,
    /// Namespaces to make one in.
    pub(in crate::operator) create: Vec<String>,
    /// ExternalSecrets to put right.
    pub(in crate::operator) update: Vec<(String, Produced)>,
    /// Namespaces where it is as it should be.
    pub(in crate::operator) settled: BTreeSet<String>,
    /// Namespaces where nothing can be done, and why.
    pub(in crate::operator) failed: BTreeMap<String, String>,
    /// The name of the ExternalSecrets.
    pub(in crate::operator) name: String,
}

/// What is known of the cluster, as far as one ClusterExternalSecret is concerned.
pub(in crate::operator) struct View<'a> {
    /// Namespaces that are not being deleted, with their labels.
    pub(in crate::operator) namespaces: &'a mut dyn Iterator<Item = (&'a str, &'a BTreeMap<String, String>)>,
    /// What it made.
    pub(in crate::operator) produced: BTreeMap<&'a Id, &'a Produced>,
    /// Whether there is an ExternalSecret that it did not make.
    pub(in crate::operator) is_foreign: &'a dyn Fn(&Id) -> bool,
    /// The digest of what it asks for.
    pub(in crate::operator) digest: u64,
}

impl Plan {
    pub(in crate::operator) fn new(uid: &str, wish: &Result<Wish>, status: &SpreadStatus, view: View<'_>) -> Self {
        let wish = match wish {
            Ok(wish) => wish,
            // Which namespaces it means is not known, so whatever is there stays.
            Err(error) => {
                let advice = error.hint().map(|hint| format!("; {} [{}]", hint.advice(), hint.code()));
                let reason = format!("{}{}", one_line(error), advice.unwrap_or_default());
                return Self {
                    failed: [(UNKNOWN.to_owned(), reason)].into(),
                    settled: status.provisioned.clone(),
                    name: status.name.clone(),
                    ..Self::default()
                };
            }
        };
        let mut plan = Self { name: wish.name.clone(), ..Self::default() };
        let mut produced = view.produced;
        for (namespace, _) in view.namespaces.filter(|(namespace, labels)| wish.selects(namespace, labels)) {
            let id = Id { namespace: namespace.to_owned(), name: wish.name.clone() };
            match produced.remove(&id) {
                // One that is being deleted is made anew when it is gone.
                Some(known) if known.deleting || (known.digest == view.digest && known.owner.1 == uid) => {
                    plan.settled.insert(id.namespace);
                }
                Some(known) => plan.update.push((id.namespace, known.clone())),
                None if (view.is_foreign)(&id) => {
                    plan.failed.insert(id.namespace, EXISTS.to_owned());
                }
                None => plan.create.push(id.namespace),
            }
        }
        let rest = produced.into_iter().filter(|(_, known)| !known.deleting);
        plan.remove = rest.map(|(id, known)| (id.clone(), known.uid.clone())).collect();
        plan
    }

    /// Whether the cluster is as it should be, apart from what cannot be helped.
    pub(in crate::operator) fn is_done(&self) -> bool {
        self.remove.is_empty() && self.create.is_empty() && self.update.is_empty()
    }

    /// The status when it is done.
    pub(in crate::operator) fn status(&self) -> SpreadStatus {
        SpreadStatus::after(self.name.clone(), self.settled.clone(), self.failed.clone())
    }
}

/// The place of a failure of which no namespace is known.
const UNKNOWN: &str = "unknown";

/// Why a namespace has somebody else's ExternalSecret.
pub(in crate::operator) const EXISTS: &str = "external secret already exists in namespace";

#[cfg(test)]
mod tests;
