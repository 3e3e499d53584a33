//! The modifiers `@pretty` and `@ugly`: white space only, the values keep their text.

use zeroize::Zeroizing;

use super::eval::Evaluator;
use super::value::{Kind, Text, Value, unquote};
use super::{PathError, modifier, scan};
use crate::json::Buffer;

/// How `@pretty` lays JSON out.
struct Layout {
    indent: Vec<u8>,
    prefix: Vec<u8>,
    sort_keys: bool,
    /// How long a list on one line may be; 0 puts every element on its own line.
    width: usize,
}

impl Layout {
    fn read(argument: &[u8]) -> Self {
        let mut layout = Self { indent: b"  ".to_vec(), prefix: Vec::new(), sort_keys: false, width: 80 };
        modifier::each_option(argument, |name, value| match name {
            b"indent" => layout.indent = white_space(&value.text()),
            b"prefix" => layout.prefix = white_space(&value.text()),
            b"sortKeys" => layout.sort_keys = value.is_on(),
            b"width" => layout.width = width(value),
            _ => {}
        });
        layout
    }
}

fn white_space(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, which is wanted")]
fn width(value: &Value<'_>) -> usize {
    match value.kind {
        Kind::Number => value.number() as usize,
        Kind::String => std::str::from_utf8(&value.text()).ok().and_then(|text| text.parse().ok()).unwrap_or(0),
        Kind::True => 1,
        Kind::False | Kind::Json | Kind::Null => 0,
    }
}

/// Lays `json` out over several lines.
pub(super) fn pretty(evaluator: &mut Evaluator, json: &[u8], argument: &[u8]) -> Result<Zeroizing<Vec<u8>>, PathError> {
    let layout = Layout::read(argument);
    let mut writer = Writer { evaluator, layout: &layout, out: Buffer::new(usize::MAX), column: 0 };
    writer.put(&layout.prefix)?;
    let value = Value::parse(Text::Source(json));
    if value.exists() {
        writer.value(&value, 0)?;
    }
    if writer.column > 0 {
        writer.put(b"\n")?;
    }
    Ok(writer.out.into_bytes())
}

/// Takes all white space outside texts away.
pub(super) fn ugly(evaluator: &mut Evaluator, json: &[u8]) -> Result<Zeroizing<Vec<u8>>, PathError> {
    let mut out = Buffer::new(usize::MAX);
    let mut at = 0;
    while let Some(start) = scan::find(json, at, |byte| byte > b' ') {
        let end = match json[start] {
            b'"' => scan::string_end(json, start).unwrap_or(json.len()),
            _ => scan::find(json, start, |byte| byte <= b' ' || byte == b'"').unwrap_or(json.len()),
        };
        evaluator.put(&mut out, &json[start..end])?;
        at = end;
    }
    Ok(out.into_bytes())
}

struct Writer<'e, 'l> {
    evaluator: &'e mut Evaluator,
    layout: &'l Layout,
    out: Buffer,
    /// Bytes since the last line break; a line break that did not replace a blank counts as one.
    column: usize,
}

impl Writer<'_, '_> {
    fn put(&mut self, text: &[u8]) -> Result<(), PathError> {
        self.column += text.len();
        self.evaluator.put(&mut self.out, text)
    }

    /// Starts a line. `column` is how the measure of a line of its kind starts.
    fn line(&mut self, level: usize, column: usize) -> Result<(), PathError> {
        self.put(b"\n")?;
        self.column = column;
        let layout = self.layout;
        self.put(&layout.prefix)?;
        for _ in 0..level {
            self.put(&layout.indent)?;
        }
        Ok(())
    }

    fn value(&mut self, value: &Value<'_>, level: usize) -> Result<(), PathError> {
        let raw = value.raw.bytes();
        if value.kind != Kind::Json {
            return self.put(raw);
        }
        self.evaluator.enter()?;
        self.evaluator.scan(raw.len())?;
        if value.is_object() {
            self.object(raw, level)?;
        } else {
            self.list(raw, level)?;
        }
        self.evaluator.leave();
        Ok(())
    }

    fn object(&mut self, raw: &[u8], level: usize) -> Result<(), PathError> {
        let mut members = Vec::new();
        scan::for_each(raw, |key, value| {
            members.push((key.unwrap_or_default(), value));
            Ok::<(), PathError>(())
        })?;
        if self.layout.sort_keys {
            members.sort_by(|(a, _), (b, _)| unquote(a).cmp(&*unquote(b)));
        }
        self.put(b"{")?;
        for (index, (key, value)) in members.iter().enumerate() {
            if index > 0 {
                self.put(b",")?;
            }
            self.line(level + 1, 1)?;
            self.put(key)?;
            self.put(b": ")?;
            self.value(value, level + 1)?;
        }
        if !members.is_empty() {
            self.line(level, 1)?;
        }
        self.put(b"}")
    }

    fn list(&mut self, raw: &[u8], level: usize) -> Result<(), PathError> {
        let room = self.layout.width.saturating_sub(self.column);
        if room > 3 {
            let mut line = Buffer::new(room);
            if self.fits(raw, &mut line)? {
                return self.put(&line.into_bytes());
            }
        }
        let mut elements = Vec::new();
        scan::for_each(raw, |_, value| {
            elements.push(value);
            Ok::<(), PathError>(())
        })?;
        self.put(b"[")?;
        for (index, value) in elements.iter().enumerate() {
            if index > 0 {
                self.put(b",")?;
            }
            self.line(level + 1, usize::from(index == 0))?;
            self.value(value, level + 1)?;
        }
        if !elements.is_empty() {
            self.line(level, 1)?;
        }
        self.put(b"]")
    }

    /// Tries to write a list on one line: it may hold no object and must not outgrow `line`.
    fn fits(&mut self, list: &[u8], line: &mut Buffer) -> Result<bool, PathError> {
        self.evaluator.enter()?;
        let mut fits = line.push(b'[').is_ok();
        let mut separator: &[u8] = b"";
        scan::for_each(list, |_, value| {
            fits = fits && !value.is_object() && line.extend(separator).is_ok();
            separator = b", ";
            if fits {
                let raw = value.raw.bytes();
                fits = if value.is_list() { self.fits(raw, line)? } else { line.extend(raw).is_ok() };
            }
            Ok::<(), PathError>(())
        })?;
        self.evaluator.leave();
        Ok(fits && line.push(b']').is_ok())
    }
}
