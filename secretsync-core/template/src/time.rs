//! Moments in time as Go has them: an instant, and the zone to show it in.

use std::fmt;
use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZoneDatabase;

mod calendar;
pub(crate) mod duration;
mod layout;
mod parse;

use calendar::Date;

/// An instant in a zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Time {
    /// Seconds since 1970.
    seconds: i64,
    nanoseconds: u32,
    zone: Zone,
    /// Nanoseconds since this process began to render, for a moment that `now` gave.
    monotonic: Option<u128>,
}

/// Offset from UTC and abbreviation; without one the offset is shown.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Zone {
    offset: i32,
    name: String,
}

impl Time {
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        let monotonic = Some(BEGIN.elapsed().as_nanos());
        Self { nanoseconds: since.subsec_nanos(), monotonic, ..Self::from_unix(seconds) }
    }

    /// In UTC.
    pub(crate) fn from_unix(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0, zone: Zone::utc(), monotonic: None }
    }

    /// Reads a text by a layout such as `2006-01-02`. Nothing if it does not fit.
    pub(crate) fn parse(layout: &str, text: &str) -> Option<Self> {
        parse::parse(layout, text)
    }

    /// Year 1: what Go gives for a text that does not fit.
    pub(crate) fn zero() -> Self {
        Self::from_unix(calendar::days(1, 1, 1) * DAY)
    }

    pub(crate) fn unix(&self) -> i64 {
        self.seconds
    }

    /// The same instant in a named zone, from the data built into this crate.
    pub(crate) fn in_zone(&self, name: &str) -> Option<Self> {
        if matches!(name, "" | "UTC" | "Local") {
            return Some(Self { zone: Zone::utc(), ..self.clone() });
        }
        let zone = ZONES.get(name).ok()?;
        let instant = jiff::Timestamp::from_second(self.seconds).ok()?;
        let info = zone.to_offset_info(instant);
        let zone = Zone { offset: info.offset().seconds(), name: info.abbreviation().to_owned() };
        Some(Self { zone, ..self.clone() })
    }

    /// Later by so many nanoseconds.
    pub(crate) fn plus(&self, nanoseconds: i64) -> Self {
        let sum = i64::from(self.nanoseconds) + nanoseconds % SECOND;
        let seconds = self.seconds.saturating_add(nanoseconds / SECOND).saturating_add(sum.div_euclid(SECOND));
        let nanoseconds = u32::try_from(sum.rem_euclid(SECOND)).unwrap_or(0);
        Self { seconds, nanoseconds, zone: self.zone.clone(), monotonic: None }
    }

    /// Later by so many years, months and days; a day beyond the end of its month runs over into the next.
    pub(crate) fn plus_date(&self, years: i64, months: i64, days: i64) -> Self {
        let Date { year, month, day, .. } = self.date();
        let bounded = |number: i64| number.clamp(-1_000_000, 1_000_000);
        let months = bounded(months) + month - 1;
        let year = year + bounded(years) + months.div_euclid(12);
        let date = calendar::days(year, months.rem_euclid(12) + 1, 1) + day - 1 + bounded(days);
        let (hour, minute, second) = self.clock();
        let local = date * DAY + hour * 3600 + minute * 60 + second;
        Self { seconds: local - i64::from(self.zone.offset), monotonic: None, ..self.clone() }
    }

    /// Nanoseconds from the other moment to this one, at most what 64 bits hold.
    pub(crate) fn since(&self, other: &Self) -> i64 {
        let total = |time: &Self| i128::from(time.seconds) * i128::from(SECOND) + i128::from(time.nanoseconds);
        let difference = total(self) - total(other);
        i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
    }

    pub(crate) fn format(&self, layout: &str) -> String {
        layout::format(self, layout)
    }

    pub(crate) fn to_rfc3339(&self) -> String {
        self.format("2006-01-02T15:04:05.999999999Z07:00")
    }

    pub(crate) fn date(&self) -> Date {
        Date::of(self.seconds.saturating_add(i64::from(self.zone.offset)).div_euclid(DAY))
    }

    /// Hour, minute and second in the zone.
    pub(crate) fn clock(&self) -> (i64, i64, i64) {
        let second = self.seconds.saturating_add(i64::from(self.zone.offset)).rem_euclid(DAY);
        (second / 3600, second / 60 % 60, second % 60)
    }

    pub(crate) fn nanosecond(&self) -> u32 {
        self.nanoseconds
    }
}

/// Go's `String`, with the monotonic reading of `now`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format("2006-01-02 15:04:05.999999999 -0700 MST"))?;
        match self.monotonic {
            Some(nanoseconds) => write!(f, " m=+{}.{:09}", nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000),
            None => Ok(()),
        }
    }
}

impl Zone {
    fn utc() -> Self {
        Self { offset: 0, name: "UTC".to_owned() }
    }
}

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Never the system's: templates read no files.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

const DAY: i64 = 86_400;
const SECOND: i64 = 1_000_000_000;
