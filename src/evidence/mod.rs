//! What a tree head proves: the pure arithmetic of RFC 6962, without any I/O.
//!
//! A *leaf* is the hash of a record's exact stored bytes, so that nothing is ever re-encoded to be
//! checked. The *root* over the leaves `0..size` changes when any record is changed, removed, added
//! or moved. A root proves integrity only against a copy kept somewhere else: whoever can rewrite
//! the whole trail can compute new roots too. Signed tree heads (checkpoints) close that gap.

mod hash;
mod merkle;

pub use hash::{Hash, HashError};
pub(crate) use hash::{parse_hex, write_hex};
pub(crate) use merkle::Tree;
pub use merkle::{TreeHead, leaf_hash};
