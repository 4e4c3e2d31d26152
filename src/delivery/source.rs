//! What a follower reads: one trail, from any number on, up to its durable mark.

use std::{fmt::Debug, path::Path, path::PathBuf};

use crate::{
    evidence::TreeHead,
    record::Origin,
    sink::{Delivery, Limits},
};

/// A trail that can be followed; shared by the followers of all sinks.
pub(crate) trait Source: Debug + Send + Sync + 'static {
    /// Where the records come from.
    fn origin(&self) -> &Origin;
    /// The directory that holds `cursors/` and `dead/`.
    fn dir(&self) -> &Path;
    /// Numbers below this may be read. It never falls. Cheap: every snapshot of the counters asks.
    fn durable(&self) -> u64;
    /// Numbers below this are the trail's: durable, or found at the start after the last proven
    /// commit and about to be written again. A sink may have all of them from the run before.
    fn known(&self) -> u64 {
        self.durable()
    }
    /// Starts to read at `from`. Opens nothing yet: what fails, fails at the first read.
    fn open(&self, from: u64) -> Box<dyn Reading>;
}

/// One follower's place in a trail.
pub(crate) trait Reading: Send {
    /// Reads on from where the last read ended: numbers below `until`, at most one batch of `limits`.
    ///
    /// May block on the disk. After an error the place is unknown; open again.
    fn read(&mut self, until: u64, limits: &Limits) -> Result<Chunk, ReadError>;
}

/// A piece of a trail: every number in it is a record or lies in a gap.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The records, in ascending order of number.
    pub records: Vec<Delivery>,
    /// What lies between them, in ascending order.
    pub gaps: Vec<Gap>,
    /// Where the next read goes on.
    pub next: u64,
    /// The tree head over exactly the numbers below `next`, if a commit ends there.
    pub head: Option<TreeHead>,
}

/// Numbers without a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The first number.
    pub from: u64,
    /// The number after the last.
    pub to: u64,
    /// Why.
    pub kind: GapKind,
}

/// Why numbers have no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GapKind {
    /// They were pruned before this reader came.
    Pruned,
    /// Their lines cannot be read.
    Damaged {
        /// The segment.
        file: PathBuf,
        /// The byte where the damage begins.
        offset: u64,
    },
    /// They were not asked for: a replay of chosen records.
    Unwanted,
}

/// A trail could not be read; the disk's fault, and it is tried again.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct ReadError {
    /// What failed, on which file.
    pub reason: String,
}

impl Chunk {
    /// Whether every number of `from..next` is there exactly once, and nothing beyond `until`.
    ///
    /// A follower counts by this: a reader that skipped a number in silence would lose a record.
    pub(crate) fn check(&self, from: u64, until: u64) -> Result<(), ReadError> {
        let mut gaps = self.gaps.iter().peekable();
        let mut at = from;
        let mut pass_gaps = |at: &mut u64| {
            while let Some(gap) = gaps.next_if(|gap| gap.from == *at && gap.to > gap.from) {
                *at = gap.to;
            }
        };
        pass_gaps(&mut at);
        for record in &self.records {
            if record.number != at {
                return Err(self.wrong(from, until, at));
            }
            at = at.saturating_add(1);
            pass_gaps(&mut at);
        }
        if at != self.next || at > until || gaps.next().is_some() {
            return Err(self.wrong(from, until, at));
        }
        Ok(())
    }

    fn wrong(&self, from: u64, until: u64, at: u64) -> ReadError {
        let next = self.next;
        ReadError {
            reason: format!(
                "the reader's answer for {from}..{until} does not account for number {at} (next {next})"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Hash;

    #[test]
    fn a_chunk_that_does_not_account_for_every_number_is_refused() {
        let chunk = |numbers: &[u64], gaps: &[(u64, u64)], next| Chunk {
            records: numbers
                .iter()
                .map(|number| Delivery::new(*number, Hash::from_bytes([0; 32]), "{}"))
                .collect(),
            gaps: gaps
                .iter()
                .map(|(from, to)| Gap {
                    from: *from,
                    to: *to,
                    kind: GapKind::Pruned,
                })
                .collect(),
            next,
            head: None,
        };
        for (name, chunk, holds) in [
            ("nothing", chunk(&[], &[], 5), true),
            ("records", chunk(&[5, 6], &[], 7), true),
            (
                "gaps around",
                chunk(&[7, 10], &[(5, 7), (8, 10), (11, 12)], 12),
                true,
            ),
            ("only gaps", chunk(&[], &[(5, 6), (6, 9)], 9), true),
            ("a number skipped", chunk(&[5, 7], &[], 8), false),
            ("a number twice", chunk(&[5, 5], &[], 6), false),
            ("a number before", chunk(&[4, 5], &[], 6), false),
            ("a gap over a record", chunk(&[5, 6], &[(5, 6)], 7), false),
            ("a gap backwards", chunk(&[5], &[(6, 6)], 6), false),
            ("the end skipped", chunk(&[5], &[], 7), false),
            ("past the mark", chunk(&[], &[(5, 13)], 13), false),
        ] {
            assert_eq!(chunk.check(5, 12).is_ok(), holds, "{name}");
        }
    }
}
