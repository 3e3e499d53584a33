//! Go's pattern syntax, spelled for the `regex` crate.

use super::RegexError;

mod class;
mod escape;

/// How often `{n,m}` may repeat.
const MAX_REPEAT: u32 = 1000;

/// A pattern that the `regex` crate reads as Go reads the original.
pub(super) struct Translation {
    pub(super) pattern: String,
    /// The names of the groups, the whole match included. In the pattern groups have no names.
    pub(super) names: Vec<Option<String>>,
}

pub(super) fn translate(pattern: &str) -> Result<Translation, RegexError> {
    let mut reader =
        Reader { source: pattern, at: 0, out: String::new(), names: vec![None], open: 0, last: Last::Nothing };
    while let Some(c) = reader.peek() {
        reader.step(c)?;
    }
    if reader.open > 0 {
        return Err(RegexError::new("missing closing )", pattern));
    }
    Ok(Translation { pattern: reader.out, names: reader.names })
}

/// What a repetition would repeat.
#[derive(Clone, Copy)]
enum Last {
    Item,
    Nothing,
    /// A repetition that starts at this index; Go takes no second one.
    Repetition(usize),
}

struct Reader<'p> {
    source: &'p str,
    at: usize,
    out: String,
    names: Vec<Option<String>>,
    /// How many groups are open.
    open: usize,
    last: Last,
}

impl<'p> Reader<'p> {
    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn rest(&self) -> &'p str {
        &self.source[self.at..]
    }

    /// Takes `text` if it comes next.
    fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn error<T>(&self, problem: &'static str, start: usize) -> Result<T, RegexError> {
        Err(RegexError::new(problem, &self.source[start..self.at]))
    }

    fn step(&mut self, c: char) -> Result<(), RegexError> {
        let start = self.at;
        match c {
            '(' if self.take("(?") => return self.extended_group(start),
            '(' => {
                self.names.push(None);
                self.open_group();
            }
            ')' => {
                if self.open == 0 {
                    return Err(RegexError::new("unexpected )", self.source));
                }
                self.open -= 1;
                self.verbatim(c);
            }
            '|' => {
                self.verbatim(c);
                self.last = Last::Nothing;
            }
            '*' | '+' | '?' => {
                self.at += 1;
                return self.repetition(start, &self.source[start..=start]);
            }
            '{' => return self.counted(start),
            '[' => class::bracketed(self)?,
            '\\' => escape::outside_class(self)?,
            '.' | '^' | '$' => self.verbatim(c),
            c => {
                self.at += c.len_utf8();
                self.literal(c);
            }
        }
        Ok(())
    }

    fn verbatim(&mut self, c: char) {
        self.at += c.len_utf8();
        self.item(c.encode_utf8(&mut [0; 4]));
    }

    fn literal(&mut self, c: char) {
        self.item(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }

    fn item(&mut self, spelled: &str) {
        self.out.push_str(spelled);
        self.last = Last::Item;
    }

    fn open_group(&mut self) {
        self.at += 1;
        self.start_group("(");
    }

    fn start_group(&mut self, spelled: &str) {
        self.out.push_str(spelled);
        self.open += 1;
        self.last = Last::Nothing;
    }

    /// Reads `?` behind a repetition that has been read up to here, and writes it as `spelled`.
    fn repetition(&mut self, start: usize, spelled: &str) -> Result<(), RegexError> {
        let lazy = self.take("?");
        match self.last {
            Last::Item => {}
            Last::Nothing => return self.error("missing argument to repetition operator", start),
            Last::Repetition(first) => return self.error("invalid nested repetition operator", first),
        }
        self.out.push_str(spelled);
        self.out.push_str(if lazy { "?" } else { "" });
        self.last = Last::Repetition(start);
        Ok(())
    }

    /// `{n}`, `{n,}` or `{n,m}`; any other brace is a literal.
    fn counted(&mut self, start: usize) -> Result<(), RegexError> {
        let counts = self.rest()[1..].split_once('}').and_then(|(counts, _)| Some((counts, bounds(counts)?)));
        let Some((counts, (min, max))) = counts else {
            self.at += 1;
            self.literal('{');
            return Ok(());
        };
        self.at += counts.len() + 2;
        if min > MAX_REPEAT || max.is_some_and(|max| max > MAX_REPEAT || max < min) {
            return self.error("invalid repeat count", start);
        }
        self.repetition(start, &self.source[start..start + counts.len() + 2])
    }

    /// A group that starts with `(?`, of which both have been read.
    fn extended_group(&mut self, start: usize) -> Result<(), RegexError> {
        if self.take("P<") || self.take("<") {
            return self.named_group(start);
        }
        let flags = self.rest();
        let end = flags.find(|c| !matches!(c, 'i' | 'm' | 's' | 'U' | '-')).unwrap_or(flags.len());
        let flags = &flags[..end];
        self.at += end;
        let behind = self.peek().unwrap_or_default();
        self.at += self.peek().map_or(0, char::len_utf8);
        if flags.ends_with('-') || flags.matches('-').count() > 1 || !matches!(behind, ':' | ')') {
            return self.error("invalid or unsupported Perl syntax", start);
        }
        if behind == ':' {
            self.out.extend(["(?", flags]);
            self.start_group(":");
        } else if !flags.is_empty() {
            // Flags are no item: what stood before them is what a repetition behind them would repeat, but nobody
            // writes that, and the engine refuses it.
            self.out.extend(["(?", flags, ")"]);
            self.last = Last::Nothing;
        }
        Ok(())
    }

    fn named_group(&mut self, start: usize) -> Result<(), RegexError> {
        let Some((name, _)) = self.rest().split_once('>') else {
            self.at = self.source.len();
            return self.error("invalid named capture", start);
        };
        self.at += name.len() + 1;
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return self.error("invalid named capture", start);
        }
        self.names.push(Some(name.to_owned()));
        self.start_group("(");
        Ok(())
    }
}

/// Reads `n`, `n,` or `n,m`. Go writes numbers without leading zeros; what has one is a literal.
fn bounds(counts: &str) -> Option<(u32, Option<u32>)> {
    let number = |digits: &str| {
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
        (is_number && !digits.is_empty()).then(|| digits.parse().unwrap_or(u32::MAX))
    };
    match counts.split_once(',') {
        None => number(counts).map(|count| (count, Some(count))),
        Some((min, "")) => number(min).map(|min| (min, None)),
        Some((min, max)) => Some((number(min)?, Some(number(max)?))),
    }
}
