//! What the receiver has taken of batches that are not through yet.
//!
//! A batch can need several requests, and a refusal needs more of them until it is found. When one
//! of them fails the batch comes again; what was taken then is not sent a second time.

use std::collections::HashMap;

use uuid::Uuid;

use crate::{
    evidence::Hash,
    sink::{Batch, Delivery},
};

/// Far above the records of one batch, which are all there can be.
const MOST: usize = 16 * 1024;

/// Records that the receiver took, of batches that were not acknowledged as a whole.
#[derive(Debug, Default)]
pub(super) struct Settled {
    taken: HashMap<(Uuid, u64), Hash>,
}

impl Settled {
    /// The records that are still to be sent.
    pub(super) fn open<'a>(&self, batch: &'a Batch) -> Vec<&'a Delivery> {
        let records = batch.records.iter();
        let is_taken = |record: &Delivery| {
            let found = self.taken.get(&(batch.origin.trail, record.number));
            found == Some(&record.leaf)
        };
        records.filter(|record| !is_taken(record)).collect()
    }

    /// These were taken.
    pub(super) fn taken(&mut self, batch: &Batch, records: &[&Delivery]) {
        if self.taken.len() + records.len() > MOST {
            // Doubles are better than no bound.
            self.taken.clear();
        }
        let trail = batch.origin.trail;
        let records = records.iter();
        self.taken
            .extend(records.map(|record| ((trail, record.number), record.leaf)));
    }

    /// The whole batch is through: none of it comes again.
    pub(super) fn through(&mut self, batch: &Batch) {
        if self.taken.is_empty() {
            return;
        }
        for record in &batch.records {
            self.taken.remove(&(batch.origin.trail, record.number));
        }
    }
}
