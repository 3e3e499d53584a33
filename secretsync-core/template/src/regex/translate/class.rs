//! Classes in brackets. Every member is written as a code point, because the engine gives meaning to characters
//! that Go takes as they are: `[`, `&&`, `--`, `~~`.

use super::{Reader, escape};
use crate::regex::RegexError;

const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// Reads the class at `[`.
pub(super) fn bracketed(reader: &mut Reader<'_>) -> Result<(), RegexError> {
    let start = reader.at;
    reader.at += 1;
    let mut spelled = String::from(if reader.take("^") { "[^" } else { "[" });
    let mut is_first = true;
    while is_first || !reader.take("]") {
        is_first = false;
        if let Some(class) = posix(reader)? {
            spelled.push_str(&class);
        } else if reader.rest().starts_with('\\')
            && let Some(class) = escape::class(reader)?
        {
            spelled.push_str(&class);
        } else {
            spelled.push_str(&range(reader, start)?);
        }
    }
    spelled.push(']');
    reader.item(&spelled);
    Ok(())
}

/// Reads a member or a range of members.
fn range(reader: &mut Reader<'_>, class: usize) -> Result<String, RegexError> {
    let start = reader.at;
    let low = member(reader, class)?;
    let rest = reader.rest();
    let high = if rest.starts_with('-') && rest.len() > 1 && !rest.starts_with("-]") {
        reader.at += 1;
        member(reader, class)?
    } else {
        low
    };
    if high < low {
        return reader.error("invalid character class range", start);
    }
    Ok(format!("\\x{{{:X}}}-\\x{{{:X}}}", u32::from(low), u32::from(high)))
}

fn member(reader: &mut Reader<'_>, class: usize) -> Result<char, RegexError> {
    match reader.peek() {
        None => reader.error("missing closing ]", class),
        Some('\\') => escape::character(reader),
        Some(c) => {
            reader.at += c.len_utf8();
            Ok(c)
        }
    }
}

/// Reads `[:name:]` or `[:^name:]`; none if that is not what comes.
fn posix(reader: &mut Reader<'_>) -> Result<Option<String>, RegexError> {
    let start = reader.at;
    let Some((name, _)) = reader.rest().strip_prefix("[:").and_then(|rest| rest.split_once(":]")) else {
        return Ok(None);
    };
    reader.at += name.len() + 4;
    if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return reader.error("invalid character class range", start);
    }
    Ok(Some(format!("[:{name}:]")))
}
