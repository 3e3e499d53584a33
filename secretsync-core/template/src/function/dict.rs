//! Functions on `map[string]interface {}`. `set`, `unset` and the merges change their first argument in place.

use super::{Args, Function, Type};
use crate::budget::Budget;
use crate::error::Failure;
use crate::print;
use crate::value::{Bytes, ElementType, Map, Value};

mod merge;

use Type::{Any, Dict, Text};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("deepCopy", &[Any], deep_copy),
    Function::new("dict", &[], dict).and_more(Any),
    Function::new("dig", &[], dig).and_more(Any),
    Function::new("get", &[Dict, Text], |args, _| Ok(look_up(args, 1).unwrap_or_else(|| Value::text("")))),
    Function::new("hasKey", &[Dict, Text], |args, _| Ok(Value::Bool(look_up(args, 1).is_some()))),
    Function::new("keys", &[], keys).and_more(Dict),
    Function::new("merge", &[Dict], |args, budget| merge::merge(args, false, budget)).and_more(Dict),
    Function::new("mergeOverwrite", &[Dict], |args, budget| merge::merge(args, true, budget)).and_more(Dict),
    Function::new("mustDeepCopy", &[Any], deep_copy),
    Function::new("mustMerge", &[Dict], |args, budget| merge::merge(args, false, budget)).and_more(Dict),
    Function::new("mustMergeOverwrite", &[Dict], |args, budget| merge::merge(args, true, budget)).and_more(Dict),
    Function::new("omit", &[Dict], |args, budget| filtered(args, budget, |named| !named)).and_more(Text),
    Function::new("pick", &[Dict], |args, budget| filtered(args, budget, |named| named)).and_more(Text),
    Function::new("pluck", &[Text], pluck).and_more(Dict),
    Function::new("set", &[Dict, Text, Any], set),
    Function::new("unset", &[Dict, Text], |args, _| {
        if let (Some(map), Value::Bytes(key)) = (args.dict(0), args.value(1)) {
            map.remove(key);
        }
        Ok(args.value(0).clone())
    }),
    Function::new("values", &[Dict], |args, budget| {
        let entries = args.dict(0).map(Map::entries).unwrap_or_default();
        budget.list(ElementType::Any, entries.into_iter().map(|(_, value)| value).collect())
    }),
];

fn look_up(args: Args<'_>, key: usize) -> Option<Value> {
    args.dict(0)?.get(args.text(key))
}

/// Keys and values in turn; a key without a value gets an empty text.
fn dict(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let mut entries = Vec::with_capacity(args.len() / 2 + 1);
    for pair in args.0.chunks(2) {
        let key = match &pair[0] {
            Value::Bytes(key) => key.clone(),
            other => Bytes::from(print::to_text(other, budget)?),
        };
        entries.push((key, pair.get(1).cloned().unwrap_or_else(|| Value::text(""))));
    }
    new_map(entries, budget)
}

fn keys(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let mut keys = Vec::new();
    for index in 0..args.len() {
        let entries = args.dict(index).map(Map::entries).unwrap_or_default();
        keys.extend(entries.into_iter().map(|(key, _)| Value::Bytes(key)));
    }
    budget.list(ElementType::Text, keys)
}

fn pluck(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let found = (1..args.len()).filter_map(|index| args.dict(index)?.get(args.text(0))).collect();
    budget.list(ElementType::Any, found)
}

/// The entries that `keep` wants, told whether their key is among the arguments.
fn filtered(args: Args<'_>, budget: &mut Budget, keep: fn(bool) -> bool) -> Result<Value, Failure> {
    let entries = args.dict(0).map(Map::entries).unwrap_or_default();
    budget.step(entries.len().saturating_mul(args.len()) / 16)?;
    let named = |key: &Bytes| args.rest(1).iter().any(|name| matches!(name, Value::Bytes(name) if name == key));
    new_map(entries.into_iter().filter(|(key, _)| keep(named(key))).collect(), budget)
}

fn set(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let (Some(map), Value::Bytes(key)) = (args.dict(0), args.value(1)) else {
        return Err(Failure::execute("assignment to entry in nil map"));
    };
    insert(map, key.clone(), args.value(2).clone(), budget)?;
    Ok(args.value(0).clone())
}

/// Follows keys; only an absent key gives the default, anything else on the way that is no dict fails.
fn dig(args: Args<'_>, _: &mut Budget) -> Result<Value, Failure> {
    let [keys @ .., default, dict] = args.0 else {
        return Err(Failure::execute("dig needs at least three arguments"));
    };
    if keys.is_empty() {
        return Err(Failure::execute("dig needs at least three arguments"));
    }
    if let Some(key) = keys.iter().find(|key| !matches!(key, Value::Bytes(_))) {
        return Err(Failure::execute(format!("dig needs text keys; found {}", key.type_name())));
    }
    let mut current = dict.clone();
    for key in keys {
        let (Value::Map(map), Value::Bytes(key)) = (&current, key) else {
            return Err(Failure::execute(format!("dig needs dicts on the way; found {}", current.type_name())));
        };
        match map.get(key) {
            Some(value) => current = value,
            None => return Ok(default.clone()),
        }
    }
    Ok(current)
}

fn deep_copy(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    match args.value(0) {
        Value::Nil => Err(Failure::execute("nil cannot be copied")),
        value => copy(value, budget, 0),
    }
}

/// A copy that shares no map or list with the original.
pub(super) fn copy(value: &Value, budget: &mut Budget, depth: usize) -> Result<Value, Failure> {
    budget.descend(depth)?;
    match value {
        Value::Map(map) => {
            let mut entries = Vec::new();
            for (key, value) in map.entries() {
                entries.push((key, copy(&value, budget, depth + 1)?));
            }
            new_map(entries, budget)
        }
        Value::List(list) if !list.is_absent() => {
            let mut items = Vec::with_capacity(list.items().len());
            for item in list.items() {
                items.push(copy(item, budget, depth + 1)?);
            }
            budget.list(list.element(), items)
        }
        other => Ok(other.clone()),
    }
}

fn new_map(entries: Vec<(Bytes, Value)>, budget: &mut Budget) -> Result<Value, Failure> {
    budget.allocate(entries.len().saturating_mul(ENTRY_BYTES))?;
    Ok(Value::Map(Map::new(entries)))
}

/// Sets a key of a shared map. A map that contained itself could never be printed or freed, so that is refused.
fn insert(map: &Map, key: Bytes, value: Value, budget: &mut Budget) -> Result<(), Failure> {
    let mut waiting = vec![value.clone()];
    while let Some(value) = waiting.pop() {
        budget.step(1)?;
        match value {
            Value::Map(inner) if inner.same(map) => {
                return Err(Failure::execute("a dict cannot contain itself").with_hint("put a `deepCopy` of it in"));
            }
            Value::Map(inner) => {
                waiting.extend(inner.entries().into_iter().map(|(_, value)| value).filter(is_container));
            }
            Value::List(list) => waiting.extend(list.items().iter().filter(|item| is_container(item)).cloned()),
            _ => {}
        }
    }
    budget.allocate(ENTRY_BYTES)?;
    map.insert(key, value);
    Ok(())
}

fn is_container(value: &Value) -> bool {
    matches!(value, Value::List(_) | Value::Map(_))
}

/// Rough size of a map entry.
const ENTRY_BYTES: usize = 64;
