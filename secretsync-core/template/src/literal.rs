//! Go's literals: numbers with prefixes and underscores, quoted texts and characters.

/// A text between double quotes or backquotes, quotes included. Nothing if it is no Go text.
pub(crate) fn unquote(literal: &str) -> Option<Vec<u8>> {
    let inner = literal.get(1..literal.len().checked_sub(1)?)?;
    if literal.starts_with('`') {
        return Some(inner.bytes().filter(|byte| *byte != b'\r').collect());
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while !rest.is_empty() {
        rest = unquote_one(rest, '"', &mut out)?;
    }
    Some(out)
}

/// A character between single quotes, quotes included.
pub(crate) fn unquote_character(literal: &str) -> Option<i64> {
    let inner = literal.get(1..literal.len().checked_sub(1)?)?;
    let mut bytes = Vec::new();
    if !unquote_one(inner, '\'', &mut bytes)?.is_empty() {
        return None;
    }
    // `'\xff'` is one byte, any other character its code point.
    match std::str::from_utf8(&bytes) {
        Ok(text) => text.chars().next().map(|character| i64::from(u32::from(character))),
        Err(_) => bytes.first().map(|byte| i64::from(*byte)),
    }
}

/// Takes one character or escape off `text`, appends its bytes and gives the rest.
fn unquote_one<'t>(text: &'t str, quote: char, out: &mut Vec<u8>) -> Option<&'t str> {
    let mut characters = text.chars();
    let character = characters.next()?;
    if character == quote || character == '\n' {
        return None;
    }
    if character != '\\' {
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        return Some(characters.as_str());
    }
    let escape = characters.next()?;
    let rest = characters.as_str();
    let simple = match escape {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        '\'' | '"' if escape == quote => u8::try_from(escape).ok()?,
        'x' => return byte_escape(rest, 2, 16, out),
        '0'..='7' => return byte_escape(&text[1..], 3, 8, out),
        'u' => return character_escape(rest, 4, out),
        'U' => return character_escape(rest, 8, out),
        _ => return None,
    };
    out.push(simple);
    Some(rest)
}

fn byte_escape<'t>(rest: &'t str, digits: usize, radix: u32, out: &mut Vec<u8>) -> Option<&'t str> {
    let (number, rest) = digits_of(rest, digits, radix)?;
    out.push(u8::try_from(number).ok()?);
    Some(rest)
}

fn character_escape<'t>(rest: &'t str, digits: usize, out: &mut Vec<u8>) -> Option<&'t str> {
    let (number, rest) = digits_of(rest, digits, 16)?;
    let character = char::from_u32(number)?;
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(rest)
}

fn digits_of(text: &str, count: usize, radix: u32) -> Option<(u32, &str)> {
    let digits = text.get(..count)?;
    if digits.starts_with('+') {
        return None;
    }
    Some((u32::from_str_radix(digits, radix).ok()?, &text[count..]))
}

/// Why a text is no integer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NumberError {
    Range,
    Syntax,
}

/// An unsigned integer with Go's prefixes (`0x`, `0o`, `0b`, a leading `0` for octal) and underscores.
pub(crate) fn parse_unsigned(text: &str) -> Result<u64, NumberError> {
    let (radix, digits) = match text.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &text[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &text[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &text[2..]),
        [b'0', _, ..] => (8, &text[1..]),
        _ => (10, text),
    };
    if digits.starts_with('+') || !underscores_fit(text) {
        return Err(NumberError::Syntax);
    }
    let digits: String = digits.chars().filter(|c| *c != '_').collect();
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(NumberError::Syntax);
    }
    u64::from_str_radix(&digits, radix).map_err(|_| NumberError::Range)
}

/// A signed integer with Go's prefixes and underscores.
pub(crate) fn parse_integer(text: &str) -> Result<i64, NumberError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let size = i128::from(parse_unsigned(digits)?);
    i64::try_from(if negative { -size } else { size }).map_err(|_| NumberError::Range)
}

/// A floating-point number in Go's decimal or hexadecimal syntax, also `inf` and `nan`.
pub(crate) fn parse_float(text: &str) -> Result<f64, NumberError> {
    let (sign, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    match magnitude.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => return Ok(sign * f64::INFINITY),
        "nan" => return Ok(f64::NAN),
        _ => {}
    }
    if !underscores_fit(magnitude) {
        return Err(NumberError::Syntax);
    }
    let plain: String = magnitude.chars().filter(|c| *c != '_').collect();
    let value = match plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
        Some(digits) => parse_hexadecimal_float(digits).ok_or(NumberError::Syntax)?,
        None if plain.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            plain.parse().map_err(|_| NumberError::Syntax)?
        }
        None => return Err(NumberError::Syntax),
    };
    if value.is_infinite() { Err(NumberError::Range) } else { Ok(sign * value) }
}

/// `h.hhp±d` without its prefix. Digits beyond 128 bits only move the exponent.
fn parse_hexadecimal_float(text: &str) -> Option<f64> {
    let at = text.find(['p', 'P'])?;
    let mut exponent: i32 = text[at + 1..].parse().ok()?;
    let (whole, fraction) = text[..at].split_once('.').unwrap_or((&text[..at], ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut mantissa: u128 = 0;
    for (digits, step) in [(whole, 0), (fraction, -4)] {
        for digit in digits.chars() {
            let digit = digit.to_digit(16)?;
            if mantissa >> 120 == 0 {
                mantissa = mantissa << 4 | u128::from(digit);
                exponent = exponent.saturating_add(step);
            } else {
                exponent = exponent.saturating_add(step + 4);
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "rounding to the nearest float is what the literal means")]
    let value = mantissa as f64;
    let half = exponent.clamp(-4000, 4000) / 2;
    Some(value * 2f64.powi(half) * 2f64.powi(exponent.clamp(-4000, 4000) - half))
}

/// Whether every underscore stands between digits, or between a base prefix and a digit.
fn underscores_fit(text: &str) -> bool {
    if !text.contains('_') {
        return true;
    }
    let bytes = text.as_bytes();
    let prefixed = matches!(bytes, [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', ..]);
    let digits = if prefixed { &bytes[2..] } else { bytes };
    let mut previous = if prefixed { b'0' } else { b'!' };
    for byte in digits {
        let digit = byte.is_ascii_digit() || (prefixed && byte.is_ascii_hexdigit());
        let previous_digit = previous.is_ascii_hexdigit() && (prefixed || previous.is_ascii_digit());
        if (*byte == b'_' && !previous_digit) || (previous == b'_' && !digit) {
            return false;
        }
        previous = *byte;
    }
    previous != b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_take_every_go_prefix() {
        let cases = [("0x1F", 31), ("0b11", 3), ("0o17", 15), ("017", 15), ("-0", 0), ("1_000", 1000), ("0x_1", 1)];
        for (text, value) in cases {
            assert_eq!(parse_integer(text), Ok(value), "{text}");
        }
        for text in ["", "08", "1__0", "_1", "1_", "0x", "+-1", "1e3"] {
            assert_eq!(parse_integer(text), Err(NumberError::Syntax), "{text}");
        }
        assert_eq!(parse_integer("9223372036854775808"), Err(NumberError::Range));
    }

    #[test]
    fn floats_take_decimal_and_hexadecimal_form() {
        for (text, value) in
            [("1e3", 1000.0), (".5", 0.5), ("5.", 5.0), ("0x1p-2", 0.25), ("0x1.8p1", 3.0), ("1_0.5", 10.5)]
        {
            assert_eq!(parse_float(text), Ok(value), "{text}");
        }
        for text in ["", ".", "1e", "0x1", "1_.5", "e5"] {
            assert_eq!(parse_float(text), Err(NumberError::Syntax), "{text}");
        }
    }

    #[test]
    fn texts_know_every_escape() {
        assert_eq!(unquote(r#""\a\x41\101é\U0001F600\"""#), Some("\x07AAé😀\"".as_bytes().to_vec()));
        assert_eq!(unquote("`a\r\n\\n`"), Some(b"a\n\\n".to_vec()));
        for bad in [r#""\'""#, r#""\q""#, r#""\xg0""#, r#""\ud800""#, r#""\400""#] {
            assert_eq!(unquote(bad), None, "{bad}");
        }
        assert_eq!(unquote_character(r"'\''"), Some(39));
        assert_eq!(unquote_character("'ab'"), None);
    }
}
