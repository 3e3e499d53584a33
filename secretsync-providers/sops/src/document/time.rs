//! Points in time as sops reads and prints them.

/// A point in time: its parts are in range, its fraction has no trailing zeros.
#[derive(Debug)]
pub(crate) struct Time<'a> {
    date: [u32; 3],
    clock: [u32; 3],
    fraction: &'a str,
    /// Minutes east of UTC.
    offset: i32,
    rfc3339: bool,
}

impl<'a> Time<'a> {
    /// Reads RFC 3339: metadata, and values of type `time`.
    pub(crate) fn rfc3339(text: &'a str) -> Option<Self> {
        Self::yaml(text).filter(|time| time.rfc3339)
    }

    /// Reads what YAML documents of sops may hold unquoted: also a date alone, and a blank instead of the `T`, then in UTC.
    pub(crate) fn yaml(text: &'a str) -> Option<Self> {
        let mut rest = Rest(text);
        let date = [rest.digits(4, 4)?, rest.after('-')?.digits(1, 2)?, rest.after('-')?.digits(1, 2)?];
        let mut time = Self { date, clock: [0; 3], fraction: "", offset: 0, rfc3339: false };
        if !rest.0.is_empty() {
            time.rfc3339 = !rest.0.starts_with(' ');
            rest.0 = rest.0.strip_prefix(['T', 't', ' '])?;
            time.clock = [rest.digits(1, 2)?, rest.after(':')?.digits(1, 2)?, rest.after(':')?.digits(1, 2)?];
            time.fraction = rest.fraction()?;
            time.offset = if time.rfc3339 { rest.zone()? } else { 0 };
        }
        (rest.0.is_empty() && time.in_range()).then_some(time)
    }

    /// The text that sops hashes and prints.
    pub(crate) fn text(&self) -> String {
        let point = if self.fraction.is_empty() { "" } else { "." };
        format!("{}{point}{}{}", self.to_seconds(), self.fraction, self.zone())
    }

    /// The same without the fraction: what the MAC is bound to.
    pub(crate) fn whole_seconds(&self) -> String {
        format!("{}{}", self.to_seconds(), self.zone())
    }

    fn to_seconds(&self) -> String {
        let ([year, month, day], [hour, minute, second]) = (self.date, self.clock);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }

    fn zone(&self) -> String {
        match self.offset {
            0 => "Z".to_owned(),
            offset => {
                let sign = if offset < 0 { '-' } else { '+' };
                format!("{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60)
            }
        }
    }

    fn in_range(&self) -> bool {
        let ([year, month, day], [hour, minute, second]) = (self.date, self.clock);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return false,
        };
        (1..=days).contains(&day) && hour < 24 && minute < 60 && second < 60
    }
}

/// What is left to read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn after(&mut self, separator: char) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(separator)?;
        Some(self)
    }

    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if count < least {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        digits.parse().ok()
    }

    /// Nanoseconds are all there is; further digits are dropped.
    fn fraction(&mut self) -> Option<&'a str> {
        let Some(rest) = self.0.strip_prefix(['.', ',']) else { return Some("") };
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = rest.split_at(count);
        self.0 = rest;
        (count > 0).then(|| digits[..count.min(9)].trim_end_matches('0'))
    }

    fn zone(&mut self) -> Option<i32> {
        if let Some(rest) = self.0.strip_prefix('Z') {
            self.0 = rest;
            return Some(0);
        }
        let sign = if self.0.starts_with('-') { -1 } else { 1 };
        self.0 = self.0.strip_prefix(['+', '-'])?;
        let (hours, minutes) = (self.digits(2, 2)?, self.after(':')?.digits(2, 2)?);
        let offset = i32::try_from(hours * 60 + minutes).ok()?;
        (hours <= 24 && minutes < 60).then_some(sign * offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_has_one_text() {
        for (text, expected) in [
            ("2024-01-01", "2024-01-01T00:00:00Z"),
            ("2024-1-2", "2024-01-02T00:00:00Z"),
            ("2024-02-29 1:2:3.50", "2024-02-29T01:02:03.5Z"),
            ("2024-01-01T10:11:12+02:00", "2024-01-01T10:11:12+02:00"),
            ("2024-01-01t10:11:12-00:30", "2024-01-01T10:11:12-00:30"),
            ("2024-01-01T10:11:12.000+00:00", "2024-01-01T10:11:12Z"),
            ("2024-01-01T10:11:12.1234567899Z", "2024-01-01T10:11:12.123456789Z"),
        ] {
            assert_eq!(Time::yaml(text).map(|time| time.text()).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_point_in_time_is_refused() {
        for text in [
            "",
            "2024",
            "2024-01",
            "24-01-01",
            "2023-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-01-01T24:00:00Z",
            "2024-01-01T10:11:12",
            "2024-01-01 10:11:12Z",
            "2024-01-01T10:11Z",
            "2024-01-01x",
            "2024-01-01T10:11:60Z",
            "2024-01-01T10:11:12.Z",
            "2024-01-01T1:1:1+1:00",
        ] {
            assert!(Time::yaml(text).is_none(), "{text}");
        }
        assert!(Time::rfc3339("2024-01-01").is_none());
        assert!(Time::rfc3339("2024-01-01 10:11:12").is_none());
    }

    #[test]
    fn the_mac_is_bound_to_whole_seconds() {
        let time = Time::rfc3339("2024-05-06T07:08:09.75+00:00").unwrap();
        assert_eq!(time.whole_seconds(), "2024-05-06T07:08:09Z");
    }
}
