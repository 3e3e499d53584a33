//! How the matches of a regular expression begin, as far as its text tells: by that AWS shortens its lists.

/// The plain text that every match of an expression begins with.
pub(super) fn beginning(expression: &str) -> String {
    let Some(rest) = expression.strip_prefix('^').or_else(|| expression.strip_prefix(r"\A")) else {
        return String::new();
    };
    if may_branch(rest) {
        return String::new();
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_/@=-".contains(letter);
    let (mut text, mut letters) = (String::new(), rest.chars().peekable());
    while let Some(letter) = letters.next() {
        match letter {
            letter if plain(letter) => text.push(letter),
            '\\' if letters.peek().is_some_and(|letter| "./@=+-_".contains(*letter)) => text.extend(letters.next()),
            // A letter that may be missing, or come again, is none to rely on.
            '*' | '?' | '{' => {
                text.pop();
                break;
            }
            _ => break,
        }
    }
    text
}

/// Whether an expression, seen from outside of its groups, may offer a choice. In doubt it may.
fn may_branch(expression: &str) -> bool {
    let (mut depth, mut class) = (0_usize, false);
    let mut letters = expression.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            // What stands between `\Q` and `\E`, and names of classes, have rules of their own.
            '\\' if letters.next() == Some('Q') => return true,
            '[' if class => return true,
            '[' => {
                class = true;
                // A bracket that comes first is a member.
                letters.next_if_eq(&'^');
                letters.next_if_eq(&']');
            }
            ']' => class = false,
            '(' if !class => depth += 1,
            ')' if !class => depth = depth.saturating_sub(1),
            '|' if !class && depth == 0 => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchored_expression_tells_how_its_matches_begin() {
        for (expression, text) in [
            ("^app/db", "app/db"),
            ("^app/db$", "app/db"),
            ("^app/.*", "app/"),
            ("^ap*", "a"),
            ("^ap?x", "a"),
            ("^ap+", "ap"),
            ("^app{2}", "ap"),
            ("app", ""),
            ("^a|b", ""),
            ("^(a|b)", ""),
            ("^(?i)app", ""),
            ("^app\\.x", "app.x"),
            (r"\Aapp/", "app/"),
            ("^app/(x|y)$", "app/"),
            ("^app/[|x]", "app/"),
            (r"^app/\|x", "app/"),
            ("^app/([)x]|y)", "app/"),
            ("^app/[]|]", "app/"),
            (r"^app\+?", "app"),
            ("^app/(x)|y", ""),
            (r"^app\Q(\E|y", ""),
            ("^app[[:alpha:]]|x", ""),
        ] {
            assert_eq!(beginning(expression), text, "{expression}");
        }
    }
}
