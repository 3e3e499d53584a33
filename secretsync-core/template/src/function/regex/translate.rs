//! RE2 syntax as Go has it, written in the syntax of the `regex` crate.
//!
//! `\B` follows Unicode here and ASCII in Go: they differ only beside letters outside ASCII.

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

/// The pattern for the engine, or why Go would refuse it.
pub(super) fn translate(pattern: &[u8]) -> Result<String, &'static str> {
    let pattern = std::str::from_utf8(pattern).map_err(|_| "it is not UTF-8")?;
    let mut translator =
        Translator { rest: pattern.chars().peekable(), out: String::with_capacity(pattern.len() + 16) };
    translator.run()?;
    Ok(translator.out)
}

struct Translator<'p> {
    rest: Peekable<Chars<'p>>,
    out: String,
}

type Step<T> = Result<T, &'static str>;

impl Translator<'_> {
    fn run(&mut self) -> Step<()> {
        let mut repeated = false;
        while let Some(character) = self.rest.next() {
            let mut repeats = false;
            match character {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                '*' | '+' | '?' => repeats = self.repetition(&character.to_string(), repeated)?,
                '{' => match self.counts()? {
                    Some(counts) => repeats = self.repetition(&counts, repeated)?,
                    None => self.out.push_str("\\{"),
                },
                ')' | '|' | '.' | '^' | '$' => self.out.push(character),
                other => self.literal(other),
            }
            repeated = repeats;
        }
        Ok(())
    }

    fn repetition(&mut self, operator: &str, repeated: bool) -> Step<bool> {
        if repeated {
            return Err("nested repetition operator");
        }
        self.out.push_str(operator);
        if self.rest.next_if_eq(&'?').is_some() {
            self.out.push('?');
        }
        Ok(true)
    }

    /// `{n}`, `{n,}` or `{n,m}` after the brace; anything else is text.
    fn counts(&mut self) -> Step<Option<String>> {
        let ahead: String = self.rest.clone().take_while(|c| c.is_ascii_digit() || *c == ',').collect();
        let (least, most) = ahead.split_once(',').map_or((ahead.as_str(), None), |(least, most)| (least, Some(most)));
        let closed = self.rest.clone().nth(ahead.len()) == Some('}');
        let padded = |number: &str| number.len() > 1 && number.starts_with('0');
        if !closed || least.is_empty() || padded(least) || most.is_some_and(|most| most.contains(',') || padded(most)) {
            return Ok(None);
        }
        let least: u32 = least.parse().map_err(|_| "invalid repeat count")?;
        let most: Option<u32> = match most {
            None | Some("") => None,
            Some(most) => Some(most.parse().map_err(|_| "invalid repeat count")?),
        };
        if least > MOST_REPEATS || most.is_some_and(|most| most > MOST_REPEATS || most < least) {
            return Err("invalid repeat count");
        }
        for _ in 0..=ahead.len() {
            self.rest.next();
        }
        Ok(Some(format!("{{{ahead}}}")))
    }

    fn group(&mut self) -> Step<()> {
        self.out.push('(');
        if self.rest.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        let ahead: String = self.rest.clone().take(2).collect();
        if ahead == "P<" {
            self.rest.next();
        } else if !ahead.starts_with('<') || matches!(ahead.as_str(), "<=" | "<!") {
            return self.flags();
        }
        self.rest.next();
        self.out.push_str("?P<");
        loop {
            match self.rest.next() {
                Some('>') => {
                    self.out.push('>');
                    return Ok(());
                }
                Some(c) if c == '_' || c.is_ascii_alphanumeric() => self.out.push(c),
                _ => return Err("invalid group name"),
            }
        }
    }

    fn flags(&mut self) -> Step<()> {
        self.out.push('?');
        loop {
            match self.rest.next() {
                Some(c @ (')' | ':')) => {
                    self.out.push(c);
                    return Ok(());
                }
                Some(c @ ('i' | 'm' | 's' | 'U' | '-')) => self.out.push(c),
                _ => return Err("unknown flag or look-around"),
            }
        }
    }

    fn escape(&mut self) -> Step<()> {
        let letter = self.rest.next().ok_or("trailing backslash")?;
        match letter {
            'd' => self.out.push_str("[0-9]"),
            'D' => self.out.push_str("[^0-9]"),
            's' => self.out.push_str("[\\t\\n\\x0c\\r ]"),
            'S' => self.out.push_str("[^\\t\\n\\x0c\\r ]"),
            'w' => self.out.push_str("[0-9A-Za-z_]"),
            'W' => self.out.push_str("[^0-9A-Za-z_]"),
            'b' => self.out.push_str("(?-u:\\b)"),
            'B' => self.out.push_str("\\B"),
            'A' => self.out.push_str("\\A"),
            'z' => self.out.push_str("\\z"),
            'Q' => self.verbatim(),
            'p' | 'P' => self.property(letter)?,
            other => {
                let character = self.character(other)?;
                self.literal(character);
            }
        }
        Ok(())
    }

    /// `\Q…\E`: text as it is, to the end if `\E` is missing.
    fn verbatim(&mut self) {
        while let Some(character) = self.rest.next() {
            if character == '\\' && self.rest.next_if_eq(&'E').is_some() {
                return;
            }
            self.literal(character);
        }
    }

    /// `\pL`, `\p{Greek}`, `\p{^Greek}`.
    fn property(&mut self, letter: char) -> Step<()> {
        let mut negated = letter == 'P';
        let mut name = String::new();
        match self.rest.next().ok_or("invalid character class")? {
            '{' => {
                if self.rest.next_if_eq(&'^').is_some() {
                    negated = !negated;
                }
                loop {
                    match self.rest.next() {
                        Some('}') => break,
                        Some(c) if c == '_' || c.is_ascii_alphanumeric() => name.push(c),
                        _ => return Err("invalid character class"),
                    }
                }
            }
            single => name.push(single),
        }
        let letter = if negated { 'P' } else { 'p' };
        if name == "Any" {
            self.out.push_str(if negated { "[^\\x{0}-\\x{10FFFF}]" } else { "[\\x{0}-\\x{10FFFF}]" });
            return Ok(());
        }
        // Writing to memory cannot fail.
        let _ = write!(self.out, "\\{letter}{{{name}}}");
        Ok(())
    }

    /// The character that an escape stands for; `first` is what follows the backslash.
    fn character(&mut self, first: char) -> Step<char> {
        Ok(match first {
            'a' => '\x07',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            'x' => self.hexadecimal()?,
            '1'..='7' if !matches!(self.rest.peek(), Some('0'..='7')) => return Err("back reference"),
            '0'..='7' => {
                let mut code = first.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    match self.rest.peek().and_then(|c| c.to_digit(8)) {
                        Some(digit) => code = code * 8 + digit,
                        None => break,
                    }
                    self.rest.next();
                }
                char::from_u32(code).ok_or("invalid escape sequence")?
            }
            c if c.is_ascii_punctuation() => c,
            _ => return Err("invalid escape sequence"),
        })
    }

    fn hexadecimal(&mut self) -> Step<char> {
        let mut digits = String::new();
        match self.rest.next() {
            Some('{') => loop {
                match self.rest.next() {
                    Some('}') => break,
                    Some(c) if c.is_ascii_hexdigit() && digits.len() < 8 => digits.push(c),
                    _ => return Err("invalid escape sequence"),
                }
            },
            Some(c) => {
                digits.push(c);
                digits.extend(self.rest.next());
            }
            None => {}
        }
        let code = if digits.starts_with('+') { None } else { u32::from_str_radix(&digits, 16).ok() };
        code.and_then(char::from_u32).ok_or("invalid escape sequence")
    }

    fn class(&mut self) -> Step<()> {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let character = self.rest.next().ok_or("missing closing ]")?;
            if character == ']' && !first {
                self.out.push(']');
                return Ok(());
            }
            first = false;
            if character == '[' && self.rest.peek() == Some(&':') && self.named_class()? {
                continue;
            }
            if character == '\\' && matches!(self.rest.peek(), Some('d' | 'D' | 's' | 'S' | 'w' | 'W' | 'p' | 'P')) {
                self.escape()?;
                continue;
            }
            let low = self.class_character(character)?;
            self.range_end(low)?;
        }
    }

    /// The upper end of a range, if one follows, or the single character.
    fn range_end(&mut self, low: char) -> Step<()> {
        let mut ahead = self.rest.clone();
        self.literal(low);
        if ahead.next() != Some('-') || matches!(ahead.next(), None | Some(']')) {
            return Ok(());
        }
        self.rest.next();
        let next = self.rest.next().ok_or("missing closing ]")?;
        let high = self.class_character(next)?;
        if high < low {
            return Err("invalid character class range");
        }
        self.out.push('-');
        self.literal(high);
        Ok(())
    }

    fn class_character(&mut self, character: char) -> Step<char> {
        if character != '\\' {
            return Ok(character);
        }
        let escaped = self.rest.next().ok_or("trailing backslash")?;
        self.character(escaped)
    }

    /// `[:alpha:]` inside a class.
    fn named_class(&mut self) -> Step<bool> {
        let ahead: String = self.rest.clone().take(16).collect();
        let Some(end) = ahead.find(":]") else { return Ok(false) };
        let name = &ahead[1..end];
        if !NAMED_CLASSES.contains(&name.trim_start_matches('^')) {
            return Err("invalid character class range");
        }
        let _ = write!(self.out, "[:{name}:]");
        for _ in 0..end + 2 {
            self.rest.next();
        }
        Ok(true)
    }

    fn literal(&mut self, character: char) {
        if character.is_ascii() && !character.is_ascii_alphanumeric() {
            let _ = write!(self.out, "\\x{:02x}", u32::from(character));
        } else {
            self.out.push(character);
        }
    }
}

const MOST_REPEATS: u32 = 1000;

const NAMED_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_syntax_becomes_the_engines_syntax() {
        for (go, ours) in [
            ("a{01}", "a\\{01\\x7d"),
            ("a{,2}", "a\\{\\x2c2\\x7d"),
            ("\\d+?", "[0-9]+?"),
            ("[a-c&&b]", "[a-c\\x26\\x26b]"),
            ("(?P<n>x)\\Q.*\\E", "(?P<n>x)\\x2e\\x2a"),
            ("[]a-]", "[\\x5da\\x2d]"),
        ] {
            assert_eq!(translate(go.as_bytes()).as_deref(), Ok(ours), "{go}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for go in ["(?=a)", "(a)\\1", "a**", "a{1001}", "(?x)a", "[b-a]", "\\Z", "[[:nope:]]", "a\\"] {
            assert!(translate(go.as_bytes()).is_err(), "{go}");
        }
    }
}
