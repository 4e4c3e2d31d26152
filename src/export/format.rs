//! The forms an export can have.

use std::{fmt, str::FromStr};

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExportFormat {
    /// Comma-separated values (RFC 4180), safe to open in a spreadsheet.
    Csv,
    /// One JSON object: `{"records":[…],"manifest":{…}}`.
    Json,
    /// One record a line, and `{"manifest":{…}}` as the last line.
    JsonLines,
}

/// A word that names no format of exports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no export as {0:?}: write csv, json or jsonl")]
#[non_exhaustive]
pub struct ExportFormatError(String);

impl ExportFormat {
    /// Every format.
    pub const ALL: &'static [Self] = &[Self::Csv, Self::Json, Self::JsonLines];

    /// Its word, which is the ending of its files too: `csv`, `json` or `jsonl`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::JsonLines => "jsonl",
        }
    }

    /// What a `Content-Type` header says of it.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json => "application/json",
            Self::JsonLines => "application/jsonl",
        }
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ExportFormat {
    type Err = ExportFormatError;

    fn from_str(word: &str) -> Result<Self, ExportFormatError> {
        let named = Self::ALL.iter().find(|format| format.as_str() == word);
        let wrong = || ExportFormatError(word.chars().take(64).collect());
        named.copied().ok_or_else(wrong)
    }
}
