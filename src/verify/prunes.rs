//! What a store's prunes are said to have removed: the row of a report, and what trails say.

use std::{collections::BTreeSet, fmt, path::PathBuf};

use serde::Serialize;

use crate::record::Record;

use super::{
    Finding, Note,
    report::{clean, leaves_are, lossy, plural},
};

/// What the prunes of a store removed, what is kept of it, and what trails say of them.
///
/// The tables do not say of which trail a prune removed how many records: all trails of a store
/// are compared together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PruneReport {
    /// The address of the store.
    #[serde(serialize_with = "lossy")]
    pub place: PathBuf,
    /// How many prunes stand in `audit_prunes`.
    pub prunes: u64,
    /// How many records they removed together, by what stands there.
    pub removed: u64,
    /// How many leaves of removed records were found in the trails.
    pub leaves: u64,
    /// Prunes whose number was compared with an `audit.prune` of a trail.
    pub recorded: u64,
    /// What must not be so.
    pub findings: Vec<Finding>,
    /// What is as it may be.
    pub notes: Vec<Note>,
}

impl PruneReport {
    /// Whether nothing is wrong with it.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for PruneReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            prunes,
            removed,
            leaves,
            recorded,
            ..
        } = self;
        let place = clean(&self.place.to_string_lossy());
        writeln!(f, "prunes of {place}")?;
        writeln!(
            f,
            "  {prunes} {} removed {removed} {}, of which {} kept; {recorded} compared with a trail's record",
            plural(*prunes, "prune"),
            plural(*removed, "record"),
            leaves_are(*leaves),
        )?;
        for note in &self.notes {
            writeln!(f, "  note: {note}")?;
        }
        for finding in &self.findings {
            writeln!(f, "  wrong: {finding}")?;
        }
        Ok(())
    }
}

/// Pairs that are kept at most; what is beyond is not compared.
const MOST: usize = 100_000;

/// Prunes that trails recorded: the id in `audit_prunes`, and how many records went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Recorded(pub(super) BTreeSet<(String, u64)>);

impl Recorded {
    /// Takes note of an `audit.prune`.
    pub(super) fn record(&mut self, json: &str) {
        const ACTION: &str = "audit.prune";
        // Nearly no record is one, and reading it costs more than hashing it.
        if self.0.len() >= MOST || !json.contains("\"action\":\"audit.prune\"") {
            return;
        }
        let Ok(record) = Record::from_json(json) else {
            return;
        };
        let detail = |name: &str| record.details.get(name);
        let run = detail("run").and_then(serde_json::Value::as_str);
        let removed = detail("removed").and_then(serde_json::Value::as_u64);
        if let (ACTION, Some(run), Some(removed)) = (record.action.as_str(), run, removed) {
            self.0.insert((run.to_owned(), removed));
        }
    }
}
