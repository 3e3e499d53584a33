//! Between texts and lists: split, join, sort.

use std::collections::BTreeMap;
use std::sync::Arc;

use bstr::ByteSlice;

use crate::budget::Budget;
use crate::error::Failure;
use crate::function::Type::{Any, Int, Text};
use crate::function::{Args, Function};
use crate::print;
use crate::rune::runes;
use crate::value::{Buffer, Bytes, ElementType, Value};

pub(in crate::function) const FUNCTIONS: &[Function] = &[
    Function::new("join", &[Text, Any], join),
    Function::new("sortAlpha", &[Any], sort_alpha),
    Function::new("split", &[Text, Text], |args, budget| numbered(pieces(args.text(1), args.text(0), -1), budget)),
    Function::new("splitList", &[Text, Text], |args, budget| budget.texts(pieces(args.text(1), args.text(0), -1))),
    Function::new("splitn", &[Text, Int, Text], |args, budget| {
        numbered(pieces(args.text(2), args.text(0), args.int(1)), budget)
    }),
    Function::new("toStrings", &[Any], |args, budget| {
        let texts = texts_of(args.value(0), budget)?;
        budget.list(ElementType::Text, texts.into_iter().map(Value::Bytes).collect())
    }),
];

fn join(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let separator = args.text(0);
    let mut out = Buffer::default();
    for (index, text) in texts_of(args.value(1), budget)?.iter().enumerate() {
        let separator = if index > 0 { separator } else { &[] };
        budget.allocate(separator.len() + text.len())?;
        out.extend(separator);
        out.extend(text);
    }
    Ok(out.into())
}

fn sort_alpha(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let mut texts = match args.value(0) {
        Value::Nil => vec![Bytes::from("<nil>")],
        value => texts_of(value, budget)?,
    };
    texts.sort_unstable();
    budget.list(ElementType::Text, texts.into_iter().map(Value::Bytes).collect())
}

/// The elements of a list as texts, without nil; any other value is a list of one.
pub(in crate::function) fn texts_of(value: &Value, budget: &mut Budget) -> Result<Vec<Bytes>, Failure> {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::List(list) => {
            let values = list.items().iter().filter(|value| !matches!(value, Value::Nil));
            values.map(|value| text_of(value, budget)).collect()
        }
        value => Ok(vec![text_of(value, budget)?]),
    }
}

fn text_of(value: &Value, budget: &mut Budget) -> Result<Bytes, Failure> {
    budget.step(1)?;
    match value {
        Value::Bytes(text) => Ok(text.clone()),
        value => Ok(Bytes::from(print::to_text(value, budget)?)),
    }
}

/// At most `limit` pieces; any number if it is negative, none if it is 0. An empty separator splits into characters.
fn pieces<'t>(text: &'t [u8], separator: &[u8], limit: i64) -> Vec<&'t [u8]> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    if most == 0 {
        return Vec::new();
    }
    if !separator.is_empty() {
        return text.splitn_str(most, separator).collect();
    }
    let mut pieces: Vec<&[u8]> = runes(text).map(|(_, bytes)| bytes).collect();
    if pieces.len() > most {
        let kept: usize = pieces[..most - 1].iter().map(|piece| piece.len()).sum();
        pieces.truncate(most - 1);
        pieces.push(&text[kept..]);
    }
    pieces
}

/// Pieces as a map with the keys `_0`, `_1`, …
fn numbered(pieces: Vec<&[u8]>, budget: &mut Budget) -> Result<Value, Failure> {
    let mut map = BTreeMap::new();
    for (index, piece) in pieces.into_iter().enumerate() {
        budget.step(1)?;
        budget.allocate(piece.len() + 64)?;
        map.insert(Bytes::from(format!("_{index}")), Bytes::from(piece));
    }
    Ok(Value::StringMap(Arc::new(map)))
}
