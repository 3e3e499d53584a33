//! Values to YAML text in block style.

use std::cmp::Ordering;

use super::scalar::{self, Place};
use crate::budget::Budget;
use crate::float;
use crate::function::json::Failed;
use crate::value::{Buffer, Bytes, Value};

/// Without the newline at the end.
pub(super) fn write(value: &Value, budget: &mut Budget) -> Result<Buffer, Failed> {
    let mut writer = Writer { out: Buffer::default(), budget };
    let value = &*value.without_structs();
    match value {
        Value::Map(_) | Value::StringMap(_) | Value::List(_) => writer.collection(value, 0, 0, true)?,
        scalar => writer.scalar(scalar, 2)?,
    }
    // A literal block ends its own last line; one line end is not part of the result.
    let text = writer.out;
    Ok(match text.strip_suffix(b"\n") {
        Some(shorter) => Buffer::from(shorter),
        None => text,
    })
}

struct Writer<'b> {
    out: Buffer,
    budget: &'b mut Budget,
}

impl Writer<'_> {
    /// A list or map; `inline` if its first line goes on from where the output is.
    fn collection(&mut self, value: &Value, indent: usize, depth: usize, inline: bool) -> Result<(), Failed> {
        self.budget.descend(depth)?;
        match value {
            Value::List(list) => {
                for (index, item) in list.items().iter().enumerate() {
                    self.begin(indent, inline && index == 0)?;
                    self.put("-")?;
                    self.nested(item, indent, depth, true)?;
                }
                if list.items().is_empty() {
                    self.put(if list.is_absent() { "null" } else { "[]" })?;
                }
                Ok(())
            }
            Value::Map(map) => self.entries(map.entries(), indent, depth, inline),
            Value::StringMap(map) => {
                let entries = map.iter().map(|(key, value)| (key.clone(), Value::Bytes(value.clone())));
                self.entries(entries.collect(), indent, depth, inline)
            }
            scalar => self.scalar(scalar, indent),
        }
    }

    fn entries(
        &mut self,
        entries: Vec<(Bytes, Value)>,
        indent: usize,
        depth: usize,
        inline: bool,
    ) -> Result<(), Failed> {
        if entries.is_empty() {
            return self.put("{}");
        }
        let mut entries: Vec<_> =
            entries.into_iter().map(|(key, value)| Ok((text_of(&key)?, value))).collect::<Result<_, Failed>>()?;
        entries.sort_by(|(a, _), (b, _)| compare_keys(a, b));
        for (index, (key, value)) in entries.into_iter().enumerate() {
            self.begin(indent, inline && index == 0)?;
            let simple_key = scalar::is_simple_key(&key);
            if !simple_key {
                self.put("? ")?;
            }
            self.text(&key, Place { indent: indent + 2, simple_key })?;
            if !simple_key {
                self.begin(indent, false)?;
            }
            self.put(":")?;
            self.nested(&value, indent, depth, false)?;
        }
        Ok(())
    }

    /// A value behind `-` or a key.
    fn nested(&mut self, value: &Value, indent: usize, depth: usize, in_list: bool) -> Result<(), Failed> {
        let value = &*value.without_structs();
        match value {
            Value::List(list) if !list.items().is_empty() && !in_list => {
                self.collection(value, indent, depth + 1, false)
            }
            Value::Map(map) if !map.is_empty() && !in_list => self.collection(value, indent + 2, depth + 1, false),
            Value::StringMap(map) if !map.is_empty() && !in_list => {
                self.collection(value, indent + 2, depth + 1, false)
            }
            Value::List(_) | Value::Map(_) | Value::StringMap(_) => {
                self.put(" ")?;
                self.collection(value, indent + 2, depth + 1, true)
            }
            scalar => {
                self.put(" ")?;
                self.scalar(scalar, indent + 2)
            }
        }
    }

    /// A new line at the indent, unless the output stands there.
    fn begin(&mut self, indent: usize, inline: bool) -> Result<(), Failed> {
        self.budget.step(1)?;
        if inline {
            return Ok(());
        }
        if !self.out.is_empty() && !self.out.ends_with(b"\n") {
            self.put("\n")?;
        }
        self.put(&" ".repeat(indent))
    }

    fn scalar(&mut self, value: &Value, indent: usize) -> Result<(), Failed> {
        let place = Place { indent, simple_key: false };
        match value {
            Value::Nil => self.put("null"),
            Value::Bool(flag) => self.put(if *flag { "true" } else { "false" }),
            Value::Int(number) | Value::Int64(number) => self.put(&number.to_string()),
            Value::Byte(number) => self.put(&number.to_string()),
            Value::Uint(number) => self.put(&number.to_string()),
            Value::Float(number) if number.is_finite() => self.put(&number_text(*number)),
            Value::Bytes(text) => self.text(&text_of(text)?, place),
            Value::Object(object) => self.text(&object.json_text(), place),
            Value::Float(_) | Value::Complex(..) | Value::List(_) | Value::Map(_) | Value::StringMap(_) => {
                Err(Failed::Unsupported(value.type_name()))
            }
        }
    }

    fn text(&mut self, text: &str, place: Place) -> Result<(), Failed> {
        let lines = text.bytes().filter(|byte| *byte == b'\n').take(text.len()).count() + text.len() / 80 + 1;
        self.budget.allocate(text.len().saturating_mul(2).saturating_add(lines.saturating_mul(place.indent)))?;
        scalar::append(&mut self.out, text, place);
        Ok(())
    }

    fn put(&mut self, text: &str) -> Result<(), Failed> {
        self.budget.allocate(text.len())?;
        self.out.extend(text.as_bytes());
        Ok(())
    }
}

/// Whole numbers that fit 64 bits are plain, all others take Go's shortest form.
fn number_text(number: f64) -> String {
    let json = if number != 0.0 && !(1e-6..1e21).contains(&number.abs()) {
        float::format(number, 'e', None)
    } else {
        float::format(number, 'f', None)
    };
    let whole = json
        .parse::<i64>()
        .map(|whole| whole.to_string())
        .or_else(|_| json.parse::<u64>().map(|whole| whole.to_string()));
    whole.unwrap_or_else(|_| float::format(number, 'g', None))
}

/// The text after its way through JSON and a YAML reader: invalid bytes become U+FFFD, U+0085 is a line end that folds, and control
/// characters that JSON does not escape are refused.
fn text_of(bytes: &[u8]) -> Result<String, Failed> {
    let text: String = crate::rune::runes(bytes).map(|(character, _)| character).collect();
    let refused = |c: char| matches!(c, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
    if text.contains(refused) {
        return Err(Failed::Unsupported("control character"));
    }
    if !text.contains('\u{85}') {
        return Ok(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut pieces = text.split('\u{85}').peekable();
    let mut empty_lines = 0;
    let mut first = true;
    while let Some(piece) = pieces.next() {
        let last = pieces.peek().is_none();
        let piece = if first { piece } else { piece.trim_start_matches([' ', '\t']) };
        let piece = if last { piece } else { piece.trim_end_matches([' ', '\t']) };
        if !first {
            if piece.is_empty() && !last {
                empty_lines += 1;
                continue;
            }
            out.push_str(&if empty_lines == 0 { " ".to_owned() } else { "\n".repeat(empty_lines) });
            empty_lines = 0;
        }
        out.push_str(piece);
        first = false;
    }
    Ok(out)
}

/// Letters after everything else, numbers inside texts by size.
fn compare_keys(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(x, y)| x != y) else {
        return a.len().cmp(&b.len());
    };
    let (x, y) = (a[at], b[at]);
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x.cmp(&y),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let mut start = 0_i64;
    if x == '0' || y == '0' {
        let digits = a[..at].iter().rev().take_while(|c| c.is_numeric());
        start = i64::from(digits.into_iter().any(|c| *c != '0'));
    }
    let number = |text: &[char]| {
        let digits: Vec<i64> = text.iter().map_while(|c| c.to_digit(10)).map(i64::from).collect();
        let value = digits.iter().fold(start, |value, digit| value.wrapping_mul(10).wrapping_add(*digit));
        (value, digits.len())
    };
    number(&a[at..]).cmp(&number(&b[at..])).then(x.cmp(&y))
}
