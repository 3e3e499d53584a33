//! `toYaml` and `fromYaml`: YAML 1.1 as the reference reads and writes it, by way of JSON.

use super::json::Failed;
use super::{Args, Function, Type};
use crate::budget::Budget;
use crate::error::Failure;
use crate::value::{Bytes, Map, Value};

mod read;
mod scalar;
mod write;

use read::Refused;

use Type::{Any, Text};

pub(super) const FUNCTIONS: &[Function] =
    &[Function::new("fromYaml", &[Text], from_yaml), Function::new("toYaml", &[Any], to_yaml)];

/// What YAML cannot say gives an empty text.
fn to_yaml(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    match write::write(args.value(0), budget) {
        Ok(text) => Ok(text.into()),
        Err(Failed::Limit(failure)) => Err(failure),
        Err(Failed::Unsupported(_)) => Ok(Value::text("")),
    }
}

/// Anything but a mapping gives a dict whose one key `Error` tells why.
fn from_yaml(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let refused = match read::read(args.text(0), budget) {
        Ok(Value::Nil) => return Ok(Value::Map(Map::default())),
        Ok(map @ Value::Map(_)) => return Ok(map),
        Ok(other) => format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            json_name(&other)
        ),
        Err(Refused::Limit(failure)) => return Err(failure),
        Err(Refused::Text(text)) => text,
    };
    let message = budget.text(refused)?;
    Ok(Value::Map(Map::new([(Bytes::from("Error"), message)])))
}

fn json_name(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "bool",
        Value::Float(_) => "number",
        Value::List(_) => "array",
        _ => "string",
    }
}
