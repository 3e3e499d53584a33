//! A rate: so many requests a second, and so many at once after a rest. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// What is left to be spent.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: f64,
    burst: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    /// A full one. A rate that is no rate lets one request through in a minute.
    pub(super) fn new(rate: f64, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst.max(1));
        Self { rate: if rate > SLOWEST { rate } else { SLOWEST }, burst, left: burst, at: now }
    }

    /// Takes one out, or says when there is one.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        self.left = (self.left + now.duration_since(self.at).as_secs_f64() * self.rate).min(self.burst);
        self.at = now;
        if self.left < 1.0 {
            return Err(now + Duration::from_secs_f64((1.0 - self.left) / self.rate) + TICK);
        }
        self.left -= 1.0;
        Ok(())
    }
}

const SLOWEST: f64 = 1.0 / 60.0;
/// Clocks count in steps: one that looks a step too early would look in vain.
const TICK: Duration = Duration::from_millis(1);
