//! Folds floods: many refused requests of one address become one record that counts them.

use std::net::IpAddr;

use crate::{clock::Timestamp, record::Record};

/// What was seen of each address in the current minute; bounded.
#[derive(Debug, Default)]
pub(crate) struct Flood {}

/// What to do with the record of a refused or failed request without an actor.
#[derive(Debug)]
pub(crate) enum Passed {
    /// Write it.
    Record(Box<Record>),
    /// It is counted in a record that comes later.
    Folded,
}

impl Flood {
    /// Lets a record pass, or folds it. `per_minute` is the policy's rate.
    pub(crate) fn pass(
        &self,
        _address: Option<IpAddr>,
        record: Box<Record>,
        _at: Timestamp,
        _per_minute: u32,
    ) -> Passed {
        Passed::Record(record)
    }

    /// The records of minutes that ended before `now`, to be appended by whoever asks.
    pub(crate) fn due(&self, _now: Timestamp) -> Vec<Record> {
        Vec::new()
    }

    /// All that is folded, ended or not: for a shutdown.
    pub(crate) fn drain(&self) -> Vec<Record> {
        Vec::new()
    }

    /// How many requests were folded so far.
    pub(crate) fn folded(&self) -> u64 {
        0
    }
}
