//! An error with its causes, and how they are printed: each message once.

use std::error::Error as StdError;

/// An error and its causes, the outermost first.
pub fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn StdError + 'static) = *error;
        error.source()
    })
}

/// The error and its causes joined by `: `. A cause whose text already ends the line is left out.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    for cause in causes(error).skip(1) {
        let message = cause.to_string();
        if !message.is_empty() && !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
    }
    text
}

/// [`chain`] with line breaks, control characters and those that change the direction of a text replaced by blanks, for tables, log lines and statuses.
pub fn one_line(error: &(dyn StdError + 'static)) -> String {
    let disturbs = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    chain(error).chars().map(|c| if disturbs(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    #[test]
    fn a_name_from_outside_neither_breaks_the_line_nor_turns_it_around() {
        let error = Error::new(ErrorKind::NotFound, "read").on("`a\n\u{202e}b\u{2028}c`").because("d\te\u{0}");
        assert_eq!(one_line(&error), "failed to read `a  b c`: d e ");
    }
}
