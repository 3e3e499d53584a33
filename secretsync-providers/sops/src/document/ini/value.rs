//! The value of a key in an INI document.

use std::borrow::Cow;

use super::Lines;

/// A value, and the comment behind it.
pub(super) struct Value<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) comment: &'a str,
}

/// Reads what follows the separator, and further lines where the value goes on there. The error says what is wrong.
pub(super) fn read<'a>(after: &'a str, lines: &mut Lines<'a>) -> Result<Value<'a>, &'static str> {
    let line = after.trim_start();
    let quote = match line.as_bytes() {
        [] => return Ok(Value { text: "".into(), comment: "" }),
        [b'"', b'"', b'"', _, ..] => "\"\"\"",
        [b'`', ..] => "`",
        _ => return Ok(unquoted(line.trim(), lines)),
    };
    let inside = &line[quote.len()..];
    match inside.rfind(quote) {
        Some(end) => Ok(Value { text: inside[..end].into(), comment: "" }),
        None => several_lines(inside, quote, lines),
    }
}

/// A quoted value that is closed on a later line.
fn several_lines<'a>(first: &'a str, quote: &str, lines: &mut Lines<'a>) -> Result<Value<'a>, &'static str> {
    let mut text = first.to_owned();
    for line in lines {
        let Some(end) = line.rfind(quote) else {
            text.push_str(line);
            continue;
        };
        text.push_str(&line[..end]);
        let comment = line[end..].find(['#', ';']).map_or("", |at| line[end + at..].trim());
        return Ok(Value { text: text.into(), comment });
    }
    Err("a value is not closed")
}

fn unquoted<'a>(line: &'a str, lines: &mut Lines<'a>) -> Value<'a> {
    if let Some(start) = line.strip_suffix('\\') {
        return Value { text: continued(start, lines).into(), comment: "" };
    }
    let (text, comment) = line.find(['#', ';']).map_or((line, ""), |at| (line[..at].trim_end(), &line[at..]));
    let bare = ['"', '\''].into_iter().find_map(|quote| {
        let inside = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inside.contains(quote)).then_some(inside)
    });
    Value { text: bare.unwrap_or(text).into(), comment }
}

/// A value that goes on in the next line: a backslash ends each line but the last.
fn continued<'a>(start: &'a str, lines: &mut Lines<'a>) -> String {
    let mut text = start.to_owned();
    for line in lines {
        let line = line.trim();
        let more = line.strip_suffix('\\');
        text.push_str(more.unwrap_or(line));
        if more.is_none() {
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> (String, String) {
        let mut lines = Lines { rest: text, number: 0 };
        let first = lines.next().unwrap_or_default();
        let Value { text, comment } = read(first, &mut lines).unwrap();
        (text.into_owned(), comment.to_owned())
    }

    #[test]
    fn quotes_comments_and_continued_lines_are_taken_apart() {
        for (text, expected, comment) in [
            (" v \n", "v", ""),
            ("\n", "", ""),
            ("a # b", "a", "# b"),
            ("a#b", "a", "#b"),
            ("'a'", "a", ""),
            ("\" a \"", " a ", ""),
            ("\"a\" b\"", "\"a\" b\"", ""),
            ("\"", "\"", ""),
            ("`a#;b` x", "a#;b", ""),
            ("`a`b`", "a`b", ""),
            ("\"\"\"a\"\"\"", "a", ""),
            ("\"\"\"a\n b\nc\"\"\" ; d\n", "a\n b\nc", "; d"),
            ("a \\\n  b\\\n c\nd", "a bc", ""),
        ] {
            assert_eq!(value(text), (expected.to_owned(), comment.to_owned()), "{text:?}");
        }
    }
}
