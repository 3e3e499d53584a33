//! Durations as Go writes them: `1h30m`, `15s`, `0`.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A duration in Go's notation: decimal numbers with the units `ns us µs ms s m h`, or `0`; a sign is allowed.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct GoDuration(i64);

impl GoDuration {
    /// Reads the notation; `None` for anything else, and for more than about 292 years.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        if digits == "0" {
            return Some(Self(0));
        }
        let nanos = magnitude(digits)?;
        let signed = if negative { -nanos } else { nanos };
        i64::try_from(signed).ok().map(Self)
    }

    /// The duration where it is more than nothing; zero and less mean "never again" in a refresh interval.
    pub fn positive(self) -> Option<Duration> {
        u64::try_from(self.0).ok().filter(|nanos| *nanos > 0).map(Duration::from_nanos)
    }

    /// Whether it is less than nothing.
    pub fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl fmt::Display for GoDuration {
    /// Go's canonical form for whole seconds (`1h0m0s`), else seconds with a fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let total = Duration::from_nanos(self.0.unsigned_abs());
        let (hours, minutes, seconds) = (total.as_secs() / 3600, total.as_secs() / 60 % 60, total.as_secs() % 60);
        f.write_str(sign)?;
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        match total.subsec_nanos() {
            0 => write!(f, "{seconds}s"),
            nanos => write!(f, "{seconds}.{}s", format!("{nanos:09}").trim_end_matches('0')),
        }
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(FORM))
    }
}

/// How often a store is validated again: whole seconds, or a duration as text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoreInterval(GoDuration);

impl StoreInterval {
    /// The interval where one is set; zero leaves it to the program.
    pub fn positive(self) -> Option<Duration> {
        self.0.positive()
    }
}

impl<'de> Deserialize<'de> for StoreInterval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntervalVisitor)
    }
}

struct IntervalVisitor;

impl Visitor<'_> for IntervalVisitor {
    type Value = StoreInterval;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds or a duration such as `5m`, and not less than 0")
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<StoreInterval, E> {
        let nanos = i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1_000_000_000));
        nanos
            .map(|nanos| StoreInterval(GoDuration(nanos)))
            .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(seconds), &self))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<StoreInterval, E> {
        match u64::try_from(seconds) {
            Ok(seconds) => self.visit_u64(seconds),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(seconds), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<StoreInterval, E> {
        match GoDuration::parse(text) {
            Some(duration) if !duration.is_negative() => Ok(StoreInterval(duration)),
            _ => Err(E::invalid_value(de::Unexpected::Other("text"), &self)),
        }
    }
}

/// The nanoseconds of an unsigned duration text.
fn magnitude(text: &str) -> Option<i128> {
    let mut rest = text;
    let mut total = 0_i128;
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (digits, tail) = rest.split_at(number);
        let unit_length = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_length);
        total = total.checked_add(scaled(digits, nanos_of(unit)?)?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// A decimal number times `unit`, cut off below one nanosecond.
fn scaled(digits: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || whole.len() > 19 {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction = &fraction[..fraction.len().min(18)];
    let part: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    Some(whole * unit + part * unit / 10_i128.pow(u32::try_from(fraction.len()).ok()?))
}

fn nanos_of(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        // U+00B5 micro sign and U+03BC Greek letter mu, as in Go
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

const FORM: &str = "expected a duration such as `1h30m`, `15s` or `0`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, canonical) in [
            ("1h30m", "1h30m0s"),
            ("15s", "15s"),
            ("0", "0s"),
            ("-0", "0s"),
            ("+5m", "5m0s"),
            ("-1.5h", "-1h30m0s"),
            ("1h0m0s", "1h0m0s"),
            (".5s", "0.5s"),
            ("5.s", "5s"),
            ("1m1m", "2m0s"),
            ("1\u{b5}s", "0.000001s"),
            ("100ms", "0.1s"),
            ("9223372036s", "2562047h47m16s"),
        ] {
            assert_eq!(GoDuration::parse(text).map(|d| d.to_string()).as_deref(), Some(canonical), "{text}");
        }
        for text in [
            "",
            "-",
            "often",
            "1",
            "1 h",
            "1d",
            "h",
            ".s",
            "1.2.3s",
            "9223372037s",
            "1h ",
            "--1s",
            "99999999999999999999s",
        ] {
            assert_eq!(GoDuration::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_what_is_more_than_nothing_is_an_interval() {
        assert_eq!(GoDuration::parse("0").unwrap().positive(), None);
        assert_eq!(GoDuration::parse("-1s").unwrap().positive(), None);
        assert_eq!(GoDuration::parse("90s").unwrap().positive(), Some(Duration::from_secs(90)));
    }

    #[test]
    fn a_store_interval_is_a_number_of_seconds_or_a_duration() {
        let read = |value| crate::api::read::read::<StoreInterval>(value);
        assert_eq!(read(serde_json::json!(90)).unwrap().positive(), Some(Duration::from_secs(90)));
        assert_eq!(read(serde_json::json!("5m")).unwrap().positive(), Some(Duration::from_mins(5)));
        for bad in [
            serde_json::json!(-1),
            serde_json::json!("10"),
            serde_json::json!("-5m"),
            serde_json::json!(1.5),
            serde_json::json!([]),
        ] {
            assert_eq!(
                read(bad).unwrap_err(),
                ["expected a number of seconds or a duration such as `5m`, and not less than 0"]
            );
        }
    }
}
