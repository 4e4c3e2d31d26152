//! The bytes of one file: what is read back, and what a power cut leaves of it.

use std::{collections::BTreeMap, ops::Range};

/// What is kept or lost as one.
pub(super) const PAGE: usize = 4096;

/// One file of the disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    /// What a reader sees.
    cached: Vec<u8>,
    /// What is on stable storage.
    durable: Vec<u8>,
    /// By page, the bytes that no sync has covered yet.
    dirty: BTreeMap<usize, Range<usize>>,
    /// By page, the bytes whose sync failed. The kernel calls such a page clean: no later sync
    /// writes it.
    failed: BTreeMap<usize, Range<usize>>,
}

/// What one sync has set out to write: later writes are none of its business.
#[derive(Debug)]
pub(super) struct Flight {
    pages: Vec<(Range<usize>, Vec<u8>)>,
    len: usize,
}

impl Content {
    pub(super) fn append(&mut self, bytes: &[u8]) {
        let from = self.cached.len();
        self.cached.extend_from_slice(bytes);
        let mut at = from;
        while at < self.cached.len() {
            let end = self.cached.len().min((at / PAGE + 1) * PAGE);
            widen(&mut self.dirty, at..end);
            at = end;
        }
    }

    /// Makes the file at least `len` long. The new length needs a sync like any other change.
    pub(super) fn extend(&mut self, len: usize) {
        self.cached.resize(len.max(self.cached.len()), 0);
    }

    pub(super) fn begin_sync(&self) -> Flight {
        let pages = self.dirty.values().map(|range| {
            let bytes = self.cached.get(range.clone()).unwrap_or_default();
            (range.clone(), bytes.to_vec())
        });
        Flight {
            pages: pages.collect(),
            len: self.cached.len(),
        }
    }

    pub(super) fn end_sync(&mut self, flight: Flight) {
        for (range, bytes) in &flight.pages {
            self.settle(range);
            store(&mut self.durable, range.start, bytes);
        }
        // Bytes of a failed sync are inside the length now, as zeros.
        let len = flight.len.min(self.cached.len());
        self.durable.resize(len.max(self.durable.len()), 0);
    }

    pub(super) fn fail_sync(&mut self, flight: Flight) {
        for (range, _) in flight.pages {
            self.settle(&range);
            widen(&mut self.failed, range);
        }
    }

    /// The file after power went: with the chosen pages, and no memory of the others.
    ///
    /// `keep` is asked for the index of a page and whether its sync failed, in the order of
    /// [`unsynced`](Self::unsynced).
    pub(super) fn crashed(&self, mut keep: impl FnMut(usize, bool) -> bool, longest: bool) -> Self {
        let mut durable = self.durable.clone();
        for (index, failed, range) in self.unsynced() {
            if keep(index, failed) {
                let bytes = self.cached.get(range.clone()).unwrap_or_default();
                store(&mut durable, range.start, bytes);
            }
        }
        if longest {
            durable.resize(durable.len().max(self.cached.len()), 0);
        }
        Self {
            cached: durable.clone(),
            durable,
            ..Self::default()
        }
    }

    /// What a crash may keep or lose: the index of a page, whether its sync failed, and the bytes.
    pub(super) fn unsynced(&self) -> Vec<(usize, bool, Range<usize>)> {
        let dirty = self
            .dirty
            .iter()
            .map(|(page, range)| (*page, false, range.clone()));
        let failed = self
            .failed
            .iter()
            .map(|(page, range)| (*page, true, range.clone()));
        let mut all: Vec<_> = dirty.chain(failed).collect();
        all.sort_by_key(|(page, failed, _)| (*page, !*failed));
        all
    }

    /// Whether the length alone may be lost, or grown, by a crash.
    pub(super) fn len_is_open(&self) -> bool {
        self.cached.len() > self.durable.len()
    }

    pub(super) fn cached(&self) -> &[u8] {
        &self.cached
    }

    pub(super) fn durable(&self) -> &[u8] {
        &self.durable
    }

    /// Changes bytes where they are, in memory and on storage, whatever is under way.
    pub(super) fn tamper(&mut self, change: impl Fn(&mut Vec<u8>)) {
        change(&mut self.cached);
        change(&mut self.durable);
        let len = self.cached.len();
        for pages in [&mut self.dirty, &mut self.failed] {
            for range in pages.values_mut() {
                range.end = range.end.min(len);
            }
            pages.retain(|_, range| range.start < range.end);
        }
    }

    /// Takes a range out of what is dirty; what was appended since stays.
    fn settle(&mut self, range: &Range<usize>) {
        let page = range.start / PAGE;
        if let Some(dirty) = self.dirty.get_mut(&page) {
            dirty.start = dirty.start.max(range.end);
            if dirty.start >= dirty.end {
                self.dirty.remove(&page);
            }
        }
    }
}

fn widen(pages: &mut BTreeMap<usize, Range<usize>>, range: Range<usize>) {
    let known = pages
        .entry(range.start / PAGE)
        .or_insert_with(|| range.clone());
    known.start = known.start.min(range.start);
    known.end = known.end.max(range.end);
}

fn store(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    file.resize(file.len().max(end), 0);
    if let Some(place) = file.get_mut(at..end) {
        place.copy_from_slice(bytes);
    }
}
