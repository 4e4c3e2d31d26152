//! The values of fields, as they come: formatted only when they are taken, and bounded before they
//! are copied.

use std::fmt::{self, Write as _};

use serde_json::Value;
use tracing::field::{Field, Visit};

use crate::record::Text;

use super::fields::Facts;

/// The bytes of one text that are copied. A record keeps less, so that it marks what was cut.
const MAX_TEXT: usize = 4096 + 64;

/// The bytes of all texts of one span or event together: what a record keeps.
const MAX_TEXTS: usize = 64 * 1024;

/// Reads values one after the other.
pub(super) struct Reader {
    pub(super) facts: Facts,
    /// Bytes that texts may still take.
    room: usize,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            facts: Facts::default(),
            room: MAX_TEXTS,
        }
    }
}

impl Reader {
    fn take(&mut self, field: &Field, value: Given<'_>) {
        if self
            .facts
            .take(field.name(), value, &mut self.room)
            .is_none()
        {
            self.facts.ignored += 1;
        }
    }
}

impl Visit for Reader {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, Given::Float(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, Given::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, Given::Unsigned(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, Given::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, Given::Shown(format_args!("{value}")));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.take(field, Given::Shown(format_args!("{value}")));
    }

    /// Also what is wider than 64 bits, and `%value`, whose `Debug` is its `Display`.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, Given::Shown(format_args!("{value:?}")));
    }
}

/// A value as it came; not formatted yet.
pub(super) enum Given<'a> {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Shown(fmt::Arguments<'a>),
}

impl Given<'_> {
    pub(super) fn into_text(self, room: &mut usize) -> Text {
        let shown = match self {
            Self::Bool(value) => Capped::show(format_args!("{value}"), room),
            Self::Signed(value) => Capped::show(format_args!("{value}"), room),
            Self::Unsigned(value) => Capped::show(format_args!("{value}"), room),
            Self::Float(value) => Capped::show(format_args!("{value}"), room),
            Self::Shown(arguments) => Capped::show(arguments, room),
        };
        shown.into()
    }

    pub(super) fn into_json(self, room: &mut usize) -> Value {
        match self {
            Self::Bool(value) => value.into(),
            Self::Signed(value) => value.into(),
            Self::Unsigned(value) => value.into(),
            Self::Float(value) if value.is_finite() => value.into(),
            Self::Float(value) => Capped::show(format_args!("{value}"), room).into(),
            Self::Shown(arguments) => Capped::show(arguments, room).into(),
        }
    }
}

/// A text that is written into, and stops growing.
struct Capped {
    text: String,
    limit: usize,
}

impl Capped {
    fn show(arguments: fmt::Arguments<'_>, room: &mut usize) -> String {
        let limit = MAX_TEXT.min(*room);
        let mut capped = Self {
            text: String::new(),
            limit,
        };
        // An error means that the limit is reached, and ends what would go on for long.
        let _ = capped.write_fmt(arguments);
        *room -= capped.text.len();
        capped.text
    }
}

impl fmt::Write for Capped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let left = self.limit - self.text.len();
        if text.len() <= left {
            self.text.push_str(text);
            return Ok(());
        }
        let (kept, _) = text.split_at(text.floor_char_boundary(left));
        self.text.push_str(kept);
        // What comes after the cut is no longer part of the text, however short it is.
        self.limit = self.text.len();
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes for ever, unless it is told to stop.
    struct Endless;

    impl fmt::Debug for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                f.write_str("0123456789ä")?;
            }
        }
    }

    #[test]
    fn a_text_stops_growing_between_two_characters() {
        let mut room = MAX_TEXTS;
        let text = Given::Shown(format_args!("{Endless:?}")).into_text(&mut room);
        assert!(
            (MAX_TEXT - 3..=MAX_TEXT).contains(&text.len()),
            "{}",
            text.len()
        );
        assert_eq!(room, MAX_TEXTS - text.len());
    }

    #[test]
    fn all_texts_together_have_a_bound() {
        let mut room = MAX_TEXTS;
        let sum: usize = (0..100)
            .map(|_| {
                Given::Shown(format_args!("{Endless:?}"))
                    .into_text(&mut room)
                    .len()
            })
            .sum();
        assert!((MAX_TEXTS - 3..=MAX_TEXTS).contains(&sum), "{sum}");
    }

    #[test]
    fn numbers_stay_numbers_where_json_has_them() {
        for (given, expected) in [
            (Given::Bool(true), serde_json::json!(true)),
            (Given::Signed(-1), serde_json::json!(-1)),
            (Given::Unsigned(u64::MAX), serde_json::json!(u64::MAX)),
            (Given::Float(0.5), serde_json::json!(0.5)),
            (Given::Float(f64::NAN), serde_json::json!("NaN")),
        ] {
            assert_eq!(given.into_json(&mut 100), expected);
        }
    }
}
