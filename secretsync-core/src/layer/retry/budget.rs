//! How many retries there may be in all: whoever does not answer is not helped by being asked four times as often.

use std::sync::{Mutex, PoisonError};

/// The standard retry quota of AWS's SDKs, for every store: each retry costs tokens, a call that succeeds gives back what its last retry cost, or one token
/// if it needed none. Where there are not enough, an answer stands.
#[derive(Debug)]
pub(super) struct Budget(Mutex<u32>);

impl Default for Budget {
    fn default() -> Self {
        Self(Mutex::new(FULL))
    }
}

impl Budget {
    /// Pays for a retry, where that is possible.
    pub(super) fn take(&self) -> bool {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = tokens.checked_sub(RETRY);
        *tokens = left.unwrap_or(*tokens);
        left.is_some()
    }

    /// Takes note of a success, after retries or without.
    pub(super) fn succeeded(&self, retried: bool) {
        let back = if retried { RETRY } else { 1 };
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *tokens = FULL.min(*tokens + back);
    }
}

const FULL: u32 = 500;
const RETRY: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_retries_in_a_row_are_all_until_something_succeeds() {
        let budget = Budget::default();
        assert_eq!((0..200).filter(|_| budget.take()).count(), 100);
        budget.succeeded(true);
        assert_eq!([budget.take(), budget.take()], [true, false]);
        (0..5).for_each(|_| budget.succeeded(false));
        assert_eq!([budget.take(), budget.take()], [true, false]);
        (0..1000).for_each(|_| budget.succeeded(true));
        assert_eq!((0..200).filter(|_| budget.take()).count(), 100, "it never holds more");
    }
}
