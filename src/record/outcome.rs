//! How it ended.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::marks::{Marks, Place, cap};
use crate::text::Text;

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Outcome {
    /// Done.
    Success,
    /// Not done, for a reason that lies with the request: a conflict, invalid input.
    Failure,
    /// Not allowed: not verified, or no permission.
    Denied,
    /// Not done, for a reason that lies with the service: a fault, a panic.
    Error,
    /// Dropped before it answered. What was done until then may stand.
    Cancelled,
    /// Nobody saw the end; also what a reader makes of a word of a later version.
    #[default]
    Unknown,
}

impl Outcome {
    /// All outcomes, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
        Self::Success,
        Self::Failure,
        Self::Denied,
        Self::Error,
        Self::Cancelled,
        Self::Unknown,
    ];

    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    /// The outcome with this word, if there is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|outcome| outcome.as_str() == word)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::from_word(&word).unwrap_or_default())
    }
}

/// The fault behind an outcome, for whoever has to find it; `error` in JSON.
///
/// ```
/// use tower_audit::record::{Fault, Record};
///
/// let record = Record::new("report.create")
///     .error(Fault::new("statement timed out").kind("DatabaseError").code("57014"));
/// # let _ = record;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fault {
    /// The kind of error; `type` in JSON.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Text>,
    /// The code by which documentation or another system knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Text>,
    /// What it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Text>,
}

impl Fault {
    /// A fault that says this.
    #[must_use]
    pub fn new(message: impl Into<Text>) -> Self {
        Self {
            message: Some(message.into()),
            ..Self::default()
        }
    }

    /// Sets the kind of error.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<Text>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Sets the code by which documentation or another system knows it.
    #[must_use]
    pub fn code(mut self, code: impl Into<Text>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn clean(&mut self, place: Place<'_>, marks: &mut Marks<'_>) {
        marks.option(place.of("type"), &mut self.kind, cap::NAME);
        marks.option(place.of("code"), &mut self.code, cap::NAME);
        marks.option(place.of("message"), &mut self.message, cap::MESSAGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_one_word() {
        for &outcome in Outcome::ALL {
            assert_eq!(Outcome::from_word(outcome.as_str()), Some(outcome));
        }
        assert_eq!(Outcome::from_word("ok"), None);
    }

    #[test]
    fn a_word_of_a_later_version_is_read_as_unknown() {
        let outcome: Outcome = serde_json::from_str(r#""postponed""#).unwrap();
        assert_eq!(outcome, Outcome::Unknown);
    }
}
