//! Dates and durations. The local zone is UTC: templates do not read the machine they run on.

use super::{Args, Function, Type};
use crate::budget::Budget;
use crate::error::Failure;
use crate::time::{Time, duration};
use crate::value::{Kind, Object, Value};

use Type::{Any, Int, Text};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("ago", &[Any], |args, budget| {
        let nanoseconds = Time::now().since(&moment(args.value(0)));
        budget.text(duration::format(rounded_to_second(nanoseconds)))
    })
    .random(),
    Function::new("date", &[Text, Any], |args, budget| date_in_zone(args.text(0), args.value(1), b"UTC", budget))
        .random(),
    Function::new("dateInZone", &[Text, Any, Text], |args, budget| {
        date_in_zone(args.text(0), args.value(1), args.text(2), budget)
    })
    .random(),
    Function::new("dateModify", &[Text, Type::Time], |args, _| {
        Ok(modified(args).unwrap_or_else(|| args.value(1).clone()))
    }),
    Function::new("date_in_zone", &[Text, Any, Text], |args, budget| {
        date_in_zone(args.text(0), args.value(1), args.text(2), budget)
    })
    .random(),
    Function::new("date_modify", &[Text, Type::Time], |args, _| {
        Ok(modified(args).unwrap_or_else(|| args.value(1).clone()))
    }),
    Function::new("duration", &[Any], seconds),
    Function::new("durationRound", &[Any], round_duration),
    Function::new("htmlDate", &[Any], |args, budget| date_in_zone(HTML.as_bytes(), args.value(0), b"UTC", budget))
        .random(),
    Function::new("htmlDateInZone", &[Any, Text], |args, budget| {
        date_in_zone(HTML.as_bytes(), args.value(0), args.text(1), budget)
    })
    .random(),
    Function::new("mustDateModify", &[Text, Type::Time], |args, _| modified(args).ok_or_else(no_duration)),
    Function::new("mustToDate", &[Text, Text], |args, _| parsed(args).map(value).ok_or_else(no_date)),
    Function::new("must_date_modify", &[Text, Type::Time], |args, _| modified(args).ok_or_else(no_duration)),
    Function::new("now", &[], |_, _| Ok(value(Time::now()))).random(),
    Function::new("toDate", &[Text, Text], |args, _| Ok(value(parsed(args).unwrap_or_else(Time::zero)))),
    Function::new("unixEpoch", &[Type::Time], |args, budget| budget.text(moment(args.value(0)).unix().to_string())),
];

/// Methods of a moment.
pub(crate) const METHODS: &[Function] = &[
    Function::new("AddDate", &[Any, Int, Int, Int], |args, _| {
        Ok(value(moment(args.value(0)).plus_date(args.int(1), args.int(2), args.int(3))))
    }),
    Function::new("Day", &[Any], |args, _| Ok(Value::Int(moment(args.value(0)).date().day))),
    Function::new("Format", &[Any, Text], |args, budget| budget.text(moment(args.value(0)).format(&text(args, 1)))),
    Function::new("Hour", &[Any], |args, _| Ok(Value::Int(moment(args.value(0)).clock().0))),
    Function::new("Minute", &[Any], |args, _| Ok(Value::Int(moment(args.value(0)).clock().1))),
    Function::new("Month", &[Any], |args, budget| budget.text(moment(args.value(0)).date().month_name())),
    Function::new("Nanosecond", &[Any], |args, _| Ok(Value::Int(i64::from(moment(args.value(0)).nanosecond())))),
    Function::new("Second", &[Any], |args, _| Ok(Value::Int(moment(args.value(0)).clock().2))),
    Function::new("String", &[Any], |args, budget| budget.text(moment(args.value(0)).to_string())),
    Function::new("Unix", &[Any], |args, _| Ok(Value::Int64(moment(args.value(0)).unix()))),
    Function::new("Weekday", &[Any], |args, budget| budget.text(moment(args.value(0)).date().weekday_name())),
    Function::new("Year", &[Any], |args, _| Ok(Value::Int(moment(args.value(0)).date().year))),
    Function::new("YearDay", &[Any], |args, _| Ok(Value::Int(moment(args.value(0)).date().day_of_year))),
];

fn value(time: Time) -> Value {
    Value::Object(Object::new(Kind::Time(time)))
}

/// A moment, or seconds since 1970; anything else is now.
fn moment(value: &Value) -> Time {
    match value {
        Value::Object(object) => {
            if let Kind::Time(time) = object.kind() {
                return time.clone();
            }
            Time::now()
        }
        Value::Int(seconds) | Value::Int64(seconds) => Time::from_unix(*seconds),
        _ => Time::now(),
    }
}

/// An unknown zone is UTC.
fn date_in_zone(layout: &[u8], date: &Value, zone: &[u8], budget: &mut Budget) -> Result<Value, Failure> {
    let time = moment(date);
    let zoned = std::str::from_utf8(zone).ok().and_then(|zone| time.in_zone(zone));
    let zoned = zoned.or_else(|| time.in_zone("UTC")).unwrap_or(time);
    budget.text(zoned.format(&String::from_utf8_lossy(layout)))
}

fn text(args: Args<'_>, index: usize) -> String {
    String::from_utf8_lossy(args.text(index)).into_owned()
}

fn parsed(args: Args<'_>) -> Option<Time> {
    Time::parse(&text(args, 0), &text(args, 1))
}

fn modified(args: Args<'_>) -> Option<Value> {
    let nanoseconds = duration::parse(&text(args, 0))?;
    Some(value(moment(args.value(1)).plus(nanoseconds)))
}

fn no_duration() -> Failure {
    Failure::execute("the text is no duration").with_hint("write it as `1h30m`, `90s` or `-24h`")
}

fn no_date() -> Failure {
    Failure::execute("the text does not fit the date layout").with_hint("layouts show the moment 2006-01-02 15:04:05")
}

/// Seconds, as text or `int64` only.
fn seconds(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let seconds = match args.value(0) {
        Value::Bytes(text) => std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(0),
        Value::Int64(seconds) => *seconds,
        _ => 0,
    };
    budget.text(duration::format(seconds.wrapping_mul(1_000_000_000)))
}

/// The largest unit that the duration exceeds, cut to a whole number of it.
fn round_duration(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let nanoseconds = match args.value(0) {
        Value::Bytes(text) => std::str::from_utf8(text).ok().and_then(duration::parse).unwrap_or(0),
        Value::Int64(nanoseconds) => *nanoseconds,
        date @ Value::Object(_) => Time::now().since(&moment(date)),
        _ => 0,
    };
    let seconds = nanoseconds.unsigned_abs();
    let unit = ROUND_UNITS.iter().find(|(_, size)| seconds > size * 1_000_000_000);
    budget.text(
        unit.map_or_else(|| "0s".to_owned(), |(name, size)| format!("{}{name}", seconds / (size * 1_000_000_000))),
    )
}

/// A half goes away from zero.
fn rounded_to_second(nanoseconds: i64) -> i64 {
    let half = 500_000_000 * nanoseconds.signum();
    nanoseconds.saturating_add(half) / 1_000_000_000 * 1_000_000_000
}

const HTML: &str = "2006-01-02";

/// Units in seconds, the largest first.
const ROUND_UNITS: [(&str, u64); 6] =
    [("y", 31_536_000), ("mo", 2_592_000), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
