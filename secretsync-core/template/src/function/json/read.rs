//! JSON text to values: numbers are floats, objects dicts, broken characters U+FFFD.

use std::collections::BTreeMap;

use crate::budget::Budget;
use crate::error::Failure;
use crate::value::{Buffer, Bytes, ElementType, Map, Value};

/// A decoded value, and what a strict reader would complain about.
pub(super) struct Decoded {
    pub(super) value: Value,
    pub(super) complaint: Option<&'static str>,
}

/// Text that is no JSON decodes to nil; a number too large for a float leaves nil in its place only.
pub(super) fn decode(text: &[u8], budget: &mut Budget) -> Result<Decoded, Failure> {
    let mut reader = Reader { text, at: 0, out_of_range: false, budget };
    match reader.document() {
        Ok(value) => Ok(Decoded {
            value,
            complaint: reader.out_of_range.then_some("a JSON number is out of the range of float64"),
        }),
        Err(Stop::Syntax) => Ok(Decoded { value: Value::Nil, complaint: Some("invalid JSON") }),
        Err(Stop::Limit(failure)) => Err(failure),
    }
}

enum Stop {
    Limit(Failure),
    Syntax,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Limit(failure)
    }
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    out_of_range: bool,
    budget: &'t mut Budget,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Value, Stop> {
        let value = self.value(0)?;
        self.skip_space();
        if self.at < self.text.len() { Err(Stop::Syntax) } else { Ok(value) }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Stop> {
        self.budget.descend(depth)?;
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(self.budget_text()?),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true", Value::Bool(true)),
            Some(b'f') => self.literal(b"false", Value::Bool(false)),
            Some(b'n') => self.literal(b"null", Value::Nil),
            _ => Err(Stop::Syntax),
        }
    }

    fn budget_text(&mut self) -> Result<Value, Stop> {
        let text = self.string()?;
        Ok(self.budget.text(text)?)
    }

    fn object(&mut self, depth: usize) -> Result<Value, Stop> {
        let mut entries = BTreeMap::new();
        self.at += 1;
        self.skip_space();
        if self.take(b'}') {
            return Ok(Value::Map(Map::default()));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(Stop::Syntax);
            }
            let key = self.string()?;
            self.budget.allocate(key.len() + 64)?;
            self.skip_space();
            if !self.take(b':') {
                return Err(Stop::Syntax);
            }
            let value = self.value(depth + 1)?;
            entries.insert(Bytes::from(key), value);
            self.skip_space();
            if self.take(b'}') {
                return Ok(Value::Map(Map::new(entries)));
            }
            if !self.take(b',') {
                return Err(Stop::Syntax);
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Stop> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_space();
        if !self.take(b']') {
            loop {
                items.push(self.value(depth + 1)?);
                self.skip_space();
                if self.take(b']') {
                    break;
                }
                if !self.take(b',') {
                    return Err(Stop::Syntax);
                }
            }
        }
        Ok(self.budget.list(ElementType::Any, items)?)
    }

    fn number(&mut self) -> Result<Value, Stop> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') && self.digits() == 0 {
            return Err(Stop::Syntax);
        }
        if self.take(b'.') && self.digits() == 0 {
            return Err(Stop::Syntax);
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            if self.digits() == 0 {
                return Err(Stop::Syntax);
            }
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).map_err(|_| Stop::Syntax)?;
        let number: f64 = text.parse().map_err(|_| Stop::Syntax)?;
        if number.is_infinite() {
            self.out_of_range = true;
            return Ok(Value::Nil);
        }
        Ok(Value::Float(number))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn literal(&mut self, word: &[u8], value: Value) -> Result<Value, Stop> {
        if !self.text[self.at..].starts_with(word) {
            return Err(Stop::Syntax);
        }
        self.at += word.len();
        Ok(value)
    }

    fn string(&mut self) -> Result<Buffer, Stop> {
        self.at += 1;
        let mut out = Buffer::default();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).ok_or(Stop::Syntax)?;
            append_valid(&mut out, &rest[..plain]);
            self.at += plain + 1;
            match rest[plain] {
                b'"' => return Ok(out),
                b'\\' => self.escape(&mut out)?,
                _ => return Err(Stop::Syntax),
            }
        }
    }

    fn escape(&mut self, out: &mut Buffer) -> Result<(), Stop> {
        let letter = self.peek().ok_or(Stop::Syntax)?;
        self.at += 1;
        match letter {
            b'"' | b'\\' | b'/' => out.push(letter),
            b'b' => out.push(0x08),
            b'f' => out.push(0x0c),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let unit = self.unit()?;
                out.push_char(self.character(unit));
            }
            _ => return Err(Stop::Syntax),
        }
        Ok(())
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u32, Stop> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Stop::Syntax)?;
        let mut unit = 0;
        for digit in digits {
            unit = unit << 4 | char::from(*digit).to_digit(16).ok_or(Stop::Syntax)?;
        }
        self.at += 4;
        Ok(unit)
    }

    /// A code unit, with its partner if it is the first half of a pair; half a pair alone is U+FFFD.
    fn character(&mut self, unit: u32) -> char {
        if (0xd800..0xdc00).contains(&unit) && self.text[self.at..].starts_with(b"\\u") {
            let before = self.at;
            self.at += 2;
            match self.unit() {
                Ok(low) if (0xdc00..0xe000).contains(&low) => {
                    let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                    return char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                }
                _ => self.at = before,
            }
        }
        char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }
}

fn append_valid(out: &mut Buffer, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        out.extend(chunk.valid().as_bytes());
        for _ in chunk.invalid() {
            out.push_char(char::REPLACEMENT_CHARACTER);
        }
    }
}
