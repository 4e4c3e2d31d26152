//! A destination in memory.

use std::{collections::BTreeMap, sync::Arc};

use uuid::Uuid;

use super::waiting::Waiting;
use crate::{
    record::Origin,
    sink::{Batch, Limits, Sink, SinkFuture},
};

/// A destination in memory, which outlives the sinks that write to it; a clone is the same one.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    contents: Arc<Waiting<Contents>>,
    keeping: Keeping,
    limits: Limits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeping {
    Position,
    RecordsOnly,
}

/// What a [`MemoryStore`] holds.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Contents {
    /// Every record in the order of arrival.
    pub records: Vec<Stored>,
    /// The size of each batch, in the order of arrival.
    pub batches: Vec<usize>,
    /// The next number wanted of each trail.
    pub positions: BTreeMap<Uuid, u64>,
    /// How often a sink was closed in order.
    pub closed: usize,
}

/// A record as a destination has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Stored {
    /// The trail it belongs to.
    pub trail: Uuid,
    /// Its number there.
    pub number: u64,
    /// Its JSON, which should be the exact bytes.
    pub json: String,
}

impl Stored {
    /// A record as it was read back.
    #[must_use]
    pub fn new(trail: Uuid, number: u64, json: impl Into<String>) -> Self {
        Self {
            trail,
            number,
            json: json.into(),
        }
    }
}

impl Contents {
    /// The numbers of one trail, in the order of arrival.
    #[must_use]
    pub fn numbers(&self, trail: Uuid) -> Vec<u64> {
        let records = self.records.iter();
        records
            .filter(|record| record.trail == trail)
            .map(|record| record.number)
            .collect()
    }
}

impl MemoryStore {
    /// A destination that keeps its own position, as a database does.
    #[must_use]
    pub fn new() -> Self {
        Self::keeping(Keeping::Position)
    }

    /// A destination that takes whatever comes, as most collectors do.
    #[must_use]
    pub fn without_position() -> Self {
        Self::keeping(Keeping::RecordsOnly)
    }

    fn keeping(keeping: Keeping) -> Self {
        Self {
            contents: Arc::new(Waiting::new(Contents::default())),
            keeping,
            limits: Limits::default(),
        }
    }

    /// Sets the largest batch of the sinks made from now on. The default is that of [`Limits`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// A sink that writes here.
    #[must_use]
    pub fn sink(&self) -> MemorySink {
        MemorySink {
            store: self.clone(),
        }
    }

    /// A copy of everything that is here.
    #[must_use]
    pub fn contents(&self) -> Contents {
        self.contents.read(Contents::clone)
    }

    /// Puts an older copy back, as somebody does with a backup.
    pub fn restore(&self, contents: Contents) {
        self.contents.change(|now| *now = contents);
    }

    /// Blocks until something holds here; fails the test after half a minute.
    ///
    /// # Panics
    ///
    /// When it does not come to hold; `what` and what is here are in the message.
    #[track_caller]
    pub fn wait_until(&self, what: &str, holds: impl Fn(&Contents) -> bool) {
        self.contents.wait_until(what, holds);
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes to a [`MemoryStore`].
#[derive(Debug)]
pub struct MemorySink {
    store: MemoryStore,
}

impl Sink for MemorySink {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn address(&self) -> String {
        "memory:".to_owned()
    }

    fn limits(&self) -> Limits {
        self.store.limits
    }

    fn position<'a>(&'a mut self, origin: &'a Origin) -> SinkFuture<'a, Option<u64>> {
        Box::pin(async {
            let keeps = self.store.keeping == Keeping::Position;
            let contents = &self.store.contents;
            let position = contents.read(|now| now.positions.get(&origin.trail).copied());
            Ok(keeps.then(|| position.unwrap_or(0)))
        })
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        Box::pin(async {
            let trail = batch.origin.trail;
            self.store.contents.change(|now| {
                let records = batch.records.iter();
                now.records
                    .extend(records.map(|record| Stored::new(trail, record.number, &*record.json)));
                now.batches.push(batch.records.len());
                if !batch.chosen {
                    now.positions.insert(trail, batch.next);
                }
            });
            Ok(())
        })
    }

    fn close(&mut self) -> SinkFuture<'_, ()> {
        Box::pin(async {
            self.store.contents.change(|now| now.closed += 1);
            Ok(())
        })
    }
}
