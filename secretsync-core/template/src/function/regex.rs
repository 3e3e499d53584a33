//! Regular expressions in Go's syntax, run by a linear-time engine.

use bstr::ByteSlice;

use super::{Args, Function, Type};
use crate::budget::Budget;
use crate::error::Failure;
use crate::regex::{GoRegex, Subject};
use crate::value::{Buffer, ElementType, List, Value};

use Type::{Int, Text};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("mustRegexFind", &[Text, Text], find),
    Function::new("mustRegexFindAll", &[Text, Text, Int], find_all),
    Function::new("mustRegexMatch", &[Text, Text], |args, budget| {
        Ok(Value::Bool(compile(args.text(0), budget)?.is_match(Subject::new(args.text(1)).text())))
    }),
    Function::new("mustRegexReplaceAll", &[Text, Text, Text], |args, budget| replace_all(args, true, budget)),
    Function::new("mustRegexReplaceAllLiteral", &[Text, Text, Text], |args, budget| replace_all(args, false, budget)),
    Function::new("mustRegexSplit", &[Text, Text, Int], split),
    Function::new("regexFind", &[Text, Text], find),
    Function::new("regexFindAll", &[Text, Text, Int], find_all),
    Function::new("regexMatch", &[Text, Text], is_match),
    Function::new("regexQuoteMeta", &[Text], quote_meta),
    Function::new("regexReplaceAll", &[Text, Text, Text], |args, budget| replace_all(args, true, budget)),
    Function::new("regexReplaceAllLiteral", &[Text, Text, Text], |args, budget| replace_all(args, false, budget)),
    Function::new("regexSplit", &[Text, Text, Int], split),
];

/// A pattern of this rendering, compiled once.
fn compile(pattern: &[u8], budget: &mut Budget) -> Result<GoRegex, Failure> {
    if let Some(known) = budget.pattern(pattern) {
        return Ok(known);
    }
    budget.step(COMPILE_STEPS + pattern.len().saturating_mul(16))?;
    let text = std::str::from_utf8(pattern).map_err(|_| invalid("invalid UTF-8"))?;
    let compiled = GoRegex::with_limit(text, budget.regex_bytes()).map_err(|error| {
        if error.is_too_large() {
            return Failure::limit("regex_bytes", budget.regex_bytes());
        }
        // The pattern itself may come from the data.
        invalid(error.problem())
    })?;
    budget.keep_pattern(pattern, compiled.clone());
    Ok(compiled)
}

/// A bad pattern matches nothing; `mustRegexMatch` fails on it.
fn is_match(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    match compile(args.text(0), budget) {
        Ok(pattern) => Ok(Value::Bool(pattern.is_match(Subject::new(args.text(1)).text()))),
        Err(failure) if failure.is_limit() => Err(failure),
        Err(_) => Ok(Value::Bool(false)),
    }
}

fn invalid(reason: &str) -> Failure {
    Failure::execute(format!("invalid regular expression: {reason}"))
        .with_hint("Go's RE2 syntax is accepted: no look-around, no back references, repetitions up to 1000")
}

fn find(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let pattern = compile(args.text(0), budget)?;
    let subject = Subject::new(args.text(1));
    match pattern.matches(subject.text()).next() {
        Some(found) => budget.text(subject.slice(found.range())),
        None => Ok(Value::text("")),
    }
}

fn find_all(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let pattern = compile(args.text(0), budget)?;
    let subject = Subject::new(args.text(1));
    let most = usize::try_from(args.int(2)).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    for hit in pattern.matches(subject.text()).take(most) {
        budget.step(1)?;
        found.push(budget.text(subject.slice(hit.range()))?);
    }
    if found.is_empty() {
        return Ok(Value::List(List::absent(ElementType::Text)));
    }
    budget.list(ElementType::Text, found)
}

/// Replaces every match; in the replacement `$1` and `${name}` stand for groups, unless it is literal.
fn replace_all(args: Args<'_>, expand: bool, budget: &mut Budget) -> Result<Value, Failure> {
    let pattern = compile(args.text(0), budget)?;
    let subject = Subject::new(args.text(1));
    let replacement = args.text(2);
    let expanded = if expand {
        budget.allocate(replacement.find_iter("$").count().saturating_mul(PIECE_BYTES))?;
        Some(pattern.replacement(replacement))
    } else {
        None
    };
    let mut out = Buffer::default();
    let mut end = 0;
    for hit in pattern.matches(subject.text()) {
        budget.step(1)?;
        out.extend(subject.slice(end..hit.range().start));
        if let Some(expanded) = &expanded {
            let group = |range| subject.slice(range);
            // Counted before it is made: each group can be as long as the text.
            budget.step(expanded.parts() / 8)?;
            let mut length = 0_usize;
            hit.expand(expanded, group, |piece| length = length.saturating_add(piece.len()));
            budget.allocate(length)?;
            hit.expand(expanded, group, |piece| out.extend(piece));
        } else {
            budget.allocate(replacement.len())?;
            out.extend(replacement);
        }
        end = hit.range().end;
    }
    let rest = subject.slice(end..subject.text().len());
    budget.allocate(rest.len())?;
    out.extend(rest);
    Ok(out.into())
}

fn split(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let pattern = compile(args.text(0), budget)?;
    let (subject, limit) = (Subject::new(args.text(1)), args.int(2));
    if limit == 0 {
        return Ok(Value::List(List::absent(ElementType::Text)));
    }
    if args.text(1).is_empty() && !args.text(0).is_empty() {
        return budget.texts([""]);
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut pieces = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for hit in pattern.matches(subject.text()).take(most) {
        if pieces.len() + 1 == most {
            break;
        }
        let hit = hit.range();
        end = hit.start;
        if hit.end != 0 {
            pieces.push(subject.slice(begin..end));
        }
        begin = hit.end;
    }
    if end != subject.text().len() {
        pieces.push(subject.slice(begin..subject.text().len()));
    }
    budget.texts(pieces)
}

fn quote_meta(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let mut out = Buffer::with_capacity(args.text(0).len());
    for byte in args.text(0) {
        if b"\\.+*?()|[]{}^$".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    budget.text(out)
}

const COMPILE_STEPS: usize = 5_000;
/// Memory of a part of a replacement.
const PIECE_BYTES: usize = 80;
