//! A text that is searched for within records.

use serde_json::Value;

/// Numbers of a value and those around it that are looked through.
const MAX_DEPTH: usize = 64;

/// What of a record says when, how and of which kind, not who and what.
const LEFT_OUT: [&str; 4] = ["timestamp", "schema", "category", "outcome"];

/// A text, ready to be searched for in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needle(String);

impl Needle {
    /// None for an empty text, which is everywhere.
    pub(super) fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(fold(text)))
    }

    /// The longest run of ASCII letters and digits in it: what a database can look for in the JSON
    /// as it stands there, because these are never escaped but as `\u00…`.
    pub(super) fn run(&self) -> Option<String> {
        let runs = self.0.split(|letter: char| !letter.is_ascii_alphanumeric());
        let longest = runs.max_by_key(|run| run.len())?;
        (!longest.is_empty()).then(|| longest.to_owned())
    }

    /// Whether it is in a value of this record; the names of fields do not count.
    pub(super) fn is_in(&self, json: &str) -> bool {
        let Ok(Value::Object(record)) = serde_json::from_str(json) else {
            return false;
        };
        record
            .iter()
            .filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()))
            .any(|(_, value)| self.is_in_value(value, 0))
    }

    fn is_in_value(&self, value: &Value, depth: usize) -> bool {
        if depth > MAX_DEPTH {
            return false;
        }
        match value {
            Value::Null | Value::Bool(_) => false,
            Value::Number(number) => number.to_string().contains(&self.0),
            Value::String(text) => fold(text).contains(&self.0),
            Value::Array(values) => values
                .iter()
                .any(|value| self.is_in_value(value, depth + 1)),
            Value::Object(fields) => fields
                .iter()
                .any(|(name, value)| name != "type" && self.is_in_value(value, depth + 1)),
        }
    }
}

/// A text in lower case. A letter that only becomes ASCII by it (the Kelvin sign) stays, so that
/// what databases find in ASCII is all there is.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars() {
        if !letter.is_ascii() && letter.to_lowercase().any(|lower| lower.is_ascii()) {
            folded.push(letter);
        } else {
            folded.extend(letter.to_lowercase());
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_values_in_any_case_and_never_in_names_of_fields() {
        let json = r#"{"id":"01a1","timestamp":"2026-11-20T13:34:01Z","action":"user.login",
            "outcome":"denied","reason":"50 % OFF_x","actor":{"type":"user","name":"\u00c9ve \"E\""},
            "targets":[{"type":"document","id":"4CQ"}],"details":{"secretly":{"plans":[true,97]}}}"#;
        for (text, expected) in [
            ("4cq", true),
            ("LOGIN", true),
            ("% off_", true),
            ("éve", true),
            ("\"e\"", true),
            ("97", true),
            ("secretly", false),
            ("plans", false),
            ("denied", false),
            ("document", false),
            ("2026", false),
            ("true", false),
            ("\\u00c9", false),
            ("off-x", false),
        ] {
            assert_eq!(Needle::new(text).unwrap().is_in(json), expected, "{text}");
        }
        assert_eq!(Needle::new(""), None);
        assert!(!Needle::new("x").unwrap().is_in("x"));
    }

    #[test]
    fn what_a_database_looks_for_is_letters_and_digits_alone() {
        for (text, expected) in [
            ("50 % Offer", Some("offer")),
            ("%_\\'\"", None),
            ("é", None),
            ("\u{212a}elvin", Some("elvin")),
        ] {
            let run = Needle::new(text).unwrap().run();
            assert_eq!(run.as_deref(), expected, "{text}");
        }
    }
}
