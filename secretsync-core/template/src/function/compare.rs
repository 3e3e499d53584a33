//! Go's comparisons: integers of any type with each other, everything else only with its own kind.

use std::cmp::Ordering;

use super::{Args, Function, Type};
use crate::budget::Budget;
use crate::error::Failure;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("eq", &[Type::Any], eq).and_more(Type::Any),
    Function::new("ge", &[Type::Any, Type::Any], |args, _| Ok(Value::Bool(!less(args)?))),
    Function::new("gt", &[Type::Any, Type::Any], |args, _| Ok(Value::Bool(!less_or_equal(args)?))),
    Function::new("le", &[Type::Any, Type::Any], |args, _| Ok(Value::Bool(less_or_equal(args)?))),
    Function::new("lt", &[Type::Any, Type::Any], |args, _| Ok(Value::Bool(less(args)?))),
    Function::new("ne", &[Type::Any, Type::Any], |args, _| Ok(Value::Bool(!equal(args.value(0), args.value(1))?))),
    Function::new("not", &[Type::Any], |args, _| Ok(Value::Bool(!args.value(0).is_true()))),
];

/// Whether the first argument equals any of the others.
fn eq(args: Args<'_>, _: &mut Budget) -> Result<Value, Failure> {
    if args.len() < 2 {
        return Err(Failure::execute("missing argument for comparison"));
    }
    for other in args.rest(1) {
        if equal(args.value(0), other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

#[expect(clippy::float_cmp, reason = "Go compares exactly")]
fn equal(a: &Value, b: &Value) -> Result<bool, Failure> {
    if let Some(ordering) = compare(a, b) {
        return Ok(ordering == Some(Ordering::Equal));
    }
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Complex(a, b), Value::Complex(c, d)) => Ok(a == c && b == d),
        (Value::Nil, Value::Nil) => Ok(true),
        (Value::Nil, Value::List(list)) | (Value::List(list), Value::Nil) => Ok(list.is_absent()),
        (Value::Nil, _) | (_, Value::Nil) => Ok(false),
        (Value::List(a), Value::List(b)) if a.is_absent() || b.is_absent() => Ok(a.is_absent() == b.is_absent()),
        (Value::List(_), Value::List(_))
        | (Value::Map(_) | Value::StringMap(_), Value::Map(_) | Value::StringMap(_)) => {
            Err(Failure::execute(format!("non-comparable type {}", b.type_name())))
        }
        (Value::Object(a), Value::Object(b)) if a.type_name() == b.type_name() => Ok(a.equals(b)),
        _ => Err(incompatible(a, b)),
    }
}

fn less(args: Args<'_>) -> Result<bool, Failure> {
    let (a, b) = (args.value(0), args.value(1));
    for value in [a, b] {
        let basic = value.as_integer().is_some()
            || matches!(value, Value::Bool(_) | Value::Bytes(_) | Value::Complex(..) | Value::Float(_));
        if !basic {
            return Err(Failure::execute("invalid type for comparison"));
        }
    }
    match compare(a, b) {
        Some(ordering) => Ok(ordering == Some(Ordering::Less)),
        None if a.type_name() == b.type_name() => Err(Failure::execute("invalid type for comparison")),
        None => Err(incompatible(a, b)),
    }
}

fn less_or_equal(args: Args<'_>) -> Result<bool, Failure> {
    Ok(less(args)? || equal(args.value(0), args.value(1))?)
}

/// The order of two numbers or texts of one kind; the inner nothing is NaN.
#[expect(clippy::option_option, reason = "the outer says that the kinds have an order, the inner that the values have")]
fn compare(a: &Value, b: &Value) -> Option<Option<Ordering>> {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => Some(a.partial_cmp(b)),
        (Value::Bytes(a), Value::Bytes(b)) => Some(Some(a.cmp(b))),
        _ => Some(Some(a.as_integer()?.cmp(&b.as_integer()?))),
    }
}

fn incompatible(a: &Value, b: &Value) -> Failure {
    let message = format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name());
    Failure::execute(message).with_hint("convert one of them, for example with `int`, `float64` or `toString`")
}
