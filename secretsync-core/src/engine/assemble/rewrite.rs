//! Changes to the keys of a `dataFrom` entry, in order (`eso-compat.md` 2.6). Pure and bounded.

mod merge;

use indexmap::IndexMap;
use secretsync_template::{MissingKey, Options, Template, Value};
use thiserror::Error;

use crate::error::{Code, Error, ErrorKind, Hint};
use crate::regex::{GoRegex, RegexError};
use crate::secret::SecretValue;
use crate::sync::Rewrite;

/// Values under their keys, in the order in which they came.
pub(super) type Keyed = IndexMap<String, SecretValue>;

/// How many changes an entry may have.
const MOST_REWRITES: usize = 100;
/// The longest key between two changes and the longest replacement, in bytes. Keys of Secrets have 253 at most; without a bound each of a hundred
/// changes could double them.
const LONGEST: usize = 4096;

/// Why keys could not be changed, in External Secrets Operator's words. Keys and patterns are no secrets, values are never shown.
#[derive(Debug, Error)]
enum Problem {
    #[error("merge failed with {0}")]
    Merge(merge::Problem),
    #[error("regexp failed with failed to compile")]
    Pattern(#[source] RegexError),
    #[error("transform failed with failed to parse template")]
    Unreadable(#[source] secretsync_template::Error),
    #[error("transform failed with failed to execute template")]
    Failing(#[source] secretsync_template::Error),
    #[error("a key, a pattern's replacement or what becomes of a key is longer than {LONGEST} bytes")]
    TooLong,
    #[error("the result of a template is not UTF-8")]
    NotText,
    #[error("an entry has at most {MOST_REWRITES} rewrites")]
    TooMany,
}

/// Applies every change to the whole map. Where two keys become equal, the later value wins; where External Secrets Operator leaves that to chance,
/// the order of the map decides.
pub(super) fn rewrite(rewrites: &[Rewrite], mut map: Keyed) -> Result<Keyed, Error> {
    for (index, rewrite) in rewrites.iter().enumerate() {
        let changed = if index < MOST_REWRITES { one(rewrite, map) } else { Err(Problem::TooMany) };
        map = changed.map_err(|problem| {
            Error::new(ErrorKind::InvalidConfig, "apply rewrite to keys")
                .because(format!("failed rewrite operation[{index}]"))
                .with_hint(Hint::new(Code::RewriteFailed, problem.advice()))
                .with_source(problem)
        })?;
    }
    Ok(map)
}

fn one(rewrite: &Rewrite, map: Keyed) -> Result<Keyed, Problem> {
    match rewrite {
        Rewrite::Merge(rule) => merge::merge(rule, map).map_err(Problem::Merge),
        Rewrite::Regexp { source, target } => {
            let pattern = GoRegex::new(source).map_err(Problem::Pattern)?;
            within_bounds(target)?;
            keys(map, |key| Ok(pattern.replace_all(key, target)))
        }
        Rewrite::Transform { template } => {
            let options = Options::new().with_missing_key(MissingKey::Default);
            let template = Template::parse_with("transform", template, &options).map_err(Problem::Unreadable)?;
            keys(map, |key| {
                let data = Value::string_map([("value".to_owned(), key.as_bytes().to_vec())]);
                let key = template.render(&data).map_err(Problem::Failing)?;
                String::from_utf8(key).map_err(|_| Problem::NotText)
            })
        }
    }
}

fn keys(map: Keyed, change: impl Fn(&str) -> Result<String, Problem>) -> Result<Keyed, Problem> {
    let mut changed = Keyed::with_capacity(map.len());
    for (key, value) in map {
        within_bounds(&key)?;
        let key = change(&key)?;
        within_bounds(&key)?;
        changed.insert(key, value);
    }
    Ok(changed)
}

fn within_bounds(text: &str) -> Result<(), Problem> {
    if text.len() > LONGEST { Err(Problem::TooLong) } else { Ok(()) }
}

impl Problem {
    fn advice(&self) -> &'static str {
        match self {
            Self::Merge(problem) => problem.advice(),
            Self::Pattern(_) => {
                "correct the pattern: `rewrite[].regexp.source` is a regular expression in Go's syntax (RE2)"
            }
            Self::Unreadable(_) | Self::Failing(_) => "correct the template: it knows the key as `.value`",
            Self::TooLong | Self::TooMany => "rewrite the keys in fewer or shorter steps",
            Self::NotText => "let the template render a key: 1 to 253 of the characters A-Z a-z 0-9 - . _",
        }
    }
}

#[cfg(test)]
mod tests;
