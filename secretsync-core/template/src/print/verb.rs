//! `printf`: Go's verbs, flags, widths, argument indexes and its marks for mistakes.

use crate::budget::Budget;
use crate::error::Failure;
use crate::value::{Buffer, Value};

mod format;
mod value;

use format::Flags;

/// `Sprintf`.
pub(crate) fn printf(format: &[u8], arguments: &[Value], budget: &mut Budget) -> Result<Buffer, Failure> {
    let mut out = Buffer::default();
    let mut printer = Printer { out: &mut out, budget, flags: Flags::default() };
    Formatter { format, at: 0, arguments, next: 0, after_index: false, reordered: false, good_index: true }
        .run(&mut printer)?;
    Ok(out)
}

/// `%v` without flags.
pub(super) fn default(out: &mut Buffer, value: &Value, budget: &mut Budget) -> Result<(), Failure> {
    Printer { out, budget, flags: Flags::default() }.argument(value, 'v')
}

/// Where output goes and how the verb at hand wants it.
struct Printer<'a> {
    out: &'a mut Buffer,
    budget: &'a mut Budget,
    flags: Flags,
}

/// Position in the format and in the arguments.
struct Formatter<'a> {
    format: &'a [u8],
    at: usize,
    arguments: &'a [Value],
    next: usize,
    after_index: bool,
    reordered: bool,
    good_index: bool,
}

impl Formatter<'_> {
    fn run(&mut self, printer: &mut Printer<'_>) -> Result<(), Failure> {
        while self.at < self.format.len() {
            let rest = &self.format[self.at..];
            let length = rest.iter().position(|byte| *byte == b'%').unwrap_or(rest.len());
            printer.write(&rest[..length])?;
            self.at += length;
            if self.at < self.format.len() {
                self.at += 1;
                self.directive(printer)?;
            }
        }
        if !self.reordered && self.next < self.arguments.len() {
            self.extra(printer)?;
        }
        Ok(())
    }

    /// What follows a `%`.
    fn directive(&mut self, printer: &mut Printer<'_>) -> Result<(), Failure> {
        printer.flags = Flags::default();
        self.good_index = true;
        self.flags(&mut printer.flags);
        self.after_index = false;
        self.argument_index();
        self.width(printer)?;
        self.precision(printer)?;
        if !self.after_index {
            self.argument_index();
        }
        let Some((verb, bytes)) = self.verb() else {
            return printer.write(b"%!(NOVERB)");
        };
        self.at += bytes;
        let mark = match verb {
            '%' => return printer.write(b"%"),
            _ if !self.good_index => "(BADINDEX)",
            _ if self.next >= self.arguments.len() => "(MISSING)",
            _ => {
                if matches!(verb, 'v' | 'w') {
                    printer.flags.go_syntax = std::mem::take(&mut printer.flags.sharp);
                    printer.flags.names = std::mem::take(&mut printer.flags.plus);
                }
                let argument = &self.arguments[self.next];
                self.next += 1;
                return printer.argument(argument, verb);
            }
        };
        printer.mistake(verb)?;
        printer.write(mark.as_bytes())
    }

    fn flags(&mut self, flags: &mut Flags) {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => return,
            }
            self.at += 1;
        }
    }

    fn width(&mut self, printer: &mut Printer<'_>) -> Result<(), Failure> {
        if self.peek() != Some(b'*') {
            printer.flags.width = self.number();
            self.good_index &= !(self.after_index && printer.flags.width.is_some());
            return Ok(());
        }
        self.at += 1;
        self.after_index = false;
        let Some(width) = self.star() else {
            return printer.write(b"%!(BADWIDTH)");
        };
        printer.flags.width = usize::try_from(width.unsigned_abs()).ok();
        if width < 0 {
            printer.flags.minus = true;
            printer.flags.zero = false;
        }
        Ok(())
    }

    fn precision(&mut self, printer: &mut Printer<'_>) -> Result<(), Failure> {
        if self.peek() != Some(b'.') || self.at + 1 >= self.format.len() {
            return Ok(());
        }
        self.at += 1;
        self.good_index &= !self.after_index;
        self.argument_index();
        if self.peek() != Some(b'*') {
            printer.flags.precision = Some(self.number().unwrap_or(0));
            return Ok(());
        }
        self.at += 1;
        self.after_index = false;
        printer.flags.precision = self.star().and_then(|precision| usize::try_from(precision).ok());
        if printer.flags.precision.is_none() {
            return printer.write(b"%!(BADPREC)");
        }
        Ok(())
    }

    /// A width or precision taken from the arguments.
    fn star(&mut self) -> Option<i128> {
        let argument = self.arguments.get(self.next)?;
        self.next += 1;
        argument.as_integer().filter(|number| usize::try_from(number.unsigned_abs()).is_ok_and(|size| size <= MOST))
    }

    /// `[3]`: the argument to take next.
    fn argument_index(&mut self) {
        self.after_index = false;
        if self.peek() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let Some(close) = rest.iter().position(|byte| *byte == b']') else {
            self.good_index = false;
            self.at += 1;
            return;
        };
        let digits = &rest[1..close];
        self.at += close + 1;
        let index = std::str::from_utf8(digits)
            .ok()
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse::<usize>().ok())
            .filter(|index| (1..=self.arguments.len()).contains(index));
        match index {
            Some(index) => {
                self.next = index - 1;
                self.after_index = true;
            }
            None => {
                self.good_index = false;
            }
        }
    }

    /// Digits; nothing if there are none or the number is absurd.
    fn number(&mut self) -> Option<usize> {
        let rest = &self.format[self.at..];
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(&rest[..length]).ok()?.parse::<usize>();
        match number {
            // Looked at before the last digit is added, as in Go.
            Ok(number) if number / 10 <= MOST => {
                self.at += length;
                Some(number)
            }
            _ if length == 0 => None,
            _ => {
                self.at = self.format.len();
                None
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    fn verb(&self) -> Option<(char, usize)> {
        let rest = &self.format[self.at..];
        let chunk = rest.utf8_chunks().next()?;
        match chunk.valid().chars().next() {
            Some(character) => Some((character, character.len_utf8())),
            None => Some((char::REPLACEMENT_CHARACTER, 1)),
        }
    }

    fn extra(&self, printer: &mut Printer<'_>) -> Result<(), Failure> {
        printer.flags = Flags::default();
        printer.write(b"%!(EXTRA ")?;
        for (index, argument) in self.arguments[self.next..].iter().enumerate() {
            if index > 0 {
                printer.write(b", ")?;
            }
            if !matches!(argument, Value::Nil) {
                printer.write(argument.type_name().as_bytes())?;
                printer.write(b"=")?;
            }
            printer.argument(argument, 'v')?;
        }
        printer.write(b")")
    }
}

/// Go takes no width or precision beyond this from an argument, and none beyond ten times this from the format.
const MOST: usize = 1_000_000;
