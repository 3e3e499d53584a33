//! The patterns and lengths of the schema.

use std::fmt;

use crate::problems::Problems;

/// A name of an object: DNS labels joined by dots, at most 253 characters.
pub(super) fn dns_subdomain(path: impl fmt::Display, text: &str, problems: &mut Problems) {
    if !is_dns_subdomain(text) {
        problems.at(path, "must be lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit, at most 253 characters");
    }
}

/// A name of a namespace: one DNS label, at most 63 characters.
pub(super) fn dns_label(path: impl fmt::Display, text: &str, problems: &mut Problems) {
    if text.len() > 63 || !is_label(text) {
        problems.at(path, "must be lower-case letters, digits and `-`, beginning and ending with a letter or digit, at most 63 characters");
    }
}

/// A key of a Secret.
pub(super) fn secret_key(path: impl fmt::Display, text: &str, problems: &mut Problems) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if text.is_empty() || text.len() > 253 || !text.chars().all(allowed) {
        problems.at(path, "must be 1 to 253 of the characters A-Z a-z 0-9 - . _");
    }
}

/// Whether a text is the name of an object.
pub(crate) fn is_dns_subdomain(text: &str) -> bool {
    !text.is_empty() && text.len() <= 253 && text.split('.').all(is_label)
}

/// Whether a text is a schedule of a window.
pub(super) fn is_schedule(text: &str) -> bool {
    let field = |field: &str| !field.is_empty() && !field.contains(char::is_whitespace);
    match text.strip_prefix('@') {
        Some(name) => {
            let every =
                name.strip_prefix("every ").is_some_and(|rest| rest.chars().next().is_some_and(|c| !c.is_whitespace()));
            every || matches!(name, "annually" | "yearly" | "monthly" | "weekly" | "daily" | "midnight" | "hourly")
        }
        None => text.split(' ').count() == 5 && text.split(' ').all(field),
    }
}

fn is_label(label: &str) -> bool {
    let edge = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let bytes = label.as_bytes();
    edge(bytes.first().copied())
        && edge(bytes.last().copied())
        && bytes.iter().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_objects_follow_the_api_servers_pattern() {
        for good in ["a", "a-b.c", "1", "a.b.c", &"a".repeat(253)] {
            assert!(is_dns_subdomain(good), "{good}");
        }
        for bad in ["", ".", "..", "a..b", "-a", "a-", "a/b", "../a", "A", "a_b", "a.-b", "é", &"a".repeat(254)] {
            assert!(!is_dns_subdomain(bad), "{bad}");
        }
    }

    #[test]
    fn schedules_follow_the_schemas_pattern() {
        for good in ["* * * * *", "0 22 * * 1-5", "@daily", "@every 1h", "@hourly"] {
            assert!(is_schedule(good), "{good}");
        }
        for bad in ["", "* * * *", "* * * * * *", "*  * * * *", "@noon", "@every ", "@every", "daily", "*\t* * * *"] {
            assert!(!is_schedule(bad), "{bad}");
        }
    }
}
