//! JSON as Go's encoder and decoder have it.

use super::{Args, Function, Type};
use crate::budget::Budget;
use crate::error::Failure;
use crate::value::Value;

mod read;
mod write;

pub(super) use write::Failed;

use write::encode;

use Type::{Any, Text};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("fromJson", &[Text], |args, budget| Ok(read::decode(args.text(0), budget)?.value)),
    Function::new("mustFromJson", &[Text], must_from_json),
    Function::new("mustToJson", &[Any], |args, budget| must(encode(args.value(0), true, budget))),
    Function::new("mustToPrettyJson", &[Any], |args, budget| must(write::encode_pretty(args.value(0), budget))),
    Function::new("mustToRawJson", &[Any], |args, budget| must(encode(args.value(0), false, budget))),
    Function::new("toJson", &[Any], |args, budget| or_empty(encode(args.value(0), true, budget))),
    Function::new("toPrettyJson", &[Any], |args, budget| or_empty(write::encode_pretty(args.value(0), budget))),
    Function::new("toRawJson", &[Any], |args, budget| must(encode(args.value(0), false, budget))),
];

fn must_from_json(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    parse(args.text(0), budget)
}

/// A JSON text as a value.
pub(super) fn parse(text: &[u8], budget: &mut Budget) -> Result<Value, Failure> {
    let decoded = read::decode(text, budget)?;
    match decoded.complaint {
        None => Ok(decoded.value),
        Some(complaint) => Err(Failure::execute(complaint)),
    }
}

fn must(result: Result<crate::value::Buffer, Failed>) -> Result<Value, Failure> {
    match result {
        Ok(text) => Ok(text.into()),
        Err(Failed::Limit(failure)) => Err(failure),
        Err(Failed::Unsupported(name)) => Err(Failure::execute(format!("json: unsupported value of type {name}"))),
    }
}

/// The forms without `must` and `Raw` give nothing for what JSON cannot say.
fn or_empty(result: Result<crate::value::Buffer, Failed>) -> Result<Value, Failure> {
    match result {
        Err(Failed::Unsupported(_)) => Ok(Value::text("")),
        result => must(result),
    }
}
