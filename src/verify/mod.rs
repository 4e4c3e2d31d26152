//! What is wrong with a trail or a store, and where.
//!
//! # What is checked
//!
//! [`journal`] reads every line of every segment and computes the RFC 6962 tree over the records
//! anew. It finds
//!
//! - a line that is not what was written (its form, leaf hash or check sum);
//! - a record left out, repeated, moved, or written again under another number;
//! - a segment, or the end or beginning of one, that is missing, unless a record `audit.pruned`
//!   of the trail declares it;
//! - commits and headers that name another tree, another trail or another file;
//! - intents that vanished, changed, or were settled without having been open;
//! - a trail that is shorter than, or another than, a tree head or receipt that was given says, or
//!   shorter than what a cursor beside it says that a sink has read.
//!
//! [`store`] does the same with the records of a database, and holds three numbers of its prunes
//! against each other ([`PruneReport`]): leaves that are kept of removed records, records that
//! prunes say they removed, and what `audit.prune` says of each in a trail.
//!
//! # What it proves
//!
//! That the trail is consistent: one history, without a hole. Not that it is the true one: whoever
//! can write all files can compute all hashes. Against that helps only a tree head that was kept
//! elsewhere, given as [`Expected`]; a receipt is one too. So a report says since when nothing
//! from outside vouches for the trail.
//!
//! # While it is written
//!
//! It takes no lock and changes nothing. What comes after the last commit is *in flight*, and a
//! last line that is not whole is a note, not a finding: nobody was told that it is durable. What
//! a segment holds beyond the place where a later one takes over may be torn, and is not looked at
//! for more than the intents in it.
//!
//! Reading costs one pass over the files, and memory for one line.

mod anchors;
mod cursors;
#[cfg(feature = "_sql")]
mod emptied;
#[cfg(feature = "_sql")]
mod excused;
mod finding;
mod gaps;
mod intents;
mod journal;
#[cfg(feature = "_sql")]
mod pruned;
mod prunes;
mod report;
mod segment_walk;
#[cfg(feature = "_sql")]
mod store;
mod tail;
mod trail;
#[cfg(feature = "_sql")]
mod twin;

#[cfg(test)]
mod tests;

use std::{fmt, io, path::PathBuf, sync::Arc};

use uuid::Uuid;

#[cfg(feature = "_sql")]
pub use self::store::{journal_and_store, store};
pub use self::{
    anchors::Expected,
    finding::{Certainty, Finding, Kind, Note, NoteKind},
    journal::journal,
    prunes::PruneReport,
    report::{MAX_FINDINGS, Report, TrailReport},
};
use crate::disk::{SharedDisk, StdDisk};

/// What a check is to expect, and who follows it.
#[derive(Clone)]
#[must_use]
pub struct Options<'a> {
    disk: SharedDisk,
    expected: Vec<Expected>,
    progress: Option<&'a (dyn Fn(Progress) + Sync)>,
}

/// How far a check has come with one trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The trail, if its directory names it.
    pub trail: Option<Uuid>,
    /// Bytes of a journal, or numbers in a store, that were looked at.
    pub done: u64,
    /// How many there were at the beginning; a trail that is written grows past it.
    pub of: u64,
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The operating system refused: a wrong path, missing rights, a disk that fails.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The directory is neither one trail nor the base directory of trails. Name the directory
    /// that the service gives to its builder, or one `trail-<uuid>` in it.
    #[error(
        "{} is not an audit journal: there is no segment (*.jsonl) and no trail-<uuid> in it; \
         name the base directory of a service's audit, or one trail in it",
        dir.display()
    )]
    NotAJournal {
        /// The directory.
        dir: PathBuf,
    },
    /// The store could not be read; what it says tells what to do.
    #[error(transparent)]
    Store(Box<dyn std::error::Error + Send + Sync>),
}

impl VerifyError {
    fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}

impl Default for Options<'_> {
    /// Expects nothing, tells nobody, reads the machine's own disk.
    fn default() -> Self {
        Self {
            disk: Arc::new(StdDisk),
            expected: Vec::new(),
            progress: None,
        }
    }
}

impl<'a> Options<'a> {
    /// Expects nothing, tells nobody, reads the machine's own disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Expects a tree head or receipt to hold; may be called often.
    pub fn expect(mut self, expected: Expected) -> Self {
        self.expected.push(expected);
        self
    }

    /// Tells how far the check has come, after each segment. Default: nobody.
    pub fn progress(mut self, tell: &'a (dyn Fn(Progress) + Sync)) -> Self {
        self.progress = Some(tell);
        self
    }

    /// Reads this disk. Default: the machine's own.
    pub fn disk(mut self, disk: SharedDisk) -> Self {
        self.disk = disk;
        self
    }
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}
