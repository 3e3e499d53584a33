//! Letter case: whole texts, first letters, and the cases of identifiers.

use crate::budget::Budget;
use crate::error::Failure;
use crate::function::Type::Text;
use crate::function::{Args, Function};
use crate::rune::{runes, to_lower, to_upper};
use crate::value::{Buffer, Value};

mod word;

pub(in crate::function) const FUNCTIONS: &[Function] = &[
    Function::new("camelcase", &[Text], camelcase),
    Function::new("kebabcase", &[Text], |args, budget| budget.text(word::separated(args.text(0), '-'))),
    Function::new("lower", &[Text], |args, budget| mapped(args, budget, to_lower)),
    Function::new("snakecase", &[Text], |args, budget| budget.text(word::separated(args.text(0), '_'))),
    Function::new("swapcase", &[Text], swapcase),
    Function::new("title", &[Text], title),
    Function::new("untitle", &[Text], untitle),
    Function::new("upper", &[Text], |args, budget| mapped(args, budget, to_upper)),
];

/// Maps every character; invalid bytes become U+FFFD.
fn mapped(args: Args<'_>, budget: &mut Budget, mut map: impl FnMut(char) -> char) -> Result<Value, Failure> {
    let text = args.text(0);
    let mut out = Buffer::with_capacity(text.len());
    for (character, _) in runes(text) {
        out.push_char(map(character));
    }
    budget.text(out)
}

fn title(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let mut previous = ' ';
    mapped(args, budget, |character| {
        let first = is_separator(previous);
        previous = character;
        if first { to_upper(character) } else { character }
    })
}

fn is_separator(character: char) -> bool {
    match character {
        '_' => false,
        c if c.is_ascii() => !c.is_ascii_alphanumeric(),
        c => !c.is_alphanumeric() && c.is_whitespace(),
    }
}

/// The first letter of every word in lower case; words are separated by white space.
fn untitle(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let mut first = true;
    mapped(args, budget, |character| {
        let space = character.is_whitespace();
        let lower = first && !space;
        first = space;
        if lower { to_lower(character) } else { character }
    })
}

fn swapcase(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    mapped(args, budget, |character| match character {
        c if c.is_uppercase() => to_lower(c),
        c if c.is_lowercase() => to_upper(c),
        c => c,
    })
}

/// `some_words` to `SomeWords`; leading and doubled connectors stay.
fn camelcase(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let characters: Vec<char> = runes(args.text(0)).map(|(character, _)| character).collect();
    let lead = characters.iter().take_while(|c| word::is_connector(**c)).count();
    let mut out = Buffer::with_capacity(args.text(0).len());
    for connector in &characters[..lead] {
        out.push_char(*connector);
    }
    let Some((first, rest)) = characters[lead..].split_first() else {
        // A text of connectors only: the last one is written once more.
        if let Some(last) = characters.last() {
            out.push_char(*last);
        }
        return budget.text(out);
    };
    let mut in_capitals = first.is_uppercase();
    let mut pending = to_upper(*first);
    for next in rest {
        let mut next = *next;
        if word::is_connector(next) && word::is_connector(pending) {
            out.push_char(pending);
        } else if word::is_connector(pending) {
            in_capitals = next.is_uppercase();
            next = to_upper(next);
        } else {
            if in_capitals && next.is_uppercase() {
                next = to_lower(next);
            } else {
                in_capitals = false;
            }
            out.push_char(pending);
        }
        pending = next;
    }
    out.push_char(pending);
    budget.text(out)
}
