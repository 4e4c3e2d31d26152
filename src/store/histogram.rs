//! How many records there were when, by outcome.

use crate::clock::Timestamp;

/// Counts over a range of time, in steps.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Histogram {
    /// Where the first step begins (inclusive).
    pub from: Timestamp,
    /// Where the last step ends (exclusive).
    pub to: Timestamp,
    /// The length of a step in microseconds; the first and the last may be cut shorter by the range.
    ///
    /// Steps of [`Store::histogram`](super::Store::histogram) are all of this length. Where the viewer counts days,
    /// weeks or months of a zone, it is the usual length of one, with 30 days to a month: each bar says its own.
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
    /// Where it ends (exclusive).
    pub end: Timestamp,
    /// Whether it is a whole step, not one that the range of time cuts.
    pub is_whole: bool,
    /// So many ended so: pairs of an outcome's word and a number, in the order of the words in
    /// [`Outcome`](crate::Outcome); outcomes that did not occur are left out.
    pub outcomes: Vec<(String, u64)>,
}

/// The range of time that is counted, before it is cut into steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) from: Timestamp,
    /// Never before `from`.
    pub(crate) to: Timestamp,
    /// Whether nobody asked for just this beginning, so that steps may begin earlier.
    pub(crate) is_open_from: bool,
    /// Whether nobody asked for just this end, so that the last step may end later.
    pub(crate) is_open_to: bool,
}

/// An extent, cut into steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// Where each step begins, ascending, and behind them where the last one ends. The first may lie before `from` and
    /// the last behind `to`: those steps are cut.
    pub(crate) marks: Vec<Timestamp>,
    /// The usual length of a step in microseconds.
    pub(crate) length: i64,
}

impl Steps {
    /// At most `most` steps of equal length, from the beginning on.
    pub(super) fn equal(extent: Extent, most: usize) -> Self {
        let (from, to) = (extent.from, extent.to);
        let most = i64::try_from(most).unwrap_or(i64::MAX).max(1);
        let whole = to.as_micros() - from.as_micros();
        let length = (whole / most + i64::from(whole % most > 0)).max(1);
        let mut marks = vec![from];
        let mut mark = from.as_micros();
        while mark < to.as_micros() {
            mark = mark.saturating_add(length);
            marks.push(Timestamp::from_micros(mark));
        }
        Self {
            from,
            to,
            marks,
            length,
        }
    }

    /// A histogram in which nothing is counted yet.
    pub(crate) fn empty(&self) -> Histogram {
        let pairs = self.marks.iter().zip(self.marks.iter().skip(1));
        let bars = pairs.map(|(mark, next)| {
            let (start, end) = (self.from.max(*mark), self.to.min(*next));
            Bar {
                start,
                end,
                is_whole: (start, end) == (*mark, *next),
                outcomes: Vec::new(),
            }
        });
        Histogram {
            from: self.from,
            to: self.to,
            step: self.length,
            bars: bars.filter(|bar| bar.start < bar.end).collect(),
            counted_from: self.from,
        }
    }
}
