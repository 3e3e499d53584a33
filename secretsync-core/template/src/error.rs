//! What a template can fail with: class, place, construct and advice, never a value.

use std::fmt;

use crate::tree::Span;

/// Why a template could not be parsed or rendered.
///
/// `Display` is one line in the form of Go's engine (`template: key:1:4: executing "key" at <.user>: …`). Line and column count from 1,
/// the column in bytes. No part of an error is taken from the data: only the template's own text, type names, and the names of the keys
/// of the root map (in [`Error::hint`]).
#[derive(Clone)]
pub struct Error(Box<Details>);

#[derive(Clone)]
struct Details {
    class: ErrorClass,
    template: String,
    definition: Option<String>,
    line: u32,
    column: u32,
    construct: String,
    excerpt: Excerpt,
    message: String,
    hint: Option<String>,
    limit: Option<&'static str>,
}

/// The line of the template that failed, as far as it fits a terminal.
#[derive(Clone)]
struct Excerpt {
    text: String,
    /// Characters before what failed, and of what failed.
    before: usize,
    marked: usize,
}

/// The kinds of failure a caller can tell apart.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ErrorClass {
    /// Rendering failed: wrong argument count or type, a function that fails, an undefined nested template.
    Execute,
    /// The text names a function that does not exist. Found while parsing.
    Function,
    /// The template or its result exceeds one of the [`Limits`](crate::Limits).
    Limit,
    /// A field names a key that the data does not have.
    MissingKey,
    /// The text is no valid template. Found while parsing.
    Parse,
}

impl Error {
    /// The kind of failure.
    pub fn class(&self) -> ErrorClass {
        self.0.class
    }

    /// Name of the template as given to [`Template::parse`](crate::Template::parse).
    pub fn template(&self) -> &str {
        &self.0.template
    }

    /// Line in the template's text, from 1.
    pub fn line(&self) -> u32 {
        self.0.line
    }

    /// Column in that line in bytes, from 1.
    pub fn column(&self) -> u32 {
        self.0.column
    }

    /// The piece of the template's text that failed, shortened; empty where the text ends too early.
    pub fn construct(&self) -> &str {
        &self.0.construct
    }

    /// The line of the template's text that failed, with carets below what failed, as compilers show it. Several lines, each ended; nothing of the
    /// data. Long lines are cut around the place, and control characters replaced.
    ///
    /// ```
    /// use secretsync_template::{Template, Value};
    ///
    /// let template = Template::parse("url", "# 1\npostgres://{{ .usr }}@db")?;
    /// let error = template.render(&Value::string_map([("user".to_owned(), "ada".into())])).unwrap_err();
    /// assert_eq!(error.snippet(), "  |\n2 | postgres://{{ .usr }}@db\n  |               ^^^^\n");
    /// # Ok::<(), secretsync_template::Error>(())
    /// ```
    pub fn snippet(&self) -> String {
        let Details { line, excerpt: Excerpt { text, before, marked }, .. } = &*self.0;
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        format!("{gutter} |\n{number} | {text}\n{gutter} | {}{}\n", " ".repeat(*before), "^".repeat(*marked))
    }

    /// What went wrong, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it, where that can be told.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Name of the field of [`Limits`](crate::Limits) that was exceeded.
    pub fn limit(&self) -> Option<&'static str> {
        self.0.limit
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { template, definition, line, column, construct, message, .. } = &*self.0;
        write!(f, "template: {template}:{line}:{column}: ")?;
        if let Some(definition) = definition {
            write!(f, "executing {definition:?} at <{construct}>: ")?;
        }
        f.write_str(message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("class", &self.0.class)
            .field("text", &self.to_string())
            .field("hint", &self.0.hint)
            .finish()
    }
}

impl std::error::Error for Error {}

impl Excerpt {
    /// The line from `line_start` on, with `start..end` marked as far as it lies in this line.
    fn of(text: &str, line_start: usize, start: usize, end: usize) -> Self {
        let rest = text.get(line_start..).unwrap_or_default();
        let line = rest.split(['\n', '\r']).next().unwrap_or_default();
        let inside = |at: usize| line.floor_char_boundary(at.saturating_sub(line_start));
        let (start, end) = (inside(start), inside(end));
        let before = line[..start].chars().count();
        let marked = line[start..end.max(start)].trim_end().chars().count().clamp(1, EXCERPT_CHARACTERS / 2);
        let from =
            if line.chars().count() > EXCERPT_CHARACTERS { before.saturating_sub(EXCERPT_CHARACTERS / 3) } else { 0 };
        let mut characters = line.chars().skip(from);
        let mut shown = String::from(if from > 0 { "…" } else { "" });
        let printable = |c: char| {
            if c == '\t' {
                ' '
            } else if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        };
        shown.extend(characters.by_ref().take(EXCERPT_CHARACTERS).map(printable));
        if characters.next().is_some() {
            shown.push('…');
        }
        Self { text: shown, before: before - from + usize::from(from > 0), marked }
    }
}

/// A failure that does not know its place yet.
#[derive(Debug)]
pub(crate) struct Failure(Box<FailureDetails>);

#[derive(Debug)]
struct FailureDetails {
    class: ErrorClass,
    message: String,
    hint: Option<String>,
    limit: Option<&'static str>,
}

impl Failure {
    /// `message` must hold nothing that comes from the data.
    pub(crate) fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self(Box::new(FailureDetails { class, message: message.into(), hint: None, limit: None }))
    }

    pub(crate) fn execute(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Execute, message)
    }

    pub(crate) fn parse(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Parse, message)
    }

    pub(crate) fn limit(name: &'static str, most: usize) -> Self {
        let mut failure = Self::new(ErrorClass::Limit, format!("more than the limit `{name}` of {most} allows"));
        failure.0.limit = Some(name);
        failure
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Whether a function may turn this failure into a value: limits always end the rendering.
    pub(crate) fn is_limit(&self) -> bool {
        self.0.class == ErrorClass::Limit
    }

    pub(crate) fn in_function(mut self, name: &str) -> Self {
        self.0.message = format!("error calling {name}: {}", self.0.message);
        self
    }

    /// Adds the place: `start..end` are byte offsets in `text`.
    pub(crate) fn at(self, template: &str, definition: Option<&str>, text: &str, start: usize, end: usize) -> Error {
        let start = start.min(text.len());
        let before = &text.as_bytes()[..start];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = before.split(|byte| *byte == b'\n').count();
        let FailureDetails { class, message, hint, limit } = *self.0;
        Error(Box::new(Details {
            class,
            template: template.to_owned(),
            definition: definition.map(ToOwned::to_owned),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(start - line_start + 1).unwrap_or(u32::MAX),
            construct: shortened(text.get(start..end.min(text.len())).unwrap_or_default()),
            excerpt: Excerpt::of(text, line_start, start, end),
            message,
            hint,
            limit,
        }))
    }
}

/// A failure and the text it is about.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) failure: Failure,
    pub(crate) span: Span,
}

/// One line of at most [`CONSTRUCT_BYTES`] bytes.
fn shortened(text: &str) -> String {
    let mut end = text.find('\n').unwrap_or(text.len());
    let cut = end > CONSTRUCT_BYTES || end < text.len();
    end = end.min(CONSTRUCT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut line = text[..end].trim_end().to_owned();
    if cut {
        line.push('…');
    }
    line
}

/// The name among `known` that `wanted` was probably meant to be.
pub(crate) fn nearest<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (wanted.len() / 3).clamp(1, 3);
    known
        .filter(|name| name.len().abs_diff(wanted.len()) <= most && name.len() <= 64)
        .map(|name| (distance(wanted, name), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Edits (insert, delete, replace; case ignored) between two names.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(!x.eq_ignore_ascii_case(y));
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

const CONSTRUCT_BYTES: usize = 60;
const EXCERPT_CHARACTERS: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_gets_line_and_column_in_bytes() {
        let error = Failure::execute("broken").at("key", Some("key"), "é\nab {{.x}}", 8, 10);
        assert_eq!(error.to_string(), "template: key:2:6: executing \"key\" at <.x>: broken");
    }

    #[test]
    fn a_long_construct_is_cut_at_a_character() {
        let text = "é".repeat(50);
        let error = Failure::parse("broken").at("key", None, &text, 0, text.len());
        assert_eq!(error.construct(), format!("{}…", "é".repeat(30)));
    }

    #[test]
    fn the_snippet_marks_what_failed_in_its_line() {
        let long = format!("{}{{{{ .nope }}}}{}", "a".repeat(500), "b".repeat(500));
        for (text, start, end, expected) in [
            ("x\n\té{{.ab}}z\ny", 7, 10, "  |\n2 |  é{{.ab}}z\n  |     ^^^\n"),
            ("{{if", 4, 4, "  |\n1 | {{if\n  |     ^\n"),
            ("a{{\n.b}}", 1, 8, "  |\n1 | a{{\n  |  ^^\n"),
            ("", 0, 0, "  |\n1 | \n  | ^\n"),
            ("\u{1b}[31m{{.a}}\r\n", 7, 9, "  |\n1 | \u{fffd}[31m{{.a}}\n  |        ^^\n"),
        ] {
            assert_eq!(Failure::execute("broken").at("key", None, text, start, end).snippet(), expected, "{text:?}");
        }
        let snippet = Failure::execute("broken").at("key", None, &long, 503, 508).snippet();
        let lines: Vec<Vec<char>> = snippet.lines().map(|line| line.chars().collect()).collect();
        let marked: String = lines[1].iter().zip(&lines[2]).filter(|(_, mark)| **mark == '^').map(|(c, _)| c).collect();
        assert!(marked == ".nope" && lines[1].len() < 130, "{snippet}");
    }

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        let known = ["toYaml", "toJson", "trim"];
        assert_eq!(nearest("toyaml", known.into_iter()), Some("toYaml"));
        assert_eq!(nearest("tojsn", known.into_iter()), Some("toJson"));
        assert_eq!(nearest("frobnicate", known.into_iter()), None);
    }
}
