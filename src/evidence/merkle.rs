//! The Merkle tree of RFC 6962, section 2.1, kept as its frontier.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Hash;

/// A tree's size and root: everything that is needed to hold a trail to its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TreeHead {
    /// How many leaves the tree has: the numbers `0..size`.
    pub size: u64,
    /// The RFC 6962 root over those leaves.
    pub root: Hash,
}

impl TreeHead {
    /// A head of `size` leaves with this root.
    #[must_use]
    pub const fn new(size: u64, root: Hash) -> Self {
        Self { size, root }
    }
}

/// The leaf hash of a record's exact bytes: `SHA-256(0x00 || bytes)`.
#[must_use]
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0x00]);
    hasher.update(bytes);
    Hash::from_bytes(hasher.finalize().into())
}

/// `SHA-256(0x01 || left || right)`. The prefix keeps a leaf from posing as a node.
fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0x01]);
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    Hash::from_bytes(hasher.finalize().into())
}

/// An append-only tree that keeps only the roots of its full subtrees, largest first.
///
/// One hash per set bit of `size`, so a million records need twenty hashes of memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tree {
    size: u64,
    frontier: Vec<Hash>,
}

impl Tree {
    /// Rebuilds a tree from what a segment header keeps; `None` when the count cannot be right.
    pub(crate) fn from_frontier(size: u64, frontier: Vec<Hash>) -> Option<Self> {
        (frontier.len() == usize::try_from(size.count_ones()).ok()?)
            .then_some(Self { size, frontier })
    }

    /// Adds the next leaf.
    pub(crate) fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        // Each trailing one of the old size is a full subtree of the same height as `node`.
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.frontier.pop() else {
                break;
            };
            node = node_hash(&left, &node);
        }
        self.frontier.push(node);
        self.size += 1;
    }

    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn frontier(&self) -> &[Hash] {
        &self.frontier
    }

    /// The root over all leaves; for no leaves, the hash of the empty string (RFC 6962, 2.1).
    pub(crate) fn root(&self) -> Hash {
        let mut subtrees = self.frontier.iter().rev();
        let Some(smallest) = subtrees.next() else {
            return Hash::from_bytes(Sha256::digest([]).into());
        };
        subtrees.fold(*smallest, |right, left| node_hash(left, &right))
    }

    pub(crate) fn head(&self) -> TreeHead {
        TreeHead::new(self.size, self.root())
    }
}

#[cfg(test)]
mod tests {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;

    use super::*;

    /// The inputs and roots of Certificate Transparency's reference implementation
    /// (`merkle_tree_test.cc`, quoted by every RFC 6962 library since).
    #[test]
    fn roots_agree_with_the_reference_vectors() {
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Tree::default();
        assert_eq!(
            tree.root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for (leaf, root) in leaves.iter().zip(roots) {
            tree.push(leaf_hash(leaf));
            assert_eq!(tree.root().to_string(), root, "at size {}", tree.size());
        }
    }

    #[test]
    fn roots_agree_with_an_independent_implementation() {
        let mut ours = Tree::default();
        let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        for number in 0..600_u32 {
            let record = format!("record {number}").into_bytes();
            ours.push(leaf_hash(&record));
            theirs.push(record);
            assert_eq!(
                ours.root().as_bytes()[..],
                theirs.root().as_bytes()[..],
                "{number}"
            );
        }
    }

    #[test]
    fn a_tree_goes_on_from_its_frontier() {
        let mut whole = Tree::default();
        for number in 0..100_u64 {
            let mut rebuilt = Tree::from_frontier(number, whole.frontier().to_vec()).unwrap();
            assert_eq!(rebuilt, whole);
            let leaf = leaf_hash(&number.to_be_bytes());
            whole.push(leaf);
            rebuilt.push(leaf);
            assert_eq!(rebuilt.root(), whole.root());
        }
        assert_eq!(Tree::from_frontier(3, vec![leaf_hash(b"")]), None);
    }
}
