//! Conversions and arithmetic. Integer functions give `int64` and wrap; float functions are exact in decimals.

use super::{Args, Function, Type};
use crate::budget::Budget;
use crate::error::Failure;
use crate::literal;
use crate::print;
use crate::value::{Buffer, ElementType, Value};

mod decimal;

use decimal::Operation;

use Type::{Any, Float, Int, Text};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("add", &[], |args, _| fold(args.0, 0, |sum, next| Ok(sum.wrapping_add(next)))).and_more(Any),
    Function::new("add1", &[Any], |args, _| Ok(Value::Int64(to_integer(args.value(0)).wrapping_add(1)))),
    Function::new("add1f", &[Any], |args, budget| {
        decimal::fold(args.value(0), &[Value::Int(1)], Operation::Add, budget)
    }),
    Function::new("addf", &[], |args, budget| decimal::fold(&Value::Float(0.0), args.0, Operation::Add, budget))
        .and_more(Any),
    Function::new("atoi", &[Text], |args, _| Ok(Value::Int(atoi(args.text(0))))),
    Function::new("biggest", &[Any], |args, _| folded(args, |a, b| Ok(a.max(b)))).and_more(Any),
    Function::new("ceil", &[Any], |args, _| Ok(Value::Float(to_float(args.value(0)).ceil()))),
    Function::new("div", &[Any, Any], |args, _| folded(args, |a, b| nonzero(b).map(|b| a.wrapping_div(b)))),
    Function::new("divf", &[Any], |args, budget| decimal::fold(args.value(0), args.rest(1), Operation::Divide, budget))
        .and_more(Any),
    Function::new("float64", &[Any], |args, _| Ok(Value::Float(to_float(args.value(0))))),
    Function::new("floor", &[Any], |args, _| Ok(Value::Float(to_float(args.value(0)).floor()))),
    Function::new("int", &[Any], |args, _| Ok(Value::Int(to_integer(args.value(0))))),
    Function::new("int64", &[Any], |args, _| Ok(Value::Int64(to_integer(args.value(0))))),
    Function::new("max", &[Any], |args, _| folded(args, |a, b| Ok(a.max(b)))).and_more(Any),
    Function::new("maxf", &[Any], |args, _| Ok(extreme(args, |next, best| next > best))).and_more(Any),
    Function::new("min", &[Any], |args, _| folded(args, |a, b| Ok(a.min(b)))).and_more(Any),
    Function::new("minf", &[Any], |args, _| Ok(extreme(args, |next, best| next < best))).and_more(Any),
    Function::new("mod", &[Any, Any], |args, _| folded(args, |a, b| nonzero(b).map(|b| a.wrapping_rem(b)))),
    Function::new("mul", &[Any], |args, _| folded(args, |a, b| Ok(a.wrapping_mul(b)))).and_more(Any),
    Function::new("mulf", &[Any], |args, budget| {
        decimal::fold(args.value(0), args.rest(1), Operation::Multiply, budget)
    })
    .and_more(Any),
    Function::new("round", &[Any, Int], |args, _| Ok(Value::Float(round(args)))).and_more(Float),
    Function::new("seq", &[], seq).and_more(Int),
    Function::new("sub", &[Any, Any], |args, _| folded(args, |a, b| Ok(a.wrapping_sub(b)))),
    Function::new("subf", &[Any], |args, budget| {
        decimal::fold(args.value(0), args.rest(1), Operation::Subtract, budget)
    })
    .and_more(Any),
    Function::new("toDecimal", &[Any], to_decimal),
    Function::new("until", &[Int], |args, budget| {
        let count = args.int(0);
        integers(&counted(0, count, count.signum(), budget)?, budget)
    }),
    Function::new("untilStep", &[Int, Int, Int], |args, budget| {
        integers(&counted(args.int(0), args.int(1), args.int(2), budget)?, budget)
    }),
];

/// The value as an integer, loosely: texts with Go's prefixes and without their fraction, booleans as 1 and 0, anything else 0.
pub(super) fn to_integer(value: &Value) -> i64 {
    match value {
        Value::Bool(value) => i64::from(*value),
        Value::Int(value) | Value::Int64(value) => *value,
        Value::Byte(value) => i64::from(*value),
        Value::Uint(value) => value.cast_signed(),
        Value::Float(value) => truncated(*value),
        Value::Bytes(text) => std::str::from_utf8(text).map_or(0, integer_of),
        _ => 0,
    }
}

/// The value as a float, as loosely.
pub(super) fn to_float(value: &Value) -> f64 {
    match value {
        Value::Bytes(text) => std::str::from_utf8(text).map_or(0.0, |text| literal::parse_float(text).unwrap_or(0.0)),
        Value::Float(value) => *value,
        #[expect(clippy::cast_precision_loss, reason = "the nearest float is what Go gives")]
        other => to_integer(other) as f64,
    }
}

/// What the reference's processor makes of a float: the whole part, and the smallest integer when it does not fit.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
fn truncated(value: f64) -> i64 {
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
    if fits { value as i64 } else { i64::MIN }
}

fn integer_of(text: &str) -> i64 {
    let whole = match text.split_once('.') {
        None => text,
        Some((whole, fraction)) => {
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            if !digits(whole.strip_prefix(['+', '-']).unwrap_or(whole)) || !digits(fraction) {
                return 0;
            }
            whole
        }
    };
    literal::parse_integer(whole).unwrap_or(0)
}

/// A decimal integer; 0 if it is none, the nearest limit if it is too large.
fn atoi(text: &[u8]) -> i64 {
    let Ok(text) = std::str::from_utf8(text) else { return 0 };
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    let limit = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    text.parse().unwrap_or(limit)
}

/// The printed value read as an octal number.
fn to_decimal(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let text = print::to_text(args.value(0), budget)?;
    let number = std::str::from_utf8(&text).ok().and_then(|text| i64::from_str_radix(text, 8).ok());
    Ok(Value::Int64(number.unwrap_or(0)))
}

fn fold(values: &[Value], first: i64, next: impl Fn(i64, i64) -> Result<i64, Failure>) -> Result<Value, Failure> {
    values.iter().try_fold(first, |sum, value| next(sum, to_integer(value))).map(Value::Int64)
}

fn folded(args: Args<'_>, next: impl Fn(i64, i64) -> Result<i64, Failure>) -> Result<Value, Failure> {
    fold(args.rest(1), to_integer(args.value(0)), next)
}

fn nonzero(divisor: i64) -> Result<i64, Failure> {
    if divisor == 0 { Err(Failure::execute("division by zero")) } else { Ok(divisor) }
}

/// The largest or smallest argument; NaN wins over all.
fn extreme(args: Args<'_>, better: fn(f64, f64) -> bool) -> Value {
    let mut best = to_float(args.value(0));
    for value in args.rest(1) {
        let next = to_float(value);
        if next.is_nan() || better(next, best) {
            best = next;
        }
    }
    Value::Float(best)
}

/// Rounds to decimal places; the fraction that rounds up may be given. Negative numbers round down unless they are exact.
fn round(args: Args<'_>) -> f64 {
    let threshold = match args.0.get(2) {
        Some(Value::Float(threshold)) => *threshold,
        _ => 0.5,
    };
    let places = i32::try_from(args.int(1).clamp(-1_000, 1_000)).unwrap_or(0);
    let power = 10f64.powi(places);
    let scaled = power * to_float(args.value(0));
    let rounded = if scaled.fract() >= threshold { scaled.ceil() } else { scaled.floor() };
    rounded / power
}

/// Numbers as the shell's `seq` counts them, with spaces between them.
fn seq(args: Args<'_>, budget: &mut Budget) -> Result<Value, Failure> {
    let (first, step, last) = match args.len() {
        1 => (1, None, args.int(0)),
        2 => (args.int(0), None, args.int(1)),
        3 => (args.int(0), Some(args.int(1)), args.int(2)),
        _ => return Ok(Value::text("")),
    };
    let direction = if last < first { -1 } else { 1 };
    if step.is_some_and(|step| step > 0 && direction < 0) {
        return Ok(Value::text(""));
    }
    let end = last.wrapping_add(direction);
    let mut out = Buffer::default();
    for number in counted(first, end, step.unwrap_or(direction), budget)? {
        if !out.is_empty() {
            out.push(b' ');
        }
        out.extend(number.to_string().as_bytes());
    }
    budget.text(out)
}

/// Numbers from `start` up or down to, not including, `end`.
fn counted(start: i64, end: i64, step: i64, budget: &mut Budget) -> Result<Vec<i64>, Failure> {
    let mut numbers = Vec::new();
    let mut next = start;
    while if end < start { step < 0 && next > end } else { step > 0 && next < end } {
        budget.step(1)?;
        budget.allocate(size_of::<i64>())?;
        numbers.push(next);
        match next.checked_add(step) {
            Some(following) => next = following,
            None => break,
        }
    }
    Ok(numbers)
}

fn integers(numbers: &[i64], budget: &mut Budget) -> Result<Value, Failure> {
    budget.list(ElementType::Int, numbers.iter().copied().map(Value::Int).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::literal::NumberError;

    #[test]
    fn texts_become_integers_by_gos_rules() {
        let cases =
            [("010", 8), ("08", 0), ("0x1f", 31), ("12.50", 12), (".5", 0), ("-1.5", -1), ("1e3", 0), (" 5", 0)];
        for (text, number) in cases {
            assert_eq!(to_integer(&Value::text(text)), number, "{text}");
        }
        assert_eq!(to_integer(&Value::Float(1e19)), i64::MIN);
    }

    #[test]
    fn too_large_a_decimal_is_clamped_by_atoi_only() {
        assert_eq!(atoi(b"-99999999999999999999"), i64::MIN);
        assert_eq!(to_integer(&Value::text("99999999999999999999")), 0);
        assert_eq!(literal::parse_integer("99999999999999999999"), Err(NumberError::Range));
    }
}
