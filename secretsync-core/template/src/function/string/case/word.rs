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
    let characters = characters(text);
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

/// A character for the purpose of finding words, and its bytes.
type Character<'t> = (char, &'t [u8]);
type Word<'c> = Option<(Kind, &'c [Character<'c>])>;

/// An invalid byte counts as the character after it, or before it at the end.
fn characters(text: &[u8]) -> Vec<Character<'_>> {
    let mut characters: Vec<Character<'_>> = runes(text).collect();
    let mut next = characters.iter().rev().map(|(c, _)| *c).find(|c| *c != char::REPLACEMENT_CHARACTER);
    for (character, _) in characters.iter_mut().rev() {
        if *character == char::REPLACEMENT_CHARACTER {
            *character = next.unwrap_or(char::REPLACEMENT_CHARACTER);
        }
        next = Some(*character);
    }
    characters
}

struct Writer {
    out: Buffer,
    connector: char,
}

impl Writer {
    fn word(&mut self, kind: Kind, word: &[Character<'_>]) {
        for (character, bytes) in word {
            match kind {
                Kind::Connector => self.out.push_char(self.connector),
                Kind::Capitals => self.out.push_char(to_lower(*character)),
                _ => self.out.extend(bytes),
            }
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
    rest: &'c [Character<'c>],
}

impl<'c> Words<'c> {
    fn next(&mut self) -> Word<'c> {
        let (first, _) = *self.rest.first()?;
        let kind = kind_of(first);
        let length = match kind {
            Kind::Capitals => capitals(self.rest),
            Kind::Letters => 1 + small_letters(&self.rest[1..]),
            kind => self.rest.iter().take_while(|(c, _)| kind_of(*c) == kind).count(),
        };
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some((kind, word))
    }
}

/// Length of a word that begins with a capital: `Server`, or `HTTP` in `HTTPServer`.
fn capitals(characters: &[Character<'_>]) -> usize {
    let run = characters.iter().take_while(|(c, _)| c.is_uppercase()).count();
    let letter_follows = characters.get(run).is_some_and(|(c, _)| is_letter(*c));
    match run {
        1 => 1 + small_letters(&characters[1..]),
        run if letter_follows => run - 1,
        run => run,
    }
}

fn small_letters(characters: &[Character<'_>]) -> usize {
    characters.iter().take_while(|(c, _)| is_letter(*c) && !c.is_uppercase()).count()
}

/// A letter of an alphabet; Han characters are none.
fn is_letter(character: char) -> bool {
    let han = matches!(character, '\u{3400}'..='\u{4d85}' | '\u{4e00}'..='\u{9fcc}' | '\u{20000}'..='\u{2b81d}');
    character.is_alphabetic() && !han
}

fn kind_of(character: char) -> Kind {
    match character {
        c if is_connector(c) => Kind::Connector,
        c if c.is_uppercase() => Kind::Capitals,
        c if is_letter(c) => Kind::Letters,
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
