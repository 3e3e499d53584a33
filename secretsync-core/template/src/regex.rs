//! Go's regular expressions: RE2 syntax over the `regex` crate, and Go's rules of replacement.
//!
//! Both engines agree on what matches; they differ in how patterns are written. [`GoRegex`] reads a pattern as Go does,
//! refuses what Go refuses in Go's words, and hands the engine a spelling that means the same to it.

use std::error::Error as StdError;
use std::fmt;
use std::ops::Range;

use regex::bytes::{Captures, Regex, RegexBuilder};

use self::expand::Piece;
use self::translate::Translation;

mod expand;
mod subject;
mod translate;

pub(crate) use subject::Subject;

/// How large a compiled pattern may be, in bytes.
const SIZE_LIMIT: usize = 10 << 20;
/// How much of a pattern an error shows, in characters.
const LONGEST_PART: usize = 200;
/// What Go says of a pattern that is too large.
const TOO_LARGE: &str = "expression too large";

/// A regular expression in Go's syntax.
///
/// `\d`, `\w`, `\s` and `\b` know ASCII only, there is no look-around and no back-reference, matching takes linear time.
///
/// ```
/// use secretsync_template::GoRegex;
///
/// let regex = GoRegex::new(r"^app-(?P<name>\w+)$")?;
/// assert!(regex.is_match("app-db"));
/// assert_eq!(regex.replace_all("app-db", "${name}_password"), "db_password");
/// assert!(GoRegex::new("(?=look)").is_err());
/// # Ok::<(), secretsync_template::RegexError>(())
/// ```
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
        Self::with_limit(pattern, SIZE_LIMIT)
    }

    /// Reads a pattern whose compiled form may have so many bytes.
    pub(crate) fn with_limit(pattern: &str, bytes: usize) -> Result<Self, RegexError> {
        let Translation { pattern: translated, names } = translate::translate(pattern)?;
        let regex = RegexBuilder::new(&translated).size_limit(bytes).build().map_err(|error| {
            let problem = match error {
                regex::Error::CompiledTooBig(_) => TOO_LARGE,
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
        let replacement = self.replacement(template.as_bytes());
        let mut replaced = Vec::with_capacity(text.len());
        let mut copied = 0;
        for found in self.matches(text) {
            replaced.extend_from_slice(&text.as_bytes()[copied..found.range().start]);
            found.expand(&replacement, |group| &text.as_bytes()[group], |piece| replaced.extend_from_slice(piece));
            copied = found.range().end;
        }
        replaced.extend_from_slice(&text.as_bytes()[copied..]);
        // Every piece was cut at characters.
        String::from_utf8_lossy(&replaced).into_owned()
    }

    /// Reads what replaces a match.
    pub(crate) fn replacement<'t>(&self, template: &'t [u8]) -> Replacement<'t> {
        Replacement(expand::pieces(template, &self.names))
    }

    /// Every match, as Go counts them: none that is empty right behind another.
    pub(crate) fn matches<'r, 't>(&'r self, text: &'t str) -> Matches<'r, 't> {
        Matches { regex: self, text, from: 0, last_end: None }
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
}

/// The matches of a pattern in a text, from left to right.
pub(crate) struct Matches<'r, 't> {
    regex: &'r GoRegex,
    text: &'t str,
    /// Where to look on; beyond the text when there is nothing more.
    from: usize,
    last_end: Option<usize>,
}

/// One match.
pub(crate) struct Match<'t>(Captures<'t>);

/// What replaces a match, for one pattern.
pub(crate) struct Replacement<'t>(Vec<Piece<'t>>);

impl Replacement<'_> {
    /// How many parts it has: the work of one replacement.
    pub(crate) fn parts(&self) -> usize {
        self.0.len()
    }
}

impl<'t> Iterator for Matches<'_, 't> {
    type Item = Match<'t>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.from <= self.text.len() {
            let Some(captures) = self.regex.captures_from(self.text, self.from) else {
                self.from = self.text.len() + 1;
                return None;
            };
            let Range { start, end } = captures.get_match().range();
            let width = self.text[self.from..].chars().next().map_or(1, char::len_utf8);
            self.from = if end == self.from { end + width } else { end };
            if self.last_end.replace(end) != Some(start) || start < end {
                return Some(Match(captures));
            }
        }
        None
    }
}

impl Match<'_> {
    /// Where it is.
    pub(crate) fn range(&self) -> Range<usize> {
        self.0.get_match().range()
    }

    /// Appends what replaces it; `text` gives what a group matched by its place.
    pub(crate) fn expand<'v>(
        &self,
        replacement: &Replacement<'_>,
        text: impl Fn(Range<usize>) -> &'v [u8],
        mut append: impl FnMut(&[u8]),
    ) {
        for piece in &replacement.0 {
            match piece {
                Piece::Groups(groups) => {
                    let found = groups.iter().find_map(|index| self.0.get(*index));
                    append(found.map_or(&[][..], |found| text(found.range())));
                }
                Piece::Text(text) => append(text),
            }
        }
    }
}

/// Why a pattern was refused, in Go's words. Shows the part of the pattern that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RegexError {
    problem: &'static str,
    part: String,
}

impl RegexError {
    fn new(problem: &'static str, part: &str) -> Self {
        Self { problem, part: part.chars().take(LONGEST_PART).collect() }
    }

    /// What is wrong, without the pattern.
    pub(crate) fn problem(&self) -> &'static str {
        self.problem
    }

    pub(crate) fn is_too_large(&self) -> bool {
        self.problem == TOO_LARGE
    }
}

impl fmt::Display for RegexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error parsing regexp: {}: `{}`", self.problem, self.part)
    }
}

impl StdError for RegexError {}

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
    fn go_syntax_means_what_it_means_to_go() {
        for (pattern, text, matches) in [
            ("^a{01}$", "a{01}", true),
            ("^a{,2}$", "a{,2}", true),
            ("^a{,2}$", "aa", false),
            ("^\\d+?$", "12", true),
            ("^\\d$", "\u{661}", false),
            ("^[a-c&&b]+$", "a&c", true),
            ("^(?P<n>x)\\Q.*\\E$", "x.*", true),
            ("^[]a-]+$", "]a-", true),
            ("a\\Bé", "aé", false),
            ("a\\bé", "aé", true),
        ] {
            assert_eq!(GoRegex::new(pattern).unwrap().is_match(text), matches, "{pattern}");
        }
        for pattern in ["(?=a)", "(a)\\1", "a**", "a{1001}", "(?x)a", "[b-a]", "\\Z", "[[:nope:]]", "a\\"] {
            assert!(GoRegex::new(pattern).is_err(), "{pattern}");
        }
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
