//! Records that a prune removed from a store: their leaves stand for them in the tree.

use std::{collections::VecDeque, ops::Range};

use crate::{evidence::Hash, store::Leaf};

use super::{
    Finding, Kind, VerifyError,
    store::{PAGE, Walk, failed},
};

/// What is left of the removed records in a range of numbers, read a page at a time.
#[derive(Debug)]
pub(super) struct Emptied {
    /// What was not read yet.
    unread: Range<u64>,
    read: VecDeque<(u64, Hash)>,
}

impl Emptied {
    pub(super) fn new(numbers: Range<u64>) -> Self {
        Self {
            unread: numbers,
            read: VecDeque::new(),
        }
    }
}

impl Walk<'_> {
    /// The next removed record below a number, if there is one.
    async fn next_emptied(
        &self,
        emptied: &mut Emptied,
        below: u64,
    ) -> Result<Option<(u64, Hash)>, VerifyError> {
        if emptied.read.is_empty() && emptied.unread.start <= below && !emptied.unread.is_empty() {
            let trail = self.state.origin.trail;
            let page = self
                .store
                .emptied(trail, emptied.unread.clone(), PAGE)
                .await;
            let page = page.map_err(failed)?;
            emptied.unread.start = match page.last() {
                Some((last, _)) if page.len() == PAGE => last + 1,
                _ => emptied.unread.end,
            };
            emptied.read = page.into();
        }
        let is_wanted = emptied
            .read
            .front()
            .is_some_and(|(number, _)| *number < below);
        Ok(is_wanted.then(|| emptied.read.pop_front()).flatten())
    }

    /// Puts the leaves of what was removed, up to a number (exclusive), where the records were.
    pub(super) async fn fill(&mut self, emptied: &mut Emptied, to: u64) -> Result<(), VerifyError> {
        while let Some((number, leaf)) = self.next_emptied(emptied, to).await? {
            // Already there: as a record that came again.
            if number < self.next {
                self.report.came_again += 1;
                continue;
            }
            if number > self.next {
                self.gap(number)?;
            }
            self.same_in_journal(number, leaf)?;
            self.anchors.leaf(number, leaf, &mut self.report);
            self.report.emptied += 1;
            self.next = number + 1;
            if let Some(tree) = &mut self.tree {
                tree.push(leaf);
            }
            if self.anchors.held.is_some_and(|held| held.size == number) {
                // The next record is the first that nothing from outside vouches for.
                self.begun = false;
            }
            self.anchor();
        }
        Ok(())
    }

    /// A record that was removed and came again, as from a journal, must be the same.
    pub(super) fn same_as_emptied(&mut self, emptied: &mut Emptied, leaf: &Leaf) {
        let kept = emptied
            .read
            .front()
            .filter(|(number, _)| *number == leaf.number);
        if let Some((_, kept)) = kept.filter(|(_, kept)| *kept != leaf.leaf) {
            let what = format!(
                "the leaf hash is {}, and that of the record that was removed under this number was {kept}",
                leaf.leaf
            );
            self.report
                .find(Finding::new(Kind::Leaf, what).number(leaf.number));
        }
    }
}
