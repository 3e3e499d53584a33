//! PEM blocks and the few fields of certificates that templates look at.

use std::collections::BTreeMap;

use bstr::ByteSlice;

use crate::function::{decode_64, encode_64};
use crate::value::Buffer;

pub(crate) mod certificate;
pub(crate) mod der;

/// One block: type, headers, content.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) label: Vec<u8>,
    headers: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) content: Buffer,
}

impl Block {
    /// A block without headers.
    pub(crate) fn new(label: &str, content: impl Into<Buffer>) -> Self {
        Self { label: label.as_bytes().to_vec(), headers: BTreeMap::new(), content: content.into() }
    }

    /// The first well-formed block and the text after its last line. Text before it and broken blocks are passed over, as in Go.
    pub(crate) fn take(text: &[u8]) -> Option<(Self, &[u8])> {
        let mut from = 0;
        loop {
            let end = from + text[from..].find(END)?;
            let trailer = end + END.len();
            match Self::between(text, from, end)? {
                Some(block) => {
                    let (_, rest) = line(&text[trailer - 1..]);
                    return Some((block, rest));
                }
                None => from = trailer,
            }
        }
    }

    /// The block whose end marker stands at `end`; the inner nothing if it is broken, the outer if no later one can be whole either.
    #[expect(clippy::option_option, reason = "a broken block and a hopeless text are two answers")]
    fn between(text: &[u8], from: usize, end: usize) -> Option<Option<Self>> {
        let trailer = end + END.len();
        let Some(begin) = text[from..end].rfind(BEGIN).map(|at| from + at) else {
            return Some(None);
        };
        if begin > from && text[begin - 1] != b'\n' {
            return Some(None);
        }
        let (type_line, mut rest) = line(&text[begin + BEGIN.len()..]);
        let Some(label) = type_line.strip_suffix(DASHES) else {
            return Some(None);
        };
        let mut headers = BTreeMap::new();
        loop {
            if rest.is_empty() {
                return None;
            }
            let (header, next) = line(rest);
            let Some((key, value)) = header.split_once_str(b":") else { break };
            headers.insert(key.trim().to_vec(), value.trim().to_vec());
            rest = next;
        }
        let at = text.len() - rest.len();
        if at > trailer {
            return None;
        }
        if !headers.is_empty() && end < at {
            return Some(None);
        }
        let closing = text[trailer..].strip_prefix(label).and_then(|rest| rest.strip_prefix(DASHES));
        if closing.is_none_or(|rest| !line(rest).0.is_empty()) {
            return Some(None);
        }
        let body: Vec<u8> =
            text.get(at..end).unwrap_or_default().iter().copied().filter(|b| !b" \t".contains(b)).collect();
        let Ok(content) = decode_64(&body) else {
            return Some(None);
        };
        Some(Some(Self { label: label.to_vec(), headers, content }))
    }

    /// The block alone as text.
    #[cfg(feature = "crypto")]
    pub(crate) fn text(&self) -> Buffer {
        let mut out = Buffer::default();
        self.append(&mut out);
        out
    }

    /// The block as text: `Proc-Type` first, then the other headers in order, lines of 64 characters.
    pub(crate) fn append(&self, out: &mut Buffer) {
        out.extend(BEGIN);
        out.extend(&self.label);
        out.extend(b"-----\n");
        let first = self.headers.get_key_value(PROCESS.as_bytes());
        let others = self.headers.iter().filter(|(key, _)| *key != PROCESS.as_bytes());
        for (key, value) in first.into_iter().chain(others) {
            out.extend(key);
            out.extend(b": ");
            out.extend(value);
            out.push(b'\n');
        }
        if !self.headers.is_empty() {
            out.push(b'\n');
        }
        for line in encode_64(&self.content).chunks(64) {
            out.extend(line);
            out.push(b'\n');
        }
        out.extend(&END[1..]);
        out.extend(&self.label);
        out.extend(b"-----\n");
    }
}

/// The first line without blanks at its end, and what follows it.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match text.find_byte(b'\n') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[][..]),
    };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    (line.trim_end_with(|c| matches!(c, ' ' | '\t')), rest)
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";
const PROCESS: &str = "Proc-Type";
