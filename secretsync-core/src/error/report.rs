//! Prints an error with its causes, each message once.

use std::error::Error as StdError;

/// The error and its causes joined by `: `. A cause whose text already ends the line is left out.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let message = cause.to_string();
        if !message.is_empty() && !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = cause.source();
    }
    text
}

/// [`chain`] with line breaks and control characters replaced by blanks, for tables and log lines.
pub fn one_line(error: &(dyn StdError + 'static)) -> String {
    chain(error).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
