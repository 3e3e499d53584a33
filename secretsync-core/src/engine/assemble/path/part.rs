//! The first part of a path, as an object reads it and as a list reads it.

use std::borrow::Cow;

use super::{modifier, query::Query};

/// What follows a part.
#[derive(Clone, Copy)]
pub(super) enum Next<'p> {
    End,
    /// A path into the value that was found.
    Dot(&'p [u8]),
    /// A path for the result as a whole.
    Pipe(&'p [u8]),
}

impl<'p> Next<'p> {
    pub(super) fn is_dot(self) -> bool {
        matches!(self, Self::Dot(_))
    }

    pub(super) fn pipe(self) -> Option<&'p [u8]> {
        match self {
            Self::Pipe(path) => Some(path),
            Self::Dot(_) | Self::End => None,
        }
    }

    /// Reads on behind the dot at `at`. Modifiers and multipaths take the whole result, as behind a pipe.
    fn after_dot(path: &'p [u8], at: usize) -> Self {
        let rest = &path[at + 1..];
        if modifier::starts_at(rest) || matches!(rest.first(), Some(b'[' | b'{')) {
            Self::Pipe(rest)
        } else {
            Self::Dot(rest)
        }
    }
}

/// A part that selects members of an object.
pub(super) struct KeyPart<'p> {
    pub(super) name: Cow<'p, [u8]>,
    /// Whether `*` and `?` in the name stand for other characters.
    pub(super) is_pattern: bool,
    pub(super) next: Next<'p>,
}

impl<'p> KeyPart<'p> {
    pub(super) fn read(path: &'p [u8]) -> Self {
        let mut name = Cow::Borrowed(&path[..0]);
        let mut is_pattern = false;
        let mut next = Next::End;
        let mut at = 0;
        while let Some(&byte) = path.get(at) {
            match byte {
                b'|' => next = Next::Pipe(&path[at + 1..]),
                b'.' => next = Next::after_dot(path, at),
                b'\\' => {
                    if let Some(&escaped) = path.get(at + 1) {
                        name.to_mut().push(escaped);
                    } else {
                        name.to_mut();
                    }
                    at += 2;
                    continue;
                }
                _ => {
                    is_pattern |= matches!(byte, b'*' | b'?');
                    at += 1;
                    match &mut name {
                        Cow::Borrowed(name) => *name = &path[..at],
                        Cow::Owned(name) => name.push(byte),
                    }
                    continue;
                }
            }
            break;
        }
        Self { name, is_pattern, next }
    }
}

/// A part that selects elements of a list.
pub(super) struct ListPart<'p> {
    pub(super) select: Select<'p>,
    pub(super) next: Next<'p>,
}

/// Which elements of a list are meant.
pub(super) enum Select<'p> {
    /// The number of elements: `#`.
    Count,
    /// The result of a path in each element: `#.path`.
    Each(&'p [u8]),
    /// The element of this index, if it is one.
    Index(Option<usize>),
    /// No element: a part with `#` in a place where it means nothing.
    Nothing,
    /// The first element, or all elements, for which a condition holds: `#(…)`, `#(…)#`.
    Query(Query<'p>),
}

impl<'p> ListPart<'p> {
    pub(super) fn read(path: &'p [u8]) -> Self {
        if let Some(rest) = path.strip_prefix(b"#.") {
            return Self { select: Select::Each(rest), next: Next::Dot(rest) };
        }
        if let [b'#', b'(' | b'[', ..] = path {
            return match Query::read(path) {
                Some((query, length)) => Self { next: next(path, length, true).1, select: Select::Query(query) },
                None => Self { select: Select::Query(Query::default()), next: Next::End },
            };
        }
        let (end, next) = next(path, 0, false);
        let part = &path[..end];
        let select = match part {
            b"#" => Select::Count,
            _ if part.contains(&b'#') => Select::Nothing,
            _ => Select::Index(index(part)),
        };
        Self { select, next }
    }
}

/// Finds the end of the part. Behind `#` a dot never leads to a modifier for the whole result.
fn next(path: &[u8], from: usize, mut counts: bool) -> (usize, Next<'_>) {
    for at in from..path.len() {
        match path[at] {
            b'|' => return (at, Next::Pipe(&path[at + 1..])),
            b'.' if counts => return (at, Next::Dot(&path[at + 1..])),
            b'.' => return (at, Next::after_dot(path, at)),
            b'#' => counts = true,
            _ => {}
        }
    }
    (path.len(), Next::End)
}

fn index(part: &[u8]) -> Option<usize> {
    let digits = std::str::from_utf8(part).ok().filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}
