//! What a store answers.

use uuid::Uuid;

use crate::{
    clock::{RecordId, Timestamp},
    evidence::{Hash, TreeHead, leaf_hash},
    record::Origin,
};

/// Records in the order of browsing: newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Page {
    /// The records, newest first.
    pub records: Vec<Stored>,
    /// What to give to [`Query::before`](super::Query::before) for what is older; none when nothing
    /// older matches.
    pub older: Option<RecordId>,
    /// What to give to [`Query::after`](super::Query::after) for what is newer; none when nothing
    /// newer matches. Where it would take long to know, it is there.
    pub newer: Option<RecordId>,
    /// The search ended here, before the page was full, because it had looked at as much as one page
    /// may; going on from `older` (or `newer`) looks further. None when it looked at everything.
    pub searched_until: Option<Timestamp>,
}

/// Records in the order of following: as they became visible.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrivals {
    /// The records, in the order of arrival.
    pub records: Vec<Stored>,
    /// What to give as `after` the next time.
    pub next: u64,
}

/// One record as it is stored.
///
/// A row that somebody altered so that it cannot be read is here too: what could not be read of it is
/// empty or zero, its leaf is all zeros, and its id may be no UUIDv7.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// Its place in the order in which records became visible in this store; from 1.
    pub arrival: u64,
    /// Its id.
    pub id: RecordId,
    /// The trail it belongs to.
    pub trail: Uuid,
    /// Its number in that trail.
    pub number: u64,
    /// The leaf hash it was delivered with.
    pub leaf: Hash,
    /// When it was read for delivery.
    pub received: Timestamp,
    /// Its exact text. [`Record::from_json`](crate::Record::from_json) reads it.
    pub json: Box<str>,
}

impl Stored {
    /// Whether it is not what was delivered: its text does not give its leaf.
    #[must_use]
    pub fn is_altered(&self) -> bool {
        leaf_hash(self.json.as_bytes()) != self.leaf
    }
}

/// How far a trail has come in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrailState {
    /// The trail, and whose it is.
    pub origin: Origin,
    /// The first number that is wanted: what is below it was delivered, or passed over.
    pub next: u64,
    /// The latest tree head that came with a batch.
    pub head: Option<TreeHead>,
    /// When its last batch was read for delivery.
    pub updated: Timestamp,
}

/// One record of a trail, with what is needed to prove it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leaf {
    /// Its number in the trail.
    pub number: u64,
    /// The leaf hash it was delivered with; nothing here checked it.
    pub leaf: Hash,
    /// Its exact text.
    pub json: Box<str>,
    /// A column that does not say what the text says, so that a search goes wrong. A sink leaves
    /// none.
    pub stray: Option<&'static str>,
}
