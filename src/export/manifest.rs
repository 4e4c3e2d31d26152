//! What an export holds, so that a copy can be judged without the store.

use serde::{Serialize, Serializer};

use super::{Columns, ExportFormat};
use crate::{clock::Timestamp, evidence::Hash};

/// What an export holds and was asked for; the end of JSON and JSON Lines, a file beside a CSV.
///
/// Its JSON has the fields of this struct in their order; those that are none are left out.
/// `docs/export.md` has them with an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The version of this format: within 1.x it only grows.
    pub schema: &'static str,
    /// `csv`, `json` or `jsonl`.
    #[serde(serialize_with = "word")]
    pub format: ExportFormat,
    /// The columns of a CSV; of the other formats none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Columns>,
    /// What was asked for, as the parameters of an address; an object in JSON. `from` is inclusive
    /// and `to` exclusive. Empty when everything was asked for.
    #[serde(serialize_with = "object")]
    pub filter: Vec<(&'static str, String)>,
    /// The reach of the reader, in the same words: what is outside of it was not looked at.
    #[serde(serialize_with = "object", skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<(&'static str, String)>,
    /// The highest arrival that can be in it: what arrived later is not.
    pub upto: u64,
    /// How many records are in it.
    pub records: u64,
    /// How many of them are not, byte for byte, what was delivered. Not 0: see `tower-audit verify`.
    pub altered: u64,
    /// How many of them are no records of a version that this one reads. A CSV has only their ids and
    /// times, and what the store itself knows of them.
    pub unreadable: u64,
    /// When the newest of them began, by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Timestamp>,
    /// When the oldest of them began, by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
    /// When the export began.
    pub began: Timestamp,
    /// When it ended; none while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Whether it holds everything that matched. Never true of one that broke off.
    pub complete: bool,
    /// How many bytes stand before the line of the manifest; of a CSV, all of them.
    pub bytes: u64,
    /// The SHA-256 of those bytes.
    pub sha256: Hash,
}

impl Manifest {
    /// The version that is written.
    pub const SCHEMA: &'static str = "1.0";
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn word<S: Serializer>(format: &ExportFormat, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(format.as_str())
}

fn object<S: Serializer>(
    filter: &[(&'static str, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(filter.iter().map(|(name, value)| (*name, value)))
}
