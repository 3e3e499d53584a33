//! How many requests may be under way, learnt from the answers. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// So many at once: one more after each window in which the API server kept up, half as many when it asked to slow down or takes twice as long as before. What
/// it takes with half as many is the measure from then on: a machine that is slow for other reasons is not made slower still.
#[derive(Debug)]
pub(super) struct Window {
    limit: usize,
    /// Of the answers since the last decision.
    count: u32,
    sum: Duration,
    /// The shortest mean of a full window lately, and when it was measured.
    best: Option<(Duration, Instant)>,
    halved: Option<Instant>,
}

impl Window {
    pub(super) fn new() -> Self {
        Self { limit: FIRST, count: 0, sum: Duration::ZERO, best: None, halved: None }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Takes note of how long an answer took while the window was full.
    pub(super) fn answered(&mut self, took: Duration, now: Instant) {
        self.count += 1;
        self.sum += took;
        if (self.count as usize) < self.limit.min(SAMPLE) {
            return;
        }
        let mean = self.sum / self.count;
        (self.count, self.sum) = (0, Duration::ZERO);
        let fresh = self.best.filter(|(_, at)| now.duration_since(*at) < MEMORY);
        let best = fresh.map_or(mean, |(best, _)| best);
        if mean <= best {
            self.best = Some((mean, now));
        }
        if mean > best * 2 + NOISE {
            self.halve(LEAST_SLOW, now);
        } else {
            self.limit = (self.limit + 1).min(MOST);
        }
    }

    /// Takes note that a request was refused because there are too many. What was sent before the last decision says nothing new.
    pub(super) fn refused(&mut self, began: Instant, now: Instant) {
        if self.halved.is_none_or(|halved| began > halved) {
            self.halve(LEAST, now);
        }
    }

    fn halve(&mut self, least: usize, now: Instant) {
        self.limit = (self.limit / 2).max(least.min(self.limit));
        self.halved = Some(now);
        self.best = None;
        (self.count, self.sum) = (0, Duration::ZERO);
    }
}

const FIRST: usize = 16;
const MOST: usize = 64;
/// Where it asks to slow down.
const LEAST: usize = 1;
/// Where it is only slow.
const LEAST_SLOW: usize = 8;
/// So many answers decide at most.
const SAMPLE: usize = 16;
/// What is no slowness, whatever the best was.
const NOISE: Duration = Duration::from_millis(5);
/// How long the best time is remembered.
const MEMORY: Duration = Duration::from_mins(1);
