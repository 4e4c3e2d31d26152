//! Sizes and times as people write them.

use std::time::Duration;

/// What [`size`] reads, for messages.
pub(crate) const SIZE: &str = "write a size such as 100MB (a million bytes each), 64MiB or 1048576";

/// Bytes: a number alone, or with KB, MB, GB (powers of 1000) or KiB, MiB, GiB (powers of 1024).
pub(crate) fn size(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let factor = match unit {
        "" | "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor).filter(|bytes| *bytes > 0)
}

/// What [`age`] reads, for messages.
pub(crate) const AGE: &str = "write a time such as 500ms, 30s, 15m, 12h or 7d";

/// A time: a number with ms, s, m, h or d.
pub(crate) fn age(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let factor = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => return None,
    };
    let millis = number.checked_mul(factor).filter(|millis| *millis > 0)?;
    Some(Duration::from_millis(millis))
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_have_units_and_are_never_zero() {
        let sizes = [
            ("1", Some(1)),
            ("100MB", Some(100_000_000)),
            ("64MiB", Some(64 << 20)),
            ("0", None),
            ("", None),
            ("MB", None),
            ("100 MB", None),
            ("100mb", None),
            ("-1", None),
            ("1.5GB", None),
            ("99999999999GB", None),
        ];
        for (text, expected) in sizes {
            assert_eq!(size(text), expected, "{text}");
        }
        for (text, expected) in [
            ("250ms", Some(250)),
            ("90s", Some(90_000)),
            ("2h", Some(7_200_000)),
            ("0d", None),
            ("5", None),
        ] {
            assert_eq!(age(text), expected.map(Duration::from_millis), "{text}");
        }
    }
}
