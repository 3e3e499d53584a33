//! What follows a backslash.

use regex::bytes::Regex;

use super::{Last, Reader};
use crate::regex::RegexError;

/// Reads an escape outside brackets.
pub(super) fn outside_class(reader: &mut Reader<'_>) -> Result<(), RegexError> {
    if let Some(class) = class(reader)? {
        reader.item(&class);
        return Ok(());
    }
    let item = match reader.rest().as_bytes().get(1) {
        Some(b'A') => "\\A",
        Some(b'z') => "\\z",
        Some(b'b') => "(?-u:\\b)",
        Some(b'B') => "(?-u:\\B)",
        Some(b'Q') => {
            quoted(reader);
            return Ok(());
        }
        _ => {
            let c = character(reader)?;
            reader.literal(c);
            return Ok(());
        }
    };
    reader.at += 2;
    reader.item(item);
    Ok(())
}

/// `\Q…\E`: everything as it stands.
fn quoted(reader: &mut Reader<'_>) {
    reader.at += 2;
    let text = reader.rest();
    let (quoted, length) = text.split_once("\\E").map_or((text, text.len()), |(text, _)| (text, text.len() + 2));
    for c in quoted.chars() {
        reader.literal(c);
    }
    if quoted.is_empty() && matches!(reader.last, Last::Repetition(_)) {
        reader.last = Last::Item;
    }
    reader.at += length;
}

/// Reads `\d`, `\pL` and their like, inside brackets or outside; none if the escape is no class.
pub(super) fn class(reader: &mut Reader<'_>) -> Result<Option<String>, RegexError> {
    let members = match reader.rest().as_bytes().get(1).map(u8::to_ascii_lowercase) {
        Some(b'd') => "0-9",
        Some(b's') => "\\t\\n\\x0C\\r ",
        Some(b'w') => "0-9A-Za-z_",
        Some(b'p') => return unicode(reader).map(Some),
        _ => return Ok(None),
    };
    let negation = if reader.rest().as_bytes()[1].is_ascii_uppercase() { "^" } else { "" };
    reader.at += 2;
    Ok(Some(format!("[{negation}{members}]")))
}

/// `\pL`, `\p{Greek}`, `\p{^Greek}`, and `\P` for their opposites. The engine knows which names exist.
fn unicode(reader: &mut Reader<'_>) -> Result<String, RegexError> {
    let start = reader.at;
    let mut negated = reader.rest().starts_with("\\P");
    reader.at += 2;
    let name = if reader.take("{") {
        let Some((name, _)) = reader.rest().split_once('}') else {
            reader.at = reader.source.len();
            return reader.error("invalid character class range", start);
        };
        reader.at += name.len() + 1;
        name
    } else {
        let length = reader.peek().map_or(0, char::len_utf8);
        reader.at += length;
        &reader.source[reader.at - length..reader.at]
    };
    let name = name.strip_prefix('^').map_or(name, |name| {
        negated = !negated;
        name
    });
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return reader.error("invalid character class range", start);
    }
    let spelled = format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' });
    if Regex::new(&spelled).is_err() {
        return reader.error("invalid character class range", start);
    }
    Ok(spelled)
}

/// Reads an escape that stands for one character.
pub(super) fn character(reader: &mut Reader<'_>) -> Result<char, RegexError> {
    let start = reader.at;
    reader.at += 1;
    let Some(c) = reader.peek() else {
        return Err(RegexError::new("trailing backslash at end of expression", ""));
    };
    reader.at += c.len_utf8();
    let next_is_octal = matches!(reader.peek(), Some('0'..='7'));
    match c {
        '0'..='7' if c == '0' || next_is_octal => Ok(octal(reader, c)),
        'x' => hexadecimal(reader, start),
        'a' => Ok('\x07'),
        'f' => Ok('\x0c'),
        'n' => Ok('\n'),
        'r' => Ok('\r'),
        't' => Ok('\t'),
        'v' => Ok('\x0b'),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok(c),
        _ => reader.error("invalid escape sequence", start),
    }
}

/// Up to three octal digits, of which the first has been read.
fn octal(reader: &mut Reader<'_>, first: char) -> char {
    let mut code = first.to_digit(8).unwrap_or(0);
    for _ in 0..2 {
        let Some(digit) = reader.peek().and_then(|c| c.to_digit(8)) else { break };
        code = code * 8 + digit;
        reader.at += 1;
    }
    char::from_u32(code).unwrap_or_default()
}

/// `\x7F` or `\x{10FFFF}`, of which `\x` has been read.
fn hexadecimal(reader: &mut Reader<'_>, start: usize) -> Result<char, RegexError> {
    let digits = if reader.take("{") {
        let rest = reader.rest();
        let length = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        reader.at += length;
        reader.take("}").then_some(&rest[..length])
    } else {
        let length = reader.rest().chars().take(2).map(char::len_utf8).sum();
        let digits = &reader.rest()[..length];
        reader.at += length;
        (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digits)
    };
    let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    match code.and_then(char::from_u32) {
        Some(c) => Ok(c),
        None => reader.error("invalid escape sequence", start),
    }
}
