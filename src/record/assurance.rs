//! How surely a record is kept, and what happens when it cannot be.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How surely a record is kept before its action goes on; each level includes those before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Assurance {
    /// In the journal's buffer, whose group starts within 5 ms. A crash loses the last of them.
    Buffered,
    /// On disk before the answer leaves.
    #[default]
    Durable,
    /// An intent is on disk before the action begins, and the outcome before the answer leaves.
    Strict,
}

/// What happens to an action whose record cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OnFailure {
    /// It goes on; the loss is counted, and written down as soon as writing works again.
    #[default]
    Continue,
    /// It is refused before it begins.
    Refuse,
}

/// A word that names no [`Assurance`] or no [`OnFailure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one of: {expected}")]
#[non_exhaustive]
pub struct WordError {
    expected: &'static str,
}

impl Assurance {
    /// The word in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buffered => "buffered",
            Self::Durable => "durable",
            Self::Strict => "strict",
        }
    }

    /// What happens on failure unless something else is asked for: `Strict` refuses.
    #[must_use]
    pub const fn default_on_failure(self) -> OnFailure {
        match self {
            Self::Buffered | Self::Durable => OnFailure::Continue,
            Self::Strict => OnFailure::Refuse,
        }
    }
}

impl OnFailure {
    /// The word in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Refuse => "refuse",
        }
    }
}

impl fmt::Display for Assurance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for OnFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Assurance {
    type Err = WordError;

    fn from_str(word: &str) -> Result<Self, WordError> {
        [Self::Buffered, Self::Durable, Self::Strict]
            .into_iter()
            .find(|assurance| assurance.as_str() == word)
            .ok_or(WordError {
                expected: "buffered, durable, strict",
            })
    }
}

impl FromStr for OnFailure {
    type Err = WordError;

    fn from_str(word: &str) -> Result<Self, WordError> {
        [Self::Continue, Self::Refuse]
            .into_iter()
            .find(|policy| policy.as_str() == word)
            .ok_or(WordError {
                expected: "continue, refuse",
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_and_others_say_what_is_right() {
        for assurance in [Assurance::Buffered, Assurance::Durable, Assurance::Strict] {
            assert_eq!(assurance.as_str().parse(), Ok(assurance));
            let json = serde_json::to_string(&assurance).unwrap();
            assert_eq!(json, format!("\"{assurance}\""));
        }
        for policy in [OnFailure::Continue, OnFailure::Refuse] {
            assert_eq!(policy.as_str().parse(), Ok(policy));
            let json = serde_json::to_string(&policy).unwrap();
            assert_eq!(json, format!("\"{policy}\""));
        }
        let refused = "Durable".parse::<Assurance>().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "expected one of: buffered, durable, strict"
        );
    }

    #[test]
    fn only_strict_refuses_by_default() {
        assert_eq!(Assurance::default(), Assurance::Durable);
        assert_eq!(Assurance::Durable.default_on_failure(), OnFailure::Continue);
        assert_eq!(Assurance::Strict.default_on_failure(), OnFailure::Refuse);
    }
}
