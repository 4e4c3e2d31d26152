//! Chance that comes out the same each time.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tower_audit::clock::{IdSource, RecordId, Timestamp};

/// The generator SplitMix64, begun with a fixed number.
#[derive(Debug, Clone)]
pub(super) struct Dice(Arc<AtomicU64>);

impl Dice {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(20_261_121)))
    }

    fn roll(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.0.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is at least 1.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// One of them; each of the first ones is likelier than each of the last.
    pub(super) fn favour<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let end = all.len() as u64;
        let place = self.below(end.max(1)).min(self.below(end.max(1)));
        all.get(usize::try_from(place).ok()?)
    }

    /// One of them, by its weight.
    pub(super) fn weighed<'a, T>(&mut self, all: &'a [(u64, T)]) -> Option<&'a T> {
        let total: u64 = all.iter().map(|(weight, _)| weight).sum();
        let mut left = self.below(total.max(1));
        all.iter().find_map(|(weight, one)| {
            let found = left < *weight;
            left = left.saturating_sub(*weight);
            found.then_some(one)
        })
    }

    /// Whether something happens that does so `percent` times of a hundred.
    pub(super) fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

impl IdSource for Dice {
    fn next(&self, at: Timestamp) -> RecordId {
        let lowest = RecordId::lowest_at(at);
        let (mut bytes, random) = (*lowest.as_bytes(), self.roll().to_be_bytes());
        // Version and variant stand before this.
        for (byte, random) in bytes.iter_mut().skip(9).zip(random) {
            *byte = random;
        }
        RecordId::from_bytes(bytes).unwrap_or(lowest)
    }
}
