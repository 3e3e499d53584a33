//! Conditions on the elements of a list, and the pattern language of conditions and keys.

use std::borrow::Cow;

use super::eval::Evaluator;
use super::value::{Kind, Value, boolean, number, unquote};
use super::{PathError, scan};

#[derive(Clone, Copy, Default)]
enum Operator {
    #[default]
    Exists,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    Unlike,
    /// A lone `!`: holds for nothing.
    Never,
}

/// A condition: `#(path operator value)`.
#[derive(Default)]
pub(super) struct Query<'p> {
    path: &'p [u8],
    operator: Operator,
    operand: Cow<'p, [u8]>,
    /// Whether all elements are wanted, not only the first.
    pub(super) all: bool,
}

impl<'p> Query<'p> {
    /// Reads the condition at the start of `part`, which starts with `#(` or `#[`; returns it and its length, unless
    /// it never ends.
    pub(super) fn read(part: &'p [u8]) -> Option<(Self, usize)> {
        let bounds = Bounds::find(part)?;
        let end = bounds.close + 1;
        let all = part.get(end) == Some(&b'#');
        let Some(start) = bounds.operator else {
            let path = trim(&part[2..bounds.close]);
            return Some((Self { path, all, ..Self::default() }, end));
        };
        let (operator, operand) = operator(trim(&part[start..bounds.close]));
        let operand = match operand {
            [b'"', inner @ .., b'"'] if !bounds.escapes => Cow::Borrowed(inner),
            [b'"', _, ..] if operand.ends_with(b"\"") => Cow::Owned(unquote(operand).to_vec()),
            _ => Cow::Borrowed(operand),
        };
        Some((Self { path: trim(&part[2..start]), operator, operand, all }, end))
    }

    /// Tells whether the condition holds for `element`.
    pub(super) fn holds(&self, element: &Value<'_>, evaluator: &mut Evaluator) -> Result<bool, PathError> {
        if element.kind != Kind::Json {
            return if self.path.is_empty() { self.accepts(element, evaluator) } else { Ok(false) };
        }
        let value = evaluator.get(element.raw.bytes(), self.path)?;
        self.accepts(&value, evaluator)
    }

    fn accepts(&self, value: &Value<'_>, evaluator: &mut Evaluator) -> Result<bool, PathError> {
        if let Some(class) = self.operand.strip_prefix(b"~") {
            let Some(is_member) = in_class(value, class) else { return Ok(false) };
            return Ok(self.accepts_boolean(is_member, b"true"));
        }
        if !value.exists() {
            return Ok(false);
        }
        match value.kind {
            _ if matches!(self.operator, Operator::Exists) => Ok(true),
            Kind::String => self.accepts_text(&unquote(value.raw.bytes()), evaluator),
            Kind::Number => Ok(self.accepts_number(value.number())),
            Kind::True => Ok(self.accepts_boolean(true, &self.operand)),
            Kind::False => Ok(self.accepts_boolean(false, &self.operand)),
            Kind::Json | Kind::Null => Ok(false),
        }
    }

    fn accepts_text(&self, text: &[u8], evaluator: &mut Evaluator) -> Result<bool, PathError> {
        let operand = &*self.operand;
        Ok(match self.operator {
            Operator::Exists => true,
            Operator::Equal => text == operand,
            Operator::NotEqual => text != operand,
            Operator::Less => text < operand,
            Operator::LessOrEqual => text <= operand,
            Operator::Greater => text > operand,
            Operator::GreaterOrEqual => text >= operand,
            Operator::Like => matches_pattern(text, operand, evaluator)?,
            Operator::Unlike => !matches_pattern(text, operand, evaluator)?,
            Operator::Never => false,
        })
    }

    #[expect(clippy::float_cmp, reason = "the path language compares numbers exactly")]
    fn accepts_number(&self, value: f64) -> bool {
        let operand = number(&self.operand);
        match self.operator {
            Operator::Exists => true,
            Operator::Equal => value == operand,
            Operator::NotEqual => value != operand,
            Operator::Less => value < operand,
            Operator::LessOrEqual => value <= operand,
            Operator::Greater => value > operand,
            Operator::GreaterOrEqual => value >= operand,
            Operator::Like | Operator::Unlike | Operator::Never => false,
        }
    }

    fn accepts_boolean(&self, value: bool, operand: &[u8]) -> bool {
        let wanted: &[u8] = if value { b"true" } else { b"false" };
        let opposite: &[u8] = if value { b"false" } else { b"true" };
        match self.operator {
            Operator::Exists => true,
            Operator::Equal => operand == wanted,
            Operator::NotEqual => operand != wanted,
            Operator::Greater => value && operand == opposite,
            Operator::GreaterOrEqual => value,
            Operator::Less => !value && operand == opposite,
            Operator::LessOrEqual => !value,
            Operator::Like | Operator::Unlike | Operator::Never => false,
        }
    }
}

/// Tells whether `text` matches `pattern`: `*` stands for any text, `?` for any character, `\` takes the next
/// character as it is.
pub(super) fn matches_pattern(text: &[u8], pattern: &[u8], evaluator: &mut Evaluator) -> Result<bool, PathError> {
    let (mut text_at, mut pattern_at) = (0, 0);
    // Where to try again: behind the last star, with one more character given to it.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        evaluator.scan(1)?;
        if pattern.get(pattern_at) == Some(&b'*') {
            pattern_at += 1;
            retry = Some((text_at, pattern_at));
            continue;
        }
        if text_at == text.len() && pattern_at == pattern.len() {
            return Ok(true);
        }
        if let Some((text_used, pattern_used)) = step(&text[text_at..], &pattern[pattern_at..]) {
            text_at += text_used;
            pattern_at += pattern_used;
            continue;
        }
        match retry {
            Some((from, behind_star)) if from < text.len() => {
                text_at = from + character(&text[from..]);
                pattern_at = behind_star;
                retry = Some((text_at, behind_star));
            }
            _ => return Ok(false),
        }
    }
}

/// Matches one character; returns how many bytes of text and pattern it took.
fn step(text: &[u8], pattern: &[u8]) -> Option<(usize, usize)> {
    let (&first, _) = text.split_first()?;
    match *pattern {
        [b'?', ..] => Some((character(text), 1)),
        [b'\\', escaped, ..] if escaped == first => Some((1, 2)),
        [b'\\', ..] => None,
        [plain, ..] if plain == first => Some((1, 1)),
        _ => None,
    }
}

/// The length of the first character; a byte that is not UTF-8 counts as one.
fn character(text: &[u8]) -> usize {
    let head = &text[..text.len().min(4)];
    head.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next()).map_or(1, char::len_utf8)
}

/// Whether the value belongs to the class behind `~`; none if there is no such class.
fn in_class(value: &Value<'_>, class: &[u8]) -> Option<bool> {
    let truth = match value.kind {
        Kind::True => Some(true),
        Kind::False | Kind::Null => Some(false),
        Kind::Number => Some(value.number() != 0.0),
        Kind::String => boolean(&unquote(value.raw.bytes())),
        Kind::Json => None,
    };
    match class {
        b"*" => Some(value.exists()),
        b"null" => Some(value.kind == Kind::Null),
        b"true" => Some(truth == Some(true)),
        b"false" => Some(truth == Some(false)),
        _ => None,
    }
}

/// Where the parts of a condition are.
struct Bounds {
    operator: Option<usize>,
    close: usize,
    /// Whether a quoted text in it has escapes.
    escapes: bool,
}

impl Bounds {
    fn find(part: &[u8]) -> Option<Self> {
        let (mut operator, mut escapes, mut depth, mut at) = (None, false, 1, 2);
        while let Some(byte) = part.get(at) {
            match byte {
                b'!' | b'=' | b'<' | b'>' | b'%' if depth == 1 && operator.is_none() => operator = Some(at),
                b'\\' => at += 1,
                b'[' | b'(' => depth += 1,
                b']' | b')' => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(Self { operator, close: at, escapes });
                    }
                }
                b'"' => {
                    let end = scan::string_end(part, at)?;
                    escapes |= part[at..end].contains(&b'\\');
                    at = end;
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        None
    }
}

fn operator(text: &[u8]) -> (Operator, &[u8]) {
    let (operator, length) = match text {
        [b'=', b'=', ..] => (Operator::Equal, 2),
        [b'!', b'=', ..] => (Operator::NotEqual, 2),
        [b'!', b'%', ..] => (Operator::Unlike, 2),
        [b'<', b'=', ..] => (Operator::LessOrEqual, 2),
        [b'>', b'=', ..] => (Operator::GreaterOrEqual, 2),
        [b'=', ..] => (Operator::Equal, 1),
        [b'<', ..] => (Operator::Less, 1),
        [b'>', ..] => (Operator::Greater, 1),
        [b'%', ..] => (Operator::Like, 1),
        [b'!'] => (Operator::Never, 1),
        _ => (Operator::Exists, 0),
    };
    (operator, trim(&text[length..]))
}

fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|&byte| byte > b' ').unwrap_or(text.len());
    let end = text.iter().rposition(|&byte| byte > b' ').map_or(start, |last| last + 1);
    &text[start..end]
}
