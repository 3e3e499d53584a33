//! What to do about an error.

use std::borrow::Cow;
use std::fmt;

use super::Code;

/// Advice beside an error: one imperative sentence, and the stable code that `docs/errors.md` explains.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hint {
    code: Code,
    advice: Cow<'static, str>,
}

impl Hint {
    /// Advice for this very case.
    pub fn new(code: Code, advice: impl Into<Cow<'static, str>>) -> Self {
        Self { code, advice: advice.into() }
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The sentence, without a full stop.
    pub fn advice(&self) -> &str {
        &self.advice
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.advice)
    }
}
