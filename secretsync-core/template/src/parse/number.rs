//! Number constants: one text, up to four readings.

use crate::error::Failure;
use crate::lex::TokenKind;
use crate::literal;
use crate::tree::Number;
use crate::value::Value;

pub(super) fn parse(text: &str, kind: TokenKind) -> Result<Number, Failure> {
    match kind {
        TokenKind::Character => character(text),
        TokenKind::Complex => complex(text),
        _ => number(text),
    }
}

fn character(text: &str) -> Result<Number, Failure> {
    let point = literal::unquote_character(text).ok_or_else(|| Failure::parse("malformed character constant"))?;
    Ok(Number { integer: Some(point), float: Some(integer_to_float(point)), ideal: Some(Value::Int(point)) })
}

/// `1+2i`, where the lexer has seen both parts.
fn complex(text: &str) -> Result<Number, Failure> {
    let number = text.strip_suffix('i').and_then(|text| {
        let at = text.rfind(['+', '-']).filter(|at| !text[..*at].ends_with(['e', 'E', 'p', 'P']))?;
        Some(from_complex(literal::parse_float(&text[..at]).ok()?, literal::parse_float(&text[at..]).ok()?))
    });
    number.ok_or_else(|| Failure::parse("illegal number syntax"))
}

fn number(text: &str) -> Result<Number, Failure> {
    if let Some(imaginary) = text.strip_suffix('i').and_then(|text| literal::parse_float(text).ok()) {
        return Ok(from_complex(0.0, imaginary));
    }
    let integer = literal::parse_integer(text).ok();
    let looks_like_float = text.contains(['.', 'e', 'E', 'p', 'P']);
    if let Some(integer) = integer {
        let hexadecimal = text.starts_with("0x") || text.starts_with("0X");
        let float = integer_to_float(integer);
        let ideal = if looks_like_float && !hexadecimal { Value::Float(float) } else { Value::Int(integer) };
        return Ok(Number { integer: Some(integer), float: Some(float), ideal: Some(ideal) });
    }
    if let Ok(unsigned) = literal::parse_unsigned(text) {
        #[expect(clippy::cast_precision_loss, reason = "a constant takes the nearest float")]
        let float = unsigned as f64;
        return Ok(Number { integer: None, float: Some(float), ideal: None });
    }
    let float = literal::parse_float(text).map_err(|_| Failure::parse("illegal number syntax"))?;
    if !looks_like_float {
        return Err(Failure::parse("integer overflow"));
    }
    Ok(from_float(float, Value::Float(float)))
}

fn from_complex(real: f64, imaginary: f64) -> Number {
    let ideal = Value::Complex(real, imaginary);
    if imaginary == 0.0 {
        return from_float(real, ideal);
    }
    Number { integer: None, float: None, ideal: Some(ideal) }
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
fn from_float(float: f64, ideal: Value) -> Number {
    let whole = float.fract() == 0.0;
    let integer =
        (whole && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float)).then_some(float as i64);
    Number { integer, float: Some(float), ideal: Some(ideal) }
}

#[expect(clippy::cast_precision_loss, reason = "a constant takes the nearest float")]
fn integer_to_float(integer: i64) -> f64 {
    integer as f64
}
