//! What a plain scalar means in YAML 1.1, as `kubectl` and External Secrets Operator read it.

use crate::float;
use crate::literal;
use crate::time::Time;

/// The type of a scalar that is neither quoted nor tagged.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resolved {
    /// `true`, `yes`, `y`, `on` and their opposites.
    Bool(bool),
    /// Also `.inf` and `.nan`.
    Float(f64),
    /// Fits an `i64` or a `u64`. Also `0x1f`, `0o17`, `017`, `0b11`, `1_000`.
    Integer(i128),
    /// Empty, `~` or `null`.
    Null,
    /// None of the others.
    Text,
    /// A date; it stays a text, but must be quoted.
    Timestamp,
}

/// Tells the type of a scalar that is neither quoted nor tagged.
///
/// ```
/// use secretsync_template::yaml::{Resolved, resolve};
///
/// assert_eq!(resolve("on"), Resolved::Bool(true));
/// assert_eq!(resolve("017"), Resolved::Integer(15));
/// assert_eq!(resolve("1.2.3"), Resolved::Text);
/// ```
pub fn resolve(text: &str) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => {
            return Resolved::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            return Resolved::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.as_bytes()[0] {
        b'.' => literal::parse_float(text).map_or(Resolved::Text, Resolved::Float),
        b'0'..=b'9' | b'+' | b'-' if is_timestamp(text) => Resolved::Timestamp,
        b'0'..=b'9' | b'+' | b'-' => number(&text.replace('_', "")),
        _ => Resolved::Text,
    }
}

fn number(plain: &str) -> Resolved {
    if let Ok(integer) = literal::parse_integer(plain) {
        return Resolved::Integer(i128::from(integer));
    }
    if let Ok(integer) = literal::parse_unsigned(plain) {
        return Resolved::Integer(i128::from(integer));
    }
    if is_float(plain) {
        return literal::parse_float(plain).map_or(Resolved::Text, Resolved::Float);
    }
    Resolved::Text
}

/// Decimal digits with an optional fraction and exponent.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa_fits = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    mantissa_fits && exponent_fits
}

fn is_timestamp(text: &str) -> bool {
    let year = text.bytes().take_while(u8::is_ascii_digit).count();
    year == 4
        && text.as_bytes().get(4) == Some(&b'-')
        && TIMESTAMPS.iter().any(|layout| Time::parse(layout, text).is_some())
}

/// A float as the same library writes it: Go's shortest form, with an exponent below -4 and from 6 on.
pub fn float_text(value: f64) -> String {
    named(value).map_or_else(|| float::format(value, 'g', None), str::to_owned)
}

/// A float with the fewest digits that give the same `f32` again: how that library turns the keys of a mapping into texts.
pub(crate) fn single_float_text(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "losing digits is what the library does")]
    let single = value as f32;
    named(single.into()).map_or_else(|| float::shortest_single(single), str::to_owned)
}

fn named(value: f64) -> Option<&'static str> {
    match value {
        f64::INFINITY => Some(".inf"),
        f64::NEG_INFINITY => Some("-.inf"),
        value => value.is_nan().then_some(".nan"),
    }
}

/// `1:30`, which older readers take as a number of base 60.
pub(crate) fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let first = parts.next().unwrap_or_default();
    let first_fits =
        first.starts_with(|c: char| c.is_ascii_digit()) && first.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let rest: Vec<&str> = parts.collect();
    let Some((last, middle)) = rest.split_last() else { return false };
    let sixty = |part: &str| match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, digit] => matches!(tens, b'0'..=b'5') && digit.is_ascii_digit(),
        _ => false,
    };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    let fraction_fits = fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    first_fits && middle.iter().all(|part| sixty(part)) && sixty(last) && fraction_fits
}

const TIMESTAMPS: [&str; 4] =
    ["2006-1-2T15:4:5.999999999Z07:00", "2006-1-2t15:4:5.999999999Z07:00", "2006-1-2 15:4:5.999999999", "2006-1-2"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_resolve_by_yaml_1_1() {
        for (text, resolved) in [
            ("y", Resolved::Bool(true)),
            ("010", Resolved::Integer(8)),
            ("1_000", Resolved::Integer(1000)),
            ("1.e3", Resolved::Float(1000.0)),
            ("2024-02-29", Resolved::Timestamp),
            ("1:30", Resolved::Text),
            ("<<", Resolved::Text),
            ("1.2.3", Resolved::Text),
        ] {
            assert_eq!(resolve(text), resolved, "{text}");
        }
        assert!(is_base_60("1:30") && !is_base_60("1:60") && !is_base_60("a:1"));
    }
}
