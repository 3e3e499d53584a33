//! Numbers in answers: servers and what is between may write them in more than one way.

use std::time::{Duration, SystemTime};

use secretsync_core::json::Json;

/// A number without its fraction. `None` where there is none, or one below zero.
pub(crate) fn number_of(json: &Json, name: &str) -> Option<u64> {
    let Some(Json::Number(number)) = json.get(name) else { return None };
    let text = number.expose();
    text.parse::<u64>().ok().or_else(|| {
        let number = text.parse::<f64>().ok().filter(|number| *number >= 0.0)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it ends at the greatest number")]
        Some(number as u64)
    })
}

/// A number of seconds, never more than a clock can bear.
pub(crate) fn seconds_of(json: &Json, name: &str) -> Option<Duration> {
    number_of(json, name).map(|seconds| Duration::from_secs(seconds).min(FOREVER))
}

/// A moment as seconds since 1970; `None` also where no clock can say it.
pub(crate) fn moment_of(json: &Json, name: &str) -> Option<SystemTime> {
    number_of(json, name).and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
}

/// What lasts this long has no end that anybody waits for.
const FOREVER: Duration = Duration::from_hours(24 * 365 * 30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_every_spelling_and_never_too_big_for_a_clock() {
        let read = |text: &str| Json::parse(format!(r#"{{"n":{text}}}"#).as_bytes()).unwrap();
        for text in ["3600", "3600.0", "3.6e3", "3600.9"] {
            assert_eq!(seconds_of(&read(text), "n"), Some(Duration::from_hours(1)), "{text}");
        }
        for text in ["18446744073709551615", "18446744073709551616", "1e300"] {
            assert_eq!(seconds_of(&read(text), "n"), Some(FOREVER), "{text}");
            assert_eq!(moment_of(&read(text), "n"), None, "{text}");
        }
        for text in ["-1", "\"3600\"", "null", "[1]"] {
            assert_eq!(seconds_of(&read(text), "n"), None, "{text}");
        }
    }
}
