//! Go's regular expressions: RE2 syntax over the `regex` crate, and Go's rules of replacement.
//!
//! Both engines agree on what matches; they differ in how patterns are written. [`GoRegex`] reads a pattern as Go does,
//! refuses what Go refuses in Go's words, and hands the engine a spelling that means the same to it.

use regex::bytes::{Captures, Regex, RegexBuilder};
use thiserror::Error;

use self::translate::Translation;

mod template;
mod translate;

/// How large a compiled pattern may be, in bytes.
const SIZE_LIMIT: usize = 10 << 20;
/// How much of a pattern an error shows, in characters.
const LONGEST_PART: usize = 200;

/// A regular expression in Go's syntax.
///
/// `\d`, `\w`, `\s` and `\b` know ASCII only, there is no look-around and no back-reference, matching takes linear time.
#[derive(Clone, Debug)]
pub struct GoRegex {
    regex: Regex,
    /// The names of the groups, the whole match included; Go's names may start with a digit, the engine's may not.
    names: Vec<Option<String>>,
}

impl GoRegex {
    /// Reads and compiles a pattern.
    ///
    /// # Errors
    ///
    /// [`RegexError`] if Go would refuse the pattern, or if its compiled form is too large.
    pub fn new(pattern: &str) -> Result<Self, RegexError> {
        let Translation { pattern: translated, names } = translate::translate(pattern)?;
        let regex = RegexBuilder::new(&translated).size_limit(SIZE_LIMIT).build().map_err(|error| {
            let problem = match error {
                regex::Error::CompiledTooBig(_) => "expression too large",
                // Nothing else gets through the translation.
                _ => "expression nests too deeply",
            };
            RegexError::new(problem, pattern)
        })?;
        Ok(Self { regex, names })
    }

    /// Tells whether the pattern matches anywhere in `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.captures_from(text, 0).is_some()
    }

    /// Replaces every match by `template`, in which `$1`, `${1}`, `$name` and `${name}` stand for what a group matched
    /// and `$$` for a dollar sign.
    ///
    /// A name without braces is as long as possible (`$1x` is the group named `1x`); a group that does not exist or
    /// did not match is empty. An empty match right behind a match is not replaced, so `(.*)` matches a text once.
    pub fn replace_all(&self, text: &str, template: &str) -> String {
        let mut replaced = String::with_capacity(text.len());
        let (mut copied, mut from) = (0, 0);
        while let Some(captures) = self.captures_from(text, from) {
            let whole = captures.get_match();
            replaced.push_str(&text[copied..whole.start()]);
            if whole.end() > copied || whole.start() == 0 {
                template::expand(template, |group| self.group(text, &captures, group), &mut replaced);
            }
            copied = whole.end();
            let width = text[from..].chars().next().map_or(1, char::len_utf8);
            from = copied.max(from + width);
            if from > text.len() {
                break;
            }
        }
        replaced.push_str(&text[copied..]);
        replaced
    }

    /// Finds the first match from `start` on that does not start inside a character, as an empty one could.
    fn captures_from<'t>(&self, text: &'t str, mut start: usize) -> Option<Captures<'t>> {
        loop {
            let captures = self.regex.captures_at(text.as_bytes(), start)?;
            let found = captures.get_match();
            if text.is_char_boundary(found.start()) {
                return Some(captures);
            }
            start = found.start() + 1;
        }
    }

    /// What a group matched. Of several groups with one name it is the first that matched.
    fn group<'t>(&self, text: &'t str, captures: &Captures<'_>, group: template::Group<'_>) -> &'t str {
        let found = match group {
            template::Group::Index(index) => captures.get(index),
            template::Group::Name(name) => self
                .names
                .iter()
                .enumerate()
                .filter(|(_, known)| known.as_deref() == Some(name))
                .find_map(|(index, _)| captures.get(index)),
        };
        found.map_or("", |found| &text[found.range()])
    }
}

/// Why a pattern was refused, in Go's words. Shows the part of the pattern that is wrong: patterns are no secrets.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("error parsing regexp: {problem}: `{part}`")]
pub struct RegexError {
    problem: &'static str,
    part: String,
}

impl RegexError {
    fn new(problem: &'static str, part: &str) -> Self {
        Self { problem, part: part.chars().take(LONGEST_PART).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of Go 1.26: `match` and `replaced` of `text` by `template`, or the `error` of the pattern.
    #[test]
    fn patterns_mean_what_they_mean_to_go() {
        let mut count = 0;
        for line in include_str!("../tests/regex.jsonl").lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let part = |name: &str| case[name].as_str().unwrap_or_default();
            let regex = GoRegex::new(part("pattern"));
            let error = regex.as_ref().err().map(ToString::to_string);
            assert_eq!(error.as_deref(), case["error"].as_str(), "for {case}");
            if let Ok(regex) = regex {
                assert_eq!(regex.is_match(part("text")), case["match"], "for {case}");
                assert_eq!(regex.replace_all(part("text"), part("template")), part("replaced"), "for {case}");
            }
            count += 1;
        }
        assert!(count > 150, "only {count} answers");
    }

    #[test]
    fn patterns_that_would_need_too_much_memory_are_refused() {
        for (pattern, problem) in [
            ("(\\pL{1000}){1000}".to_owned(), "expression too large"),
            ("((((a{100}){100}){100}){100}){100}".to_owned(), "expression too large"),
            (format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000)), "expression nests too deeply"),
        ] {
            let error = GoRegex::new(&pattern).unwrap_err();
            assert_eq!(error.problem, problem, "for {}", &pattern[..20]);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_pattern_text_or_template_panics(
            wild: String,
            pieces in proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..12),
            text: String,
            template in "[${}1x_é]{0,8}",
        ) {
            for pattern in [wild, pieces.concat()] {
                if let Ok(regex) = GoRegex::new(&pattern) {
                    regex.is_match(&text);
                    regex.replace_all(&text, &template);
                }
            }
        }
    }

    const PIECES: [&str; 40] = [
        "a", "é", "(", "(?:", "(?i)", "(?P<n>", "(?<", "(?", ")", "|", "*", "+", "?", "{2}", "{", "}", "{1,", "^", "$",
        "\\d", "\\W", "\\b", "\\B", "\\p", "\\pL", "\\p{", "\\Q", "\\E", "\\x", "\\x{", "\\0", "[", "[^", "]", "[:",
        ":]", "-", "\\", ".*", "&&",
    ];
}
