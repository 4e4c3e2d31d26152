//! How a record reads at its destination: as it is, or in the words of another system.

mod deed;
mod ecs;
mod explain;
#[cfg(test)]
mod golden;
mod grist;
mod line;
mod mapping;
mod ocsf;
#[cfg(test)]
mod published;
mod spell;
#[cfg(feature = "file")]
mod start;
#[cfg(test)]
mod tests;
mod tree;

use std::{fmt, str::FromStr};

use uuid::Uuid;

pub use self::explain::Mapped;
use self::mapping::Mapping;
#[cfg(feature = "file")]
pub(crate) use self::start::{LONGEST_HEAD, Starts, is_whole, may_begin};

/// The words that records are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The record itself, with its place in the trail.
    #[default]
    Native,
    /// The Elastic Common Schema.
    Ecs,
    /// The Open Cybersecurity Schema Framework.
    Ocsf,
    /// The events that Grist streams.
    Grist,
}

/// A text that names no [`Format`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("formats are native, ecs, ocsf and grist")]
#[non_exhaustive]
pub struct FormatError;

impl Format {
    /// Every format there is.
    pub const ALL: [Self; 4] = [Self::Native, Self::Ecs, Self::Ocsf, Self::Grist];

    /// Its name in an address: `format=native`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Ecs => "ecs",
            Self::Ocsf => "ocsf",
            Self::Grist => "grist",
        }
    }

    /// What it is, and in which version, for a person.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Native => "the record itself, byte for byte, with what proves it",
            Self::Ecs => "Elastic Common Schema 9.4.0",
            Self::Ocsf => "Open Cybersecurity Schema Framework 1.8.0",
            Self::Grist => "the audit events that Grist streams",
        }
    }

    /// Appends one record as one JSON object, without a line end.
    ///
    /// It begins with a fixed text that holds the trail, then the number, whatever the format: so
    /// a file says itself how far it has come.
    pub(crate) fn write(self, out: &mut Vec<u8>, event: &Event<'_>) {
        line::open(out, self, event);
        match self.mapping() {
            None => {
                out.extend_from_slice(br#","record":"#);
                out.extend_from_slice(event.json.as_bytes());
                out.push(b'}');
            }
            Some(mapping) => mapping.write(out, event),
        }
    }

    fn mapping(self) -> Option<&'static Mapping> {
        match self {
            Self::Native => None,
            Self::Ecs => Some(&ecs::ECS),
            Self::Ocsf => Some(&ocsf::OCSF),
            Self::Grist => Some(&grist::GRIST),
        }
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
        let found = Self::ALL.into_iter().find(|format| format.name() == text);
        found.ok_or(FormatError)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
