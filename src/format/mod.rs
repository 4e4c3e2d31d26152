//! How a record reads at its destination: as it is, or in the words of another system.

use std::{fmt, str::FromStr};

use uuid::Uuid;

/// The words that records are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The record itself, with its place in the trail.
    #[default]
    Native,
}

/// A text that names no [`Format`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("formats are native")]
#[non_exhaustive]
pub struct FormatError;

impl Format {
    /// Its name in an address: `format=native`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
        }
    }

    /// Appends one record as one JSON object, without a line end.
    ///
    /// What is written begins with the trail and the number: [`start`](Self::start), then the
    /// number's digits. So a file says itself how far it has come.
    pub(crate) fn write(self, out: &mut Vec<u8>, event: &Event<'_>) {
        let _ = (out, event);
    }

    /// What every record of a trail begins with in this format, up to its number.
    pub(crate) fn start(self, trail: &Uuid) -> Vec<u8> {
        let _ = trail;
        Vec::new()
    }
}

/// A record with what proves it.
#[derive(Clone, Copy)]
pub(crate) struct Event<'a> {
    pub(crate) trail: &'a Uuid,
    pub(crate) number: u64,
    /// 64 hexadecimal digits.
    pub(crate) leaf: &'a dyn fmt::Display,
    /// The record's exact bytes.
    pub(crate) json: &'a str,
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        match text {
            "native" => Ok(Self::Native),
            _ => Err(FormatError),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
