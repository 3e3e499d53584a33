//! Results made from several paths, `[a,b]` and `{a,"x":b}`, and literals, `!value`.

use zeroize::Zeroizing;

use super::eval::Evaluator;
use super::{PathError, scan};
use crate::json::{Buffer, quote};

/// One path of a multipath, and the name of its result in an object.
pub(super) struct Member<'p> {
    name: &'p [u8],
    path: &'p [u8],
}

/// Reads the multipath at the start of `path`; returns its members and what follows it, unless it never ends.
pub(super) fn members(path: &[u8]) -> Option<(Vec<Member<'_>>, &[u8])> {
    let mut members = Vec::new();
    let (mut start, mut colon, mut in_modifier, mut depth, mut at) = (1, None, false, 1, 1);
    while let Some(byte) = path.get(at) {
        match byte {
            b'\\' => at += 1,
            b'@' if matches!(path[at - 1], b'.' | b'|') => in_modifier = true,
            b':' if !in_modifier && colon.is_none() && depth == 1 => colon = Some(at),
            b',' if depth == 1 => {
                members.push(member(path, start, colon, at));
                (start, colon, in_modifier) = (at + 1, None, false);
            }
            b'"' => at = scan::string_end(path, at)? - 1,
            b'[' | b'(' | b'{' => depth += 1,
            b']' | b')' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    members.push(member(path, start, colon, at));
                    return Some((members, &path[at + 1..]));
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn member(path: &[u8], start: usize, colon: Option<usize>, end: usize) -> Member<'_> {
    match colon {
        Some(colon) => Member { name: &path[start..colon], path: &path[colon + 1..end] },
        None => Member { name: b"", path: &path[start..end] },
    }
}

/// Builds the list or object, as `bracket` says, of what the members find in `json`.
pub(super) fn build(
    evaluator: &mut Evaluator,
    json: &[u8],
    bracket: u8,
    members: &[Member<'_>],
) -> Result<Zeroizing<Vec<u8>>, PathError> {
    let mut out = Buffer::new(usize::MAX);
    evaluator.put(&mut out, &[bracket])?;
    let mut separator: &[u8] = b"";
    for member in members {
        let value = evaluator.get(json, member.path)?;
        if !value.exists() {
            continue;
        }
        evaluator.put(&mut out, separator)?;
        separator = b",";
        if bracket == b'{' {
            evaluator.put(&mut out, &member.key()?)?;
            evaluator.put(&mut out, b":")?;
        }
        evaluator.put(&mut out, value.raw.bytes())?;
    }
    // `]` and `}` are two places behind their partners.
    evaluator.put(&mut out, &[bracket + 2])?;
    Ok(out.into_bytes())
}

impl Member<'_> {
    /// The key in JSON: as given, else the last part of the path if that is a plain name.
    fn key(&self) -> Result<Zeroizing<Vec<u8>>, PathError> {
        if self.name.starts_with(b"\"") && is_json(self.name) {
            return Ok(Zeroizing::new(self.name.to_vec()));
        }
        let last = last_part(self.path);
        let name = match self.name {
            b"" if is_plain(last) => last,
            b"" => b"_",
            name => name,
        };
        let mut out = Buffer::new(usize::MAX);
        quote(name, &mut out)?;
        Ok(out.into_bytes())
    }
}

/// Tells whether the whole text is one JSON value.
pub(super) fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
}

fn last_part(path: &[u8]) -> &[u8] {
    let separator = (0..path.len()).rfind(|&at| matches!(path[at], b'.' | b'|') && (at == 0 || path[at - 1] != b'\\'));
    separator.map_or(path, |at| &path[at + 1..])
}

fn is_plain(name: &[u8]) -> bool {
    !name.iter().any(|byte| byte.is_ascii_control() && *byte != 0x7f || b"[]{}()#|!".contains(byte))
}

/// Reads the literal at the start of `path`; returns its JSON text and what follows it.
pub(super) fn literal(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = path.strip_prefix(b"!")?;
    if let [b'{' | b'[' | b'"' | b'+' | b'-' | b'0'..=b'9', ..] = text {
        return Some(text.split_at(scan::bracket_end(text, 0)));
    }
    let end = scan::find(text, 0, |byte| matches!(byte, b'.' | b'|')).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let known = [&b"true"[..], b"false", b"null", b"nan", b"inf"];
    known.iter().any(|known| word.eq_ignore_ascii_case(known)).then_some((word, rest))
}

/// Splits a path at the first pipe that is not inside a condition; the part behind it is for the whole result.
pub(super) fn split_pipe(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    let pipe = if path.first() == Some(&b'{') {
        // As gjson has it: a multipath is measured from its first member, so one that starts with a quoted name or a
        // bracket keeps its pipe.
        let end = match path.get(1) {
            Some(b'"') => scan::string_end(path, 1).unwrap_or(path.len()),
            _ => scan::bracket_end(path, 1),
        };
        (path.get(end) == Some(&b'|')).then_some(end)
    } else {
        outer_pipe(path)
    };
    pipe.map_or((path, None), |at| (&path[..at], Some(&path[at + 1..])))
}

fn outer_pipe(path: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(byte) = path.get(at) {
        match byte {
            b'\\' => at += 1,
            b'|' => return Some(at),
            b'.' if matches!(path[at + 1..], [b'#', b'(' | b'[', ..]) => at = condition_end(path, at + 2),
            b'.' if path.get(at + 1) == Some(&b'#') => at += 2,
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the condition closes whose bracket is at `open`.
fn condition_end(path: &[u8], open: usize) -> usize {
    let (opening, closing) = if path[open] == b'(' { (b'(', b')') } else { (b'[', b']') };
    let (mut depth, mut at) = (0, open);
    while let Some(&byte) = path.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' => at = scan::string_end(path, at).map_or(path.len(), |end| end - 1),
            byte if byte == opening => depth += 1,
            byte if byte == closing => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
        at += 1;
    }
    path.len()
}
