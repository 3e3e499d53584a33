//! Cuts identifiers into words, for `snakecase` and `kebabcase`.

use crate::rune::{runes, to_lower};
use crate::value::Buffer;

/// What a run of characters is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// letters that are not all capitals, and letters without case
    Letters,
    Capitals,
    Connector,
    Digits,
    Other,
    Punctuation,
}

pub(super) fn is_connector(character: char) -> bool {
    character == '-' || character == '_' || character.is_whitespace()
}

/// Lower-case words with `connector` between them.
pub(super) fn separated(text: &[u8], connector: char) -> Buffer {
    let characters: Vec<char> = runes(text).map(|(character, _)| character).collect();
    let mut writer = Writer { out: Buffer::with_capacity(text.len() + 16), connector };
    let mut words = Words { rest: &characters };
    let mut current = words.next();
    while let Some((kind, word)) = current {
        if kind != Kind::Connector {
            writer.word(kind, word);
        }
        let mut next = words.next();
        match kind {
            Kind::Connector => writer.word(kind, word),
            Kind::Punctuation => {}
            Kind::Digits => next = writer.joined(next, &mut words),
            Kind::Capitals | Kind::Letters | Kind::Other => next = writer.after_letters(next, &mut words),
        }
        current = next;
    }
    writer.out
}

type Word<'c> = Option<(Kind, &'c [char])>;

struct Writer {
    out: Buffer,
    connector: char,
}

impl Writer {
    fn word(&mut self, kind: Kind, word: &[char]) {
        for character in word {
            self.out.push_char(if kind == Kind::Connector { self.connector } else { to_lower(*character) });
        }
    }

    fn connect(&mut self) {
        self.out.push_char(self.connector);
    }

    /// Letters and digits that follow a number belong to it.
    fn joined<'c>(&mut self, mut next: Word<'c>, words: &mut Words<'c>) -> Word<'c> {
        while let Some((kind @ (Kind::Letters | Kind::Digits), word)) = next {
            self.word(kind, word);
            next = words.next();
        }
        if matches!(next, Some((Kind::Capitals | Kind::Other, _))) {
            self.connect();
        }
        next
    }

    /// A number after letters belongs to them, unless small letters follow the number.
    fn after_letters<'c>(&mut self, next: Word<'c>, words: &mut Words<'c>) -> Word<'c> {
        let (kind, digits) = next?;
        if kind != Kind::Digits {
            if !matches!(kind, Kind::Connector | Kind::Punctuation) {
                self.connect();
            }
            return next;
        }
        let after = words.next();
        match after {
            None => {
                self.word(kind, digits);
                None
            }
            Some((Kind::Letters, _)) => {
                self.connect();
                self.word(kind, digits);
                self.joined(after, words)
            }
            Some((following, _)) => {
                self.word(kind, digits);
                if !matches!(following, Kind::Connector | Kind::Punctuation) {
                    self.connect();
                }
                after
            }
        }
    }
}

struct Words<'c> {
    rest: &'c [char],
}

impl<'c> Words<'c> {
    fn next(&mut self) -> Word<'c> {
        let first = *self.rest.first()?;
        let kind = kind_of(first);
        let length = match kind {
            Kind::Capitals => capitals(self.rest),
            Kind::Letters => 1 + self.rest[1..].iter().take_while(|c| c.is_alphabetic() && !c.is_uppercase()).count(),
            kind => self.rest.iter().take_while(|c| kind_of(**c) == kind).count(),
        };
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some((kind, word))
    }
}

/// Length of a word that begins with a capital: `Server`, or `HTTP` in `HTTPServer`.
fn capitals(characters: &[char]) -> usize {
    let run = characters.iter().take_while(|c| c.is_uppercase()).count();
    let letter_follows = characters.get(run).is_some_and(|c| c.is_alphabetic());
    match run {
        1 => 1 + characters[1..].iter().take_while(|c| c.is_alphabetic() && !c.is_uppercase()).count(),
        run if letter_follows => run - 1,
        run => run,
    }
}

fn kind_of(character: char) -> Kind {
    match character {
        c if is_connector(c) => Kind::Connector,
        c if c.is_uppercase() => Kind::Capitals,
        c if c.is_alphabetic() => Kind::Letters,
        c if c.is_numeric() => Kind::Digits,
        c if is_punctuation(c) => Kind::Punctuation,
        _ => Kind::Other,
    }
}

/// Unicode's punctuation, as far as it is ASCII or common in western text.
fn is_punctuation(character: char) -> bool {
    match character {
        '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~' => false,
        c if c.is_ascii() => c.is_ascii_punctuation(),
        c => {
            matches!(c, '¡' | '§' | '«' | '¶' | '·' | '»' | '¿' | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}')
        }
    }
}
