//! Tree heads and receipts that were kept outside the trail, and whether it still keeps them.

use uuid::Uuid;

use crate::evidence::{Hash, Tree, TreeHead};

use super::{Finding, Kind, report::TrailReport};

/// A tree head, or a receipt, of one trail, that somebody kept.
///
/// It comes from outside the machine that holds the trail, or it proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expected {
    /// The trail.
    pub trail: Uuid,
    /// The tree that the trail must have, or have had.
    pub head: TreeHead,
    /// A record under that tree: its number and leaf hash.
    pub leaf: Option<(u64, Hash)>,
}

impl Expected {
    /// The trail had this tree.
    #[must_use]
    pub const fn head(trail: Uuid, head: TreeHead) -> Self {
        Self {
            trail,
            head,
            leaf: None,
        }
    }

    /// The trail had this tree, and in it the record with this number and leaf hash: a receipt.
    #[must_use]
    pub const fn receipt(trail: Uuid, number: u64, leaf: Hash, head: TreeHead) -> Self {
        Self {
            trail,
            head,
            leaf: Some((number, leaf)),
        }
    }
}

/// What is expected of one trail, in the order of size.
#[derive(Debug, Clone, Default)]
pub(super) struct Anchors {
    heads: Vec<TreeHead>,
    leaves: Vec<(u64, Hash)>,
    /// The first of `heads` that was not reached yet.
    next_head: usize,
    next_leaf: usize,
    /// What was passed over without being looked at.
    missed_heads: Vec<TreeHead>,
    missed_leaves: Vec<u64>,
    /// The largest head that held.
    pub(super) held: Option<TreeHead>,
}

impl Anchors {
    pub(super) fn new(expected: &[Expected], trail: Option<Uuid>) -> Self {
        let ours = || {
            expected
                .iter()
                .filter(|expected| Some(expected.trail) == trail)
        };
        let mut heads: Vec<TreeHead> = ours().map(|expected| expected.head).collect();
        let mut leaves: Vec<(u64, Hash)> = ours().filter_map(|expected| expected.leaf).collect();
        heads.sort_unstable_by_key(|head| head.size);
        leaves.sort_unstable_by_key(|(number, _)| *number);
        Self {
            heads,
            leaves,
            ..Self::default()
        }
    }

    /// Compares what is expected of a record. In order of number.
    pub(super) fn leaf(&mut self, number: u64, leaf: Hash, report: &mut TrailReport) {
        while let Some(&(expected, hash)) = self
            .leaves
            .get(self.next_leaf)
            .filter(|(expected, _)| *expected <= number)
        {
            self.next_leaf += 1;
            if expected < number {
                self.missed_leaves.push(expected);
            } else if hash != leaf {
                let what = format!(
                    "the receipt is for a record with leaf {hash}, and this one has {leaf}"
                );
                report.find(Finding::new(Kind::Unexpected, what).number(number));
            }
        }
    }

    /// Compares what is expected of the tree. In order of size.
    pub(super) fn tree(&mut self, tree: &Tree, report: &mut TrailReport) {
        while let Some(&expected) = self
            .heads
            .get(self.next_head)
            .filter(|head| head.size <= tree.size())
        {
            self.next_head += 1;
            if expected.size < tree.size() {
                self.missed_heads.push(expected);
                continue;
            }
            let root = tree.root();
            if root == expected.root {
                self.held = Some(expected);
                continue;
            }
            let what = format!(
                "the tree over the first {} records has root {root}, expected {}",
                expected.size, expected.root
            );
            report.find(Finding::new(Kind::Unexpected, what));
        }
    }

    /// What was never reached: the trail holds only numbers below `next`.
    pub(super) fn finish(&self, next: u64, report: &mut TrailReport) {
        for number in &self.missed_leaves {
            report.find(unchecked(format!(
                "the receipt for record {number} cannot be checked: it is not there any more"
            )));
        }
        for head in &self.missed_heads {
            let what = format!(
                "the expected tree of size {} cannot be checked: records that it is over are missing",
                head.size
            );
            report.find(unchecked(what));
        }
        for head in self.heads.iter().skip(self.next_head) {
            let what = if head.size <= next {
                let what = format!(
                    "the expected tree of size {} cannot be checked: the tree is broken before",
                    head.size
                );
                report.find(unchecked(what));
                continue;
            } else {
                format!(
                    "the trail ends before number {next}, and a tree of size {} is expected: its end is missing",
                    head.size
                )
            };
            report.find(Finding::new(Kind::CutShort, what).number(next));
        }
    }
}

fn unchecked(what: String) -> Finding {
    Finding::new(Kind::Unchecked, what).suspected()
}
