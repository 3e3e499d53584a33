//! Modifiers: `@name` and `@name:argument` rewrite the JSON they are applied to.

use indexmap::IndexMap;
use zeroize::Zeroizing;

use super::eval::Evaluator;
use super::value::{Kind, Text, Value, unquote};
use super::{PathError, multi, pretty, scan};
use crate::json::{Buffer, quote};

#[derive(Clone, Copy)]
enum Modifier {
    Dig,
    Flatten,
    FromText,
    Group,
    Join,
    Keys,
    Pretty,
    Reverse,
    This,
    ToText,
    Ugly,
    Valid,
    Values,
}

/// Tells whether `path` starts with a modifier that exists. One that does not is a key.
pub(super) fn starts_at(path: &[u8]) -> bool {
    path.strip_prefix(b"@").is_some_and(|path| named(path).is_some())
}

/// Applies the modifier at the start of `path` to `json`; returns the new text and the rest of the path.
pub(super) fn apply<'j, 'p>(
    evaluator: &mut Evaluator,
    json: &'j [u8],
    path: &'p [u8],
) -> Result<Option<(Text<'j>, &'p [u8])>, PathError> {
    let Some((modifier, rest)) = path.strip_prefix(b"@").and_then(named) else { return Ok(None) };
    let (argument, rest) = rest.strip_prefix(b":").map_or((&b""[..], rest), argument);
    evaluator.scan(json.len())?;
    Ok(Some((modifier.apply(evaluator, json, argument)?, rest)))
}

fn named(path: &[u8]) -> Option<(Modifier, &[u8])> {
    let end = scan::find(path, 0, |byte| matches!(byte, b'.' | b'|' | b':')).unwrap_or(path.len());
    let modifier = match &path[..end] {
        b"dig" => Modifier::Dig,
        b"flatten" => Modifier::Flatten,
        b"fromstr" => Modifier::FromText,
        b"group" => Modifier::Group,
        b"join" => Modifier::Join,
        b"keys" => Modifier::Keys,
        b"pretty" => Modifier::Pretty,
        b"reverse" => Modifier::Reverse,
        b"this" => Modifier::This,
        b"tostr" => Modifier::ToText,
        b"ugly" => Modifier::Ugly,
        b"valid" => Modifier::Valid,
        b"values" => Modifier::Values,
        _ => return None,
    };
    Some((modifier, &path[end..]))
}

/// Splits off the argument: one JSON value, or all up to the next pipe outside brackets and quotes.
fn argument(path: &[u8]) -> (&[u8], &[u8]) {
    let bracketed = |at: usize| match path[at] {
        b'"' => scan::string_end(path, at).unwrap_or(path.len()),
        _ => scan::bracket_end(path, at),
    };
    if let Some(b'{' | b'[' | b'"') = path.first() {
        return path.split_at(bracketed(0));
    }
    let mut at = 0;
    while let Some(byte) = path.get(at) {
        match byte {
            b'|' => break,
            b'{' | b'[' | b'(' | b'"' => at = bracketed(at),
            _ => at += 1,
        }
    }
    path.split_at(at)
}

impl Modifier {
    fn apply<'j>(self, evaluator: &mut Evaluator, json: &'j [u8], argument: &[u8]) -> Result<Text<'j>, PathError> {
        let value = Value::parse(Text::Source(json));
        let mut out = Buffer::new(usize::MAX);
        match self {
            Self::This => return Ok(Text::Source(json)),
            Self::Reverse | Self::Flatten | Self::Join if value.kind != Kind::Json => return Ok(Text::Source(json)),
            Self::Flatten | Self::Join if !value.is_list() => return Ok(Text::Source(json)),
            Self::Values if value.is_list() => return Ok(Text::Source(json)),
            Self::Valid => return Ok(Text::Source(if multi::is_json(json) { json } else { b"" })),
            Self::FromText => {
                return Ok(if multi::is_json(json) { Text::Made(value.text()) } else { Text::Source(b"") });
            }
            Self::Dig => dig(evaluator, &value, argument, &mut out)?,
            Self::Flatten => flatten(evaluator, value.raw.bytes(), option(argument, b"deep"), &mut out)?,
            Self::Group => group(evaluator, &value, &mut out)?,
            Self::Join if option(argument, b"preserve") => join_all(evaluator, &value, &mut out)?,
            Self::Join => join(evaluator, &value, &mut out)?,
            Self::Keys => keys(evaluator, &value, &mut out)?,
            Self::Pretty => return Ok(Text::Made(pretty::pretty(evaluator, json, argument)?)),
            Self::Reverse => reverse(evaluator, &value, &mut out)?,
            Self::ToText => {
                quote(json, &mut out)?;
                let text = out.into_bytes();
                evaluator.write(text.len())?;
                return Ok(Text::Made(text));
            }
            Self::Ugly => return Ok(Text::Made(pretty::ugly(evaluator, json)?)),
            Self::Values => values(evaluator, &value, &mut out)?,
        }
        Ok(Text::Made(out.into_bytes()))
    }
}

/// Tells whether the argument is an object in which `name` is switched on; of repeated names the last counts.
fn option(argument: &[u8], name: &[u8]) -> bool {
    let mut on = false;
    each_option(argument, |key, value| {
        if key == name {
            on = value.is_on();
        }
    });
    on
}

/// Calls `each` for every member of an argument that is an object.
pub(super) fn each_option(argument: &[u8], mut each: impl FnMut(&[u8], &Value<'_>)) {
    let options = Value::parse(Text::Source(argument));
    if options.is_object() {
        let read = scan::for_each(options.raw.bytes(), |key, value| {
            each(&unquote(key.unwrap_or_default()), &value);
            Ok::<(), PathError>(())
        });
        debug_assert!(read.is_ok(), "reading options never fails");
    }
}

/// Calls `each` for every member of a list or object, or once for any other value.
fn for_each<'a>(
    value: &'a Value<'_>,
    mut each: impl FnMut(Option<&'a [u8]>, Value<'a>) -> Result<(), PathError>,
) -> Result<(), PathError> {
    let raw = value.raw.bytes();
    if value.kind == Kind::Json {
        scan::for_each(raw, each)
    } else if value.exists() {
        each(None, Value::source(value.kind, raw))
    } else {
        Ok(())
    }
}

/// Writes `opening`, what `each` writes for every item, commas between them, and `closing`.
fn sequence<T>(
    evaluator: &mut Evaluator,
    out: &mut Buffer,
    brackets: [&[u8]; 2],
    items: impl IntoIterator<Item = T>,
    mut each: impl FnMut(&mut Evaluator, &mut Buffer, T) -> Result<(), PathError>,
) -> Result<(), PathError> {
    evaluator.put(out, brackets[0])?;
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            evaluator.put(out, b",")?;
        }
        each(evaluator, out, item)?;
    }
    evaluator.put(out, brackets[1])
}

const LIST: [&[u8]; 2] = [b"[", b"]"];
const OBJECT: [&[u8]; 2] = [b"{", b"}"];

/// A value with its raw key, if it has one.
type Member<'a> = (Option<&'a [u8]>, Value<'a>);

/// A raw key and a raw value.
type Pair = (Vec<u8>, Zeroizing<Vec<u8>>);

fn members<'a>(value: &'a Value<'_>) -> Result<Vec<Member<'a>>, PathError> {
    let mut members = Vec::new();
    for_each(value, |key, member| {
        members.push((key, member));
        Ok(())
    })?;
    Ok(members)
}

fn put_member(evaluator: &mut Evaluator, out: &mut Buffer, (key, value): Member<'_>) -> Result<(), PathError> {
    if let Some(key) = key {
        evaluator.put(out, key)?;
        evaluator.put(out, b":")?;
    }
    evaluator.put(out, value.raw.bytes())
}

fn put_pair(evaluator: &mut Evaluator, out: &mut Buffer, (key, value): Pair) -> Result<(), PathError> {
    evaluator.put(out, &key)?;
    evaluator.put(out, b":")?;
    evaluator.put(out, &value)
}

fn reverse(evaluator: &mut Evaluator, value: &Value<'_>, out: &mut Buffer) -> Result<(), PathError> {
    let brackets = if value.is_list() { LIST } else { OBJECT };
    sequence(evaluator, out, brackets, members(value)?.into_iter().rev(), put_member)
}

fn keys(evaluator: &mut Evaluator, value: &Value<'_>, out: &mut Buffer) -> Result<(), PathError> {
    sequence(evaluator, out, LIST, members(value)?, |evaluator, out, (key, _)| {
        evaluator.put(out, key.unwrap_or(b"null"))
    })
}

fn values(evaluator: &mut Evaluator, value: &Value<'_>, out: &mut Buffer) -> Result<(), PathError> {
    sequence(evaluator, out, LIST, members(value)?, |evaluator, out, (_, value)| {
        put_member(evaluator, out, (None, value))
    })
}

/// Every value under `value`, itself first, that has something at `path`.
fn dig(evaluator: &mut Evaluator, value: &Value<'_>, path: &[u8], out: &mut Buffer) -> Result<(), PathError> {
    fn descend(
        evaluator: &mut Evaluator,
        value: &Value<'_>,
        path: &[u8],
        found: &mut Vec<Zeroizing<Vec<u8>>>,
    ) -> Result<(), PathError> {
        let result = evaluator.get(value.raw.bytes(), path)?;
        if result.exists() {
            evaluator.write(result.raw.bytes().len() + 1)?;
            found.push(Zeroizing::new(result.raw.bytes().to_vec()));
        }
        if value.kind != Kind::Json {
            return Ok(());
        }
        evaluator.enter()?;
        for_each(value, |_, member| descend(evaluator, &member, path, found))?;
        evaluator.leave();
        Ok(())
    }
    let mut found = Vec::new();
    descend(evaluator, value, path, &mut found)?;
    sequence(evaluator, out, LIST, found, |evaluator, out, result| evaluator.put(out, &result))
}

/// The elements of a list, those of lists in it in their place.
fn flatten(evaluator: &mut Evaluator, list: &[u8], deep: bool, out: &mut Buffer) -> Result<(), PathError> {
    let mut flat = Vec::new();
    scan::for_each(list, |_, element| {
        let mut raw = Zeroizing::new(element.raw.bytes().to_vec());
        evaluator.write(raw.len())?;
        if element.is_list() {
            if deep {
                let mut inner = Buffer::new(usize::MAX);
                evaluator.enter()?;
                flatten(evaluator, &raw, deep, &mut inner)?;
                evaluator.leave();
                raw = inner.into_bytes();
            }
            raw = Zeroizing::new(inside(&raw).to_vec());
        }
        if !raw.is_empty() {
            flat.push(raw);
        }
        Ok::<(), PathError>(())
    })?;
    sequence(evaluator, out, LIST, flat, |evaluator, out, raw| evaluator.put(out, &raw))
}

/// What stands between the brackets of a list or object.
fn inside(container: &[u8]) -> &[u8] {
    let container = container.trim_ascii();
    match container {
        [b'[' | b'{', inner @ .., _] => inner.trim_ascii(),
        _ => container,
    }
}

/// One object of all members of the objects in a list; of equal keys the first place and the last value.
fn join(evaluator: &mut Evaluator, list: &Value<'_>, out: &mut Buffer) -> Result<(), PathError> {
    let mut joined: IndexMap<Vec<u8>, Pair> = IndexMap::new();
    for_each(list, |_, element| {
        if !element.is_object() {
            return Ok(());
        }
        for_each(&element, |key, value| {
            let key = key.unwrap_or_default();
            let value = Zeroizing::new(value.raw.bytes().to_vec());
            evaluator.write(key.len() + value.len())?;
            joined.entry(unquote(key).to_vec()).or_insert_with(|| (key.to_vec(), Zeroizing::default())).1 = value;
            Ok(())
        })
    })?;
    sequence(evaluator, out, OBJECT, joined.into_values(), put_pair)
}

/// The objects in a list written one after another into one, equal keys included.
fn join_all(evaluator: &mut Evaluator, list: &Value<'_>, out: &mut Buffer) -> Result<(), PathError> {
    let objects = members(list)?.into_iter().filter(|(_, element)| element.is_object());
    sequence(evaluator, out, OBJECT, objects, |evaluator, out, (_, object)| {
        let raw = object.raw.bytes();
        evaluator.put(out, raw.get(1..raw.len() - 1).unwrap_or_default())
    })
}

/// `{"a":[1,2],"b":[3]}` becomes `[{"a":1,"b":3},{"a":2}]`; of anything but an object nothing is left.
fn group(evaluator: &mut Evaluator, value: &Value<'_>, out: &mut Buffer) -> Result<(), PathError> {
    if !value.is_object() {
        return Ok(());
    }
    let mut groups: Vec<Vec<Pair>> = Vec::new();
    for_each(value, |key, list| {
        if !list.is_list() {
            return Ok(());
        }
        let mut index = 0;
        for_each(&list, |_, element| {
            let (key, element) = (key.unwrap_or_default(), element.raw.bytes());
            evaluator.write(key.len() + element.len())?;
            if index == groups.len() {
                groups.push(Vec::new());
            }
            groups[index].push((key.to_vec(), Zeroizing::new(element.to_vec())));
            index += 1;
            Ok(())
        })
    })?;
    sequence(evaluator, out, LIST, groups, |evaluator, out, group| sequence(evaluator, out, OBJECT, group, put_pair))
}
