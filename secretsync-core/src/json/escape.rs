//! The escapes of JSON strings, both ways, on bytes that need not be UTF-8.

use zeroize::Zeroizing;

use super::{Buffer, Overflow};

/// Writes `text` as a JSON string as Go does: HTML-safe, each byte that is not UTF-8 as the escape of U+FFFD.
pub(crate) fn quote(text: &[u8], out: &mut Buffer) -> Result<(), Overflow> {
    out.push(b'"')?;
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid();
        let mut plain = 0;
        for (at, c) in valid.char_indices() {
            let Some(escape) = escape(c) else { continue };
            out.extend(&valid.as_bytes()[plain..at])?;
            out.extend(escape.as_bytes())?;
            plain = at + c.len_utf8();
        }
        out.extend(&valid.as_bytes()[plain..])?;
        for _ in chunk.invalid() {
            out.extend(b"\\ufffd")?;
        }
    }
    out.push(b'"')
}

/// What Go writes instead of `c`, if anything. U+007F stays as it is.
fn escape(c: char) -> Option<&'static str> {
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

/// Reads the escapes of what stands between the quotes of a JSON string. An escape that JSON does not know stays as
/// it is, a lone surrogate becomes U+FFFD. Nothing grows: no escape is shorter than what it stands for.
pub(crate) fn unescape(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let Some(backslash) = rest.iter().position(|&byte| byte == b'\\') {
        out.extend_from_slice(&rest[..backslash]);
        rest = &rest[backslash..];
        let (c, length) = match rest.get(1) {
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(&c @ (b'"' | b'/' | b'\\')) => (char::from(c), 2),
            _ => unicode_escape(rest).unwrap_or(('\\', 1)),
        };
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[length..];
    }
    out.extend_from_slice(rest);
    out
}

/// Reads `\uXXXX`, or a pair of them, at the start of `text`; returns the character and the length of its escape.
fn unicode_escape(text: &[u8]) -> Option<(char, usize)> {
    let first = code_unit(text)?;
    if (0xd800..0xdc00).contains(&first)
        && let Some(second @ 0xdc00..0xe000) = text.get(6..).and_then(code_unit)
    {
        let c = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return Some((char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER), 12));
    }
    Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}

fn code_unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
}

const CONTROLS: [&str; 32] = [
    "\\u0000", "\\u0001", "\\u0002", "\\u0003", "\\u0004", "\\u0005", "\\u0006", "\\u0007", "\\b", "\\t", "\\n",
    "\\u000b", "\\f", "\\r", "\\u000e", "\\u000f", "\\u0010", "\\u0011", "\\u0012", "\\u0013", "\\u0014", "\\u0015",
    "\\u0016", "\\u0017", "\\u0018", "\\u0019", "\\u001a", "\\u001b", "\\u001c", "\\u001d", "\\u001e", "\\u001f",
];
