//! Tree to bytes, in the form of Go's `encoding/json`.

use zeroize::Zeroizing;

use super::{Buffer, Json, Overflow};

pub(super) fn to_bytes(json: &Json) -> Zeroizing<Vec<u8>> {
    match json {
        Json::Null => Zeroizing::default(),
        Json::String(text) => Zeroizing::new(text.expose().as_bytes().to_vec()),
        other => compact(other),
    }
}

pub(super) fn compact(json: &Json) -> Zeroizing<Vec<u8>> {
    let mut out = Buffer::new(usize::MAX);
    // Nothing is longer than the address space, so nothing overflows.
    match value(json, &mut out) {
        Ok(()) | Err(Overflow) => out.into_bytes(),
    }
}

fn value(json: &Json, out: &mut Buffer) -> Result<(), Overflow> {
    match json {
        Json::Null => out.extend(b"null"),
        Json::Bool(true) => out.extend(b"true"),
        Json::Bool(false) => out.extend(b"false"),
        Json::Number(number) => out.extend(number.expose().as_bytes()),
        Json::String(text) => string(text.expose(), out),
        Json::Array(items) => {
            out.push(b'[')?;
            for (index, item) in items.iter().enumerate() {
                separator(index, out)?;
                value(item, out)?;
            }
            out.push(b']')
        }
        Json::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|&(key, _)| key);
            out.push(b'{')?;
            for (index, (key, member)) in sorted.into_iter().enumerate() {
                separator(index, out)?;
                string(key, out)?;
                out.push(b':')?;
                value(member, out)?;
            }
            out.push(b'}')
        }
    }
}

fn separator(index: usize, out: &mut Buffer) -> Result<(), Overflow> {
    if index > 0 { out.push(b',') } else { Ok(()) }
}

fn string(text: &str, out: &mut Buffer) -> Result<(), Overflow> {
    out.push(b'"')?;
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        let Some(escape) = escape(c) else { continue };
        out.extend(&text.as_bytes()[plain..at])?;
        out.extend(escape.as_bytes())?;
        plain = at + c.len_utf8();
    }
    out.extend(&text.as_bytes()[plain..])?;
    out.push(b'"')
}

/// What Go writes instead of `c`, if anything. U+007F stays as it is.
fn escape(c: char) -> Option<&'static str> {
    const CONTROLS: [&str; 32] = [
        "\\u0000", "\\u0001", "\\u0002", "\\u0003", "\\u0004", "\\u0005", "\\u0006", "\\u0007", "\\b", "\\t", "\\n",
        "\\u000b", "\\f", "\\r", "\\u000e", "\\u000f", "\\u0010", "\\u0011", "\\u0012", "\\u0013", "\\u0014",
        "\\u0015", "\\u0016", "\\u0017", "\\u0018", "\\u0019", "\\u001a", "\\u001b", "\\u001c", "\\u001d", "\\u001e",
        "\\u001f",
    ];
    match c {
        '"' => Some("\\\""),
        '\\' => Some("\\\\"),
        '<' => Some("\\u003c"),
        '>' => Some("\\u003e"),
        '&' => Some("\\u0026"),
        '\u{2028}' => Some("\\u2028"),
        '\u{2029}' => Some("\\u2029"),
        c => CONTROLS.get(c as usize).copied(),
    }
}
