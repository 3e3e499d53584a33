//! Pauses after failures.

use std::time::Duration;

use crate::jitter;

/// Pauses that double with each failure in a row, up to a longest one. The one rule for all who try again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Between syncs that fail (`eso-compat.md` 2.5): from one second to seven minutes.
    pub const SYNCS: Self = Self::new(Duration::from_secs(1), Duration::from_mins(7));

    /// From the first pause to the longest.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The pause after so many failures in a row.
    pub fn after(&self, failures: u32) -> Duration {
        let times = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(times).min(self.longest)
    }

    /// The same, and by chance up to a part of it longer: half of it for 2, so that what failed together does not come back together.
    pub fn spread(&self, failures: u32, part: u32) -> Duration {
        let pause = self.after(failures);
        pause + jitter::part_of(pause / part.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses = [0, 1, 2, 3, 9, 10, 70].map(|failures| Backoff::SYNCS.after(failures).as_secs());
        assert_eq!(pauses, [1, 1, 2, 4, 256, 420, 420]);
        let spread = Backoff::SYNCS.spread(3, 2);
        assert!(spread >= Duration::from_secs(4) && spread <= Duration::from_secs(6));
    }
}
