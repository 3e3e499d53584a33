//! A template of addresses.

use thiserror::Error;

/// A template of addresses, compared segment by segment: `kv/teams/{namespace}/**`.
///
/// - `{namespace}` is the namespace of the sync;
/// - `*` is any one segment;
/// - `**`, at the end only, is one or more segments: everything below;
/// - every other segment is itself, letter by letter. Nothing is unescaped or folded, and `*`, `{` and `}` inside a segment are refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyTemplate {
    text: String,
    segments: Vec<Segment>,
    below: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Segment {
    Any,
    Namespace,
    Text(String),
}

/// Why a text is no [`KeyTemplate`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum InvalidKeyTemplate {
    /// `**` before the end.
    #[error("`**` may only be the last segment")]
    BelowInside,
    /// A segment that is empty, `.` or `..`: no address has one.
    #[error("a segment is empty, `.` or `..`")]
    Dots,
    /// No text.
    #[error("must not be empty")]
    Empty,
    /// A wildcard or a brace that is not the whole segment.
    #[error("`*`, `**` and `{{namespace}}` must be whole segments, and there are no other placeholders")]
    Part,
    /// A control character.
    #[error("has a control character")]
    Unprintable,
}

impl KeyTemplate {
    /// Reads a template. A leading slash counts: some providers have names that begin with one.
    pub fn parse(text: &str) -> Result<Self, InvalidKeyTemplate> {
        if text.is_empty() {
            return Err(InvalidKeyTemplate::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidKeyTemplate::Unprintable);
        }
        let (front, below) = match text.strip_suffix("/**") {
            Some(front) => (front, true),
            None if text == "**" => return Ok(Self { text: text.to_owned(), segments: Vec::new(), below: true }),
            None => (text, false),
        };
        let segments = front.split('/').enumerate().map(|(place, segment)| Segment::parse(place, segment));
        let segments: Vec<_> = segments.collect::<Result<_, _>>()?;
        if !below && segments == [Segment::Text(String::new())] {
            return Err(InvalidKeyTemplate::Dots);
        }
        Ok(Self { text: text.to_owned(), segments, below })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches an address for this namespace.
    pub(super) fn matches(&self, namespace: &str, address: &[&str]) -> bool {
        let (length, least) = (address.len(), self.segments.len());
        let long_enough = if self.below { length > least } else { length == least };
        long_enough && self.fits(namespace, address)
    }

    /// Whether it may match something below a folder.
    pub(super) fn reaches(&self, namespace: &str, folder: &[&str]) -> bool {
        (self.below || folder.len() < self.segments.len()) && self.fits(namespace, folder)
    }

    /// Whether the two agree as far as both go.
    fn fits(&self, namespace: &str, address: &[&str]) -> bool {
        self.segments.iter().zip(address).all(|(segment, found)| segment.matches(namespace, found))
    }
}

impl Segment {
    fn parse(place: usize, text: &str) -> Result<Self, InvalidKeyTemplate> {
        match text {
            "*" => Ok(Self::Any),
            "{namespace}" => Ok(Self::Namespace),
            "**" => Err(InvalidKeyTemplate::BelowInside),
            "." | ".." => Err(InvalidKeyTemplate::Dots),
            "" if place > 0 => Err(InvalidKeyTemplate::Dots),
            _ if text.contains(['*', '{', '}']) => Err(InvalidKeyTemplate::Part),
            _ => Ok(Self::Text(text.to_owned())),
        }
    }

    fn matches(&self, namespace: &str, found: &str) -> bool {
        match self {
            Self::Any => !found.is_empty(),
            // Nobody is granted the nameless.
            Self::Namespace => !found.is_empty() && found == namespace,
            Self::Text(text) => text == found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_could_be_read_in_two_ways_are_refused() {
        use InvalidKeyTemplate::{BelowInside, Dots, Empty, Part, Unprintable};
        for (text, expected) in [
            ("", Empty),
            ("/", Dots),
            ("kv/", Dots),
            ("kv//x", Dots),
            ("//x", Dots),
            ("kv/../x", Dots),
            ("./x", Dots),
            ("kv/**/x", BelowInside),
            ("**/x", BelowInside),
            ("**/**", BelowInside),
            ("kv/app-*", Part),
            ("kv/***", Part),
            ("kv/team-{namespace}", Part),
            ("kv/{name}", Part),
            ("kv/{ namespace }", Part),
            ("kv/{Namespace}/x", Part),
            ("kv/{namespace", Part),
            ("kv/{{namespace}}/x", Part),
            ("kv/a\nb", Unprintable),
            ("kv/a\u{0}", Unprintable),
        ] {
            assert_eq!(KeyTemplate::parse(text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn texts_are_kept_as_they_are_written() {
        for text in ["**", "*", "{namespace}", "kv", "kv/a b", "/kv/x", "/**", "kv/%2e/...", "kv/{namespace}/*/**"] {
            assert_eq!(KeyTemplate::parse(text).map(|template| template.as_str().to_owned()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn everything_is_two_stars_alone() {
        let all = KeyTemplate::parse("**").unwrap();
        assert!(all.matches("n", &["a"]) && all.matches("n", &["a", "b"]) && all.matches("n", &["", "a"]));
        assert!(all.reaches("n", &[]));
    }
}
