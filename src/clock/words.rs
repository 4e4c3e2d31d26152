//! Times as people write them.

use std::time::Duration;

use super::Timestamp;

/// A text that is not a time as [`Timestamp::from_words`] reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write 2026-11-20T13:34:01Z, 2026-11-20 for the beginning of that day in UTC, or 30m, 2h, 7d \
     for so long ago"
)]
#[non_exhaustive]
pub struct TimeWordsError;

impl Timestamp {
    /// Reads a time as RFC 3339, a day (its beginning in UTC), `now`, or how long before `now` it
    /// was: `90s`, `30m`, `2h`, `7d`, `2w`. What was before [`MIN`](Self::MIN) is [`MIN`](Self::MIN).
    ///
    /// # Errors
    ///
    /// [`TimeWordsError`] for anything else.
    pub fn from_words(text: &str, now: Self) -> Result<Self, TimeWordsError> {
        if text == "now" {
            return Ok(now);
        }
        if let Some(ago) = duration(text) {
            return Ok(now.saturating_sub(ago));
        }
        let whole = if text.len() == "2026-11-20".len() {
            format!("{text}T00:00:00Z")
        } else {
            text.to_owned()
        };
        whole.parse().map_err(|_quotes_the_text| TimeWordsError)
    }
}

fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        'w' => 7 * 24 * 60 * 60,
        _ => return None,
    };
    let digits = text.strip_suffix(unit)?;
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    count.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        for (given, expected) in [
            ("now", "2026-11-20T12:00:00Z"),
            ("90s", "2026-11-20T11:58:30Z"),
            ("30m", "2026-11-20T11:30:00Z"),
            ("2h", "2026-11-20T10:00:00Z"),
            ("7d", "2026-11-13T12:00:00Z"),
            ("2w", "2026-11-06T12:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T02:00:00+02:00", "2026-11-01T00:00:00Z"),
            // Longer ago than any record.
            ("999999999999d", "1970-01-01T00:00:00Z"),
        ] {
            let read = Timestamp::from_words(given, now);
            assert_eq!(read, Ok(expected.parse().unwrap()), "{given}");
        }
        for wrong in [
            "",
            "d",
            "7 d",
            "-7d",
            "7y",
            "yesterday",
            "2026-13-01",
            "99999999999999999999d",
        ] {
            let read = Timestamp::from_words(wrong, now);
            assert_eq!(read, Err(TimeWordsError), "{wrong}");
        }
    }
}
