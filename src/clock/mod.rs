//! Time and ids, as values that a test can fix.
//!
//! Everything in this crate that needs the time or a new id is given a [`Clock`] and an
//! [`IdSource`]; nothing reads the machine's clock behind their back.

mod id;
mod words;

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use jiff::fmt::{StdFmtWrite, temporal::DateTimePrinter};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use id::{IdSource, RecordId, RecordIdError, SystemIds};
pub use words::TimeWordsError;

/// A point in time: UTC, whole microseconds since the Unix epoch.
///
/// It is written as RFC 3339 with always six digits and `Z`
/// (`2026-11-20T13:34:01.123456Z`), so that the text sorts like the time. Microseconds are what
/// every database keeps. Leap seconds are not counted, as in Unix time.
///
/// The range is [`MIN`](Self::MIN) to [`MAX`](Self::MAX), both included: what a [`RecordId`] can
/// carry and a four-digit year can say.
///
/// ```
/// use tower_audit::clock::Timestamp;
///
/// let began: Timestamp = "2026-11-20T14:34:01.1234567+01:00".parse()?;
/// assert_eq!(began.to_string(), "2026-11-20T13:34:01.123456Z");
/// # Ok::<(), tower_audit::clock::TimestampError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is not an RFC 3339 time within [`Timestamp`]'s range.
#[derive(Debug, thiserror::Error)]
#[error(
    "not a time from 1970-01-01T00:00:00Z to 9999-12-30T22:00:00Z; \
     write it as RFC 3339, like 2026-11-20T13:34:01.123456Z"
)]
pub struct TimestampError {
    source: Option<jiff::Error>,
}

/// Six digits always, so that texts have one length and sort like the times they say.
const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// Longer texts are refused unread; the longest sensible time is half of this.
const MAX_TEXT_BYTES: usize = 64;

impl Timestamp {
    /// The Unix epoch, 1970-01-01T00:00:00Z: the earliest time a [`RecordId`] can carry.
    pub const MIN: Self = Self(0);
    /// 9999-12-30T22:00:00Z: the latest time that has a four-digit year in every time zone.
    pub const MAX: Self = Self(253_402_207_200_000_000);

    /// The time `micros` microseconds after the Unix epoch, moved into the range if it is outside.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// Microseconds since the Unix epoch; never negative.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This time plus `duration` (truncated to microseconds), or `None` beyond [`MAX`](Self::MAX).
    #[must_use]
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let micros = self.0.checked_add(whole_micros(duration)?)?;
        (micros <= Self::MAX.0).then_some(Self(micros))
    }

    /// This time minus `duration` (truncated to microseconds), or `None` before [`MIN`](Self::MIN).
    #[must_use]
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let micros = self.0.checked_sub(whole_micros(duration)?)?;
        (micros >= Self::MIN.0).then_some(Self(micros))
    }

    /// This time plus `duration` (truncated to microseconds), at most [`MAX`](Self::MAX).
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        self.checked_add(duration).unwrap_or(Self::MAX)
    }

    /// This time minus `duration` (truncated to microseconds), at least [`MIN`](Self::MIN).
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        self.checked_sub(duration).unwrap_or(Self::MIN)
    }

    /// How long after `earlier` this is; zero if it is not later, as after a clock step.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

fn whole_micros(duration: Duration) -> Option<i64> {
    i64::try_from(duration.as_micros()).ok()
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(instant) = jiff::Timestamp::from_microsecond(self.0) else {
            return Err(fmt::Error);
        };
        let Ok(()) = PRINTER.print_timestamp(&instant, StdFmtWrite(f)) else {
            return Err(fmt::Error);
        };
        Ok(())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads any RFC 3339 time, whatever its offset; digits below the microsecond are cut off.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let text = without_excess_digits(text);
        if text.len() > MAX_TEXT_BYTES {
            return Err(TimestampError { source: None });
        }
        let instant: jiff::Timestamp = text.parse().map_err(|error| TimestampError {
            source: Some(error),
        })?;
        let micros = instant.as_microsecond();
        if !(Self::MIN.0..=Self::MAX.0).contains(&micros) {
            return Err(TimestampError { source: None });
        }
        Ok(Self(micros))
    }
}

/// Cuts a fraction of more than six digits: RFC 3339 allows any number, jiff nine.
fn without_excess_digits(text: &str) -> Cow<'_, str> {
    let Some((head, fraction)) = text.split_once('.') else {
        return Cow::Borrowed(text);
    };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    match (fraction.get(..6), fraction.get(digits..)) {
        (Some(kept), Some(offset)) if digits > 6 => Cow::Owned(format!("{head}.{kept}{offset}")),
        _ => Cow::Borrowed(text),
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Where the time comes from.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now. It may step back: nothing may rely on its order.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl SystemClock {
    /// The machine's own clock.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the clock that others take"
        )]
        let now = std::time::SystemTime::now();
        // A clock before the epoch is a machine that has not set its clock yet.
        let elapsed = now
            .duration_since(std::time::SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::MIN.saturating_add(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_is_written_with_six_digits_and_z() {
        for (micros, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1, "1970-01-01T00:00:00.000001Z"),
            (1_795_181_641_100_000, "2026-11-20T13:34:01.100000Z"),
            // trap C18: leap years, also those divisible by 100 and 400
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
            (Timestamp::MAX.0, "9999-12-30T22:00:00.000000Z"),
        ] {
            let time = Timestamp::from_micros(micros);
            assert_eq!(time.to_string(), expected);
            assert_eq!(at(expected), time, "{expected}");
        }
    }

    #[test]
    fn any_rfc_3339_time_is_read_and_cut_to_the_microsecond() {
        for (given, expected) in [
            ("2026-11-20T13:34:01Z", "2026-11-20T13:34:01.000000Z"),
            ("2026-11-20t13:34:01.5z", "2026-11-20T13:34:01.500000Z"),
            ("2026-11-20 13:34:01Z", "2026-11-20T13:34:01.000000Z"),
            (
                "2026-11-20T14:34:01.123456999+01:00",
                "2026-11-20T13:34:01.123456Z",
            ),
            (
                "2026-11-20T05:34:01.123456999999999999999-08:00",
                "2026-11-20T13:34:01.123456Z",
            ),
            ("2026-11-20T13:34:01-00:00", "2026-11-20T13:34:01.000000Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000000Z"),
        ] {
            assert_eq!(at(given).to_string(), expected, "{given}");
        }
    }

    #[test]
    fn what_is_no_time_in_range_is_refused() {
        let long = format!("2026-11-20T13:34:01Z{}", " ".repeat(1 << 20));
        for given in [
            "",
            "now",
            "2026-11-20",
            "2026-11-20T13:34:01",
            "2026-02-30T00:00:00Z",
            "1969-12-31T23:59:59.999999Z",
            "9999-12-30T22:00:00.000001Z",
            "2026-11-20T13:34:01.Z",
            long.as_str(),
        ] {
            let refused = given.parse::<Timestamp>();
            assert!(refused.is_err(), "{refused:?}");
        }
    }

    #[test]
    fn arithmetic_stays_in_range() {
        let hour = Duration::from_secs(3600);
        let noon = at("2026-11-20T12:00:00Z");
        assert_eq!(noon.checked_add(hour), Some(at("2026-11-20T13:00:00Z")));
        assert_eq!(noon.saturating_sub(hour), at("2026-11-20T11:00:00Z"));
        assert_eq!(Timestamp::MAX.checked_add(hour), None);
        assert_eq!(Timestamp::MIN.checked_sub(hour), None);
        assert_eq!(Timestamp::MAX.saturating_add(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.saturating_sub(Duration::MAX), Timestamp::MIN);
        assert_eq!(Timestamp::from_micros(i64::MIN), Timestamp::MIN);
        assert_eq!(Timestamp::from_micros(i64::MAX), Timestamp::MAX);
    }

    #[test]
    fn since_is_zero_after_a_step_back() {
        // trap J12
        let (earlier, later) = (Timestamp::from_micros(5), Timestamp::from_micros(9));
        assert_eq!(later.since(earlier), Duration::from_micros(4));
        assert_eq!(earlier.since(later), Duration::ZERO);
    }

    #[test]
    fn the_system_clock_is_past_the_day_this_was_written() {
        assert!(SystemClock::new().now() > at("2025-01-01T00:00:00Z"));
    }
}
