//! A sink's name in this process.

use std::fmt;

/// A name that can be a file's: 1 to 64 of `A-Z a-z 0-9 . _ -`, the first a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SinkName(String);

/// A text that cannot name a sink.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a sink's name is 1 to 64 of the characters A-Z a-z 0-9 . _ - and begins with a letter or \
     digit, but this is {given:?}"
)]
pub(crate) struct NameError {
    given: String,
}

impl SinkName {
    /// Takes a text that names a sink, and its cursor file.
    pub(crate) fn parse(text: &str) -> Result<Self, NameError> {
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        let begins = text.starts_with(|letter: char| letter.is_ascii_alphanumeric());
        if begins && text.len() <= 64 && text.chars().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        let given = text.chars().take(80).collect();
        Err(NameError { given })
    }

    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_directory() {
        for bad in [
            "",
            ".",
            "..",
            "../a",
            "a/b",
            "a\\b",
            "a\0",
            ".hidden",
            "a b",
            "ä",
            &"a".repeat(65),
        ] {
            let parsed = SinkName::parse(bad);
            assert!(parsed.is_err(), "{bad:?}");
        }
        for good in ["sqlite", "otlp-2", "Splunk.eu_1", &"a".repeat(64)] {
            assert_eq!(SinkName::parse(good).unwrap().as_str(), good);
        }
    }
}
