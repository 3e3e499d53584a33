//! The text a pattern runs on: Go reads an invalid byte as U+FFFD, the engine wants valid text.

use std::borrow::Cow;
use std::ops::Range;

use crate::rune::runes;

/// A text made valid, and the way back to its own bytes.
pub(crate) struct Subject<'t> {
    original: &'t [u8],
    valid: Cow<'t, str>,
    /// For text that was not valid: the offset in the original of every offset in the valid text.
    offsets: Vec<usize>,
}

impl<'t> Subject<'t> {
    pub(crate) fn new(original: &'t [u8]) -> Self {
        if let Ok(valid) = std::str::from_utf8(original) {
            return Self { original, valid: Cow::Borrowed(valid), offsets: Vec::new() };
        }
        let mut valid = String::with_capacity(original.len());
        let mut offsets = Vec::with_capacity(original.len());
        let mut at = 0;
        for (character, bytes) in runes(original) {
            valid.push(character);
            offsets.resize(valid.len(), at);
            at += bytes.len();
        }
        offsets.push(at);
        Self { original, valid: Cow::Owned(valid), offsets }
    }

    pub(crate) fn text(&self) -> &str {
        &self.valid
    }

    /// The original bytes between two offsets of the valid text.
    pub(crate) fn slice(&self, range: Range<usize>) -> &'t [u8] {
        let original = |offset: usize| self.offsets.get(offset).copied().unwrap_or(offset);
        self.original.get(original(range.start)..original(range.end)).unwrap_or_default()
    }
}
