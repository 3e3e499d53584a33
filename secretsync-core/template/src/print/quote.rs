//! Go's quoting of texts and characters.

use std::fmt::Write;

use crate::value::Buffer;

/// Appends a text between double quotes with Go's escapes; `ascii` escapes everything else too.
pub(crate) fn append(out: &mut Buffer, text: &[u8], ascii: bool) {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    let plain = text.iter().take_while(|byte| is_plain(byte)).count();
    out.push(b'"');
    out.extend(&text[..plain]);
    for chunk in text[plain..].utf8_chunks() {
        for character in chunk.valid().chars() {
            append_character(out, character, '"', ascii);
        }
        for byte in chunk.invalid() {
            append_hex(out, *byte);
        }
    }
    out.push(b'"');
}

/// Appends a character between single quotes.
pub(super) fn append_single(out: &mut Buffer, character: char, ascii: bool) {
    out.push(b'\'');
    append_character(out, character, '\'', ascii);
    out.push(b'\'');
}

fn append_character(out: &mut Buffer, character: char, quote: char, ascii: bool) {
    let code = u32::from(character);
    match character {
        '\\' => out.extend(b"\\\\"),
        '\x07' => out.extend(b"\\a"),
        '\x08' => out.extend(b"\\b"),
        '\x0c' => out.extend(b"\\f"),
        '\n' => out.extend(b"\\n"),
        '\r' => out.extend(b"\\r"),
        '\t' => out.extend(b"\\t"),
        '\x0b' => out.extend(b"\\v"),
        c if c == quote => {
            out.push(b'\\');
            out.push_char(c);
        }
        c if is_printable(c) && (c.is_ascii() || !ascii) => out.push_char(c),
        c if c.is_ascii() => append_hex(out, u8::try_from(code).unwrap_or_default()),
        _ if code < 0x1_0000 => append_code(out, 'u', 4, code),
        _ => append_code(out, 'U', 8, code),
    }
}

fn append_hex(out: &mut Buffer, byte: u8) {
    append_code(out, 'x', 2, u32::from(byte));
}

fn append_code(out: &mut Buffer, letter: char, digits: usize, code: u32) {
    // Writing to memory cannot fail.
    let _ = write!(out, "\\{letter}{code:0digits$x}");
}

/// Whether Go prints the character as it is: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub(crate) fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    // The standard library escapes exactly what is not printable, and marks only at the start of a text.
    let mut text = String::from("a");
    text.push(character);
    text.escape_debug().count() == 2
}

/// Whether a text can stand between backquotes unchanged.
pub(super) fn fits_backquotes(text: &[u8]) -> bool {
    std::str::from_utf8(text)
        .is_ok_and(|text| text.chars().all(|c| c != '`' && c != '\u{feff}' && c != '\x7f' && (c == '\t' || c >= ' ')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_escapes_what_go_escapes() {
        let mut out = Buffer::default();
        append(&mut out, "a\"\\\n\x01é\u{301}\u{200b}\u{a0}😀".as_bytes(), false);
        out.push(b' ');
        append(&mut out, b"\xff", false);
        append(&mut out, "é".as_bytes(), true);
        let text = "\"a\\\"\\\\\\n\\x01é\u{301}\\u200b\\u00a0😀\" \"\\xff\"\"\\u00e9\"";
        assert_eq!(std::str::from_utf8(&out), Ok(text));
    }
}
