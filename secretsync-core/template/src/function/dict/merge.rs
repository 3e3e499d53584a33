//! `merge` and `mergeOverwrite`, with the rules of the library behind sprig.

use super::insert;
use crate::budget::Budget;
use crate::error::Failure;
use crate::function::Args;
use crate::value::{Bytes, Map, Value};

/// Merges the further dicts into the first, which is changed and returned.
pub(super) fn merge(args: Args<'_>, overwrite: bool, budget: &mut Budget) -> Result<Value, Failure> {
    let target = args.dict(0).cloned().unwrap_or_default();
    for index in 1..args.len() {
        if let Some(source) = args.dict(index).filter(|source| !source.same(&target)) {
            merge_into(&target, source.entries(), overwrite, budget, 0)?;
        }
    }
    Ok(Value::Map(target))
}

/// A key is filled if it is absent or empty, or always with `overwrite`; maps on both sides are merged.
fn merge_into(
    target: &Map,
    source: Vec<(Bytes, Value)>,
    overwrite: bool,
    budget: &mut Budget,
    depth: usize,
) -> Result<(), Failure> {
    budget.descend(depth)?;
    for (key, value) in source {
        budget.step(1)?;
        let known = target.get(&key);
        let keep = known.as_ref().is_some_and(Value::is_true);
        match (&known, &value) {
            (_, Value::Nil) if !overwrite => continue,
            (Some(Value::Map(inner)), Value::Map(from)) => {
                if !inner.same(from) {
                    merge_into(inner, from.entries(), overwrite, budget, depth + 1)?;
                }
                if !inner.is_empty() {
                    continue;
                }
            }
            (Some(known), _) if keep && is_map(known) && is_map(&value) => {
                return Err(Failure::execute(format!("cannot merge {} into {}", value.type_name(), known.type_name())));
            }
            _ if keep && !overwrite => continue,
            _ => {}
        }
        insert(target, key, value, budget)?;
    }
    Ok(())
}

fn is_map(value: &Value) -> bool {
    matches!(value, Value::Map(_) | Value::StringMap(_))
}
