//! Values of an env file, in the form that most readers agree on.
//!
//! | Value | Form | Who reads another value |
//! |---|---|---|
//! | of letters, digits, `_ . / : @ % + , = -` only | `KEY=value` | nobody |
//! | without `'`, not ending in `\` | `KEY='value'` | python-dotenv, where it contains `\\` or `${…}` |
//! | with `'` and without `" \ $` and back quote | `KEY="value"` | nobody |
//! | all else: `'` beside one of these, or a `\` at the end | `KEY="value"`, each of them after a `\` | see below |
//!
//! Compared were dash, bash, python-dotenv 1.2, dotenv 18 and `--env-file` of Node 20, godotenv 1.5 and compose-go 2.16. `sh` always reads the value. Of the
//! last form `"` and `\` are read by python-dotenv and compose, `$` by godotenv and compose, a back quote by godotenv, and a `\` at the end by python-dotenv and
//! compose, so a value that must be the same everywhere should not need it. A carriage return is kept by `sh` and compose alone.

use zeroize::Zeroizing;

/// The text that stands for `value` behind `KEY=`.
pub(super) fn quote(value: &str) -> Zeroizing<String> {
    // One allocation, so that no outgrown copy is left behind unwiped.
    let mut text = Zeroizing::new(String::with_capacity(2 * value.len() + 2));
    if !value.is_empty() && value.chars().all(is_plain) {
        text.push_str(value);
    } else if !value.contains('\'') && !value.ends_with('\\') {
        text.push('\'');
        text.push_str(value);
        text.push('\'');
    } else {
        text.push('"');
        for c in value.chars() {
            if is_special(c) {
                text.push('\\');
            }
            text.push(c);
        }
        text.push('"');
    }
    text
}

/// Reads what [`quote`] wrote at the beginning of `text`: the value, and how long its text is. `None` for any other form.
pub(super) fn unquote(text: &str) -> Option<(Zeroizing<String>, usize)> {
    if let Some(rest) = text.strip_prefix('\'') {
        let end = rest.find('\'')?;
        return Some((Zeroizing::new(rest[..end].to_owned()), end + 2));
    }
    let Some(rest) = text.strip_prefix('"') else {
        let end = text.find(|c| !is_plain(c)).unwrap_or(text.len());
        return (end > 0).then(|| (Zeroizing::new(text[..end].to_owned()), end));
    };
    let mut escaped = false;
    let end = rest.find(|c| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    })?;
    let mut value = Zeroizing::new(String::with_capacity(end));
    let mut chars = rest[..end].chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => value.push(chars.next().filter(|c| is_special(*c))?),
            '$' | '`' => return None,
            other => value.push(other),
        }
    }
    Some((value, end + 2))
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_./:@%+,=-".contains(c)
}

fn is_special(c: char) -> bool {
    matches!(c, '"' | '\\' | '$' | '`')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_kind_of_value_has_its_form() {
        for (value, text) in [
            ("", "''"),
            ("https://u:p@host/x?", "'https://u:p@host/x?'"),
            ("aGVsbG8=", "aGVsbG8="),
            ("~", "'~'"),
            ("a b", "'a b'"),
            ("$HOME `id` \\n \"x\" #", "'$HOME `id` \\n \"x\" #'"),
            ("line\nline\n", "'line\nline\n'"),
            ("it's", "\"it's\""),
            ("it's $1 \"x\" \\ `y`", "\"it's \\$1 \\\"x\\\" \\\\ \\`y\\`\""),
            ("end\\", "\"end\\\\\""),
        ] {
            assert_eq!(quote(value).as_str(), text);
        }
    }

    #[test]
    fn forms_that_are_not_ours_are_not_read() {
        for text in ["", " a", "'open", "\"open", "\"$x\"", "\"\\n\"", "\"`id`\""] {
            assert!(unquote(text).is_none(), "{text}");
        }
        assert_eq!(unquote("a b").unwrap().1, 1, "the caller sees that something follows");
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_back_whole(value in "[ -~\n\t'\"\\\\$`ä]{0,40}") {
            let text = quote(&value);
            let (read, length) = unquote(&format!("{}\nNEXT='x'\n", text.as_str())).unwrap();
            prop_assert_eq!((read.as_str(), length), (value.as_str(), text.len()));
        }
    }
}
