//! The types of YAML scalars, as sops sees them.
//!
//! sops hashes values that are not encrypted by their type, so these rules decide whether its MAC can be verified. They are those of the YAML
//! library that sops uses: YAML 1.2 with octal numbers, underscores and timestamps left over from 1.1.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::document::time::Time;
use crate::document::tree::Leaf;

/// The value of a scalar. `quoted` scalars are texts unless a tag says otherwise; `tag` is the name of one of YAML's own tags. The error says
/// what is wrong with the scalar.
pub(crate) fn resolve<'a>(text: Cow<'a, str>, quoted: bool, tag: Option<&str>) -> Result<Leaf<'a>, &'static str> {
    match tag {
        None if quoted => Ok(Leaf::Text(text)),
        None => plain(text, true),
        Some("binary") => binary(&text).map(|text| Leaf::Text(text.into())),
        Some("bool") => {
            expect(plain(text, false)?, |leaf| matches!(leaf, Leaf::Bool(_)), "is tagged `!!bool` and is none")
        }
        Some("float") => match plain(text, false)? {
            #[expect(clippy::cast_precision_loss, reason = "this is what the tag asks for")]
            Leaf::Int(number) => Ok(Leaf::Float(number as f64)),
            leaf => expect(leaf, |leaf| matches!(leaf, Leaf::Float(_)), "is tagged `!!float` and is none"),
        },
        Some("int") => {
            expect(plain(text, false)?, |leaf| matches!(leaf, Leaf::Int(_)), "is tagged `!!int` and is none")
        }
        Some("null") => expect(plain(text, false)?, |leaf| matches!(leaf, Leaf::Null), "is tagged `!!null` and is not"),
        Some("timestamp") => {
            expect(plain(text, true)?, |leaf| matches!(leaf, Leaf::Time(_)), "is tagged `!!timestamp` and is none")
        }
        Some(_) => Ok(Leaf::Text(text)),
    }
}

fn expect<'a>(
    leaf: Leaf<'a>,
    is: impl Fn(&Leaf<'_>) -> bool,
    complaint: &'static str,
) -> Result<Leaf<'a>, &'static str> {
    if is(&leaf) { Ok(leaf) } else { Err(complaint) }
}

fn plain(text: Cow<'_, str>, times: bool) -> Result<Leaf<'_>, &'static str> {
    let leaf = match text.as_bytes().first() {
        None => Some(Leaf::Null),
        Some(b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'~') => word(&text),
        Some(b'.') => {
            special(&text).or_else(|| text.parse().ok().filter(|number: &f64| number.is_finite())).map(Leaf::Float)
        }
        Some(b'+' | b'-') => match special(&text) {
            Some(number) => Some(Leaf::Float(number)),
            None => number(&text)?,
        },
        Some(b'0'..=b'9') => match Time::yaml(&text).filter(|_| times) {
            Some(time) => Some(Leaf::Time(time.text())),
            None => number(&text)?,
        },
        Some(_) => None,
    };
    Ok(leaf.unwrap_or(Leaf::Text(text)))
}

fn word(text: &str) -> Option<Leaf<'static>> {
    match text {
        "~" | "null" | "Null" | "NULL" => Some(Leaf::Null),
        "true" | "True" | "TRUE" => Some(Leaf::Bool(true)),
        "false" | "False" | "FALSE" => Some(Leaf::Bool(false)),
        _ => None,
    }
}

fn special(text: &str) -> Option<f64> {
    match text {
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        _ => None,
    }
}

fn number(text: &str) -> Result<Option<Leaf<'static>>, &'static str> {
    let digits = if text.contains('_') { Cow::from(text.replace('_', "")) } else { Cow::from(text) };
    match integer(&digits) {
        Some(number) => match i64::try_from(number) {
            Ok(number) => Ok(Some(Leaf::Int(number))),
            // sops refuses to encrypt these, so no document of its making has one.
            Err(_) if (0..=i128::from(u64::MAX)).contains(&number) => Err("is a whole number beyond 64 bits with sign"),
            Err(_) => Ok(float(&digits)),
        },
        None => Ok(float(&digits).or_else(|| signed_digits(&digits).map(Leaf::Int))),
    }
}

/// A whole number with its base as a prefix; a bare leading zero means octal.
fn integer(text: &str) -> Option<i128> {
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (base, digits) = match rest.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &rest[2..]),
        [b'0', b'o' | b'O', ..] => (8, &rest[2..]),
        [b'0', b'b' | b'B', ..] => (2, &rest[2..]),
        [b'0', _, ..] => (8, &rest[1..]),
        _ => (10, rest),
    };
    // The parser of the standard library would take a second sign.
    let number =
        digits.as_bytes().first()?.is_ascii_alphanumeric().then(|| i128::from_str_radix(digits, base).ok())??;
    Some(if negative { -number } else { number })
}

/// YAML's decimal form. A number too large for it is a text.
fn float(text: &str) -> Option<Leaf<'static>> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => (unsigned, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let shaped = digits(whole)
        && digits(fraction)
        && digits(exponent)
        && !exponent.is_empty()
        && !(whole.is_empty() && fraction.is_empty());
    shaped.then(|| text.parse().ok())?.filter(|number: &f64| number.is_finite()).map(Leaf::Float)
}

/// `0b-1` and `0o-7`, which the library reads as numbers.
fn signed_digits(text: &str) -> Option<i64> {
    let (base, digits) = match text.get(..2)? {
        "0b" => (2, &text[2..]),
        "0o" => (8, &text[2..]),
        _ => return None,
    };
    i64::from_str_radix(digits, base).ok()
}

fn binary(text: &str) -> Result<String, &'static str> {
    let packed: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    let bytes = STANDARD.decode(packed).map_err(|_| "is tagged `!!binary` and is not base64")?;
    String::from_utf8(bytes).map_err(|_| "holds bytes that are no UTF-8 text")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(text: &str) -> Leaf<'_> {
        resolve(text.into(), false, None).unwrap()
    }

    #[test]
    fn plain_scalars_have_the_types_that_sops_gives_them() {
        for (text, expected) in [
            ("", Leaf::Null),
            ("~", Leaf::Null),
            ("NULL", Leaf::Null),
            ("nULL", Leaf::Text("nULL".into())),
            ("true", Leaf::Bool(true)),
            ("False", Leaf::Bool(false)),
            ("yes", Leaf::Text("yes".into())),
            ("off", Leaf::Text("off".into())),
            ("0", Leaf::Int(0)),
            ("-0", Leaf::Int(0)),
            ("+5", Leaf::Int(5)),
            ("0644", Leaf::Int(420)),
            ("0o17", Leaf::Int(15)),
            ("0x1F", Leaf::Int(31)),
            ("-0x1F", Leaf::Int(-31)),
            ("0b101", Leaf::Int(5)),
            ("0b-1", Leaf::Int(-1)),
            ("0o-7", Leaf::Int(-7)),
            ("12345_54321", Leaf::Int(1_234_554_321)),
            ("9223372036854775807", Leaf::Int(i64::MAX)),
            ("-9223372036854775808", Leaf::Int(i64::MIN)),
            ("08", Leaf::Float(8.0)),
            ("1.10", Leaf::Float(1.1)),
            ("1e3", Leaf::Float(1000.0)),
            (".5", Leaf::Float(0.5)),
            ("5.", Leaf::Float(5.0)),
            ("-.5e-1", Leaf::Float(-0.05)),
            (".inf", Leaf::Float(f64::INFINITY)),
            ("-.Inf", Leaf::Float(f64::NEG_INFINITY)),
            ("99999999999999999999", Leaf::Float(1e20)),
            ("-9223372036854775809", Leaf::Float(-9_223_372_036_854_775_809.0)),
            ("1e400", Leaf::Text("1e400".into())),
            ("1.2.3", Leaf::Text("1.2.3".into())),
            ("-", Leaf::Text("-".into())),
            ("--1", Leaf::Text("--1".into())),
            ("0x", Leaf::Text("0x".into())),
            ("1e", Leaf::Text("1e".into())),
            (".", Leaf::Text(".".into())),
            ("inf", Leaf::Text("inf".into())),
            ("nan", Leaf::Text("nan".into())),
            ("0x-1", Leaf::Text("0x-1".into())),
            ("<<", Leaf::Text("<<".into())),
            ("2024-01-01", Leaf::Time("2024-01-01T00:00:00Z".into())),
            ("2024-13-01", Leaf::Text("2024-13-01".into())),
            ("12:30", Leaf::Text("12:30".into())),
            ("infinity", Leaf::Text("infinity".into())),
            ("+.inf", Leaf::Float(f64::INFINITY)),
        ] {
            assert_eq!(leaf(text), expected, "{text}");
        }
        assert!(matches!(leaf(".NaN"), Leaf::Float(number) if number.is_nan()));
        assert!(resolve("18446744073709551615".into(), false, None).is_err());
    }

    #[test]
    fn quotes_make_texts_and_tags_win_over_quotes() {
        let tagged = |text: &'static str, tag| resolve(text.into(), true, tag);
        assert_eq!(tagged("2024-01-01", None), Ok(Leaf::Text("2024-01-01".into())));
        assert_eq!(tagged("5", Some("int")), Ok(Leaf::Int(5)));
        assert_eq!(tagged("5", Some("float")), Ok(Leaf::Float(5.0)));
        assert_eq!(tagged("true", Some("bool")), Ok(Leaf::Bool(true)));
        assert_eq!(tagged("5", Some("str")), Ok(Leaf::Text("5".into())));
        assert_eq!(tagged("2024-01-01", Some("timestamp")), Ok(Leaf::Time("2024-01-01T00:00:00Z".into())));
        assert_eq!(tagged("aGVs\nbG8=", Some("binary")), Ok(Leaf::Text("hello".into())));
        for (text, tag) in [
            ("x", "int"),
            ("x", "float"),
            ("x", "bool"),
            ("x", "null"),
            ("x", "timestamp"),
            ("x", "binary"),
            ("/w==", "binary"),
        ] {
            assert!(tagged(text, Some(tag)).is_err(), "{tag}");
        }
    }
}
