//! YAML text to values: the first document only, numbers as floats, the last of two equal keys wins.

use std::collections::{BTreeMap, HashMap};

use granit_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag};

use crate::budget::Budget;
use crate::error::Failure;
use crate::function::dict;
use crate::function::encode::decode_64;
use crate::print;
use crate::value::{Bytes, ElementType, Map, Value};
use crate::yaml::{self, Resolved, resolve};

/// Why there is no value.
pub(super) enum Refused {
    Limit(Failure),
    /// What `fromYaml` says under the key `Error`.
    Text(String),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Limit(failure)
    }
}

/// Nil for an empty document.
pub(super) fn read(text: &[u8], budget: &mut Budget) -> Result<Value, Refused> {
    let Ok(text) = std::str::from_utf8(text) else {
        return Err(Refused::Text(format!("{YAML}: invalid UTF-8")));
    };
    let mut reader = Reader { text, events: Parser::new_from_str(text), anchors: HashMap::new(), budget };
    loop {
        match reader.next()? {
            Event::StreamStart | Event::DocumentStart(..) => {}
            Event::StreamEnd | Event::DocumentEnd => return Ok(Value::Nil),
            event => {
                let value = reader.node(event, 0)?;
                // The document must be complete, whatever comes after it.
                reader.next()?;
                return Ok(value);
            }
        }
    }
}

struct Reader<'t, 'b> {
    text: &'t str,
    events: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Value>,
    budget: &'b mut Budget,
}

impl<'t> Reader<'t, '_> {
    fn next(&mut self) -> Result<Event<'t>, Refused> {
        loop {
            self.budget.step(1)?;
            match self.events.next() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, _))) => return Ok(event),
                Some(Err(error)) => return Err(refused(&error, self.text)),
                None => return Ok(Event::StreamEnd),
            }
        }
    }

    fn node(&mut self, event: Event<'t>, depth: usize) -> Result<Value, Refused> {
        self.budget.descend(depth)?;
        let (anchor, value) = match event {
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned().unwrap_or_default();
                return Ok(dict::copy(&value, self.budget, depth)?);
            }
            Event::Scalar(text, style, anchor, tag) => (anchor, self.scalar(&text, style, tag.as_deref())?),
            Event::SequenceStart(_, anchor, _) => (anchor, self.sequence(depth)?),
            Event::MappingStart(_, anchor, _) => (anchor, self.mapping(depth)?),
            _ => return Err(Refused::Text(format!("{YAML}: unexpected end"))),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn sequence(&mut self, depth: usize) -> Result<Value, Refused> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(self.budget.list(ElementType::Any, items)?),
                event => items.push(self.node(event, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, Refused> {
        let mut entries = BTreeMap::new();
        loop {
            let event = match self.next()? {
                Event::MappingEnd => return Ok(Value::Map(Map::new(entries))),
                event => event,
            };
            let merges = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = match number_key(&event) {
                Some(number) => {
                    if matches!(event, Event::Scalar(_, _, 1.., _)) {
                        self.node(event, depth + 1)?;
                    }
                    number
                }
                None => whole(self.node(event, depth + 1)?),
            };
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            if merges {
                merge(&mut entries, &value)?;
                continue;
            }
            let key = self.key_text(&key, &value)?;
            self.budget.allocate(key.len() + 64)?;
            entries.insert(key, value);
        }
    }

    /// Keys become texts as JSON wants them.
    fn key_text(&mut self, key: &Value, value: &Value) -> Result<Bytes, Refused> {
        match key {
            Value::Bytes(text) => Ok(text.clone()),
            Value::Bool(flag) => Ok(Bytes::from(if *flag { "true" } else { "false" })),
            Value::Int(number) => Ok(Bytes::from(number.to_string())),
            Value::Float(number) => Ok(Bytes::from(yaml::single_float_text(*number))),
            key => {
                let format = b"unsupported map key of type: %s, key: %#v, value: %#v";
                let kind = if matches!(key, Value::Nil) { Value::Nil } else { Value::text(key.type_name()) };
                let text = print::printf(format, &[kind, key.clone(), value.clone()], self.budget)?;
                Err(Refused::Text(format!("{CONVERT}: {}", String::from_utf8_lossy(&text))))
            }
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, Refused> {
        let tagged = |name: &str| tag.is_some_and(|tag| tagged(tag, name));
        if tagged("binary") {
            let bytes =
                decode_64(text.as_bytes()).map_err(|_| Refused::Text(format!("{YAML}: invalid !!binary value")))?;
            return Ok(self.budget.text(bytes)?);
        }
        if style != ScalarStyle::Plain
            || tag.is_some() && !tagged("int") && !tagged("float") && !tagged("bool") && !tagged("null")
        {
            return Ok(self.budget.text(text)?);
        }
        match resolve(text) {
            Resolved::Null => Ok(Value::Nil),
            Resolved::Bool(flag) => Ok(Value::Bool(flag)),
            #[expect(clippy::cast_precision_loss, reason = "numbers pass through JSON, which has floats only")]
            Resolved::Integer(number) => Ok(Value::Float(number as f64)),
            Resolved::Float(number) if number.is_finite() => Ok(Value::Float(number)),
            Resolved::Float(_) => Err(Refused::Text(format!("{CONVERT}: json: unsupported value"))),
            Resolved::Text | Resolved::Timestamp => Ok(self.budget.text(text)?),
        }
    }
}

/// A plain number that is a key; unlike a value it does not pass through JSON.
fn number_key(event: &Event<'_>) -> Option<Value> {
    let Event::Scalar(text, ScalarStyle::Plain, _, tag) = event else { return None };
    if !tag.as_deref().is_none_or(|tag| tagged(tag, "int") || tagged(tag, "float")) {
        return None;
    }
    match resolve(text) {
        Resolved::Integer(number) => {
            i64::try_from(number).map(Value::Int).or_else(|_| u64::try_from(number).map(Value::Uint)).ok()
        }
        Resolved::Float(number) => Some(Value::Float(number)),
        _ => None,
    }
}

/// An alias that is a key: whether it stands for a whole number or for a float without a fraction is known no more.
fn whole(key: Value) -> Value {
    match key {
        #[expect(clippy::cast_possible_truncation, reason = "every whole number of this size is exact")]
        Value::Float(number) if number.fract() == 0.0 && number.abs() < EXACT => Value::Int(number as i64),
        key => key,
    }
}

fn tagged(tag: &Tag, name: &str) -> bool {
    tag.suffix_in_namespace(TAGS).is_some_and(|tag| tag == name)
}

/// `<<`: the entries of a mapping, or of several of which the first wins.
fn merge(entries: &mut BTreeMap<Bytes, Value>, value: &Value) -> Result<(), Refused> {
    match value {
        Value::Map(map) => {
            entries.extend(map.entries());
            Ok(())
        }
        Value::List(list) => list.items().iter().rev().try_for_each(|item| merge(entries, item)),
        _ => Err(Refused::Text(format!("{YAML}: map merge requires map or sequence of maps as the value"))),
    }
}

/// The complaint in the words of Go's parser, which names the problem without its context and counts lines in two ways.
fn refused(error: &ScanError, text: &str) -> Refused {
    let info = error.info();
    let line = error.marker().line();
    let (line, problem) = match info.strip_prefix("unclosed bracket '") {
        // Found at the end of the text.
        Some(open) if open.starts_with('[') => (text.lines().count(), "did not find expected ',' or ']'"),
        Some(_) => (text.lines().count(), "did not find expected ',' or '}'"),
        None => match info.split_once(", ") {
            Some((context, problem)) if context.starts_with("while parsing") => (line.saturating_sub(1), problem),
            Some((context, problem)) if context.starts_with("while scanning") => (line, problem),
            _ => (line, &*info),
        },
    };
    Refused::Text(match line {
        0 => format!("{YAML}: {problem}"),
        line => format!("{YAML}: line {line}: {problem}"),
    })
}

/// Up to here a float tells all whole numbers apart.
const EXACT: f64 = 9_007_199_254_740_992.0;
const CONVERT: &str = "error converting YAML to JSON";
const YAML: &str = "error converting YAML to JSON: yaml";
const TAGS: &str = "tag:yaml.org,2002:";
