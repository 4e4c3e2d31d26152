//! The journal beside a store: the leaf that it has under a number.

use std::{io, sync::Arc};

use crate::{
    evidence::Hash,
    journal::{Entry, Most, Reader},
    store::TrailState,
};

use super::{Options, Report, VerifyError};

/// Reads a trail of the journal in step with a store. Numbers are asked for in ascending order.
#[derive(Debug)]
pub(super) struct Twin {
    reader: Reader,
    dir: std::path::PathBuf,
    /// The first number that is not committed.
    end: u64,
    /// Whether the end is known.
    whole: bool,
    read: std::vec::IntoIter<Entry>,
    /// The entry that was read last and not yet asked for.
    ahead: Option<Entry>,
}

const MOST: Most = Most {
    records: 1000,
    bytes: 1024 * 1024,
};

impl Twin {
    /// The same trail in a journal that was just checked.
    pub(super) fn of(journal: &Report, state: &TrailState, options: &Options<'_>) -> Option<Self> {
        let trail = journal
            .trails
            .iter()
            .find(|trail| trail.trail == Some(state.origin.trail))?;
        let end = trail.head.map_or(state.next, |head| head.size);
        let reader = Reader::open(Arc::clone(&options.disk), trail.place.clone(), trail.first);
        Some(Self {
            reader,
            dir: trail.place.clone(),
            end,
            whole: trail.head.is_some(),
            read: Vec::new().into_iter(),
            ahead: None,
        })
    }

    /// The leaf under a number, if the journal has it.
    pub(super) fn leaf(&mut self, number: u64) -> Result<Option<Hash>, VerifyError> {
        let found = self.at_or_after(number)?;
        Ok(found
            .filter(|entry| entry.number == number)
            .map(|entry| entry.leaf))
    }

    /// The first number of a range (end exclusive) that the journal has.
    pub(super) fn first_in(&mut self, from: u64, to: u64) -> Result<Option<u64>, VerifyError> {
        let found = self.at_or_after(from)?;
        Ok(found
            .map(|entry| entry.number)
            .filter(|number| *number < to))
    }

    /// Where the journal ends, if that is before a number.
    pub(super) fn ends_before(&self, next: u64) -> Option<u64> {
        (self.whole && self.end < next).then_some(self.end)
    }

    fn at_or_after(&mut self, number: u64) -> Result<Option<&Entry>, VerifyError> {
        while self
            .ahead
            .as_ref()
            .is_none_or(|entry| entry.number < number)
        {
            self.ahead = self.read.next();
            if self.ahead.is_some() {
                continue;
            }
            let failed = |error: io::Error| VerifyError::io("read", self.dir.clone())(error);
            let chunk = self.reader.read(self.end, MOST).map_err(failed)?;
            if chunk.entries.is_empty() && chunk.gaps.is_empty() {
                return Ok(None);
            }
            self.read = chunk.entries.into_iter();
        }
        Ok(self.ahead.as_ref())
    }
}
