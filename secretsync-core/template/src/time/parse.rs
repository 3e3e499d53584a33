//! Reads a moment by a layout.

use super::layout::{self, Element, Offset, Precision};
use super::{Time, Zone, calendar};

pub(super) fn parse(layout: &str, text: &str) -> Option<Time> {
    let mut parser = Parser { rest: text, found: Found::default() };
    let mut layout = layout;
    loop {
        let (prefix, element, after) = layout::next(layout);
        parser.skip(prefix)?;
        let Some(element) = element else { break };
        layout = after;
        parser.element(element, layout)?;
    }
    if !parser.rest.is_empty() {
        return None;
    }
    parser.found.time()
}

struct Parser<'t> {
    rest: &'t str,
    found: Found,
}

/// What the text has said so far.
#[derive(Default)]
struct Found {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanoseconds: u32,
    afternoon: Option<bool>,
    offset: Option<i32>,
    zone: String,
}

impl Parser<'_> {
    /// Passes literal text; one space in the layout stands for any number.
    fn skip(&mut self, mut prefix: &str) -> Option<()> {
        while let Some(character) = prefix.chars().next() {
            if character == ' ' {
                if !self.rest.is_empty() && !self.rest.starts_with(' ') {
                    return None;
                }
                prefix = prefix.trim_start_matches(' ');
                self.rest = self.rest.trim_start_matches(' ');
            } else {
                self.rest = self.rest.strip_prefix(character)?;
                prefix = &prefix[character.len_utf8()..];
            }
        }
        Some(())
    }

    fn element(&mut self, element: Element, following: &str) -> Option<()> {
        match element {
            Element::Year => {
                let year = self.number(2, 2)?;
                self.found.year = if year >= 69 { year + 1900 } else { year + 2000 };
            }
            Element::LongYear => self.found.year = self.number(4, 4)?,
            Element::Month => self.found.month = Some(self.name(&calendar::MONTHS, Some(3))?),
            Element::LongMonth => self.found.month = Some(self.name(&calendar::MONTHS, None)?),
            Element::NumberMonth => self.found.month = Some(self.within(1, 1, 12)?),
            Element::ZeroMonth => self.found.month = Some(self.within(2, 1, 12)?),
            Element::Weekday => drop(self.name(&calendar::WEEKDAYS, Some(3))?),
            Element::LongWeekday => drop(self.name(&calendar::WEEKDAYS, None)?),
            Element::NumberDay => self.found.day = Some(self.number(1, 2)?),
            Element::PaddedDay => {
                self.rest = self.rest.strip_prefix(' ').unwrap_or(self.rest);
                self.found.day = Some(self.number(1, 2)?);
            }
            Element::ZeroDay => self.found.day = Some(self.number(2, 2)?),
            Element::PaddedDayOfYear => {
                for _ in 0..2 {
                    self.rest = self.rest.strip_prefix(' ').unwrap_or(self.rest);
                }
                self.found.day_of_year = Some(self.number(1, 3)?);
            }
            Element::ZeroDayOfYear => self.found.day_of_year = Some(self.number(3, 3)?),
            Element::Hour => self.found.hour = self.within(1, 0, 23)?,
            Element::Hour12 => self.found.hour = self.within(1, 0, 12)?,
            Element::ZeroHour12 => self.found.hour = self.within(2, 0, 12)?,
            Element::Minute => self.found.minute = self.within(1, 0, 59)?,
            Element::ZeroMinute => self.found.minute = self.within(2, 0, 59)?,
            Element::Second => self.second(1, following)?,
            Element::ZeroSecond => self.second(2, following)?,
            Element::Noon => self.noon("AM", "PM")?,
            Element::LowerNoon => self.noon("am", "pm")?,
            Element::Fraction { digits, trimmed: false, .. } => self.exact_fraction(digits)?,
            Element::Fraction { .. } => self.any_fraction(),
            Element::Offset(form) => self.offset(form)?,
            Element::ZoneName => self.zone_name()?,
        }
        Some(())
    }

    /// A number of `least` to `most` digits.
    fn number(&mut self, least: usize, most: usize) -> Option<i64> {
        let digits = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if digits < least {
            return None;
        }
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        number.parse().ok()
    }

    /// One or two digits (exactly two if `least` is 2) in a range.
    fn within(&mut self, least: usize, low: i64, high: i64) -> Option<i64> {
        self.number(least, 2).filter(|number| (low..=high).contains(number))
    }

    /// Position of a name, from 1; case does not matter.
    fn name(&mut self, names: &[&str], length: Option<usize>) -> Option<i64> {
        let index = names.iter().position(|name| {
            let name = &name[..length.unwrap_or(name.len())];
            self.rest.get(..name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name))
        })?;
        self.rest = &self.rest[length.unwrap_or(names[index].len())..];
        i64::try_from(index + 1).ok()
    }

    /// A fraction may follow the seconds even where the layout has none.
    fn second(&mut self, least: usize, following: &str) -> Option<()> {
        self.found.second = self.within(least, 0, 59)?;
        if !matches!(layout::next(following), ("", Some(Element::Fraction { .. }), _)) {
            self.any_fraction();
        }
        Some(())
    }

    fn noon(&mut self, morning: &str, afternoon: &str) -> Option<()> {
        let text = self.rest.get(..2)?;
        self.found.afternoon = Some(match text {
            text if text == afternoon => true,
            text if text == morning => false,
            _ => return None,
        });
        self.rest = &self.rest[2..];
        Some(())
    }

    fn exact_fraction(&mut self, digits: usize) -> Option<()> {
        let text = self.rest.strip_prefix(['.', ','])?;
        let text = text.get(..digits).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
        self.found.nanoseconds = nanoseconds(text);
        self.rest = &self.rest[digits + 1..];
        Some(())
    }

    fn any_fraction(&mut self) {
        let Some(text) = self.rest.strip_prefix(['.', ',']) else { return };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            self.found.nanoseconds = nanoseconds(&text[..digits]);
            self.rest = &text[digits..];
        }
    }

    fn offset(&mut self, form: Offset) -> Option<()> {
        if form.zulu
            && let Some(rest) = self.rest.strip_prefix('Z')
        {
            self.rest = rest;
            self.found.offset = Some(0);
            return Some(());
        }
        let sign = match self.rest.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        self.rest = &self.rest[1..];
        let mut seconds = self.within(2, 0, 24)? * 3600;
        for (precision, scale) in [(Precision::Minutes, 60), (Precision::Seconds, 1)] {
            if form.precision >= precision {
                if form.colon {
                    self.rest = self.rest.strip_prefix(':')?;
                }
                seconds += self.within(2, 0, 60)? * scale;
            }
        }
        self.found.offset = i32::try_from(sign * seconds).ok();
        Some(())
    }

    /// Three to five capitals, or a signed hour.
    fn zone_name(&mut self) -> Option<()> {
        if let Some(rest) = self.rest.strip_prefix("UTC") {
            self.rest = rest;
            self.found.offset = Some(0);
            return Some(());
        }
        let capitals = self.rest.bytes().take_while(u8::is_ascii_uppercase).count();
        let length = match capitals {
            3 if self.rest.starts_with("GMT") => 3 + signed_hour(&self.rest[3..]),
            3 => 3,
            4 if self.rest[..4].ends_with('T') || self.rest.starts_with("WITA") => 4,
            5 if self.rest[..5].ends_with('T') => 5,
            0 => match signed_hour(self.rest) {
                0 => return None,
                length => length,
            },
            _ => return None,
        };
        let (name, rest) = self.rest.split_at(length);
        self.found.zone = name.to_owned();
        self.rest = rest;
        Some(())
    }
}

/// Length of `+3` or `-11`, nothing beyond a day.
fn signed_hour(text: &str) -> usize {
    if !text.starts_with(['+', '-']) {
        return 0;
    }
    let digits = text.bytes().skip(1).take_while(u8::is_ascii_digit).count();
    let hour = text[1..=digits].parse::<u32>();
    if hour.is_ok_and(|hour| hour < 24) { digits + 1 } else { 0 }
}

fn nanoseconds(digits: &str) -> u32 {
    let shown = &digits[..digits.len().min(9)];
    format!("{shown:0<9}").parse().unwrap_or(0)
}

impl Found {
    fn time(self) -> Option<Time> {
        let (month, day) = self.month_and_day()?;
        let hour = match (self.afternoon, self.hour) {
            (Some(true), hour @ ..12) => hour + 12,
            (Some(false), 12) => 0,
            (_, hour) => hour,
        };
        let days = calendar::days(self.year, month, day);
        let local = days * super::DAY + hour * 3600 + self.minute * 60 + self.second;
        let zone = match (self.offset, self.zone) {
            (Some(0), _) => Zone::utc(),
            (None, name) if name.is_empty() => Zone::utc(),
            (Some(offset), name) => Zone { offset, name },
            (None, name) => {
                // An abbreviation alone tells no offset, but for `GMT+3`.
                let hours = name.strip_prefix("GMT").and_then(|hours| hours.parse::<i32>().ok()).unwrap_or(0);
                Zone { offset: hours * 3600, name }
            }
        };
        let seconds = local - i64::from(zone.offset);
        Some(Time { seconds, nanoseconds: self.nanoseconds, zone, monotonic: None })
    }

    fn month_and_day(&self) -> Option<(i64, i64)> {
        if let Some(number) = self.day_of_year {
            let first = calendar::days(self.year, 1, 1);
            let date = calendar::Date::of(first + number - 1);
            let agrees = |said: Option<i64>, is: i64| said.is_none_or(|said| said == is);
            let fits =
                number >= 1 && date.year == self.year && agrees(self.month, date.month) && agrees(self.day, date.day);
            return fits.then_some((date.month, date.day));
        }
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        (1..=calendar::days_in(self.year, month)).contains(&day).then_some((month, day))
    }
}
