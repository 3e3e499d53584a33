//! Flags, padding, and the formats of numbers and texts.

use super::Printer;
use crate::error::Failure;
use crate::float;
use crate::print::quote;
use crate::rune;
use crate::value::Buffer;

/// Flags, width and precision of one verb.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one flag of the format syntax")]
pub(super) struct Flags {
    pub(super) sharp: bool,
    pub(super) zero: bool,
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) space: bool,
    /// `%#v`
    pub(super) go_syntax: bool,
    /// `%+v`
    pub(super) names: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

impl Printer<'_> {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.budget.allocate(bytes.len())?;
        self.out.extend(bytes);
        Ok(())
    }

    /// Writes a text, padded to the width in characters.
    pub(super) fn pad(&mut self, text: &[u8]) -> Result<(), Failure> {
        let Some(width) = self.flags.width else {
            return self.write(text);
        };
        let missing = width.saturating_sub(rune::count(text));
        if self.flags.minus {
            self.write(text)?;
            return self.padding(missing, b' ');
        }
        self.padding(missing, if self.flags.zero { b'0' } else { b' ' })?;
        self.write(text)
    }

    fn padding(&mut self, count: usize, byte: u8) -> Result<(), Failure> {
        if count == 0 {
            return Ok(());
        }
        self.budget.allocate(count)?;
        self.out.extend(&vec![byte; count]);
        Ok(())
    }

    /// A text that zeros never pad.
    fn pad_with_spaces(&mut self, text: &[u8]) -> Result<(), Failure> {
        let zero = std::mem::take(&mut self.flags.zero);
        let result = self.pad(text);
        self.flags.zero = zero;
        result
    }

    pub(super) fn integer(&mut self, value: i128, radix: u32, verb: char) -> Result<(), Failure> {
        let Flags { sharp, zero, plus, minus, space, width, precision, .. } = self.flags;
        if precision == Some(0) && value == 0 {
            return self.pad_with_spaces(b"");
        }
        let signed = value < 0 || plus || space;
        let least = match (precision, width) {
            (Some(precision), _) => precision,
            (None, Some(width)) if zero && !minus => width.saturating_sub(usize::from(signed)),
            _ => 0,
        };
        self.budget.allocate(least)?;
        let magnitude = value.unsigned_abs();
        let digits = match radix {
            2 => format!("{magnitude:b}"),
            8 => format!("{magnitude:o}"),
            16 if verb == 'X' => format!("{magnitude:X}"),
            16 => format!("{magnitude:x}"),
            _ => format!("{magnitude}"),
        };
        let mut digits = format!("{digits:0>least$}");
        if radix == 8 && sharp && !digits.starts_with('0') {
            digits.insert(0, '0');
        }
        let prefix = match (radix, verb) {
            (8, 'O') => "0o",
            (2, _) if sharp => "0b",
            (16, 'X') if sharp => "0X",
            (16, _) if sharp => "0x",
            _ => "",
        };
        let sign = match value {
            ..0 => "-",
            _ if plus => "+",
            _ if space => " ",
            _ => "",
        };
        self.pad_with_spaces(format!("{sign}{prefix}{digits}").as_bytes())
    }

    pub(super) fn float(&mut self, value: f64, form: char, precision: Option<usize>) -> Result<(), Failure> {
        let Flags { sharp, zero, plus, minus, space, width, .. } = self.flags;
        let precision = self.flags.precision.or(precision);
        self.budget.allocate(precision.unwrap_or(0))?;
        let mut text = float::format(value, form, precision);
        if !value.is_finite() {
            // Infinity always has a sign, NaN only when one is asked for.
            match (value.is_nan(), plus, space) {
                (true, true, _) => text.insert(0, '+'),
                (true, false, true) => text.insert(0, ' '),
                (false, false, true) => text = text.replace('+', " "),
                _ => {}
            }
            return self.pad_with_spaces(text.as_bytes());
        }
        if sharp && form != 'b' {
            text = with_point(&text, form, precision);
        }
        let sign = match text.strip_prefix('-') {
            Some(rest) => {
                text = rest.to_owned();
                "-"
            }
            None if plus => "+",
            None if space => " ",
            None => "",
        };
        match width {
            Some(width) if !sign.is_empty() && zero && !minus && width > text.len() + 1 => {
                self.write(sign.as_bytes())?;
                self.padding(width - text.len() - 1, b'0')?;
                self.write(text.as_bytes())
            }
            _ => self.pad(format!("{sign}{text}").as_bytes()),
        }
    }

    pub(super) fn text(&mut self, text: &[u8], verb: char) -> Result<(), Failure> {
        match verb {
            'v' if self.flags.go_syntax => self.quoted(text),
            's' | 'v' => self.pad(self.truncated(text)),
            'q' => self.quoted(text),
            'x' => self.hex(text, b"0123456789abcdef"),
            _ => self.hex(text, b"0123456789ABCDEF"),
        }
    }

    fn quoted(&mut self, text: &[u8]) -> Result<(), Failure> {
        let text = self.truncated(text);
        let sharp = self.flags.sharp && quote::fits_backquotes(text);
        self.budget.allocate(text.len())?;
        let mut quoted = Buffer::with_capacity(text.len() + 2);
        if sharp {
            quoted.push(b'`');
            quoted.extend(text);
            quoted.push(b'`');
        } else {
            quote::append(&mut quoted, text, self.flags.plus);
        }
        self.pad(&quoted)
    }

    /// The first characters, as many as the precision says.
    fn truncated<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let Some(precision) = self.flags.precision else {
            return text;
        };
        let mut left = precision;
        let mut end = 0;
        for chunk in text.utf8_chunks() {
            for character in chunk.valid().chars() {
                if left == 0 {
                    return &text[..end];
                }
                left -= 1;
                end += character.len_utf8();
            }
            // Go counts each byte of invalid text as one character.
            let invalid = chunk.invalid().len().min(left);
            end += invalid;
            left -= invalid;
            if left == 0 {
                return &text[..end];
            }
        }
        text
    }

    fn hex(&mut self, text: &[u8], digits: &[u8; 16]) -> Result<(), Failure> {
        let Flags { sharp, space, .. } = self.flags;
        let text = &text[..self.flags.precision.unwrap_or(text.len()).min(text.len())];
        self.budget.allocate(text.len().saturating_mul(5))?;
        let prefix = [b'0', if digits[10] == b'A' { b'X' } else { b'x' }];
        let mut out = Buffer::with_capacity(text.len() * 2);
        for (index, byte) in text.iter().enumerate() {
            if space && index > 0 {
                out.push(b' ');
            }
            if sharp && (space || index == 0) {
                out.extend(&prefix);
            }
            out.push(digits[usize::from(byte >> 4)]);
            out.push(digits[usize::from(byte & 15)]);
        }
        self.pad(&out)
    }

    pub(super) fn character(&mut self, value: i128, quoted: bool) -> Result<(), Failure> {
        let character = u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
        let mut out = Buffer::default();
        if quoted {
            quote::append_single(&mut out, character, self.flags.plus);
        } else {
            out.push_char(character);
        }
        self.pad(&out)
    }

    pub(super) fn code_point(&mut self, value: i128) -> Result<(), Failure> {
        let digits = self.flags.precision.unwrap_or(4).max(4);
        self.budget.allocate(digits)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "Go shows the 64 bits of a negative number"
        )]
        let mut text = format!("U+{:0digits$X}", value as u64);
        let character = u32::try_from(value).ok().and_then(char::from_u32);
        if let Some(character) = character.filter(|c| self.flags.sharp && quote::is_printable(*c)) {
            text.extend([' ', '\'', character, '\'']);
        }
        self.pad_with_spaces(text.as_bytes())
    }
}

/// The sharp flag: always a decimal point, and for `g` and `x` the trailing zeros. Go counts digits as here, the `x` of hexadecimal forms among them.
fn with_point(text: &str, form: char, precision: Option<usize>) -> String {
    let hexadecimal = matches!(form, 'x' | 'X');
    let tail = if hexadecimal { text.find(['p', 'P']) } else { text.find(['e', 'E']) };
    let (number, tail) = text.split_at(tail.unwrap_or(text.len()));
    let wanted = if matches!(form, 'g' | 'G' | 'x') { precision.unwrap_or(6) } else { 0 };
    let unsigned = number.strip_prefix('-').unwrap_or(number);
    let mut counted = unsigned.chars().filter(|c| *c != '.').skip_while(|c| *c == '0').count();
    let mut out = number.to_owned();
    if !number.contains('.') {
        counted += usize::from(unsigned == "0");
        out.push('.');
    }
    out.extend(std::iter::repeat_n('0', wanted.saturating_sub(counted)));
    out + tail
}
