//! Numbers, dates and plurals, as each language writes them.

use jiff::civil::DateTime;

/// How a language writes numbers, dates and plurals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::viewer) struct Locale {
    /// What stands between thousands.
    pub(super) group: &'static str,
    /// The least number of digits that is grouped.
    pub(super) group_from: usize,
    /// What stands between a number and its fraction.
    pub(super) decimal: char,
    /// Whether none takes the singular, as in French.
    pub(super) none_is_one: bool,
    /// The short names of the months; none where the month is written as a number.
    pub(super) months: Option<[&'static str; 12]>,
    /// How long ago, by unit: second, minute, hour, day, month, year.
    pub(super) ago: [Plural; 6],
    /// Less than a second ago, or not yet.
    pub(super) just_now: &'static str,
    /// The sign of a day, behind a number.
    pub(super) day: &'static str,
}

/// A text that depends on a number, which stands where `{}` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::viewer) struct Plural {
    pub(super) one: &'static str,
    pub(super) other: &'static str,
}

impl Plural {
    pub(super) const fn new(one: &'static str, other: &'static str) -> Self {
        Self { one, other }
    }

    /// The two forms, for the script, which counts too.
    pub(in crate::viewer) const fn forms(self) -> (&'static str, &'static str) {
        (self.one, self.other)
    }
}

impl Locale {
    /// The text for this number.
    pub(in crate::viewer) fn plural(&self, number: u64, plural: Plural) -> String {
        let is_one = number == 1 || (number == 0 && self.none_is_one);
        let text = if is_one { plural.one } else { plural.other };
        text.replace("{}", &self.number(number))
    }

    /// A number in groups of three digits.
    pub(in crate::viewer) fn number(&self, number: u64) -> String {
        let digits = number.to_string();
        if digits.len() < self.group_from {
            return digits;
        }
        let mut grouped = String::new();
        for (index, digit) in digits.char_indices() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push_str(self.group);
            }
            grouped.push(digit);
        }
        grouped
    }

    /// A number of thousandths, with one digit behind the point.
    pub(in crate::viewer) fn tenths(&self, thousandths: u64) -> String {
        let tenths = thousandths / 100;
        format!(
            "{}{}{}",
            self.number(tenths / 10),
            self.decimal,
            tenths % 10
        )
    }

    /// What stands between a number and its fraction.
    pub(in crate::viewer) const fn point(&self) -> char {
        self.decimal
    }

    /// A day: `20 Nov 2026`, `20.11.2026`.
    pub(in crate::viewer) fn day(&self, at: DateTime) -> String {
        let index = usize::try_from(at.month()).unwrap_or(1).saturating_sub(1);
        match self.months.as_ref().and_then(|months| months.get(index)) {
            Some(month) => format!("{} {month} {}", at.day(), at.year()),
            None => format!("{:02}.{:02}.{}", at.day(), at.month(), at.year()),
        }
    }

    /// A day and the time of the day to the second, as `Intl.DateTimeFormat` writes both.
    pub(in crate::viewer) fn time(&self, at: DateTime) -> String {
        let (hour, minute, second) = (at.hour(), at.minute(), at.second());
        format!("{}, {hour:02}:{minute:02}:{second:02}", self.day(at))
    }

    /// How long ago something was, in the largest unit that fits.
    pub(in crate::viewer) fn ago(&self, seconds: u64) -> String {
        let [second, minute, hour, day, month, year] = self.ago;
        match seconds {
            0 => self.just_now.to_owned(),
            1..60 => self.plural(seconds, second),
            60..3600 => self.plural(seconds / 60, minute),
            3600..86_400 => self.plural(seconds / 3600, hour),
            86_400..2_592_000 => self.plural(seconds / 86_400, day),
            2_592_000..31_536_000 => self.plural(seconds / 2_592_000, month),
            _ => self.plural(seconds / 31_536_000, year),
        }
    }

    /// How long something takes, in at most two units: `850 µs`, `1.8 ms`, `2 h 5 min`.
    pub(in crate::viewer) fn span(&self, span: std::time::Duration) -> String {
        let seconds = span.as_secs();
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let two = |large: u64, sign: &str, small: u64, small_sign: &str| match small {
            0 => format!("{} {sign}", self.number(large)),
            _ => format!("{} {sign} {small} {small_sign}", self.number(large)),
        };
        match seconds {
            0 if micros < 1000 => format!("{micros} µs"),
            0 => format!("{} ms", self.tenths(micros)),
            1..60 => format!("{} s", self.tenths(micros / 1000)),
            60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
            3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
            _ => two(seconds / 86_400, self.day, seconds % 86_400 / 3600, "h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::viewer::words::{ALL, Plural, pick};

    #[test]
    fn numbers_are_grouped_as_the_language_does() {
        for (code, thousand, million) in [
            ("en", "1,234", "1,234,567"),
            ("fr", "1\u{202f}234", "1\u{202f}234\u{202f}567"),
            ("de", "1.234", "1.234.567"),
            ("es", "1234", "1.234.567"),
        ] {
            let locale = &pick(Some(code), None, None).locale;
            assert_eq!(locale.number(1234), thousand, "{code}");
            assert_eq!(locale.number(1_234_567), million, "{code}");
            assert_eq!(locale.number(999), "999", "{code}");
        }
    }

    #[test]
    fn none_is_singular_in_french_only() {
        let plural = Plural::new("{} one", "{} other");
        for words in ALL {
            let forms = [0, 1, 2].map(|number| words.locale.plural(number, plural));
            let none = if words.code == "fr" {
                "0 one"
            } else {
                "0 other"
            };
            assert_eq!(forms, [none, "1 one", "2 other"], "{}", words.code);
        }
    }

    #[test]
    fn dates_follow_the_language() {
        let at = jiff::civil::date(2026, 3, 5).at(7, 8, 9, 0);
        for (code, expected) in [
            ("en", "5 Mar 2026, 07:08:09"),
            ("fr", "5 mars 2026, 07:08:09"),
            ("de", "05.03.2026, 07:08:09"),
            ("es", "5 mar 2026, 07:08:09"),
        ] {
            assert_eq!(pick(Some(code), None, None).locale.time(at), expected);
        }
    }

    #[test]
    fn how_long_ago_is_said_in_the_largest_unit_that_fits() {
        let english = &pick(None, None, None).locale;
        for (seconds, expected) in [
            (0, "just now"),
            (1, "1 second ago"),
            (59, "59 seconds ago"),
            (60, "1 minute ago"),
            (7199, "1 hour ago"),
            (86_400, "1 day ago"),
            (2_592_000, "1 month ago"),
            (63_072_000, "2 years ago"),
        ] {
            assert_eq!(english.ago(seconds), expected);
        }
        assert_eq!(
            pick(Some("de"), None, None).locale.ago(7200),
            "vor 2 Stunden"
        );
    }

    #[test]
    fn a_span_has_at_most_two_units() {
        let german = &pick(Some("de"), None, None).locale;
        for (micros, expected) in [
            (850, "850 µs"),
            (1834, "1,8 ms"),
            (2_500_000, "2,5 s"),
            (60_000_000, "1 min"),
            (7_500_000_000, "2 h 5 min"),
            (90_000_000_000, "1 Tg. 1 h"),
        ] {
            assert_eq!(german.span(Duration::from_micros(micros)), expected);
        }
    }
}
