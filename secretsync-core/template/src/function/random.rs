//! Random texts and identifiers, from the operating system's generator.

use super::encode::encode_64;
use super::string::count;
use super::{Args, Function, Type};
use crate::budget::Budget;
use crate::error::Failure;
use crate::rune::runes;
use crate::value::{Buffer, Value};

use Type::{Int, Text};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("randAlpha", &[Int], |args, budget| letters(args, LETTERS, budget)).minting(),
    Function::new("randAlphaNum", &[Int], |args, budget| letters(args, LETTERS_AND_DIGITS, budget)).minting(),
    Function::new("randAscii", &[Int], |args, budget| letters(args, ASCII, budget)).minting(),
    Function::new("randBytes", &[Int], random_bytes).minting(),
    Function::new("randInt", &[Int, Int], random_integer).minting(),
    Function::new("randNumeric", &[Int], |args, budget| letters(args, DIGITS, budget)).minting(),
    Function::new("shuffle", &[Text], shuffle).random(),
    Function::new("uuidv4", &[], uuid).minting(),
];

/// So many characters of an alphabet, each as likely as the other; a negative count gives none.
fn letters(args: Args<'_>, alphabet: &[u8], budget: &mut Budget) -> Result<Value, Failure> {
    let length = usize::try_from(args.int(0)).unwrap_or(0);
    budget.allocate(length)?;
    let mut out = Buffer::with_capacity(length);
    for _ in 0..length {
        out.push(alphabet[below(alphabet.len())?]);
    }
    budget.text(out)
}

fn random_bytes(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let length = count(args.int(0))?;
    budget.allocate(length)?;
    let mut bytes = zeroize::Zeroizing::new(vec![0; length]);
    fill(&mut bytes)?;
    budget.text(encode_64(&bytes))
}

fn random_integer(args: Args<'_>, _: &mut Budget) -> Result<Value, Failure> {
    let (least, end) = (args.int(0), args.int(1));
    let span = end.checked_sub(least).and_then(|span| usize::try_from(span).ok()).filter(|span| *span > 0);
    let span = span.ok_or_else(|| Failure::execute("the second number must be above the first"))?;
    Ok(Value::Int(least.saturating_add_unsigned(u64::try_from(below(span)?).unwrap_or(0))))
}

fn shuffle(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let mut characters: Vec<char> = runes(args.text(0)).map(|(character, _)| character).collect();
    budget.step(characters.len() / 16)?;
    for last in (1..characters.len()).rev() {
        characters.swap(last, below(last + 1)?);
    }
    let mut out = Buffer::with_capacity(args.text(0).len());
    for character in characters {
        out.push_char(character);
    }
    budget.text(out)
}

/// A random UUID (version 4, RFC 9562).
fn uuid(_: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    budget.text(parts.join("-"))
}

/// A number below `end`, without the bias of a plain remainder.
fn below(end: usize) -> Result<usize, Failure> {
    let excess = (usize::MAX % end + 1) % end;
    loop {
        let mut bytes = [0; size_of::<usize>()];
        fill(&mut bytes)?;
        let number = usize::from_ne_bytes(bytes);
        if number <= usize::MAX - excess {
            return Ok(number % end);
        }
    }
}

pub(super) fn fill(bytes: &mut [u8]) -> Result<(), Failure> {
    getrandom::fill(bytes).map_err(|_| Failure::execute("the system gives no random numbers"))
}

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LETTERS_AND_DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DIGITS: &[u8] = b"0123456789";
const ASCII: &[u8] =
    b" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_below_the_end_comes_up() {
        let mut seen = [false; 7];
        for _ in 0..2_000 {
            seen[below(7).unwrap()] = true;
        }
        assert_eq!(seen, [true; 7]);
    }
}
