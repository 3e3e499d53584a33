//! Cutting, shortening and wrapping by bytes.

use bstr::ByteSlice;

use super::count;
use crate::budget::Budget;
use crate::error::Failure;
use crate::function::Type::{Int, Text};
use crate::function::{Args, Function};
use crate::value::{Buffer, Value};

pub(in crate::function) const FUNCTIONS: &[Function] = &[
    Function::new("abbrev", &[Int, Text], |args, budget| {
        let text = args.text(1);
        if args.int(0) < 4 { budget.text(text) } else { budget.text(abbreviated(text, 0, args.int(0))) }
    }),
    Function::new("abbrevboth", &[Int, Int, Text], |args, budget| {
        let (left, right, text) = (args.int(0), args.int(1), args.text(2));
        let unchanged = right < 4 || (left > 0 && right < 7);
        if unchanged { budget.text(text) } else { budget.text(abbreviated(text, left, right)) }
    }),
    Function::new("initials", &[Text], initials),
    Function::new("nospace", &[Text], nospace),
    Function::new("substr", &[Int, Int, Text], substr),
    Function::new("trunc", &[Int, Text], trunc),
    Function::new("wrap", &[Int, Text], |args, budget| wrap(args.text(1), args.int(0), b"\n", false, budget)),
    Function::new("wrapWith", &[Int, Text, Text], |args, budget| {
        wrap(args.text(2), args.int(0), args.text(1), true, budget)
    }),
];

/// Shortened to `width` bytes with `...`, beginning at `offset`.
fn abbreviated(text: &[u8], offset: i64, width: i64) -> Vec<u8> {
    let length = text.len();
    let Ok(width) = usize::try_from(width) else {
        return Vec::new();
    };
    if length <= width || width < 4 {
        return if width < 4 { Vec::new() } else { text.to_vec() };
    }
    let kept = width - 3;
    let offset = usize::try_from(offset).unwrap_or(0).min(length);
    let offset = if length - offset < kept { length - kept } else { offset };
    if offset <= 4 {
        return [&text[..kept], b"..."].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + kept < length {
        return [b"...", abbreviated(&text[offset..], 0, i64::try_from(kept).unwrap_or(i64::MAX)).as_slice()].concat();
    }
    [b"...", &text[length - kept..]].concat()
}

/// The first byte of each word; a byte above ASCII reads as Latin-1.
fn initials(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let mut out = Buffer::default();
    let mut after_gap = true;
    for byte in args.text(0) {
        let character = char::from(*byte);
        let gap = character.is_whitespace();
        if after_gap && !gap {
            out.push_char(character);
        }
        after_gap = gap;
    }
    budget.text(out)
}

/// Without white space; if there was any, bytes above ASCII become Latin-1 letters.
fn nospace(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let text = args.text(0);
    if !text.iter().any(|byte| char::from(*byte).is_whitespace()) {
        return budget.text(text);
    }
    let mut out = Buffer::with_capacity(text.len());
    for character in text.iter().map(|byte| char::from(*byte)).filter(|character| !character.is_whitespace()) {
        out.push_char(character);
    }
    budget.text(out)
}

fn substr(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let (start, end, text) = (args.int(0), args.int(1), args.text(2));
    let piece = match (usize::try_from(start), usize::try_from(end)) {
        (Err(_), Ok(end)) => text.get(..end),
        (Err(_), Err(_)) => None,
        (Ok(start), Ok(end)) if end <= text.len() => text.get(start..end),
        (Ok(start), _) => text.get(start..),
    };
    budget.text(piece.ok_or_else(|| Failure::execute("bounds out of range"))?)
}

fn trunc(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let text = args.text(1);
    let size = usize::try_from(args.int(0).unsigned_abs()).unwrap_or(usize::MAX);
    let piece = match args.int(0) {
        ..0 => &text[text.len().saturating_sub(size)..],
        _ => &text[..size.min(text.len())],
    };
    budget.text(piece)
}

/// Lines of at most `width` bytes, broken at spaces; longer words stay whole unless `split_words`.
fn wrap(text: &[u8], width: i64, newline: &[u8], split_words: bool, budget: &mut Budget) -> Result<Value, Failure> {
    let width = count(width.max(1))?;
    let newline = if newline.is_empty() { b"\n" } else { newline };
    let mut out = Buffer::with_capacity(text.len());
    let mut rest = text;
    let mut emit = |out: &mut Buffer, line: &[u8]| {
        budget.step(1)?;
        budget.allocate(line.len() + newline.len())?;
        out.extend(line);
        out.extend(newline);
        Ok::<(), Failure>(())
    };
    while rest.len() > width {
        if let Some(trimmed) = rest.strip_prefix(b" ") {
            rest = trimmed;
        } else if let Some(space) = rest[..=width].rfind_byte(b' ') {
            emit(&mut out, &rest[..space])?;
            rest = &rest[space + 1..];
        } else if split_words {
            emit(&mut out, &rest[..width])?;
            rest = &rest[width..];
        } else if let Some(space) = rest[width..].find_byte(b' ') {
            emit(&mut out, &rest[..width + space])?;
            rest = &rest[width + space + 1..];
        } else {
            break;
        }
    }
    budget.allocate(rest.len())?;
    out.extend(rest);
    Ok(out.into())
}
