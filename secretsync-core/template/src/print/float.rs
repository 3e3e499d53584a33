//! Floats as `strconv.FormatFloat` writes them.

/// `form` is one of `e`, `E`, `f`, `g`, `G`; without a precision the fewest digits that give the same float again.
pub(crate) fn format(value: f64, form: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    match form {
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
    }
}
