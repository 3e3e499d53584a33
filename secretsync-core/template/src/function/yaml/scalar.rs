//! Styles of a text: plain, quoted or literal, and how each is written and folded.

use crate::value::Buffer;
use crate::yaml::{Resolved, is_base_60, resolve};

/// Where a scalar stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// Column of continuation lines.
    pub(super) indent: usize,
    /// A key before its colon: one line, never folded.
    pub(super) simple_key: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Style {
    DoubleQuoted,
    Literal,
    Plain,
    SingleQuoted,
}

/// Appends a text in the style the reference chooses.
pub(super) fn append(out: &mut Buffer, text: &str, place: Place) {
    let mut writer = Writer { column: column(out), out, place };
    match style(text, place.simple_key) {
        Style::DoubleQuoted => writer.double_quoted(text),
        Style::Literal => writer.literal(text),
        Style::Plain => writer.plain(text),
        Style::SingleQuoted => writer.single_quoted(text),
    }
}

/// Whether a text fits on the line of its key.
pub(super) fn is_simple_key(text: &str) -> bool {
    text.len() <= 128 && !text.contains(is_break)
}

fn column(out: &[u8]) -> usize {
    let line = out.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    String::from_utf8_lossy(&out[line..]).chars().count()
}

fn style(text: &str, simple_key: bool) -> Style {
    let allowed = Allowed::of(text);
    let plain = resolve(text) == Resolved::Text && !is_base_60(text);
    if text.contains('\n') {
        return if allowed.block && !simple_key { Style::Literal } else { Style::DoubleQuoted };
    }
    match (plain, allowed.plain, allowed.single_quoted) {
        (true, true, _) => Style::Plain,
        (true, false, true) => Style::SingleQuoted,
        _ => Style::DoubleQuoted,
    }
}

/// Styles that give the text back unchanged.
struct Allowed {
    plain: bool,
    single_quoted: bool,
    block: bool,
}

impl Allowed {
    fn of(text: &str) -> Self {
        let mut characters = text.chars().peekable();
        let mut indicator = text.starts_with("---") || text.starts_with("...");
        let (mut special, mut broken) = (false, false);
        let (mut space_break, mut break_space) = (false, false);
        let mut previous = None;
        while let Some(character) = characters.next() {
            let blank_follows = characters.peek().is_none_or(|c| is_blank(*c));
            indicator |= match (previous, character) {
                (
                    None,
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`',
                ) => true,
                (None, '?' | ':' | '-') | (Some(_), ':') => blank_follows,
                (Some(before), '#') => is_blank(before),
                _ => false,
            };
            special |= !is_printable(character);
            broken |= is_break(character);
            space_break |= previous == Some(' ') && is_break(character);
            break_space |= previous.is_some_and(is_break) && character == ' ';
            previous = Some(character);
        }
        let ends = |c: char| c == ' ' || is_break(c);
        let edge = text.starts_with(ends) || text.ends_with(ends);
        let fits = !space_break && !special;
        Self {
            plain: fits && !edge && !break_space && !broken && !indicator,
            // The reference folds U+2028 and U+2029 inside single quotes; escaping them gives the same text back.
            single_quoted: fits && !break_space && !broken,
            block: fits && !text.ends_with(' '),
        }
    }
}

struct Writer<'o> {
    out: &'o mut Buffer,
    column: usize,
    place: Place,
}

impl Writer<'_> {
    fn plain(&mut self, text: &str) {
        self.folded(text, false, Self::put);
    }

    fn single_quoted(&mut self, text: &str) {
        self.put('\'');
        self.folded(text, true, |writer, character| {
            if character == '\'' {
                writer.put('\'');
            }
            writer.put(character);
        });
        self.put('\'');
    }

    /// Characters, with a line break in place of a single space once the line is full.
    fn folded(&mut self, text: &str, quoted: bool, put: impl Fn(&mut Self, char)) {
        let characters: Vec<char> = text.chars().collect();
        let mut after_space = false;
        for (at, character) in characters.iter().enumerate() {
            if *character != ' ' {
                put(self, *character);
                after_space = false;
                continue;
            }
            let inside = !quoted || (at > 0 && at + 1 < characters.len());
            let alone = !after_space && characters.get(at + 1) != Some(&' ');
            if !self.place.simple_key && alone && inside && self.column > WIDTH {
                self.new_line();
            } else {
                self.put(' ');
            }
            after_space = true;
        }
    }

    fn double_quoted(&mut self, text: &str) {
        let characters: Vec<char> = text.chars().collect();
        self.put('"');
        let mut after_space = false;
        for (at, character) in characters.iter().enumerate() {
            let folds = *character == ' '
                && !self.place.simple_key
                && !after_space
                && self.column > WIDTH
                && at > 0
                && at + 1 < characters.len();
            match *character {
                _ if folds => {
                    self.new_line();
                    if characters.get(at + 1) == Some(&' ') {
                        self.put('\\');
                    }
                }
                c if !is_printable(c) || is_break(c) || c == '"' || c == '\\' => self.escape(c),
                c => self.put(c),
            }
            after_space = *character == ' ';
        }
        self.put('"');
    }

    fn escape(&mut self, character: char) {
        let code = u32::from(character);
        let text = match character {
            '\0' => "\\0".to_owned(),
            '\x07' => "\\a".to_owned(),
            '\x08' => "\\b".to_owned(),
            '\t' => "\\t".to_owned(),
            '\n' => "\\n".to_owned(),
            '\x0b' => "\\v".to_owned(),
            '\x0c' => "\\f".to_owned(),
            '\r' => "\\r".to_owned(),
            '\x1b' => "\\e".to_owned(),
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            '\u{85}' => "\\N".to_owned(),
            '\u{a0}' => "\\_".to_owned(),
            '\u{2028}' => "\\L".to_owned(),
            '\u{2029}' => "\\P".to_owned(),
            _ if code <= 0xff => format!("\\x{code:02X}"),
            _ if code <= 0xffff => format!("\\u{code:04X}"),
            _ => format!("\\U{code:08X}"),
        };
        text.chars().for_each(|c| self.put(c));
    }

    /// `|` with its hints: the indent where the text begins with blanks, and what becomes of the last line ends.
    fn literal(&mut self, text: &str) {
        self.put('|');
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.put('2');
        }
        let mut from_end = text.chars().rev();
        match (from_end.next().is_some_and(is_break), from_end.next()) {
            (false, _) => self.put('-'),
            (true, None) => self.put('+'),
            (true, Some(before)) if is_break(before) => self.put('+'),
            (true, Some(_)) => {}
        }
        self.put('\n');
        let mut at_start = true;
        for character in text.chars() {
            if is_break(character) {
                at_start = true;
            } else if at_start {
                for _ in 0..self.place.indent {
                    self.put(' ');
                }
                at_start = false;
            }
            self.put(character);
        }
    }

    fn new_line(&mut self) {
        self.put('\n');
        for _ in 0..self.place.indent {
            self.put(' ');
        }
    }

    fn put(&mut self, character: char) {
        self.out.push_char(character);
        self.column = if character == '\n' { 0 } else { self.column + 1 };
    }
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What the reference writes unescaped; that leaves out tabs and everything beyond the basic plane.
fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{a0}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// Column after which a line is folded.
const WIDTH: usize = 80;
