//! Cuts template text into tokens, one at a time, as Go's engine does.

use crate::error::Failure;

/// One token and where it stands in the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TokenKind {
    Assign,
    Bool,
    Character,
    Comma,
    Complex,
    Declare,
    Dot,
    End,
    Field,
    Identifier,
    Keyword(Keyword),
    LeftDelimiter,
    LeftParenthesis,
    Nil,
    Number,
    /// printable ASCII that means nothing in an action
    Other,
    Pipe,
    QuotedText,
    RawText,
    RightDelimiter,
    RightParenthesis,
    Space,
    Text,
    Variable,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keyword {
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
}

/// Position in the text; cheap to copy, so the parser looks ahead by keeping one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lexer<'t> {
    text: &'t str,
    left: &'t str,
    right: &'t str,
    position: usize,
    in_action: bool,
    parentheses: usize,
}

/// A lexical error and where it begins.
pub(crate) type LexError = (Failure, usize, usize);

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t str, left: &'t str, right: &'t str) -> Self {
        Self { text, left, right, position: 0, in_action: false, parentheses: 0 }
    }

    pub(crate) fn next(&mut self) -> Result<Token, LexError> {
        if self.in_action { self.next_in_action() } else { self.next_outside() }
    }

    fn next_outside(&mut self) -> Result<Token, LexError> {
        loop {
            let start = self.position;
            let Some(at) = self.rest().find(self.left) else {
                self.position = self.text.len();
                let kind = if start < self.text.len() { TokenKind::Text } else { TokenKind::End };
                return Ok(self.token(kind, start));
            };
            let after = &self.text[start + at + self.left.len()..];
            if at > 0 {
                self.position = start + at;
                let before = &self.text[start..start + at];
                let end =
                    if has_left_marker(after) { start + before.trim_end_matches(SPACES).len() } else { start + at };
                if end > start {
                    return Ok(Token { kind: TokenKind::Text, start, end });
                }
            }
            let start = start + at;
            self.position = start + self.left.len() + if has_left_marker(after) { MARKER_BYTES } else { 0 };
            if !self.rest().starts_with("/*") {
                self.in_action = true;
                self.parentheses = 0;
                return Ok(Token { kind: TokenKind::LeftDelimiter, start, end: start + self.left.len() });
            }
            self.skip_comment()?;
        }
    }

    fn skip_comment(&mut self) -> Result<(), LexError> {
        let start = self.position;
        let Some(length) = self.rest()[2..].find("*/") else {
            return self.fail("unclosed comment", start);
        };
        self.position += length + 4;
        let Some(trim) = self.at_right_delimiter() else {
            return self.fail("comment ends before closing delimiter", start);
        };
        self.pass_right_delimiter(trim);
        Ok(())
    }

    /// Whether a right delimiter is next: `Some(true)` with a trim marker.
    fn at_right_delimiter(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_marker(rest) && rest[MARKER_BYTES..].starts_with(self.right) {
            return Some(true);
        }
        rest.starts_with(self.right).then_some(false)
    }

    fn pass_right_delimiter(&mut self, trim: bool) {
        if trim {
            self.position += MARKER_BYTES;
        }
        self.position += self.right.len();
        if trim {
            self.position = self.text.len() - self.rest().trim_start_matches(SPACES).len();
        }
    }

    fn next_in_action(&mut self) -> Result<Token, LexError> {
        let start = self.position;
        if let Some(trim) = self.at_right_delimiter() {
            if self.parentheses > 0 {
                return self.fail("unclosed left paren", start);
            }
            self.in_action = false;
            self.pass_right_delimiter(trim);
            return Ok(Token { kind: TokenKind::RightDelimiter, start, end: start });
        }
        let Some(character) = self.bump() else {
            return self.fail("unclosed action", start);
        };
        match character {
            ' ' | '\t' | '\r' | '\n' => Ok(self.space(start)),
            '=' => Ok(self.token(TokenKind::Assign, start)),
            ':' if self.bump() == Some('=') => Ok(self.token(TokenKind::Declare, start)),
            ':' => self.fail("expected :=", start),
            '|' => Ok(self.token(TokenKind::Pipe, start)),
            ',' => Ok(self.token(TokenKind::Comma, start)),
            '"' => self.quoted('"', TokenKind::QuotedText, "unterminated quoted string", start),
            '\'' => self.quoted('\'', TokenKind::Character, "unterminated character constant", start),
            '`' => self.raw(start),
            '$' => self.field(TokenKind::Variable, TokenKind::Variable, start),
            '.' if !self.rest().starts_with(|c: char| c.is_ascii_digit()) => {
                self.field(TokenKind::Field, TokenKind::Dot, start)
            }
            '.' | '+' | '-' | '0'..='9' => self.number(start),
            c if is_alphanumeric(c) => self.identifier(start),
            '(' => {
                self.parentheses += 1;
                Ok(self.token(TokenKind::LeftParenthesis, start))
            }
            ')' => {
                let Some(open) = self.parentheses.checked_sub(1) else {
                    return self.fail("unexpected right paren", start);
                };
                self.parentheses = open;
                Ok(self.token(TokenKind::RightParenthesis, start))
            }
            c if c.is_ascii_graphic() => Ok(self.token(TokenKind::Other, start)),
            c => self.fail(format!("unrecognized character in action: {c:?}"), start),
        }
    }

    /// A run of spaces, which may end in the space of a trim marker.
    fn space(&mut self, start: usize) -> Token {
        self.position = self.text.len() - self.rest().trim_start_matches(SPACES).len();
        let last = self.position - 1;
        let tail = &self.text[last..];
        if has_right_marker(tail) && tail[MARKER_BYTES..].starts_with(self.right) {
            self.position = last;
            if last == start {
                self.in_action = false;
                self.pass_right_delimiter(true);
                return Token { kind: TokenKind::RightDelimiter, start, end: start };
            }
        }
        self.token(TokenKind::Space, start)
    }

    fn quoted(&mut self, quote: char, kind: TokenKind, message: &str, start: usize) -> Result<Token, LexError> {
        loop {
            match self.bump() {
                Some('\\') if !matches!(self.bump(), None | Some('\n')) => {}
                None | Some('\n' | '\\') => return self.fail(message, start),
                Some(c) if c == quote => return Ok(self.token(kind, start)),
                Some(_) => {}
            }
        }
    }

    fn raw(&mut self, start: usize) -> Result<Token, LexError> {
        let Some(length) = self.rest().find('`') else {
            return self.fail("unterminated raw quoted string", start);
        };
        self.position += length + 1;
        Ok(self.token(TokenKind::RawText, start))
    }

    /// `.name` or `$name`; `bare` when no name follows.
    fn field(&mut self, named: TokenKind, bare: TokenKind, start: usize) -> Result<Token, LexError> {
        if self.at_terminator() {
            return Ok(self.token(bare, start));
        }
        self.pass_alphanumeric();
        self.end_of_word(named, start)
    }

    fn identifier(&mut self, start: usize) -> Result<Token, LexError> {
        self.pass_alphanumeric();
        let kind = match &self.text[start..self.position] {
            "block" => TokenKind::Keyword(Keyword::Block),
            "break" => TokenKind::Keyword(Keyword::Break),
            "continue" => TokenKind::Keyword(Keyword::Continue),
            "define" => TokenKind::Keyword(Keyword::Define),
            "else" => TokenKind::Keyword(Keyword::Else),
            "end" => TokenKind::Keyword(Keyword::End),
            "if" => TokenKind::Keyword(Keyword::If),
            "range" => TokenKind::Keyword(Keyword::Range),
            "template" => TokenKind::Keyword(Keyword::Template),
            "with" => TokenKind::Keyword(Keyword::With),
            "nil" => TokenKind::Nil,
            "true" | "false" => TokenKind::Bool,
            _ => TokenKind::Identifier,
        };
        self.end_of_word(kind, start)
    }

    fn end_of_word(&mut self, kind: TokenKind, start: usize) -> Result<Token, LexError> {
        if self.at_terminator() {
            return Ok(self.token(kind, start));
        }
        let next = self.rest().chars().next().unwrap_or_default();
        let at = self.position;
        self.position += next.len_utf8();
        self.fail(format!("bad character {next:?}"), at)
    }

    /// Whether a word may end here.
    fn at_terminator(&self) -> bool {
        let rest = self.rest();
        match rest.bytes().next() {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(') => true,
            Some(_) => rest.starts_with(self.right),
        }
    }

    fn number(&mut self, start: usize) -> Result<Token, LexError> {
        self.position = start;
        if !self.scan_number() {
            return self.fail("bad number syntax", start);
        }
        if !self.rest().starts_with(['+', '-']) {
            return Ok(self.token(TokenKind::Number, start));
        }
        if !self.scan_number() || !self.text[..self.position].ends_with('i') {
            return self.fail("bad number syntax", start);
        }
        Ok(self.token(TokenKind::Complex, start))
    }

    /// Passes what looks like a number; the parser decides whether it is one.
    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if self.accept(exponent) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        self.accept("i");
        !self.rest().starts_with(is_alphanumeric)
    }

    fn accept(&mut self, set: &str) -> bool {
        let found = self.rest().starts_with(|c| set.contains(c));
        self.position += usize::from(found);
        found
    }

    fn accept_run(&mut self, set: &str) {
        while self.accept(set) {}
    }

    fn pass_alphanumeric(&mut self) {
        self.position = self.text.len() - self.rest().trim_start_matches(is_alphanumeric).len();
    }

    fn bump(&mut self) -> Option<char> {
        let character = self.rest().chars().next()?;
        self.position += character.len_utf8();
        Some(character)
    }

    fn rest(&self) -> &'t str {
        &self.text[self.position..]
    }

    fn token(&self, kind: TokenKind, start: usize) -> Token {
        Token { kind, start, end: self.position }
    }

    fn fail<T>(&self, message: impl Into<String>, start: usize) -> Result<T, LexError> {
        Err((Failure::parse(message), start, self.position))
    }
}

/// Letters, digits and underscore: what a name is made of.
pub(crate) fn is_alphanumeric(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

fn has_left_marker(rest: &str) -> bool {
    matches!(rest.as_bytes(), [b'-', b' ' | b'\t' | b'\r' | b'\n', ..])
}

fn has_right_marker(rest: &str) -> bool {
    matches!(rest.as_bytes(), [b' ' | b'\t' | b'\r' | b'\n', b'-', ..])
}

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];
const MARKER_BYTES: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        let mut lexer = Lexer::new(text, "{{", "}}");
        let mut kinds = Vec::new();
        while let Ok(token) = lexer.next() {
            if token.kind == TokenKind::End {
                return kinds;
            }
            kinds.push(token.kind);
        }
        kinds.push(TokenKind::Other);
        kinds
    }

    #[test]
    fn trim_markers_need_a_space() {
        use TokenKind::{LeftDelimiter, Number, RightDelimiter, Text};
        assert_eq!(kinds("a {{-3}} b"), [Text, LeftDelimiter, Number, RightDelimiter, Text]);
        assert_eq!(kinds(" {{- 3 -}} "), [LeftDelimiter, Number, RightDelimiter]);
    }

    #[test]
    fn a_comment_leaves_nothing_behind() {
        assert_eq!(kinds("{{/* {{ }} */}}{{- /* c */ -}} "), []);
    }

    #[test]
    fn a_word_must_end_at_a_terminator() {
        assert_eq!(kinds("{{$x+2}}"), [TokenKind::LeftDelimiter, TokenKind::Other]);
    }
}
