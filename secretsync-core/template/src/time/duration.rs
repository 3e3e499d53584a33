//! Go's durations: `1h30m0.5s` in nanoseconds.

/// Nothing if the text is no duration or too long for 64 bits.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let length = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(length);
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let number: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(number.checked_mul(*scale)?)?;
        let fraction = &fraction[..fraction.len().min(18)];
        if !fraction.is_empty() {
            let places = u32::try_from(fraction.len()).unwrap_or(18);
            total += fraction.parse::<i128>().ok()? * scale / 10_i128.pow(places);
        }
        if total > 1 << 63 {
            return None;
        }
        rest = after;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// Go's `String`: `1h0m5s`, `1.5ms`, `0s`.
pub(crate) fn format(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let size = nanoseconds.unsigned_abs();
    let scaled = |unit: u64, name: &str| {
        let text = format!("{}.{:09}", size / unit, size % unit * (1_000_000_000 / unit));
        let text = text.trim_end_matches('0').trim_end_matches('.').to_owned();
        format!("{sign}{text}{name}")
    };
    match size {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{size}ns"),
        1_000..1_000_000 => scaled(1_000, "µs"),
        1_000_000..1_000_000_000 => scaled(1_000_000, "ms"),
        _ => {
            let minutes = size / 60_000_000_000;
            let seconds = format!("{}.{:09}", size / 1_000_000_000 % 60, size % 1_000_000_000);
            let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
            match minutes {
                0 => format!("{sign}{seconds}s"),
                1..60 => format!("{sign}{minutes}m{seconds}s"),
                _ => format!("{sign}{}h{}m{seconds}s", minutes / 60, minutes % 60),
            }
        }
    }
}

const UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_as_in_go() {
        for (text, nanoseconds, printed) in [
            ("1h30m15s500ms", 5_415_500_000_000, "1h30m15.5s"),
            ("-1.5us", -1500, "-1.5µs"),
            ("0", 0, "0s"),
            (".5s", 500_000_000, "500ms"),
            ("36h", 129_600_000_000_000, "36h0m0s"),
        ] {
            assert_eq!(parse(text), Some(nanoseconds), "{text}");
            assert_eq!(format(nanoseconds), printed);
        }
        for bad in ["", "1", "1x", "-", ".s", "9999999h"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
