//! Text to tree in one pass over text that `serde_json` has checked.

use indexmap::IndexMap;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{Json, JsonError, MAX_DEPTH, NumberText, Text, unescape};

pub(super) fn value(text: &[u8]) -> Result<Json, JsonError> {
    let mut reader = Reader::new(text)?;
    reader.value()
}

pub(super) fn raw_members(text: &[u8]) -> Result<IndexMap<String, Zeroizing<Vec<u8>>>, JsonError> {
    let mut reader = Reader::new(text)?;
    if reader.peek() != Some(b'{') {
        return Err(JsonError::NotAnObject);
    }
    reader.members(|reader| {
        reader.skip_space();
        let start = reader.at;
        let value = reader.value()?;
        Ok(match value {
            Json::Null | Json::String(_) => value.to_bytes(),
            _ => Zeroizing::new(reader.text.as_bytes()[start..reader.at].to_vec()),
        })
    })
}

/// Walks over checked text: what it meets is known to be well-formed, so it looks at first bytes only.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// Checks the text: UTF-8, and one value in JSON's grammar.
    fn new(bytes: &'a [u8]) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let (line, column) = position(bytes, error.valid_up_to());
            JsonError::NotUtf8 { line, column }
        })?;
        // Skips values instead of building them, without recursion. Its message may quote the text, so only the
        // place is taken.
        serde_json::from_str::<&RawValue>(text)
            .map_err(|error| JsonError::Syntax { line: error.line(), column: error.column() })?;
        Ok(Self { text, at: 0, depth: 0 })
    }

    fn value(&mut self) -> Result<Json, JsonError> {
        match self.peek() {
            Some(b'{') => self.members(Self::value).map(Json::object),
            Some(b'[') => self.items(),
            Some(b'"') => self.string().map(|text| Json::String(Text(text))),
            Some(b't') => Ok(self.word("true", Json::Bool(true))),
            Some(b'f') => Ok(self.word("false", Json::Bool(false))),
            Some(b'n') => Ok(self.word("null", Json::Null)),
            Some(b'-' | b'0'..=b'9') => Ok(self.number()),
            _ => Err(self.unexpected()),
        }
    }

    fn members<T>(
        &mut self,
        mut member: impl FnMut(&mut Self) -> Result<T, JsonError>,
    ) -> Result<IndexMap<String, T>, JsonError> {
        self.enter()?;
        let mut members = IndexMap::new();
        while self.peek() == Some(b'"') {
            let key = self.string()?.as_str().to_owned();
            self.expect(b':')?;
            members.insert(key, member(self)?);
            if self.peek() == Some(b',') {
                self.at += 1;
            }
        }
        self.leave(b'}')?;
        Ok(members)
    }

    fn items(&mut self) -> Result<Json, JsonError> {
        self.enter()?;
        let mut items = Vec::new();
        while self.peek() != Some(b']') {
            items.push(self.value()?);
            if self.peek() == Some(b',') {
                self.at += 1;
            }
        }
        self.leave(b']')?;
        Ok(Json::Array(items))
    }

    fn string(&mut self) -> Result<Zeroizing<String>, JsonError> {
        let inner = &self.text[self.at + 1..];
        let mut escaped = false;
        let length = inner.bytes().position(|byte| {
            let end = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            end
        });
        let length = length.ok_or_else(|| self.unexpected())?;
        let text = String::from_utf8(std::mem::take(&mut *unescape(&inner.as_bytes()[..length])));
        let text = text.map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            self.unexpected()
        })?;
        self.at += length + 2;
        Ok(Zeroizing::new(text))
    }

    fn number(&mut self) -> Json {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        self.at += end;
        Json::Number(NumberText(Zeroizing::new(rest[..end].to_owned())))
    }

    fn word(&mut self, word: &str, value: Json) -> Json {
        self.at += word.len();
        value
    }

    fn enter(&mut self) -> Result<(), JsonError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let (line, column) = position(self.text.as_bytes(), self.at);
            return Err(JsonError::TooDeep { line, column });
        }
        self.at += 1;
        Ok(())
    }

    fn leave(&mut self, bracket: u8) -> Result<(), JsonError> {
        self.depth -= 1;
        self.expect(bracket)
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    /// Returns the next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    }

    fn unexpected(&self) -> JsonError {
        let (line, column) = position(self.text.as_bytes(), self.at);
        JsonError::Syntax { line, column }
    }
}

/// Line and column, both from 1, of the byte at `offset`.
fn position(text: &[u8], offset: usize) -> (usize, usize) {
    let before = &text[..offset];
    let line = before.split(|&byte| byte == b'\n').count();
    let column = 1 + before.iter().rev().take_while(|&&byte| byte != b'\n').count();
    (line, column)
}
