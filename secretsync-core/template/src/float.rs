//! Floats as Go's [`strconv.FormatFloat`](https://pkg.go.dev/strconv#FormatFloat) writes them.
//!
//! Where two shortest texts are equally near to a float, Go takes the one that ends in an even digit and Rust's `Display` the larger one,
//! so the shortest digits come from a library.

/// The fewest digits that give the same float again, never with an exponent: `2`, `0.0000001`, `-0`, `+Inf`, `NaN`.
///
/// What `FormatFloat(value, 'f', -1, 64)` gives.
///
/// ```
/// use secretsync_template::float;
///
/// assert_eq!(float::plain(1_307_957_890_579_637.25), "1307957890579637.2");
/// ```
pub fn plain(value: f64) -> String {
    format(value, 'f', None)
}

/// `form` is one of `b`, `e`, `E`, `f`, `g`, `G`, `x`, `X`; without a precision the fewest digits that give the same float again.
pub(crate) fn format(value: f64, form: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    match form {
        'b' => binary(value),
        'x' | 'X' => hexadecimal(value, precision, form),
        'e' | 'E' => match precision {
            Some(digits) => Decimal::exact(value, digits).scientific(form),
            None => Decimal::shortest(value).scientific(form),
        },
        'f' => match precision {
            Some(digits) => format!("{value:.digits$}"),
            None => Decimal::shortest(value).plain(),
        },
        _ => general(value, precision, form),
    }
}

/// The form `g` of a finite float, with the fewest digits that give the same `f32` again.
pub(crate) fn shortest_single(value: f32) -> String {
    Decimal::of(value.into(), zmij::Buffer::new().format_finite(value.abs()))
        .without_trailing_zeros()
        .general(SHORTEST_THRESHOLD, 'e')
}

fn general(value: f64, precision: Option<usize>, form: char) -> String {
    let precision = precision.map(|digits| digits.max(1));
    let decimal = match precision {
        Some(digits) => Decimal::exact(value, digits - 1).without_trailing_zeros(),
        None => Decimal::shortest(value),
    };
    let count = i32::try_from(decimal.digits.len()).unwrap_or(i32::MAX);
    let threshold = match precision.map(|digits| i32::try_from(digits).unwrap_or(i32::MAX)) {
        // A number with fewer digits than asked for stays plain as long as it has no trailing zeros.
        Some(digits) if digits > count && count > decimal.exponent => count,
        Some(digits) => digits,
        None => SHORTEST_THRESHOLD,
    };
    decimal.general(threshold, if form == 'G' { 'E' } else { 'e' })
}

/// A finite float in decimal digits: `d.ddd × 10^exponent`.
pub(crate) struct Decimal {
    pub(crate) negative: bool,
    /// At least one.
    pub(crate) digits: String,
    pub(crate) exponent: i32,
}

impl Decimal {
    /// The fewest digits that give the same float again, without zeros around them.
    pub(crate) fn shortest(value: f64) -> Self {
        Self::of(value, zmij::Buffer::new().format_finite(value.abs())).without_trailing_zeros()
    }

    /// Rounded to so many digits behind the first one, a half to even.
    fn exact(value: f64, fraction: usize) -> Self {
        Self::of(value, &format!("{:.fraction$e}", value.abs()))
    }

    /// `text` is what stands for the value without its sign, with a fraction and an exponent or without.
    fn of(value: f64, text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let exponent = exponent.parse().unwrap_or(0);
        let length = |text: &str| i32::try_from(text.len()).unwrap_or(i32::MAX);
        let (digits, exponent) = match digits.trim_start_matches('0') {
            "" => (digits, 0),
            significant => {
                (significant.to_owned(), exponent + length(whole) - 1 - (length(&digits) - length(significant)))
            }
        };
        Self { negative: value.is_sign_negative(), digits, exponent }
    }

    fn without_trailing_zeros(mut self) -> Self {
        let kept = self.digits.trim_end_matches('0').len().max(1);
        self.digits.truncate(kept);
        self
    }

    /// `-0.0015`, `1500`.
    fn plain(&self) -> String {
        let Self { digits, exponent, .. } = self;
        let sign = self.sign();
        let Ok(point) = usize::try_from(exponent + 1) else {
            let zeros = exponent.unsigned_abs() as usize - 1;
            return format!("{sign}0.{:0<zeros$}{digits}", "");
        };
        match point {
            0 => format!("{sign}0.{digits}"),
            point if point >= digits.len() => format!("{sign}{digits:0<point$}"),
            point => format!("{sign}{}.{}", &digits[..point], &digits[point..]),
        }
    }

    /// `-1.5e-03`.
    fn scientific(&self, form: char) -> String {
        let sign = self.sign();
        let (first, fraction) = self.digits.split_at(1);
        let point = if fraction.is_empty() { "" } else { "." };
        let exponent_sign = if self.exponent < 0 { '-' } else { '+' };
        format!("{sign}{first}{point}{fraction}{form}{exponent_sign}{:02}", self.exponent.unsigned_abs())
    }

    /// Plain from `0.0001` up to the exponent `threshold`.
    fn general(&self, threshold: i32, form: char) -> String {
        if (-4..threshold).contains(&self.exponent) { self.plain() } else { self.scientific(form) }
    }

    fn sign(&self) -> &'static str {
        if self.negative { "-" } else { "" }
    }
}

/// `4503599627370496p-52`: the mantissa and the power of two.
fn binary(value: f64) -> String {
    let (mantissa, exponent) = parts(value);
    let sign = if value.is_sign_negative() { "-" } else { "" };
    format!("{sign}{mantissa}p{exponent:+}")
}

/// `0x1.8p+01`, rounded to nearest even where a precision cuts digits.
fn hexadecimal(value: f64, precision: Option<usize>, form: char) -> String {
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let (mantissa, exponent) = parts(value);
    let (mut mantissa, mut exponent) = match mantissa.leading_zeros() {
        64 => (0, 0),
        zeros => (mantissa << (zeros - 11), exponent + 52 - i32::try_from(zeros - 11).unwrap_or(0)),
    };
    if let Some(cut) = precision.and_then(|digits| 13_usize.checked_sub(digits)).filter(|cut| *cut > 0) {
        let bits = 4 * cut;
        let half = 1_u64 << (bits - 1);
        let rest = mantissa & ((1 << bits) - 1);
        mantissa >>= bits;
        mantissa += u64::from(rest > half || (rest == half && mantissa & 1 == 1));
        mantissa <<= bits;
        if mantissa >> 53 > 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let digits = format!("{:013x}", mantissa & ((1 << 52) - 1));
    let digits = match precision {
        Some(precision) => format!("{digits:0<precision$}")[..precision].to_owned(),
        None => digits.trim_end_matches('0').to_owned(),
    };
    let point = if digits.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    let text = format!("{sign}0x{}{point}{digits}p{exponent_sign}{:02}", mantissa >> 52, exponent.abs());
    if form == 'X' { text.to_uppercase() } else { text }
}

/// Mantissa and exponent: the value is `mantissa × 2^exponent`.
fn parts(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    match i32::try_from(bits >> 52 & 0x7ff).unwrap_or(0) {
        0 => (fraction, -1074),
        exponent => (fraction | 1 << 52, exponent - 1075),
    }
}

const SHORTEST_THRESHOLD: i32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_go_prints_them() {
        let cases = [
            (999_999.5, "999999.5"),
            (1e6, "1e+06"),
            (12_345_678.0, "1.2345678e+07"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (-0.0, "-0"),
            (100.0, "100"),
            (1e100, "1e+100"),
        ];
        for (value, text) in cases {
            assert_eq!(format(value, 'g', None), text);
        }
        for (value, plain, scientific) in [
            (1_307_957_890_579_637.3, "1307957890579637.2", "1.3079578905796372e+15"),
            (-1_172_442_968_800_055.3, "-1172442968800055.2", "-1.1724429688000552e+15"),
            (1e21, "1000000000000000000000", "1e+21"),
            (1e-7, "0.0000001", "1e-07"),
            (0.012, "0.012", "1.2e-02"),
            (0.12, "0.12", "1.2e-01"),
            (5e-324, &format!("0.{:0>324}", 5), "5e-324"),
            (0.0, "0", "0e+00"),
            (-0.0, "-0", "-0e+00"),
        ] {
            assert_eq!(format(value, 'f', None), plain);
            assert_eq!(format(value, 'e', None), scientific);
        }
        assert_eq!(format(0.0, 'g', Some(3)), "0");
        assert_eq!(format(120.0, 'g', Some(3)), "120");
        assert_eq!(format(0.0, 'e', Some(2)), "0.00e+00");
        assert_eq!(format(1234.5678, 'e', Some(2)), "1.23e+03");
        assert_eq!(format(100_000.0, 'g', Some(3)), "1e+05");
        assert_eq!(format(0.5, 'f', Some(0)), "0");
        assert_eq!(format(3.5, 'x', None), "0x1.cp+01");
        assert_eq!(format(-0.0, 'x', Some(2)), "-0x0.00p+00");
        assert_eq!(format(1.999, 'X', Some(1)), "0X1.0P+01");
        assert_eq!(format(1.0, 'b', None), "4503599627370496p-52");
    }
}
