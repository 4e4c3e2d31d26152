//! What a caller gets for a record that is durable.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use crate::{clock::RecordId, evidence::Hash};

use super::{CommitError, Committed, Ticket};

/// Proof for the caller that a commit covers its record.
///
/// Keep it outside the service: with `tree_size` and `root` a verifier can show that the trail was
/// not changed up to that point.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The record's id.
    pub id: RecordId,
    /// Its leaf index in the trail.
    pub number: u64,
    /// Its RFC 6962 leaf hash.
    pub leaf: Hash,
    /// How many records the commit covers; larger than [`number`](Self::number).
    pub tree_size: u64,
    /// The RFC 6962 root over them.
    pub root: Hash,
}

/// Waits until a record is durable; ends with its receipt.
#[derive(Debug)]
pub(crate) struct Receiving {
    id: RecordId,
    number: u64,
    leaf: Hash,
    committed: Committed,
}

impl Receiving {
    pub(crate) fn new(id: RecordId, ticket: Ticket) -> Self {
        Self {
            id,
            number: ticket.number.unwrap_or_default(),
            leaf: ticket.leaf,
            committed: ticket.committed(),
        }
    }
}

impl Future for Receiving {
    type Output = Result<Receipt, CommitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let head = std::task::ready!(Pin::new(&mut self.committed).poll(cx));
        Poll::Ready(head.map(|head| Receipt {
            id: self.id,
            number: self.number,
            leaf: self.leaf,
            tree_size: head.size,
            root: head.root,
        }))
    }
}
