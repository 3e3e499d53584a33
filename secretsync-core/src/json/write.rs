//! Tree to bytes, in the form of Go's `encoding/json`.

use zeroize::Zeroizing;

use super::{Buffer, Json, Overflow, quote};

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
        Json::String(text) => quote(text.expose().as_bytes(), out),
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
                quote(key.as_bytes(), out)?;
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
