//! Text functions of sprig. They count and cut bytes, as sprig does.

use bstr::ByteSlice;

use super::{Args, Function, Type};
use crate::budget::Budget;
use crate::error::Failure;
use crate::print;
use crate::print::quote;
use crate::rune::{self, runes};
use crate::value::{Buffer, Value};

mod case;
mod list;
mod shorten;

pub(super) use case::FUNCTIONS as CASE;
pub(super) use list::FUNCTIONS as LIST;
pub(super) use shorten::FUNCTIONS as SHORTEN;

use Type::{Any, Int, Text};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("cat", &[], cat).and_more(Any),
    Function::new("contains", &[Text, Text], |args, _| Ok(Value::Bool(args.text(1).contains_str(args.text(0))))),
    Function::new("fail", &[Text], |_, _| Err(Failure::execute("the template refuses to render"))),
    Function::new("hasPrefix", &[Text, Text], |args, _| Ok(Value::Bool(args.text(1).starts_with(args.text(0))))),
    Function::new("hasSuffix", &[Text, Text], |args, _| Ok(Value::Bool(args.text(1).ends_with(args.text(0))))),
    Function::new("hello", &[], |_, _| Ok(Value::text("Hello!"))),
    Function::new("indent", &[Int, Text], |args, budget| indent(args, b"", budget)),
    Function::new("nindent", &[Int, Text], |args, budget| indent(args, b"\n", budget)),
    Function::new("plural", &[Text, Text, Int], |args, _| Ok(args.value(usize::from(args.int(2) != 1)).clone())),
    Function::new("quote", &[], quote_all).and_more(Any),
    Function::new("repeat", &[Int, Text], repeat),
    Function::new("replace", &[Text, Text, Text], replace),
    Function::new("squote", &[], squote_all).and_more(Any),
    Function::new("toString", &[Any], |args, budget| Ok(print::to_text(args.value(0), budget)?.into())),
    Function::new("trim", &[Text], |args, budget| budget.text(args.text(0).trim_with(char::is_whitespace))),
    Function::new("trimAll", &[Text, Text], trim_all),
    Function::new("trimPrefix", &[Text, Text], |args, budget| {
        budget.text(args.text(1).strip_prefix(args.text(0)).unwrap_or_else(|| args.text(1)))
    }),
    Function::new("trimSuffix", &[Text, Text], |args, budget| {
        budget.text(args.text(1).strip_suffix(args.text(0)).unwrap_or_else(|| args.text(1)))
    }),
    Function::new("trimall", &[Text, Text], trim_all),
];

/// Arguments that are not nil, with one space between them; outer space is trimmed from the *pattern* only.
fn cat(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let values = args.0.iter().filter(|value| !matches!(value, Value::Nil));
    joined(values, budget, print::append)
}

fn quote_all(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let values = args.0.iter().filter(|value| !matches!(value, Value::Nil));
    joined(values, budget, |out, value, budget| {
        let text = print::to_text(value, budget)?;
        budget.allocate(text.len())?;
        quote::append(out, &text, false);
        Ok(())
    })
}

fn squote_all(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let values = args.0.iter().filter(|value| !matches!(value, Value::Nil));
    joined(values, budget, |out, value, budget| {
        out.push(b'\'');
        print::append(out, value, budget)?;
        out.push(b'\'');
        Ok(())
    })
}

fn joined<'a>(
    values: impl Iterator<Item = &'a Value>,
    budget: &mut Budget,
    mut append: impl FnMut(&mut Buffer, &Value, &mut Budget) -> Result<(), Failure>,
) -> Result<Value, Failure> {
    let mut out = Buffer::default();
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        append(&mut out, value, budget)?;
    }
    Ok(out.into())
}

fn indent(args: Args<'_>, first: &[u8], budget: &mut Budget) -> Result<Value, Failure> {
    let width = count(args.int(0))?;
    let text = args.text(1);
    let lines = text.find_iter(b"\n").count() + 1;
    budget.allocate(lines.saturating_mul(width).saturating_add(text.len()))?;
    let padding = vec![b' '; width];
    let mut out = Buffer::with_capacity(lines * width + text.len() + first.len());
    out.extend(first);
    for (index, line) in text.split_str(b"\n").enumerate() {
        if index > 0 {
            out.push(b'\n');
        }
        out.extend(&padding);
        out.extend(line);
    }
    Ok(out.into())
}

fn repeat(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let count = count(args.int(0))?;
    let text = args.text(1);
    budget.allocate(count.saturating_mul(text.len()))?;
    Ok(Buffer::from(text.repeat(count)).into())
}

fn replace(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let (old, new, text) = (args.text(0), args.text(1), args.text(2));
    let hits = if old.is_empty() { rune::count(text) + 1 } else { text.find_iter(old).count() };
    budget.allocate(hits.saturating_mul(new.len()).saturating_add(text.len()))?;
    let mut out = Buffer::with_capacity(text.len());
    if old.is_empty() {
        out.extend(new);
        for (_, bytes) in runes(text) {
            out.extend(bytes);
            out.extend(new);
        }
        return Ok(out.into());
    }
    let mut end = 0;
    for at in text.find_iter(old) {
        out.extend(&text[end..at]);
        out.extend(new);
        end = at + old.len();
    }
    out.extend(&text[end..]);
    Ok(out.into())
}

/// Removes the characters of the first text from both ends of the second.
fn trim_all(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let cut: Vec<char> = runes(args.text(0)).map(|(character, _)| character).collect();
    let mut characters: Vec<(char, &[u8])> = runes(args.text(1)).collect();
    budget.step(characters.len().saturating_mul(cut.len()) / 64)?;
    while characters.last().is_some_and(|(character, _)| cut.contains(character)) {
        characters.pop();
    }
    let begin = characters.iter().position(|(character, _)| !cut.contains(character)).unwrap_or(characters.len());
    let bytes: Vec<u8> = characters[begin..].iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
    budget.text(bytes)
}

/// A count that must not be negative.
pub(super) fn count(number: i64) -> Result<usize, Failure> {
    usize::try_from(number).map_err(|_| Failure::execute("negative count"))
}

#[cfg(test)]
mod tests {
    use crate::{Template, Value};

    #[test]
    fn texts_print_as_the_reference_prints_them() {
        for (template, output) in [
            (r#"{{indent 2 ""}}|{{nindent 2 "a\n"}}"#, "  |\n  a\n  "),
            (r#"{{kebabcase "é日x"}}"#, "é-日-x"),
            (r"{{chunk 2 (list 1 2 3)}}", "[[1 2] [3]]"),
        ] {
            let template = Template::parse("key", template).unwrap();
            let rendered = template.render(&Value::string_map([])).unwrap();
            assert_eq!(String::from_utf8(rendered).unwrap(), output);
        }
    }
}
