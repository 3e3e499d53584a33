//! The functions of Go's template engine itself.

use super::{Args, Body, Function, Type};
use crate::budget::Budget;
use crate::error::Failure;
use crate::execute::NO_VALUE;
use crate::print;
use crate::print::quote;
use crate::value::{Buffer, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::short_circuit("and", Body::And),
    Function::new("call", &[Type::Any], call).and_more(Type::Any),
    Function::new("html", &[], html).and_more(Type::Any),
    Function::new("index", &[Type::Any], index).and_more(Type::Any),
    Function::new("js", &[], js).and_more(Type::Any),
    Function::new("len", &[Type::Any], len),
    Function::short_circuit("or", Body::Or),
    Function::new("print", &[], |args, budget| Ok(print::print(args.0, budget)?.into())).and_more(Type::Any),
    Function::new("printf", &[Type::Text], printf).and_more(Type::Any),
    Function::new("println", &[], |args, budget| Ok(print::println(args.0, budget)?.into())).and_more(Type::Any),
    Function::new("urlquery", &[], urlquery).and_more(Type::Any),
];

/// No value of a template is a function.
fn call(args: Args<'_>, _: &mut Budget) -> Result<Value, Failure> {
    Err(Failure::execute(format!("non-function of type {}", args.value(0).type_name())))
}

fn printf(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    Ok(print::printf(args.text(0), args.rest(1), budget)?.into())
}

fn len(args: Args<'_>, _: &mut Budget) -> Result<Value, Failure> {
    let length = match args.value(0) {
        Value::Bytes(text) => text.len(),
        Value::List(list) => list.items().len(),
        Value::Map(map) => map.len(),
        Value::StringMap(map) => map.len(),
        Value::Nil => return Err(Failure::execute("len of nil pointer")),
        other => return Err(Failure::execute(format!("len of type {}", other.type_name()))),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// `index x 1 2` is `x[1][2]`; a missing map key gives the zero value.
fn index(args: Args<'_>, _: &mut Budget) -> Result<Value, Failure> {
    let mut item = args.value(0).clone();
    if matches!(item, Value::Nil) {
        return Err(Failure::execute("index of untyped nil"));
    }
    for key in args.rest(1) {
        item = match &item {
            Value::Bytes(text) => Value::Byte(*text.get(position(key)?).ok_or_else(out_of_range)?),
            Value::List(list) => list.items().get(position(key)?).ok_or_else(out_of_range)?.clone(),
            Value::Map(map) => map.get(map_key(key)?).unwrap_or_default(),
            Value::StringMap(map) => Value::Bytes(map.get(map_key(key)?).cloned().unwrap_or_default()),
            Value::Nil => return Err(Failure::execute("index of nil pointer")),
            other => return Err(Failure::execute(format!("can't index item of type {}", other.type_name()))),
        };
    }
    Ok(item)
}

fn position(key: &Value) -> Result<usize, Failure> {
    match key.as_integer() {
        Some(position) => usize::try_from(position).map_err(|_| out_of_range()),
        None => Err(Failure::execute(format!("cannot index a list or text with type {}", key.type_name()))),
    }
}

fn out_of_range() -> Failure {
    Failure::execute("index out of range")
}

fn map_key(key: &Value) -> Result<&[u8], Failure> {
    match key {
        Value::Bytes(key) => Ok(key),
        other => Err(Failure::execute(format!("value has type {}; should be string", other.type_name()))),
    }
}

fn html(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let text = joined(args, budget)?;
    budget.allocate(text.len())?;
    let mut out = Buffer::with_capacity(text.len());
    for byte in text.iter() {
        match byte {
            0 => out.extend("\u{fffd}".as_bytes()),
            b'"' => out.extend(b"&#34;"),
            b'\'' => out.extend(b"&#39;"),
            b'&' => out.extend(b"&amp;"),
            b'<' => out.extend(b"&lt;"),
            b'>' => out.extend(b"&gt;"),
            other => out.push(*other),
        }
    }
    budget.text(out)
}

fn js(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let text = joined(args, budget)?;
    let mut out = Buffer::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => out.extend(b"\\\\"),
                '\'' => out.extend(b"\\'"),
                '"' => out.extend(b"\\\""),
                '<' | '>' | '&' | '=' | '\0'..' ' => append_unicode(&mut out, u32::from(character)),
                c if c.is_ascii() || quote::is_printable(c) => out.push_char(c),
                c => append_unicode(&mut out, u32::from(c)),
            }
        }
        // Go decodes each byte of invalid text to U+FFFD, which is printable, and writes the byte as it was.
        out.extend(chunk.invalid());
    }
    budget.text(out)
}

fn append_unicode(out: &mut Buffer, code: u32) {
    out.extend(format!("\\u{code:04X}").as_bytes());
}

fn urlquery(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let text = joined(args, budget)?;
    let mut out = Buffer::with_capacity(text.len());
    for byte in text.iter() {
        match byte {
            b' ' => out.push(b'+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            other => out.extend(format!("%{other:02X}").as_bytes()),
        }
    }
    budget.text(out)
}

/// The arguments printed one after another, nil as an action prints it.
fn joined(args: Args<'_>, budget: &mut Budget) -> Result<Buffer, Failure> {
    if args.0.iter().any(|value| matches!(value, Value::Nil)) {
        let shown = args.0.iter().map(|value| match value {
            Value::Nil => Value::text(NO_VALUE),
            value => value.clone(),
        });
        return print::print(&shown.collect::<Vec<_>>(), budget);
    }
    print::print(args.0, budget)
}
