//! Exact decimal arithmetic for the float functions: `addf 0.1 0.2` is 0.3.

use num_bigint::BigInt;

use super::to_float;
use crate::budget::Budget;
use crate::error::Failure;
use crate::float;
use crate::value::Value;

/// `digits × 10^exponent`
struct Decimal {
    digits: BigInt,
    exponent: i32,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Add,
    Divide,
    Multiply,
    Subtract,
}

impl Operation {
    fn apply(self, a: Decimal, b: Decimal) -> Result<Decimal, Failure> {
        match self {
            Self::Add => Ok(add(a, b)),
            Self::Divide => divide(a, b),
            Self::Multiply => Ok(multiply(a, b)),
            Self::Subtract => Ok(subtract(a, b)),
        }
    }
}

/// Applies an operation from left to right and gives the nearest float.
pub(super) fn fold(first: &Value, rest: &[Value], operation: Operation, budget: &mut Budget) -> Result<Value, Failure> {
    let mut result = Decimal::of(to_float(first))?;
    for value in rest {
        // Work grows with the number of digits, which grows with every factor.
        budget.step(1 + usize::try_from(result.digits.bits() / 64).unwrap_or(usize::MAX))?;
        result = operation.apply(result, Decimal::of(to_float(value))?)?;
    }
    Ok(Value::Float(result.to_float()))
}

fn add(a: Decimal, b: Decimal) -> Decimal {
    let (a, b, exponent) = aligned(a, b);
    Decimal { digits: a + b, exponent }
}

fn subtract(a: Decimal, b: Decimal) -> Decimal {
    let (a, b, exponent) = aligned(a, b);
    Decimal { digits: a - b, exponent }
}

fn multiply(a: Decimal, b: Decimal) -> Decimal {
    Decimal { digits: a.digits * b.digits, exponent: a.exponent.saturating_add(b.exponent) }
}

/// To 16 places, a half away from zero.
fn divide(a: Decimal, b: Decimal) -> Result<Decimal, Failure> {
    if b.digits == BigInt::ZERO {
        return Err(Failure::execute("division by zero"));
    }
    let shift = a.exponent.saturating_sub(b.exponent).saturating_add(PLACES);
    let (numerator, denominator) = match u32::try_from(shift) {
        Ok(up) => (a.digits * power_of_ten(up), b.digits),
        Err(_) => (a.digits, b.digits * power_of_ten(shift.unsigned_abs())),
    };
    let negative = (numerator < BigInt::ZERO) != (denominator < BigInt::ZERO);
    let (numerator, denominator) =
        (BigInt::from(numerator.magnitude().clone()), BigInt::from(denominator.magnitude().clone()));
    let quotient: BigInt = (numerator * 2 + &denominator) / (denominator * 2);
    Ok(Decimal { digits: if negative { -quotient } else { quotient }, exponent: -PLACES })
}

impl Decimal {
    /// The shortest decimal that stands for the float.
    fn of(value: f64) -> Result<Self, Failure> {
        if !value.is_finite() {
            return Err(Failure::execute("no decimal arithmetic with infinity or NaN"));
        }
        let float::Decimal { negative, digits, exponent } = float::Decimal::shortest(value);
        let places = i32::try_from(digits.len()).unwrap_or(i32::MAX) - 1;
        let digits: i64 = digits.parse().unwrap_or(0);
        Ok(Self { digits: BigInt::from(if negative { -digits } else { digits }), exponent: exponent - places })
    }

    fn to_float(&self) -> f64 {
        format!("{}e{}", self.digits, self.exponent).parse().unwrap_or(f64::NAN)
    }
}

/// Both with the smaller exponent.
fn aligned(a: Decimal, b: Decimal) -> (BigInt, BigInt, i32) {
    let exponent = a.exponent.min(b.exponent);
    let scaled = |value: Decimal| {
        let up = value.exponent.saturating_sub(exponent).unsigned_abs();
        if up == 0 { value.digits } else { value.digits * power_of_ten(up) }
    };
    (scaled(a), scaled(b), exponent)
}

fn power_of_ten(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

const PLACES: i32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(a: f64, b: f64) -> f64 {
        divide(Decimal::of(a).unwrap(), Decimal::of(b).unwrap()).unwrap().to_float()
    }

    #[test]
    fn quotients_round_half_away_from_zero_at_16_places() {
        assert!((divided(1.0, 3.0) - 0.333_333_333_333_333_3).abs() < f64::EPSILON);
        assert!((divided(-1e-16, 2.0) + 1e-16).abs() < 1e-30);
        assert!(divided(1e-17, 4.0).abs() < 1e-30);
    }
}
