//! Floats as `strconv.FormatFloat` writes them.

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
        'e' | 'E' => scientific(value, precision, form),
        'f' => match precision {
            Some(digits) => format!("{value:.digits$}"),
            None => format!("{value}"),
        },
        _ => general(value, precision, form),
    }
}

fn scientific(value: f64, precision: Option<usize>, form: char) -> String {
    let text = match precision {
        Some(digits) => format!("{value:.digits$e}"),
        None => format!("{value:e}"),
    };
    // Rust writes `1e6`, Go `1e+06`.
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}{form}{sign}{digits:0>2}")
}

fn general(value: f64, precision: Option<usize>, form: char) -> String {
    let exponent_form = if form == 'G' { 'E' } else { 'e' };
    let precision = precision.map(|digits| digits.max(1));
    let digits = match precision {
        Some(digits) => format!("{value:.*e}", digits - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let significant = mantissa.trim_start_matches('-').replace('.', "");
    let significant = if precision.is_some() { significant.trim_end_matches('0') } else { &significant };
    let count = i32::try_from(significant.len().max(1)).unwrap_or(i32::MAX);
    let threshold = match precision.map(|digits| i32::try_from(digits).unwrap_or(i32::MAX)) {
        // A number with fewer digits than asked for stays plain as long as it has no trailing zeros.
        Some(digits) if digits > count && count > exponent => count,
        Some(digits) => digits,
        None => SHORTEST_THRESHOLD,
    };
    if exponent < -4 || exponent >= threshold {
        return scientific(value, Some(usize::try_from(count - 1).unwrap_or(0)), exponent_form);
    }
    let fraction = usize::try_from(count - 1 - exponent).unwrap_or(0);
    format!("{value:.fraction$}")
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
        assert_eq!(format(1234.5678, 'e', Some(2)), "1.23e+03");
        assert_eq!(format(100_000.0, 'g', Some(3)), "1e+05");
        assert_eq!(format(0.5, 'f', Some(0)), "0");
        assert_eq!(format(3.5, 'x', None), "0x1.cp+01");
        assert_eq!(format(-0.0, 'x', Some(2)), "-0x0.00p+00");
        assert_eq!(format(1.999, 'X', Some(1)), "0X1.0P+01");
        assert_eq!(format(1.0, 'b', None), "4503599627370496p-52");
    }
}
