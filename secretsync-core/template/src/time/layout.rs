//! Go's reference-time layouts: `2006-01-02 15:04:05` means year, month, day, …

use super::Time;

/// One element of a layout.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Element {
    /// `.000`: separator and digits; `trimmed` for `.999`
    Fraction {
        separator: char,
        digits: usize,
        trimmed: bool,
    },
    Hour,
    Hour12,
    LongMonth,
    LongWeekday,
    LongYear,
    LowerNoon,
    Minute,
    Month,
    Noon,
    NumberDay,
    NumberMonth,
    Offset(Offset),
    PaddedDay,
    PaddedDayOfYear,
    Second,
    Weekday,
    Year,
    ZeroDay,
    ZeroDayOfYear,
    ZeroHour12,
    ZeroMinute,
    ZeroMonth,
    ZeroSecond,
    ZoneName,
}

/// How an offset is written: after its hours, with minutes and seconds or without.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Offset {
    /// `Z` stands for UTC.
    pub(super) zulu: bool,
    pub(super) colon: bool,
    pub(super) precision: Precision,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Precision {
    Hours,
    Minutes,
    Seconds,
}

/// Text before the first element, the element, the rest of the layout.
pub(super) fn next(layout: &str) -> (&str, Option<Element>, &str) {
    for (at, character) in layout.char_indices() {
        if let Some((element, length)) = element_at(&layout[at..], character) {
            return (&layout[..at], Some(element), &layout[at + length..]);
        }
        if layout[at..].starts_with("_2006") {
            return (&layout[..=at], Some(Element::LongYear), &layout[at + 5..]);
        }
    }
    (layout, None, "")
}

fn element_at(rest: &str, character: char) -> Option<(Element, usize)> {
    let lower_follows = |at: usize| rest[at..].starts_with(|c: char| c.is_ascii_lowercase());
    let word = |text: &str, element: Element| rest.starts_with(text).then_some((element, text.len()));
    match character {
        'J' => {
            word("January", Element::LongMonth).or_else(|| word("Jan", Element::Month).filter(|_| !lower_follows(3)))
        }
        'M' => word("Monday", Element::LongWeekday)
            .or_else(|| word("Mon", Element::Weekday).filter(|_| !lower_follows(3)))
            .or_else(|| word("MST", Element::ZoneName)),
        '0' => word("002", Element::ZeroDayOfYear).or_else(|| {
            let element = match rest.as_bytes().get(1)? {
                b'1' => Element::ZeroMonth,
                b'2' => Element::ZeroDay,
                b'3' => Element::ZeroHour12,
                b'4' => Element::ZeroMinute,
                b'5' => Element::ZeroSecond,
                b'6' => Element::Year,
                _ => return None,
            };
            Some((element, 2))
        }),
        '1' => word("15", Element::Hour).or_else(|| word("1", Element::NumberMonth)),
        '2' => word("2006", Element::LongYear).or_else(|| word("2", Element::NumberDay)),
        '_' if rest.starts_with("_2006") => None,
        '_' => word("_2", Element::PaddedDay).or_else(|| word("__2", Element::PaddedDayOfYear)),
        '3' => word("3", Element::Hour12),
        '4' => word("4", Element::Minute),
        '5' => word("5", Element::Second),
        'P' => word("PM", Element::Noon),
        'p' => word("pm", Element::LowerNoon),
        '-' | 'Z' => offset_at(rest, character == 'Z'),
        '.' | ',' => fraction_at(rest, character),
        _ => None,
    }
}

fn offset_at(rest: &str, zulu: bool) -> Option<(Element, usize)> {
    let digits = &rest[1..];
    OFFSETS.iter().find(|(text, ..)| digits.starts_with(text)).map(|(text, colon, precision)| {
        let offset = Offset { zulu, colon: *colon, precision: *precision };
        (Element::Offset(offset), text.len() + 1)
    })
}

/// A separator and a run of zeros or nines that no other digit follows.
fn fraction_at(rest: &str, separator: char) -> Option<(Element, usize)> {
    let digit = rest.as_bytes().get(1).filter(|digit| matches!(digit, b'0' | b'9'))?;
    let digits = rest.bytes().skip(1).take_while(|byte| byte == digit).count();
    let ends = !rest.as_bytes().get(digits + 1).is_some_and(u8::is_ascii_digit);
    ends.then_some((Element::Fraction { separator, digits, trimmed: *digit == b'9' }, digits + 1))
}

pub(super) fn format(time: &Time, layout: &str) -> String {
    let mut out = String::with_capacity(layout.len() + 16);
    let mut rest = layout;
    while !rest.is_empty() {
        let (text, element, after) = next(rest);
        out.push_str(text);
        if let Some(element) = element {
            out.push_str(&shown(time, element));
        }
        rest = after;
    }
    out
}

fn shown(time: &Time, element: Element) -> String {
    let date = time.date();
    let (hour, minute, second) = time.clock();
    let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
    match element {
        Element::Fraction { separator, digits, trimmed } => fraction(time, separator, digits, trimmed),
        Element::Hour => format!("{hour:02}"),
        Element::Hour12 => format!("{hour12}"),
        Element::LongMonth => date.month_name().to_owned(),
        Element::LongWeekday => date.weekday_name().to_owned(),
        Element::LongYear if date.year < 0 => format!("-{:04}", -date.year),
        Element::LongYear => format!("{:04}", date.year),
        Element::LowerNoon => if hour >= 12 { "pm" } else { "am" }.to_owned(),
        Element::Minute => format!("{minute}"),
        Element::Month => date.month_name()[..3].to_owned(),
        Element::Noon => if hour >= 12 { "PM" } else { "AM" }.to_owned(),
        Element::NumberDay => format!("{}", date.day),
        Element::NumberMonth => format!("{}", date.month),
        Element::Offset(offset) => offset_text(time.zone.offset, offset),
        Element::PaddedDay => format!("{:2}", date.day),
        Element::PaddedDayOfYear => format!("{:3}", date.day_of_year),
        Element::Second => format!("{second}"),
        Element::Weekday => date.weekday_name()[..3].to_owned(),
        Element::Year => format!("{:02}", date.year.rem_euclid(100)),
        Element::ZeroDay => format!("{:02}", date.day),
        Element::ZeroDayOfYear => format!("{:03}", date.day_of_year),
        Element::ZeroHour12 => format!("{hour12:02}"),
        Element::ZeroMinute => format!("{minute:02}"),
        Element::ZeroMonth => format!("{:02}", date.month),
        Element::ZeroSecond => format!("{second:02}"),
        Element::ZoneName if time.zone.name.is_empty() => {
            let offset = Offset { zulu: false, colon: false, precision: Precision::Minutes };
            offset_text(time.zone.offset, offset)
        }
        Element::ZoneName => time.zone.name.clone(),
    }
}

fn fraction(time: &Time, separator: char, digits: usize, trimmed: bool) -> String {
    let all = format!("{:09}", time.nanosecond());
    let shown = format!("{all:0<digits$}");
    let shown = if trimmed { shown[..digits].trim_end_matches('0') } else { &shown[..digits] };
    if trimmed && shown.is_empty() { String::new() } else { format!("{separator}{shown}") }
}

fn offset_text(offset: i32, form: Offset) -> String {
    if form.zulu && offset == 0 {
        return "Z".to_owned();
    }
    let sign = if offset < 0 { '-' } else { '+' };
    let size = offset.abs();
    let colon = if form.colon { ":" } else { "" };
    let (hours, minutes, seconds) = (size / 3600, size / 60 % 60, size % 60);
    match form.precision {
        Precision::Hours => format!("{sign}{hours:02}"),
        Precision::Minutes => format!("{sign}{hours:02}{colon}{minutes:02}"),
        Precision::Seconds => format!("{sign}{hours:02}{colon}{minutes:02}{colon}{seconds:02}"),
    }
}

/// Longer forms first: text, colon, precision.
const OFFSETS: [(&str, bool, Precision); 5] = [
    ("070000", false, Precision::Seconds),
    ("07:00:00", true, Precision::Seconds),
    ("0700", false, Precision::Minutes),
    ("07:00", true, Precision::Minutes),
    ("07", false, Precision::Hours),
];
