//! How many records there were when, by outcome.

use crate::clock::Timestamp;

/// Counts over a range of time, in steps of equal length.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Histogram {
    /// Where the first step begins (inclusive).
    pub from: Timestamp,
    /// Where the last step ends (exclusive).
    pub to: Timestamp,
    /// The length of a step in microseconds.
    pub step: i64,
    /// The steps, oldest first; those without records too.
    pub bars: Vec<Bar>,
    /// From when on everything is counted; later than `from` when there was too much to count.
    pub counted_from: Timestamp,
}

/// One step of a [`Histogram`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bar {
    /// Where it begins (inclusive).
    pub start: Timestamp,
    /// So many ended so: pairs of an outcome's word and a number, in the order of the words in
    /// [`Outcome`](crate::Outcome); outcomes that did not occur are left out.
    pub outcomes: Vec<(String, u64)>,
}
