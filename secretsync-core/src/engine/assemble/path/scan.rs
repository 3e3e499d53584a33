//! Where values start and end in JSON text that nobody has checked.
//!
//! Nothing here fails: text that is not JSON ends a value early or runs to the end of the text.

use std::ops::Range;

use super::value::{Kind, Value};

/// Returns the index behind the string that starts with the quote at `start`, unless it never ends.
pub(super) fn string_end(json: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match json.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Returns the index behind the bracket that closes the one at `start`, or the end of the text.
pub(super) fn bracket_end(json: &[u8], start: usize) -> usize {
    let mut depth = 1;
    let mut at = start + 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                let Some(end) = string_end(json, at) else { break };
                at = end;
                continue;
            }
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    json.len()
}

/// Returns the index of the next byte that can start a value.
pub(super) fn value_start(json: &[u8], from: usize) -> Option<usize> {
    find(json, from, starts_value)
}

/// Returns the index of the next element of a list; none at its end.
pub(super) fn element_start(json: &[u8], from: usize) -> Option<usize> {
    find(json, from, |byte| byte == b']' || starts_value(byte)).filter(|&start| json[start] != b']')
}

/// Returns the index of the next byte for which `wanted` holds.
pub(super) fn find(json: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let rest = json.get(from..)?;
    rest.iter().position(|&byte| wanted(byte)).map(|offset| from + offset)
}

/// Returns the value whose first byte is at `start` and the index behind it; none for a string without end.
pub(super) fn value_at(json: &[u8], start: usize) -> Option<(Value<'_>, usize)> {
    let (kind, end) = match json.get(start)? {
        b'"' => (Kind::String, string_end(json, start)?),
        b'{' | b'[' => (Kind::Json, bracket_end(json, start)),
        _ => plain(json, start),
    };
    Some((Value::source(kind, &json[start..end]), end))
}

/// Reads a whole text as one value. A list or object takes all that follows it with it.
pub(super) fn top(text: &[u8]) -> Option<(Kind, Range<usize>)> {
    let start = find(text, 0, |byte| byte > b' ').filter(|&start| starts_value(text[start]))?;
    let (value, end) = value_at(text, start)?;
    let end = if value.kind == Kind::Json { text.len() } else { end };
    Some((value.kind, start..end))
}

/// Calls `each` with the key (none in a list) and the value of every member until it fails.
pub(super) fn for_each<'a, E>(
    container: &'a [u8],
    mut each: impl FnMut(Option<&'a [u8]>, Value<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let is_object = container.first() == Some(&b'{');
    let mut at = 1;
    loop {
        let mut key = None;
        if is_object {
            let Some(start) = find(container, at, |byte| matches!(byte, b'"' | b'}')) else { return Ok(()) };
            let Some(end) = (container[start] == b'"').then(|| string_end(container, start)).flatten() else {
                return Ok(());
            };
            key = Some(&container[start..end]);
            at = end;
        }
        let Some((value, end)) = element_start(container, at).and_then(|start| value_at(container, start)) else {
            return Ok(());
        };
        each(key, value)?;
        at = end;
    }
}

fn starts_value(byte: u8) -> bool {
    matches!(byte, b'"' | b'{' | b'[' | b't' | b'f' | b'n' | b'+' | b'-' | b'0'..=b'9' | b'i' | b'I' | b'N')
}

/// A word or number: its kind, and the index behind it.
fn plain(json: &[u8], start: usize) -> (Kind, usize) {
    let kind = match json[start] {
        b't' => Kind::True,
        b'f' => Kind::False,
        // `nan` is no JSON, but a number to those who write it.
        b'n' if json.get(start + 1).is_none_or(|&next| next == b'u') => Kind::Null,
        _ => Kind::Number,
    };
    let end = match kind {
        Kind::Number => find(json, start + 1, |byte| matches!(byte, 0..=b' ' | b',' | b']' | b'}')),
        _ => find(json, start + 1, |byte| !byte.is_ascii_lowercase()),
    };
    (kind, end.unwrap_or(json.len()))
}
