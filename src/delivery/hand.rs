//! The one batch a follower has in hand: offered whole, by halves, or without what was refused.

use std::collections::VecDeque;

use super::{
    source::{Chunk, Gap, GapKind},
    stats::Passed,
};
use crate::{
    clock::Timestamp,
    record::Origin,
    sink::{Batch, Delivery},
};

/// What was read and not yet passed.
#[derive(Debug)]
pub(crate) struct Hand {
    /// What is still to be offered; the last is next. Halving pushes, so that order is kept.
    parts: Vec<Batch>,
    gaps: VecDeque<Gap>,
    /// Numbers in the dead letters, ascending.
    aside: VecDeque<u64>,
    end: u64,
}

impl Hand {
    /// Takes what was read, without the records that `dead` names. `chosen`: others are missing
    /// between them, of which nothing is said.
    pub(crate) fn new(
        origin: &Origin,
        received: Timestamp,
        chunk: Chunk,
        chosen: bool,
        dead: impl Fn(u64) -> bool,
    ) -> Self {
        let (aside, records): (Vec<_>, Vec<_>) = chunk
            .records
            .into_iter()
            .partition(|record| dead(record.number));
        let mut hand = Self {
            parts: Vec::new(),
            gaps: chunk.gaps.into(),
            aside: aside.into_iter().map(|record| record.number).collect(),
            end: chunk.next,
        };
        if !records.is_empty() {
            let batch = Batch::new(origin.clone(), received, records, chunk.next);
            hand.parts.push(batch.head(chunk.head).chosen(chosen));
        }
        hand
    }

    /// What to offer next; `None` when nothing is left to offer.
    pub(crate) fn part(&self) -> Option<&Batch> {
        self.parts.last()
    }

    /// The part was stored: passes it.
    pub(crate) fn stored(&mut self) -> Step {
        let stored = self.parts.pop().map_or(0, |part| part.records.len());
        self.pass(self.reached(), stored as u64)
    }

    /// The sink has everything below `position`: passes that.
    pub(crate) fn stored_below(&mut self, position: u64) -> Step {
        let mut stored = 0;
        while let Some(part) = self.parts.last_mut() {
            let before = part.records.len();
            part.records.retain(|record| record.number >= position);
            stored += before - part.records.len();
            if !part.records.is_empty() {
                break;
            }
            self.parts.pop();
        }
        self.pass(self.reached(), stored as u64)
    }

    /// Halves the part; `false` when it is a single record.
    pub(crate) fn halve(&mut self) -> bool {
        let Some(part) = self.parts.last_mut().filter(|part| part.records.len() > 1) else {
            return false;
        };
        let later = part.records.split_off(part.records.len() / 2);
        let Some(border) = later.first().map(|record| record.number) else {
            return false;
        };
        let second = Batch::new(part.origin.clone(), part.received, later, part.next);
        let mut second = second.chosen(part.chosen);
        second.head = part.head.take();
        part.next = border;
        // The first half is offered first.
        let at = self.parts.len() - 1;
        self.parts.insert(at, second);
        true
    }

    /// The records of the part that `numbers` (ascending) names.
    pub(crate) fn named(&self, numbers: &[u64]) -> Vec<&Delivery> {
        let records = self.part().map_or(&[][..], |part| &part.records);
        let named = |record: &&Delivery| numbers.binary_search(&record.number).is_ok();
        records.iter().filter(named).collect()
    }

    /// How many records in a row are refused by the end of the part, if `numbers` (ascending) are
    /// and `before` were; `None` once `limit` is reached.
    ///
    /// A record between them that was not refused breaks the row.
    pub(crate) fn refusals_in_row(
        &self,
        numbers: &[u64],
        before: usize,
        limit: usize,
    ) -> Option<usize> {
        let records = self.part().map_or(&[][..], |part| &part.records);
        let mut row = before;
        for record in records {
            let refused = numbers.binary_search(&record.number).is_ok();
            row = if refused { row + 1 } else { 0 };
            if row >= limit {
                return None;
            }
        }
        Some(row)
    }

    /// These records (ascending) of the part are in the dead letters now: passes what nothing
    /// waits before.
    pub(crate) fn set_aside(&mut self, numbers: &[u64]) -> Step {
        self.aside.extend(numbers);
        self.aside.make_contiguous().sort_unstable();
        if let Some(part) = self.parts.last_mut() {
            part.records
                .retain(|record| numbers.binary_search(&record.number).is_err());
            if part.records.is_empty() {
                self.parts.pop();
            }
        }
        self.pass(self.reached(), 0)
    }

    /// Passes everything that nothing waits before: gaps, and what is dead already.
    pub(crate) fn pass_idle(&mut self) -> Step {
        self.pass(self.reached(), 0)
    }

    /// Everything before this number is done with.
    fn reached(&self) -> u64 {
        self.parts
            .last()
            .and_then(|part| part.records.first())
            .map_or(self.end, |record| record.number)
    }

    fn pass(&mut self, next: u64, delivered: u64) -> Step {
        let mut passed = Passed {
            delivered,
            ..Passed::default()
        };
        let mut gaps = Vec::new();
        while self.aside.front().is_some_and(|number| *number < next) {
            self.aside.pop_front();
            passed.dead += 1;
        }
        while self.gaps.front().is_some_and(|gap| gap.from < next) {
            let Some(gap) = self.gaps.pop_front() else {
                break;
            };
            let numbers = gap.to.saturating_sub(gap.from);
            match &gap.kind {
                GapKind::Pruned => passed.missed += numbers,
                GapKind::Damaged { .. } => {
                    passed.missed += numbers;
                    passed.damaged += numbers;
                }
                GapKind::Unwanted => passed.unwanted += numbers,
            }
            gaps.push(gap);
        }
        Step { next, passed, gaps }
    }
}

/// How far the cursor moves, and what happened to the numbers it passes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The next number wanted.
    pub next: u64,
    /// What happened to those before.
    pub passed: Passed,
    /// The gaps among them.
    pub gaps: Vec<Gap>,
}
