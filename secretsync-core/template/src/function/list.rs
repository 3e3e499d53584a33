//! List functions of sprig. Lists are never changed in place; the `must` forms fail alike.

use super::{Args, Function, Type, reflect};
use crate::budget::Budget;
use crate::error::Failure;
use crate::function::number::to_integer;
use crate::value::{ElementType, List, Value};

use Type::{Any, Int};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("append", &[Any, Any], append),
    Function::new("chunk", &[Int, Any], chunk),
    Function::new("compact", &[Any], compact),
    Function::new("concat", &[], concat).and_more(Any),
    Function::new("first", &[Any], |args, _| Ok(items(args.value(0))?.first().cloned().unwrap_or_default())),
    Function::new("has", &[Any, Any], has),
    Function::new("initial", &[Any], |args, budget| {
        shorter(args, budget, |items| items.split_last().map(|(_, rest)| rest))
    }),
    Function::new("last", &[Any], |args, _| Ok(items(args.value(0))?.last().cloned().unwrap_or_default())),
    Function::new("list", &[], |args, budget| budget.list(ElementType::Any, args.0.to_vec())).and_more(Any),
    Function::new("mustAppend", &[Any, Any], append),
    Function::new("mustChunk", &[Int, Any], chunk),
    Function::new("mustCompact", &[Any], compact),
    Function::new("mustFirst", &[Any], |args, _| Ok(items(args.value(0))?.first().cloned().unwrap_or_default())),
    Function::new("mustHas", &[Any, Any], has),
    Function::new("mustInitial", &[Any], |args, budget| {
        shorter(args, budget, |items| items.split_last().map(|(_, rest)| rest))
    }),
    Function::new("mustLast", &[Any], |args, _| Ok(items(args.value(0))?.last().cloned().unwrap_or_default())),
    Function::new("mustPrepend", &[Any, Any], prepend),
    Function::new("mustPush", &[Any, Any], append),
    Function::new("mustRest", &[Any], |args, budget| {
        shorter(args, budget, |items| items.split_first().map(|(_, rest)| rest))
    }),
    Function::new("mustReverse", &[Any], reverse),
    Function::new("mustSlice", &[Any], slice).and_more(Any),
    Function::new("mustUniq", &[Any], uniq),
    Function::new("mustWithout", &[Any], without).and_more(Any),
    Function::new("prepend", &[Any, Any], prepend),
    Function::new("push", &[Any, Any], append),
    Function::new("rest", &[Any], |args, budget| {
        shorter(args, budget, |items| items.split_first().map(|(_, rest)| rest))
    }),
    Function::new("reverse", &[Any], reverse),
    Function::new("slice", &[Any], slice).and_more(Any),
    Function::new("tuple", &[], |args, budget| budget.list(ElementType::Any, args.0.to_vec())).and_more(Any),
    Function::new("uniq", &[Any], uniq),
    Function::new("without", &[Any], without).and_more(Any),
];

/// The elements of a list; anything else is refused.
fn items(value: &Value) -> Result<&[Value], Failure> {
    Ok(list(value)?.items())
}

fn list(value: &Value) -> Result<&List, Failure> {
    match value {
        Value::List(list) => Ok(list),
        other => Err(Failure::execute(format!("expected a list; found {}", other.type_name()))),
    }
}

fn append(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    budget.list(ElementType::Any, [items(args.value(0))?, args.rest(1)].concat())
}

fn prepend(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    budget.list(ElementType::Any, [args.rest(1), items(args.value(0))?].concat())
}

/// Lists of `size` elements, the last one maybe shorter.
fn chunk(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let items = items(args.value(1))?;
    let size = match usize::try_from(args.int(0)) {
        Ok(0) => return Err(Failure::execute("a chunk must have at least one element")),
        Ok(size) => size,
        // The reference counts the chunks first, and finds none here.
        Err(_)
            if usize::try_from(args.int(0).unsigned_abs()).is_ok_and(|size| (2..=size + 1).contains(&items.len())) =>
        {
            return budget.list(ElementType::List, Vec::new());
        }
        Err(_) => return Err(Failure::execute("negative count")),
    };
    let mut chunks = Vec::new();
    for chunk in items.chunks(size) {
        chunks.push(budget.list(ElementType::Any, chunk.to_vec())?);
    }
    budget.list(ElementType::List, chunks)
}

fn compact(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let kept = items(args.value(0))?.iter().filter(|item| item.is_true()).cloned().collect();
    budget.list(ElementType::Any, kept)
}

fn concat(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let mut all = Vec::new();
    for value in args.0 {
        let items = items(value)?;
        budget.allocate(items.len().saturating_mul(size_of::<Value>()))?;
        all.extend_from_slice(items);
    }
    if all.is_empty() {
        return Ok(Value::List(List::absent(ElementType::Any)));
    }
    budget.list(ElementType::Any, all)
}

fn has(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    if matches!(args.value(1), Value::Nil) {
        return Ok(Value::Bool(false));
    }
    Ok(Value::Bool(contains(items(args.value(1))?, args.value(0), budget)?))
}

/// A list without its first or last element; an empty one gives Go's nil list.
fn shorter(args: Args<'_>, budget: &mut Budget, cut: fn(&[Value]) -> Option<&[Value]>) -> Result<Value, Failure> {
    match cut(items(args.value(0))?) {
        Some(rest) => budget.list(ElementType::Any, rest.to_vec()),
        None => Ok(Value::List(List::absent(ElementType::Any))),
    }
}

fn reverse(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    budget.list(ElementType::Any, items(args.value(0))?.iter().rev().cloned().collect())
}

/// `list[from:to]`, of the same type as the list; nil for an empty list.
fn slice(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let list = list(args.value(0))?;
    if list.items().is_empty() {
        return Ok(Value::Nil);
    }
    let bound = |index: usize, otherwise: usize| match args.0.get(index) {
        Some(value) => usize::try_from(to_integer(value)).ok(),
        None => Some(otherwise),
    };
    let piece = bound(1, 0).zip(bound(2, list.items().len())).and_then(|(from, to)| list.items().get(from..to));
    let piece = piece.ok_or_else(|| Failure::execute("slice bounds out of range"))?;
    budget.list(list.element(), piece.to_vec())
}

fn uniq(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let mut kept: Vec<Value> = Vec::new();
    for item in items(args.value(0))? {
        if !contains(&kept, item, budget)? {
            kept.push(item.clone());
        }
    }
    budget.list(ElementType::Any, kept)
}

fn without(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let mut kept = Vec::new();
    for item in items(args.value(0))? {
        if !contains(args.rest(1), item, budget)? {
            kept.push(item.clone());
        }
    }
    budget.list(ElementType::Any, kept)
}

fn contains(items: &[Value], wanted: &Value, budget: &mut Budget) -> Result<bool, Failure> {
    for item in items {
        if reflect::deep_equal(wanted, item, budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}
