//! When a sync runs again.

mod cron;

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

pub use cron::{Cron, CronError};

/// When a sync runs again after it succeeded.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Timing {
    /// How long after a success; `None` for never.
    pub interval: Option<Duration>,
    /// When a refresh may happen; `None` for at any time. First syncs, changes and retries do not ask.
    pub windows: Option<SyncWindows>,
}

impl Default for Timing {
    /// Every hour, at any time.
    fn default() -> Self {
        Self { interval: Some(Duration::from_hours(1)), windows: None }
    }
}

impl Timing {
    /// How often a closed window is looked at: schedules are in whole minutes.
    pub const WINDOW_CHECK: Duration = Duration::from_mins(1);

    /// After an interval, or never.
    pub fn new(interval: Option<Duration>) -> Self {
        Self { interval, windows: None }
    }

    /// Lets refreshes happen at certain times only.
    #[must_use]
    pub fn with_windows(mut self, windows: Option<SyncWindows>) -> Self {
        self.windows = windows;
        self
    }

    /// Whether a refresh may happen at a moment.
    pub fn permits(&self, now: SystemTime) -> bool {
        self.windows.as_ref().is_none_or(|windows| windows.permit(now))
    }
}

/// Times at which refreshes may happen, or may not (`syncWindows`).
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SyncWindows {
    /// Only inside of one of these.
    Allow(Vec<SyncWindow>),
    /// Only outside of all of these.
    Deny(Vec<SyncWindow>),
}

impl SyncWindows {
    /// Whether a refresh may happen at a moment.
    pub fn permit(&self, now: SystemTime) -> bool {
        let open = |windows: &[SyncWindow]| windows.iter().any(|window| window.is_open(now));
        match self {
            Self::Allow(windows) => open(windows),
            Self::Deny(windows) => !open(windows),
        }
    }
}

/// A time that begins again and again.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SyncWindow {
    /// When it opens, in UTC.
    pub schedule: Cron,
    /// How long it stays open.
    pub duration: Duration,
}

impl SyncWindow {
    /// A window that opens by a schedule and stays open for a time.
    pub fn new(schedule: Cron, duration: Duration) -> Self {
        Self { schedule, duration }
    }

    /// Whether it is open: some opening lies no further back than its duration, both ends included (`eso-compat.md` 2.3).
    fn is_open(&self, now: SystemTime) -> bool {
        let Ok(now) = Timestamp::try_from(now) else { return false };
        self.schedule.fires_within(self.duration, now)
    }
}
