//! Types and deep equality.

use super::{Args, Function, Type};
use crate::budget::Budget;
use crate::error::Failure;
use crate::value::Value;

use Type::{Any, Text};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("deepEqual", &[Any, Any], |args, budget| {
        Ok(Value::Bool(deep_equal(args.value(0), args.value(1), budget)?))
    }),
    Function::new("kindIs", &[Text, Any], |args, _| Ok(Value::Bool(args.text(0) == kind_of(args.value(1)).as_bytes()))),
    Function::new("kindOf", &[Any], |args, budget| budget.text(kind_of(args.value(0)))),
    Function::new("typeIs", &[Text, Any], |args, _| {
        Ok(Value::Bool(args.text(0) == args.value(1).type_name().as_bytes()))
    }),
    Function::new("typeIsLike", &[Text, Any], |args, _| Ok(Value::Bool(type_is_like(args)))),
    Function::new("typeOf", &[Any], |args, budget| budget.text(args.value(0).type_name())),
];

/// The type, or a pointer to it.
fn type_is_like(args: Args<'_>) -> bool {
    let name = args.value(1).type_name();
    let target = name.strip_prefix('*').unwrap_or(name);
    args.text(0) == name.as_bytes() || args.text(0) == target.as_bytes()
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Nil => "invalid",
        Value::List(_) => "slice",
        Value::Map(_) | Value::StringMap(_) => "map",
        Value::Object(object) => object.kind_name(),
        value => value.type_name(),
    }
}

/// Go's `reflect.DeepEqual`: the types must be the same too, and a nil list is no empty list.
pub(super) fn deep_equal(a: &Value, b: &Value, budget: &mut Budget) -> Result<bool, Failure> {
    deep_equal_at(a, b, budget, 0)
}

#[expect(clippy::float_cmp, reason = "Go compares exactly")]
fn deep_equal_at(a: &Value, b: &Value, budget: &mut Budget, depth: usize) -> Result<bool, Failure> {
    budget.descend(depth)?;
    Ok(match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) | (Value::Int64(a), Value::Int64(b)) => a == b,
        (Value::Byte(a), Value::Byte(b)) => a == b,
        (Value::Uint(a), Value::Uint(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Complex(a, b), Value::Complex(c, d)) => a == c && b == d,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::StringMap(a), Value::StringMap(b)) => a == b,
        (Value::Object(a), Value::Object(b)) => a.kind() == b.kind(),
        (Value::List(a), Value::List(b)) => {
            if a.element() != b.element() || a.is_absent() != b.is_absent() || a.items().len() != b.items().len() {
                return Ok(false);
            }
            for (a, b) in a.items().iter().zip(b.items()) {
                if !deep_equal_at(a, b, budget, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(a), Value::Map(b)) => {
            if a.same(b) {
                return Ok(true);
            }
            if a.len() != b.len() {
                return Ok(false);
            }
            for ((key, a), (other, b)) in a.entries().iter().zip(&b.entries()) {
                if key != other || !deep_equal_at(a, b, budget, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        _ => false,
    })
}
