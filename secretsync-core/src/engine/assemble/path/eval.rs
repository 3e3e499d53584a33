//! Follows a path through JSON text.

use zeroize::Zeroizing;

use super::part::{KeyPart, ListPart, Next, Select};
use super::query::{Query, matches_pattern};
use super::value::{Kind, Text, Value, unquote};
use super::{MAX_DEPTH, PathError, modifier, multi, scan};
use crate::json::{Buffer, Overflow};

impl From<Overflow> for PathError {
    fn from(_: Overflow) -> Self {
        Self::TooCostly
    }
}

/// What one evaluation may still cost.
pub(super) struct Evaluator {
    scan_left: usize,
    write_left: usize,
    depth: usize,
}

impl Evaluator {
    pub(super) fn new(scan_left: usize, write_left: usize) -> Self {
        Self { scan_left, write_left, depth: 0 }
    }

    /// Follows `path` through `json`.
    pub(super) fn get<'j>(&mut self, json: &'j [u8], path: &[u8]) -> Result<Value<'j>, PathError> {
        self.scan(json.len() + path.len() + 1)?;
        self.enter()?;
        let value = self.get_entered(json, path)?;
        self.leave();
        Ok(value)
    }

    fn get_entered<'j>(&mut self, json: &'j [u8], mut path: &[u8]) -> Result<Value<'j>, PathError> {
        match path {
            [b'@', _, ..] => {
                if let Some((text, rest)) = modifier::apply(self, json, path)? {
                    return self.follow(text, rest);
                }
            }
            [b'!', _, ..] => {
                if let Some((text, rest)) = multi::literal(path) {
                    self.write(text.len())?;
                    return self.follow(Text::Made(Zeroizing::new(text.to_vec())), rest);
                }
            }
            [b'[' | b'{', _, ..] => {
                let Some((members, rest)) = multi::members(path) else { return self.select(json, b"") };
                if matches!(rest.first(), None | Some(b'.' | b'|')) {
                    let text = multi::build(self, json, path[0], &members)?;
                    if rest.is_empty() {
                        return Ok(Value::made(Kind::Json, text));
                    }
                    return self.follow(Text::Made(text), rest);
                }
                path = rest;
            }
            _ => {}
        }
        self.select(json, path)
    }

    /// Continues in a text that replaces the one asked, with a rest that starts with its separator.
    fn follow<'j>(&mut self, text: Text<'j>, rest: &[u8]) -> Result<Value<'j>, PathError> {
        let Some((b'.' | b'|', path)) = rest.split_first() else { return Ok(Value::parse(text)) };
        match text {
            Text::Source(text) => self.get(text, path),
            Text::Made(text) => {
                let value = self.get(&text, path)?;
                self.write(value.raw.bytes().len())?;
                Ok(value.detach())
            }
        }
    }

    /// Searches the first list or object of `json`, wherever it starts.
    fn select<'j>(&mut self, json: &'j [u8], path: &[u8]) -> Result<Value<'j>, PathError> {
        let mut search = Search { evaluator: self, json, found: Value::MISSING, pipe: None };
        if let Some(path) = path.strip_prefix(b"..") {
            search.list(0, path)?;
        } else if let Some(start) = scan::find(json, 0, |byte| matches!(byte, b'{' | b'[')) {
            search.container(start, path)?;
        }
        let (found, pipe) = (search.found, search.pipe);
        match pipe {
            Some(path) => match found.raw {
                Text::Source(text) => self.get(text, path),
                Text::Made(text) => Ok(self.get(&text, path)?.detach()),
            },
            None => Ok(found),
        }
    }

    /// Counts `bytes` of JSON as looked at.
    pub(super) fn scan(&mut self, bytes: usize) -> Result<(), PathError> {
        self.scan_left = self.scan_left.checked_sub(bytes).ok_or(PathError::TooCostly)?;
        Ok(())
    }

    /// Counts `bytes` of JSON as made.
    pub(super) fn write(&mut self, bytes: usize) -> Result<(), PathError> {
        self.write_left = self.write_left.checked_sub(bytes).ok_or(PathError::TooCostly)?;
        Ok(())
    }

    /// Adds to JSON that is being made.
    pub(super) fn put(&mut self, out: &mut Buffer, text: &[u8]) -> Result<(), PathError> {
        self.write(text.len())?;
        Ok(out.extend(text)?)
    }

    /// Goes one level deeper. An error ends the evaluation, so only success must be followed by [`leave`](Self::leave).
    pub(super) fn enter(&mut self) -> Result<(), PathError> {
        if self.depth == MAX_DEPTH {
            return Err(PathError::TooDeep);
        }
        self.depth += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }
}

/// Whether a search is over, or where the text goes on behind what was searched in vain.
enum Step {
    Found,
    Behind(usize),
}

/// One search through one text.
struct Search<'e, 'j, 'p> {
    evaluator: &'e mut Evaluator,
    json: &'j [u8],
    found: Value<'j>,
    /// The path for the result, once a part in front of a pipe has been reached.
    pipe: Option<&'p [u8]>,
}

impl<'p> Search<'_, '_, 'p> {
    fn container(&mut self, start: usize, path: &'p [u8]) -> Result<Step, PathError> {
        if self.json[start] == b'{' { self.object(start + 1, path) } else { self.list(start + 1, path) }
    }

    fn object(&mut self, mut at: usize, path: &'p [u8]) -> Result<Step, PathError> {
        self.evaluator.scan(path.len())?;
        let part = KeyPart::read(path);
        self.pipe = part.next.pipe().or(self.pipe);
        while let Some(start) = scan::find(self.json, at, |byte| matches!(byte, b'"' | b'}')) {
            if self.json[start] == b'}' {
                return Ok(Step::Behind(start + 1));
            }
            let Some(end) = scan::string_end(self.json, start) else { break };
            let is_match = self.matches(&part, &self.json[start..end])?;
            let Some(start) = scan::value_start(self.json, end) else { break };
            match self.member(start, is_match, part.next)? {
                Some(Step::Behind(next)) => at = next,
                Some(Step::Found) => return Ok(Step::Found),
                None => break,
            }
        }
        Ok(Step::Behind(self.json.len()))
    }

    fn matches(&mut self, part: &KeyPart<'_>, key: &[u8]) -> Result<bool, PathError> {
        if !part.is_pattern && !key.contains(&b'\\') {
            return Ok(*part.name == key[1..key.len() - 1]);
        }
        let key = unquote(key);
        if part.is_pattern { matches_pattern(&key, &part.name, self.evaluator) } else { Ok(*part.name == **key) }
    }

    /// Takes, enters or skips the value at `start`; none if the text ends in it.
    fn member(&mut self, start: usize, is_match: bool, next: Next<'p>) -> Result<Option<Step>, PathError> {
        if let (true, Next::Dot(path), b'{' | b'[') = (is_match, next, self.json[start]) {
            self.evaluator.enter()?;
            let step = self.container(start, path)?;
            self.evaluator.leave();
            return Ok(Some(step));
        }
        let Some((value, end)) = scan::value_at(self.json, start) else { return Ok(None) };
        if is_match && !next.is_dot() {
            self.found = value;
            return Ok(Some(Step::Found));
        }
        Ok(Some(Step::Behind(end)))
    }

    fn list(&mut self, at: usize, path: &'p [u8]) -> Result<Step, PathError> {
        self.evaluator.scan(path.len())?;
        let part = ListPart::read(path);
        self.pipe = part.next.pipe().or(self.pipe);
        match part.select {
            Select::Count => Ok(self.count(at)),
            Select::Each(path) => self.each(at, path),
            Select::Index(index) => self.element(at, index, part.next),
            Select::Nothing => self.element(at, None, Next::End),
            Select::Query(query) => self.query(at, &query, part.next),
        }
    }

    fn element(&mut self, mut at: usize, index: Option<usize>, next: Next<'p>) -> Result<Step, PathError> {
        let mut count = 0;
        while let Some(start) = self.element_start(at) {
            match self.member(start, index == Some(count), next)? {
                Some(Step::Behind(end)) => at = end,
                Some(Step::Found) => return Ok(Step::Found),
                None => return Ok(Step::Behind(self.json.len())),
            }
            count += 1;
        }
        Ok(self.list_end(at))
    }

    fn count(&mut self, mut at: usize) -> Step {
        let mut count = 0_usize;
        while let Some(start) = self.element_start(at) {
            let Some((_, end)) = scan::value_at(self.json, start) else { return Step::Behind(self.json.len()) };
            at = end;
            count += 1;
        }
        self.found = Value::made(Kind::Number, Zeroizing::new(count.to_string().into_bytes()));
        Step::Found
    }

    fn each(&mut self, mut at: usize, path: &'p [u8]) -> Result<Step, PathError> {
        let (path, pipe) = multi::split_pipe(path);
        let mut out = Buffer::new(usize::MAX);
        self.evaluator.put(&mut out, b"[")?;
        let mut separator: &[u8] = b"";
        while let Some(start) = self.element_start(at) {
            let Some((element, end)) = scan::value_at(self.json, start) else {
                return Ok(Step::Behind(self.json.len()));
            };
            at = end;
            let value = self.evaluator.get(element.raw.bytes(), path)?;
            if value.exists() {
                self.evaluator.put(&mut out, separator)?;
                self.evaluator.put(&mut out, value.raw.bytes())?;
                separator = b",";
            }
        }
        self.evaluator.put(&mut out, b"]")?;
        self.pipe = pipe.or(self.pipe);
        self.found = Value::made(Kind::Json, out.into_bytes());
        Ok(Step::Found)
    }

    fn query(&mut self, mut at: usize, query: &Query<'p>, next: Next<'p>) -> Result<Step, PathError> {
        let (path, pipe) = match next {
            Next::Dot(path) => {
                let (path, pipe) = multi::split_pipe(path);
                (Some(path), pipe)
            }
            Next::End | Next::Pipe(_) => (None, None),
        };
        let mut out = Buffer::new(usize::MAX);
        self.evaluator.put(&mut out, b"[")?;
        let mut separator: &[u8] = b"";
        while let Some(start) = self.element_start(at) {
            let Some((element, end)) = scan::value_at(self.json, start) else {
                return Ok(Step::Behind(self.json.len()));
            };
            at = end;
            if !query.holds(&element, self.evaluator)? {
                continue;
            }
            self.pipe = pipe.or(self.pipe);
            let value = match path {
                Some(path) => self.evaluator.get(&self.json[start..end], path)?,
                None => element,
            };
            if !query.all {
                self.found = value;
                return Ok(Step::Found);
            }
            if value.exists() {
                self.evaluator.put(&mut out, separator)?;
                self.evaluator.put(&mut out, value.raw.bytes())?;
                separator = b",";
            }
        }
        if query.all && !self.found.exists() {
            self.evaluator.put(&mut out, b"]")?;
            self.found = Value::made(Kind::Json, out.into_bytes());
        }
        Ok(self.list_end(at))
    }

    /// Where the next element starts; none at the end of the list or text.
    fn element_start(&self, at: usize) -> Option<usize> {
        scan::element_start(self.json, at)
    }

    fn list_end(&self, at: usize) -> Step {
        Step::Behind(scan::find(self.json, at, |byte| byte == b']').map_or(self.json.len(), |end| end + 1))
    }
}
