//! One JSON object out of many.

use std::collections::HashSet;

use indexmap::{IndexMap, IndexSet};
use thiserror::Error;

use super::Keyed;
use crate::json::Json;
use crate::sync::{Merge, MergeConflict, MergeResult};

/// Why values could not be merged. Names of keys and members are shown, values and their parser's words never.
#[derive(Debug, Error)]
pub(super) enum Problem {
    #[error("conflicts: {}", .0.join(", "))]
    Conflicts(Vec<String>),
    #[error("key \"{0}\" not found in input map")]
    MissingPriority(String),
    #[error("missing 'into' field")]
    MissingInto,
    #[error("failed to unmarshal JSON: the value of key `{0}` is no JSON object")]
    NotAnObject(String),
}

/// Merges the values of a map: those that have no priority in the order of the keys' bytes, then the others in the order of the list.
pub(super) fn merge(rule: &Merge, mut map: Keyed) -> Result<Keyed, Problem> {
    if rule.result == MergeResult::Key(String::new()) {
        return Err(Problem::MissingInto);
    }
    let mut merged = IndexMap::new();
    let mut conflicts = Vec::new();
    for key in order(rule, &map)? {
        for (name, member) in members(key, &map)? {
            if merged.insert(name.clone(), member).is_some() && rule.conflicts == MergeConflict::Error {
                conflicts.push(name);
            }
        }
    }
    if !conflicts.is_empty() {
        conflicts.sort_unstable();
        conflicts.dedup();
        return Err(Problem::Conflicts(conflicts));
    }
    match &rule.result {
        MergeResult::Members => Ok(merged.into_iter().map(|(name, member)| (name, member.to_bytes().into())).collect()),
        MergeResult::Key(into) => {
            map.insert(into.clone(), Json::object(merged).compact().into());
            Ok(map)
        }
    }
}

fn order<'k>(rule: &'k Merge, map: &'k Keyed) -> Result<IndexSet<&'k str>, Problem> {
    let named: HashSet<&str> = rule.priority.iter().map(String::as_str).collect();
    let mut order: IndexSet<&str> = map.keys().map(String::as_str).filter(|key| !named.contains(key)).collect();
    order.sort_unstable();
    for key in &rule.priority {
        if map.contains_key(key) {
            order.insert(key);
        } else if !rule.optional_priority {
            return Err(Problem::MissingPriority(key.clone()));
        }
    }
    Ok(order)
}

fn members(key: &str, map: &Keyed) -> Result<IndexMap<String, Json>, Problem> {
    let not_an_object = || Problem::NotAnObject(key.to_owned());
    let text = map.get(key).ok_or_else(not_an_object)?;
    match Json::parse(text.expose()).map_err(|_| not_an_object())? {
        // Go reads `null` into a map without complaint.
        Json::Null => Ok(IndexMap::new()),
        json => json.into_object().map_err(|_| not_an_object()),
    }
}

impl Problem {
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Conflicts(_) => {
                "set `conflictPolicy: Ignore` so that the later one wins, and say with `priority` which one that is"
            }
            Self::MissingPriority(_) => "correct `priority`, or set `priorityPolicy: IgnoreNotFound`",
            Self::MissingInto => "name the key of the merged object with `into`",
            Self::NotAnObject(_) => "merge takes JSON objects only: leave the value out, or take it with `data`",
        }
    }
}
