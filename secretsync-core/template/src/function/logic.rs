//! Defaults and choices.

use super::{Function, Type};
use crate::value::Value;

use Type::{Any, Bool};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("all", &[], |args, _| Ok(Value::Bool(args.0.iter().all(Value::is_true)))).and_more(Any),
    Function::new("any", &[], |args, _| Ok(Value::Bool(args.0.iter().any(Value::is_true)))).and_more(Any),
    Function::new("coalesce", &[], |args, _| {
        Ok(args.0.iter().find(|value| value.is_true()).cloned().unwrap_or_default())
    })
    .and_more(Any),
    Function::new("default", &[Any], |args, _| {
        let given = args.value(1);
        Ok(if given.is_true() { given.clone() } else { args.value(0).clone() })
    })
    .and_more(Any),
    Function::new("empty", &[Any], |args, _| Ok(Value::Bool(!args.value(0).is_true()))),
    Function::new("ternary", &[Any, Any, Bool], |args, _| {
        Ok(args.value(usize::from(!matches!(args.value(2), Value::Bool(true)))).clone())
    }),
];
