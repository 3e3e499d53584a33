//! Values to JSON text: sorted keys, Go's escapes and number forms.

use crate::budget::Budget;
use crate::error::Failure;
use crate::float;
use crate::rune::runes;
use crate::value::{Buffer, Bytes, Value};

/// Why a value has no JSON text.
pub(in crate::function) enum Failed {
    Limit(Failure),
    /// Name of a type that JSON does not know.
    Unsupported(&'static str),
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self::Limit(failure)
    }
}

/// Compact JSON; `html` escapes `<`, `>` and `&`.
pub(in crate::function) fn encode(value: &Value, html: bool, budget: &mut Budget) -> Result<Buffer, Failed> {
    let mut writer = Writer { out: Buffer::default(), html, budget };
    writer.value(value, 0)?;
    Ok(writer.out)
}

/// Indented by two spaces.
pub(super) fn encode_pretty(value: &Value, budget: &mut Budget) -> Result<Buffer, Failed> {
    let compact = encode(value, true, budget)?;
    let mut out = Buffer::default();
    let mut depth = 0_usize;
    let mut in_text = false;
    let mut escaped = false;
    let mut previous = 0;
    for byte in compact.iter().copied() {
        if in_text {
            out.push(byte);
            in_text = escaped || byte != b'"';
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        let opened = matches!(previous, b'{' | b'[');
        match byte {
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if !opened {
                    line(&mut out, depth, budget)?;
                }
            }
            _ if opened => line(&mut out, depth, budget)?,
            _ => {}
        }
        out.push(byte);
        match byte {
            b'{' | b'[' => depth += 1,
            b',' => line(&mut out, depth, budget)?,
            b':' => out.push(b' '),
            b'"' => in_text = true,
            _ => {}
        }
        previous = byte;
    }
    Ok(out)
}

fn line(out: &mut Buffer, depth: usize, budget: &mut Budget) -> Result<(), Failure> {
    budget.allocate(1 + 2 * depth)?;
    out.push(b'\n');
    for _ in 0..depth {
        out.extend(b"  ");
    }
    Ok(())
}

struct Writer<'b> {
    out: Buffer,
    html: bool,
    budget: &'b mut Budget,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Failed> {
        self.budget.descend(depth)?;
        let value = &*value.without_structs();
        match value {
            Value::Nil => self.literal("null"),
            Value::Bool(flag) => self.literal(if *flag { "true" } else { "false" }),
            Value::Int(number) | Value::Int64(number) => self.literal(&number.to_string()),
            Value::Byte(number) => self.literal(&number.to_string()),
            Value::Uint(number) => self.literal(&number.to_string()),
            Value::Float(number) if number.is_finite() => self.literal(&float(*number)),
            Value::Float(_) | Value::Complex(..) => Err(Failed::Unsupported(value.type_name())),
            Value::Bytes(text) => self.text(text),
            Value::Object(object) => self.text(object.json_text().as_bytes()),
            Value::List(list) if list.is_absent() => self.literal("null"),
            Value::List(list) => {
                for (index, item) in list.items().iter().enumerate() {
                    self.literal(if index == 0 { "[" } else { "," })?;
                    self.value(item, depth + 1)?;
                }
                self.literal(if list.items().is_empty() { "[]" } else { "]" })
            }
            Value::Map(map) => self.entries(map.entries().into_iter(), depth),
            Value::StringMap(map) => {
                self.entries(map.iter().map(|(key, value)| (key.clone(), Value::Bytes(value.clone()))), depth)
            }
        }
    }

    fn entries(&mut self, entries: impl ExactSizeIterator<Item = (Bytes, Value)>, depth: usize) -> Result<(), Failed> {
        let empty = entries.len() == 0;
        for (index, (key, value)) in entries.enumerate() {
            self.literal(if index == 0 { "{" } else { "," })?;
            self.text(&key)?;
            self.literal(":")?;
            self.value(&value, depth + 1)?;
        }
        self.literal(if empty { "{}" } else { "}" })
    }

    fn literal(&mut self, text: &str) -> Result<(), Failed> {
        self.budget.allocate(text.len())?;
        self.out.extend(text.as_bytes());
        Ok(())
    }

    fn text(&mut self, text: &[u8]) -> Result<(), Failed> {
        self.budget.allocate(text.len() + 2)?;
        self.out.push(b'"');
        for (character, bytes) in runes(text) {
            match character {
                '"' => self.out.extend(b"\\\""),
                '\\' => self.out.extend(b"\\\\"),
                '\n' => self.out.extend(b"\\n"),
                '\r' => self.out.extend(b"\\r"),
                '\t' => self.out.extend(b"\\t"),
                '\x08' => self.out.extend(b"\\b"),
                '\x0c' => self.out.extend(b"\\f"),
                '<' | '>' | '&' if self.html => self.escape(character),
                '\0'..' ' | '\u{2028}' | '\u{2029}' => self.escape(character),
                // An invalid byte, told from the character itself by its length.
                char::REPLACEMENT_CHARACTER if bytes.len() == 1 => self.escape(character),
                _ => self.out.extend(bytes),
            }
        }
        self.out.push(b'"');
        Ok(())
    }

    fn escape(&mut self, character: char) {
        self.out.extend(format!("\\u{:04x}", u32::from(character)).as_bytes());
    }
}

/// Plain digits from 1e-6 up to 1e21, else the shortest exponent form.
fn float(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return float::format(number, 'f', None);
    }
    float::format(number, 'e', None).replace("e-0", "e-")
}
