//! The problems of one manifest, collected so that all are reported together.

use std::fmt;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};

/// What is wrong with one manifest.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    invalid: Vec<Problem>,
    unsupported: Vec<Problem>,
}

/// One problem, with the code of its own that it may have.
#[derive(Debug)]
struct Problem {
    text: String,
    code: Option<Code>,
}

impl Problems {
    /// A problem that needs no path, because its text names the field.
    pub(crate) fn add(&mut self, text: impl fmt::Display) {
        self.invalid.push(Problem { text: text.to_string(), code: None });
    }

    /// A problem of the field at `path`.
    pub(crate) fn at(&mut self, path: impl fmt::Display, text: impl fmt::Display) {
        self.add(format_args!("`{path}`: {text}"));
    }

    /// The field at `path` leads to no store.
    pub(crate) fn no_store(&mut self, path: impl fmt::Display, text: impl fmt::Display) {
        self.invalid.push(Problem { text: format!("`{path}`: {text}"), code: Some(Code::StoreMissing) });
    }

    /// The field at `path` asks for a feature that is not there.
    pub(crate) fn unsupported(&mut self, path: impl fmt::Display) {
        self.unsupported_as(None, path);
    }

    /// The field at `path` asks for a feature that is not there, which is told under a code of its own.
    pub(crate) fn unsupported_as(&mut self, code: impl Into<Option<Code>>, path: impl fmt::Display) {
        self.unsupported.push(Problem { text: format!("`{path}`"), code: code.into() });
    }

    /// The error about `subject` with every problem, or `Ok` without any. What is invalid comes before what is not supported. It bears the code that all
    /// problems agree on, else `code`.
    pub(crate) fn into_result(self, subject: &str, code: Code) -> Result<()> {
        if !self.invalid.is_empty() {
            let hint = Hint::new(agreed(&self.invalid).unwrap_or(code), "correct the manifest; it was not applied");
            return Err(Error::new(ErrorKind::InvalidConfig, "read")
                .on(subject)
                .because(joined(&self.invalid, "; "))
                .with_hint(hint));
        }
        if self.unsupported.is_empty() {
            return Ok(());
        }
        let verb = if self.unsupported.len() == 1 { "is" } else { "are" };
        let code = agreed(&self.unsupported).unwrap_or(Code::Unsupported);
        let hint = Hint::new(code, "remove the field, or leave the object to External Secrets Operator");
        let detail = format!("{} {verb} not supported yet", joined(&self.unsupported, ", "));
        Err(Error::new(ErrorKind::Unsupported, "read").on(subject).because(detail).with_hint(hint))
    }
}

fn agreed(problems: &[Problem]) -> Option<Code> {
    let code = problems.first()?.code;
    code.filter(|_| problems.iter().all(|problem| problem.code == code))
}

fn joined(problems: &[Problem], between: &str) -> String {
    problems.iter().map(|problem| problem.text.as_str()).collect::<Vec<_>>().join(between)
}

/// How an object is called in messages: ExternalSecret `shop/db`.
pub(crate) fn subject(kind: &str, namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{kind} `{}/{}`", plain(namespace), plain(name)),
        None => format!("{kind} `{}`", plain(name)),
    }
}

/// A name from outside in backticks.
pub(crate) fn quote(text: &str) -> String {
    format!("`{}`", plain(text))
}

/// A name from outside, fit for one line of a message.
pub(crate) fn plain(text: &str) -> String {
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

const LONGEST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_stay_on_one_line_and_short() {
        assert_eq!(plain("a\nb"), "a\\nb");
        assert_eq!(plain(&"x".repeat(1000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn problems_bear_the_code_that_they_agree_on() {
        let code = |problems: Problems| {
            let error = problems.into_result("it", Code::ManifestInvalid).unwrap_err();
            error.hint().unwrap().code()
        };
        let (mut stores, mut mixed) = (Problems::default(), Problems::default());
        stores.no_store("spec.data[0]", "has no store");
        mixed.no_store("spec.data[0]", "has no store");
        mixed.at("spec.target.name", "must not be empty");
        assert_eq!((code(stores), code(mixed)), (Code::StoreMissing, Code::ManifestInvalid));
        let (mut kind, mut mixed) = (Problems::default(), Problems::default());
        kind.unsupported_as(Code::GenericTarget, "spec.target.manifest");
        mixed.unsupported_as(Code::GenericTarget, "spec.target.manifest");
        mixed.unsupported("spec.target.restart");
        assert_eq!((code(kind), code(mixed)), (Code::GenericTarget, Code::Unsupported));
    }

    #[test]
    fn invalid_fields_are_reported_before_unsupported_ones() {
        let mut problems = Problems::default();
        problems.unsupported("spec.suspend");
        problems.unsupported("spec.target.restart");
        let error = problems.into_result("ExternalSecret `a/b`", Code::ManifestInvalid).unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to read ExternalSecret `a/b`: `spec.suspend`, `spec.target.restart` are not supported yet"
        );
        let mut problems = Problems::default();
        problems.unsupported("spec.suspend");
        problems.at("spec.target.name", "must not be empty");
        let error = problems.into_result("ExternalSecret `a/b`", Code::ManifestInvalid).unwrap_err();
        assert_eq!(error.to_string(), "failed to read ExternalSecret `a/b`: `spec.target.name`: must not be empty");
    }
}
