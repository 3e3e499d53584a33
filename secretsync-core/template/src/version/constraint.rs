//! Constraints such as `>=1.2, <2 || ^3.1`.

use std::cmp::Ordering;

use super::Version;

/// Alternatives, each a list of conditions that must all hold.
pub(crate) struct Constraints(Vec<Vec<Condition>>);

struct Condition {
    operator: Operator,
    version: Version,
    /// How many parts were left out or written as `x` or `*`, from the right.
    wildcard: Wildcard,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Wildcard {
    None,
    Patch,
    Minor,
    Major,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Operator {
    Caret,
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    NotEqual,
    Tilde,
}

impl Constraints {
    /// Nothing if the text is no constraint.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.split("||").map(parse_all).collect::<Option<Vec<_>>>().map(Self)
    }

    pub(crate) fn allow(&self, version: &Version) -> bool {
        self.0.iter().any(|conditions| conditions.iter().all(|condition| condition.allows(version)))
    }
}

/// Conditions between spaces or commas; `1.2 - 1.4` is a range.
fn parse_all(text: &str) -> Option<Vec<Condition>> {
    let mut conditions = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let (operator, after) = OPERATORS
            .iter()
            .find_map(|(symbol, operator)| Some((Some(*operator), rest.strip_prefix(symbol)?)))
            .unwrap_or((None, rest));
        let (version, after) = take_version(after.trim_start())?;
        let next = after.trim_start();
        let upper =
            next.strip_prefix('-').filter(|upper| next.len() < after.len() && upper.starts_with(char::is_whitespace));
        match (upper, operator) {
            (None, operator) => {
                conditions.push(Condition::new(operator.unwrap_or(Operator::Equal), version)?);
                rest = after;
            }
            (Some(upper), None) => {
                let (last, after) = take_version(upper.trim_start())?;
                conditions.push(Condition::new(Operator::GreaterOrEqual, version)?);
                conditions.push(Condition::new(Operator::LessOrEqual, last)?);
                rest = after;
            }
            (Some(_), Some(_)) => return None,
        }
        let next = rest.trim_start();
        if next.is_empty() {
            return Some(conditions);
        }
        rest = match next.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if next.len() < rest.len() => next,
            None => return None,
        };
    }
}

/// The text of a version, where parts may be wildcards.
fn take_version(text: &str) -> Option<(&str, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '*');
    let length = text.find(|c| !is_part(c)).unwrap_or(text.len());
    (length > 0).then(|| text.split_at(length))
}

impl Condition {
    fn new(operator: Operator, text: &str) -> Option<Self> {
        let plain = text.strip_prefix('v').unwrap_or(text);
        let (numbers, tail) = plain.split_at(plain.find(['-', '+']).unwrap_or(plain.len()));
        let prerelease = tail.split('+').next().unwrap_or_default();
        let parts: Vec<&str> = numbers.split('.').collect();
        let well_formed = |part: &&str| is_wildcard(part) || part.bytes().all(|byte| byte.is_ascii_digit());
        if parts.len() > 3 || !parts.iter().all(|part| !part.is_empty() && well_formed(part)) {
            return None;
        }
        let fixed = parts.iter().position(|part| is_wildcard(part)).unwrap_or(parts.len());
        let (wildcard, complete) = match fixed {
            0 => (Wildcard::Major, format!("0.0.0{prerelease}")),
            1 => (Wildcard::Minor, format!("{}.0.0{prerelease}", parts[0])),
            2 => (Wildcard::Patch, format!("{}.{}.0{prerelease}", parts[0], parts[1])),
            _ => (Wildcard::None, plain.to_owned()),
        };
        Some(Self { operator, version: Version::parse(&complete)?, wildcard })
    }

    fn allows(&self, version: &Version) -> bool {
        let wanted = &self.version;
        let dirty = self.wildcard != Wildcard::None;
        // A pre-release is only looked at by a condition that names one.
        let hidden = !version.prerelease.is_empty() && wanted.prerelease.is_empty();
        if hidden {
            return self.operator == Operator::NotEqual && !dirty;
        }
        let ordering = version.compare(wanted);
        match self.operator {
            Operator::Equal if dirty => self.tilde(version),
            Operator::Equal => ordering == Ordering::Equal,
            Operator::NotEqual => self.differs(version),
            Operator::Greater => self.greater(version),
            Operator::GreaterOrEqual => ordering != Ordering::Less,
            Operator::Less => ordering == Ordering::Less,
            Operator::LessOrEqual if dirty => match version.major.cmp(&wanted.major) {
                Ordering::Greater => false,
                Ordering::Equal => version.minor <= wanted.minor || self.wildcard == Wildcard::Minor,
                Ordering::Less => true,
            },
            Operator::LessOrEqual => ordering != Ordering::Greater,
            Operator::Tilde => self.tilde(version),
            Operator::Caret => self.caret(version),
        }
    }

    fn differs(&self, version: &Version) -> bool {
        let wanted = &self.version;
        if version.major != wanted.major {
            return true;
        }
        match self.wildcard {
            Wildcard::None => version.compare(wanted) != Ordering::Equal,
            Wildcard::Major => version.minor != wanted.minor || version.compare(wanted) != Ordering::Equal,
            Wildcard::Minor => false,
            Wildcard::Patch if version.minor != wanted.minor => true,
            Wildcard::Patch => version.prerelease != wanted.prerelease,
        }
    }

    /// `>1.2` means above every 1.2.x.
    fn greater(&self, version: &Version) -> bool {
        let wanted = &self.version;
        match (self.wildcard, version.major.cmp(&wanted.major)) {
            (Wildcard::Patch | Wildcard::Minor, Ordering::Greater) => true,
            (Wildcard::Patch, Ordering::Equal) => version.minor > wanted.minor,
            (Wildcard::Patch | Wildcard::Minor, _) => false,
            (Wildcard::None | Wildcard::Major, _) => version.compare(wanted) == Ordering::Greater,
        }
    }

    /// At least the version, with the same major and minor number as far as given.
    fn tilde(&self, version: &Version) -> bool {
        let wanted = &self.version;
        if version.compare(wanted) == Ordering::Less {
            return false;
        }
        let zero = (wanted.major, wanted.minor, wanted.patch) == (0, 0, 0);
        if zero && matches!(self.wildcard, Wildcard::None | Wildcard::Major) {
            return true;
        }
        version.major == wanted.major && (version.minor == wanted.minor || self.wildcard == Wildcard::Minor)
    }

    /// At least the version, with the same leftmost number that is not zero.
    fn caret(&self, version: &Version) -> bool {
        let wanted = &self.version;
        if version.compare(wanted) == Ordering::Less {
            return false;
        }
        if wanted.major > 0 || self.wildcard == Wildcard::Minor {
            return version.major == wanted.major;
        }
        if version.major > 0 {
            return false;
        }
        if wanted.minor > 0 || self.wildcard == Wildcard::Patch {
            return version.minor == wanted.minor;
        }
        version.minor == 0 && version.patch == wanted.patch
    }
}

fn is_wildcard(part: &str) -> bool {
    matches!(part, "x" | "X" | "*")
}

/// Longer symbols first.
const OPERATORS: [(&str, Operator); 11] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];
