//! Schedules of five cron fields, as the Go library reads them that External Secrets Operator uses (robfig/cron, its standard parser).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

/// When something happens again and again: `30 2 * * MON-FRI`, `@daily`, `@every 1h30m`. In UTC.
///
/// Fields are minute, hour, day of the month, month and day of the week. Each is a list of `*`, values, ranges and steps; months and days have
/// English names of three letters. Where both days are restricted, either is enough.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cron(Kind);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Kind {
    Fields(Fields),
    Every(Duration),
}

/// The values of each field as bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether both days must fit, since one of them is `*`.
    both_days: bool,
}

/// Why a text is no schedule.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
#[error("{0}")]
pub struct CronError(String);

impl Cron {
    /// `@every` so often; `duration` is at least a second.
    pub fn every(duration: Duration) -> Self {
        Self(Kind::Every(Duration::from_secs(duration.as_secs().max(1))))
    }

    /// Whether it fires between `now - span` and `now`, both included.
    pub(crate) fn fires_within(&self, span: Duration, now: Timestamp) -> bool {
        let fields = match &self.0 {
            // It counts from the moment at which it is asked, so it fires within any span that is as long.
            Kind::Every(every) => return *every <= span,
            Kind::Fields(fields) => fields,
        };
        let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX).min(LONGEST_LOOK);
        let from = now.checked_sub(span).unwrap_or(Timestamp::MIN);
        let civil = |moment: Timestamp| TimeZone::UTC.to_datetime(moment);
        fields.fires_between(civil(from), civil(now))
    }
}

impl Fields {
    /// Looks at days, then at the minutes of those that fit, so that long spans cost little.
    fn fires_between(&self, from: DateTime, to: DateTime) -> bool {
        let mut date = from.date();
        while date <= to.date() {
            if self.fits_day(date) {
                let first = if date == from.date() { minute_of(from, Round::Up) } else { 0 };
                let last = if date == to.date() { minute_of(to, Round::Down) } else { 24 * 60 - 1 };
                if (first..=last).any(|minute| self.fits_minute(minute)) {
                    return true;
                }
            }
            let Ok(tomorrow) = date.tomorrow() else { return false };
            date = tomorrow;
        }
        false
    }

    fn fits_day(&self, date: jiff::civil::Date) -> bool {
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        has(self.months, date.month()) && if self.both_days { day && weekday } else { day || weekday }
    }

    fn fits_minute(&self, minute: u16) -> bool {
        self.hours >> (minute / 60) & 1 == 1 && self.minutes >> (minute % 60) & 1 == 1
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Round {
    Down,
    Up,
}

/// The minute of the day; rounded up it may be one more than a day has.
fn minute_of(moment: DateTime, round: Round) -> u16 {
    let whole = u16::from(moment.hour().unsigned_abs()) * 60 + u16::from(moment.minute().unsigned_abs());
    let begun = moment.second() > 0 || moment.subsec_nanosecond() > 0;
    if begun && round == Round::Up { whole + 1 } else { whole }
}

fn has(bits: u64, value: i8) -> bool {
    bits >> value.unsigned_abs() & 1 == 1
}

impl FromStr for Cron {
    type Err = CronError;

    /// Reads five fields or one of the words `@yearly @annually @monthly @weekly @daily @midnight @hourly`. `@every` is the caller's to read, since its
    /// duration is written in Go's notation: see [`Cron::every`].
    fn from_str(text: &str) -> Result<Self, CronError> {
        let fields = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let parts: Vec<_> = fields.split_ascii_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = parts.as_slice() else {
            return Err(CronError(format!("it has {} fields instead of five", parts.len())));
        };
        let (days, any_day) = field(days, "day of the month", 1, 31, &[])?;
        let (weekdays, any_weekday) = field(weekdays, "day of the week", 0, 6, &WEEKDAYS)?;
        Ok(Self(Kind::Fields(Fields {
            minutes: field(minutes, "minute", 0, 59, &[])?.0,
            hours: field(hours, "hour", 0, 23, &[])?.0,
            days,
            months: field(months, "month", 1, 12, &MONTHS)?.0,
            weekdays,
            both_days: any_day || any_weekday,
        })))
    }
}

/// The values of a field, and whether it is `*`.
fn field(text: &str, what: &str, least: u8, most: u8, names: &[&str]) -> Result<(u64, bool), CronError> {
    let mut bits = 0;
    let mut any = false;
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let wrong = || CronError(format!("`{}` is no {what}", part.escape_debug()));
        let value = |text: &str| value(text, names).ok_or_else(wrong);
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u8>().ok().filter(|step| *step > 0).ok_or_else(wrong)?)),
            None => (part, None),
        };
        let (start, end) = match range.split_once('-') {
            _ if matches!(range, "*" | "?") => {
                any |= step.is_none_or(|step| step == 1);
                (least, most)
            }
            Some((start, end)) => (value(start)?, value(end)?),
            None if step.is_some() => (value(range)?, most),
            None => (value(range)?, value(range)?),
        };
        if start < least || end > most || start > end {
            return Err(wrong());
        }
        for bit in (start..=end).step_by(usize::from(step.unwrap_or(1))) {
            bits |= 1 << bit;
        }
    }
    if bits == 0 { Err(CronError(format!("the {what} is empty"))) } else { Ok((bits, any)) }
}

fn value(text: &str, names: &[&str]) -> Option<u8> {
    if let Some(index) = names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
        // Months count from one, days of the week from zero.
        return u8::try_from(index + usize::from(names.len() == MONTHS.len())).ok();
    }
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl fmt::Display for Cron {
    /// Every schedule by its kind only: how it was written is not kept.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Fields(_) => f.write_str("a schedule of five fields"),
            Kind::Every(every) => write!(f, "every {every:?}"),
        }
    }
}

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
/// How far back a window may have opened: the library that is followed gives up after five years, too.
const LONGEST_LOOK: SignedDuration = SignedDuration::from_hours(5 * 366 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a schedule with a window of so many minutes is open at a time of UTC.
    fn open(schedule: &str, minutes: u64, at: &str) -> bool {
        let now: Timestamp = at.parse().unwrap();
        schedule.parse::<Cron>().unwrap().fires_within(Duration::from_mins(minutes), now)
    }

    #[test]
    fn a_window_is_open_from_its_beginning_to_its_end() {
        for (at, expected) in [
            ("2026-11-27T21:59:59Z", false),
            ("2026-11-27T22:00:00Z", true),
            ("2026-11-27T23:59:59Z", true),
            ("2026-11-28T00:00:00Z", true),
            ("2026-11-28T00:00:01Z", false),
        ] {
            assert_eq!(open("0 22 * * *", 120, at), expected, "{at}");
        }
        assert!(open("0 0 1 1 *", 60 * 24 * 400, "2026-11-27T12:00:00Z"), "a window longer than a year");
        assert!(!open("0 0 30 2 *", 60 * 24 * 4000, "2026-11-27T12:00:00Z"), "there is no such day");
    }

    #[test]
    fn fields_are_lists_of_values_ranges_and_steps() {
        // 2026-11-27 is a Friday.
        for (schedule, at, expected) in [
            ("* * * * *", "2026-11-27T10:00:30Z", true),
            ("*/15 10 * * *", "2026-11-27T10:45:00Z", true),
            ("*/15 10 * * *", "2026-11-27T10:46:30Z", false),
            ("5/20 * * * *", "2026-11-27T10:25:00Z", true),
            ("5/20 * * * *", "2026-11-27T10:20:00Z", false),
            ("0 9-17/4 * * *", "2026-11-27T13:00:00Z", true),
            ("0 9-17/4 * * *", "2026-11-27T14:00:00Z", false),
            ("0 10 * nov fri", "2026-11-27T10:00:00Z", true),
            ("0 10 * JAN,Dec *", "2026-11-27T10:00:00Z", false),
            ("0 10 * * MON-thu", "2026-11-27T10:00:00Z", false),
            ("0 10 1 * 5", "2026-11-27T10:00:00Z", true),
            ("0 10 27 * 1", "2026-11-27T10:00:00Z", true),
            ("0 10 ? * 1", "2026-11-27T10:00:00Z", false),
            ("0 10 */2 * 5", "2026-11-27T10:00:00Z", true),
            ("@hourly", "2026-11-27T10:00:10Z", true),
            ("@daily", "2026-11-27T10:00:00Z", false),
            ("@weekly", "2026-11-29T00:00:00Z", true),
        ] {
            assert_eq!(open(schedule, 1, at), expected, "{schedule} at {at}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_the_part_that_is_wrong() {
        for (text, problem) in [
            ("", "it has 0 fields instead of five"),
            ("* * * *", "it has 4 fields instead of five"),
            ("@noon", "it has 1 fields instead of five"),
            ("60 * * * *", "`60` is no minute"),
            ("* 24 * * *", "`24` is no hour"),
            ("* * 0 * *", "`0` is no day of the month"),
            ("* * * 13 *", "`13` is no month"),
            ("* * * * 7", "`7` is no day of the week"),
            ("* * * * FRY", "`FRY` is no day of the week"),
            ("5-1 * * * *", "`5-1` is no minute"),
            ("*/0 * * * *", "`*/0` is no minute"),
            ("-1 * * * *", "`-1` is no minute"),
            ("+1 * * * *", "`+1` is no minute"),
            (", * * * *", "the minute is empty"),
            ("999999999999 * * * *", "`999999999999` is no minute"),
        ] {
            assert_eq!(text.parse::<Cron>().unwrap_err().to_string(), problem);
        }
    }

    #[test]
    fn every_fires_within_each_span_that_is_as_long() {
        let now = "2026-11-27T10:00:00Z".parse().unwrap();
        assert!(Cron::every(Duration::from_mins(5)).fires_within(Duration::from_mins(5), now));
        assert!(!Cron::every(Duration::from_mins(5)).fires_within(Duration::from_mins(4), now));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text: String, fields in "([*/,0-9A-Z-]{1,6} ){4}[*/,0-9A-Z-]{1,6}", at in 0..4_000_000_000_i64) {
            for text in [text, fields] {
                if let Ok(cron) = text.parse::<Cron>() {
                    cron.fires_within(Duration::from_hours(24), Timestamp::from_second(at).unwrap());
                }
            }
        }
    }
}
