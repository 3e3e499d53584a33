//! Percent encoding, with the parts of a URL told apart.

/// Where a text stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part {
    Fragment,
    Host,
    Path,
    User,
}

pub(super) fn escape(text: &[u8], part: Part) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if is_plain(*byte, part) {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

/// Nothing if an escape is broken, or if a host holds what a host may not.
pub(super) fn unescape(text: &[u8], part: Part) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            if part == Part::Host && byte.is_ascii() && !is_plain(*byte, part) {
                return None;
            }
            out.push(*byte);
            continue;
        }
        let mut digit = || char::from(*bytes.next()?).to_digit(16);
        let code = u8::try_from(digit()? << 4 | digit()?).ok()?;
        // Escapes in a host are for bytes outside ASCII only.
        if part == Part::Host && code.is_ascii() {
            return None;
        }
        out.push(code);
    }
    Some(out)
}

fn is_plain(byte: u8, part: Part) -> bool {
    match byte {
        b'-' | b'_' | b'.' | b'~' | b'$' | b'&' | b'+' | b',' | b';' | b'=' => true,
        b'/' | b':' | b'@' => part != Part::User && (part != Part::Host || byte == b':'),
        b'?' => part == Part::Fragment,
        b'!' | b'(' | b')' | b'*' => matches!(part, Part::Fragment | Part::Host),
        b'\'' | b'[' | b']' | b'<' | b'>' | b'"' => part == Part::Host,
        other => other.is_ascii_alphanumeric(),
    }
}
