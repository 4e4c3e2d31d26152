//! A group that the writer has taken.

use crate::{clock::Timestamp, evidence::Tree};

use super::{
    group::Group,
    line::{Commit, Control},
};

/// A group that is ready to be written, as often as it takes.
#[derive(Debug)]
pub(crate) struct Hand {
    pub(crate) group: Group,
    /// The bytes of its lines; what follows them is the commit of the last attempt.
    pub(crate) lines: usize,
    /// The tree once this group is durable.
    pub(crate) tree: Tree,
}

impl Hand {
    /// `tree` is what is durable before it.
    pub(crate) fn new(group: Group, tree: &Tree) -> Self {
        let mut tree = tree.clone();
        for leaf in &group.leaves {
            tree.push(*leaf);
        }
        Self {
            lines: group.bytes.len(),
            group,
            tree,
        }
    }

    /// Ends the group with the commit line of this attempt.
    pub(crate) fn seal(&mut self, group: u64, time: Timestamp) {
        self.group.bytes.truncate(self.lines);
        Control::Commit(Commit {
            head: self.tree.head(),
            group,
            time,
        })
        .write(&mut self.group.bytes);
    }
}
