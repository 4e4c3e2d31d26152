//! What a caller gets for a record that is durable.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    capture::Appended,
    clock::RecordId,
    evidence::Hash,
    journal::{CommitError, Committed, Rejected},
};

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

/// Waits until a record is durable; made by [`Audit::commit`](crate::Audit::commit).
///
/// The record is in the trail's buffer already: dropping this future does not take it back.
#[must_use = "the record is durable only when this future says so"]
#[derive(Debug)]
pub struct Commit {
    state: Result<Waiting, Rejected>,
}

#[derive(Debug)]
struct Waiting {
    id: RecordId,
    number: u64,
    leaf: Hash,
    committed: Committed,
}

impl Commit {
    pub(super) fn new(appended: Result<Appended, Rejected>) -> Self {
        let state = appended.map(|Appended { id, ticket }| Waiting {
            id,
            number: ticket.number.unwrap_or_default(),
            leaf: ticket.leaf,
            committed: ticket.committed(),
        });
        Self { state }
    }
}

impl Future for Commit {
    type Output = Result<Receipt, CommitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waiting = match &mut self.state {
            Ok(waiting) => waiting,
            Err(rejected) => return Poll::Ready(Err((*rejected).into())),
        };
        Pin::new(&mut waiting.committed)
            .poll(cx)
            .map_ok(|head| Receipt {
                id: waiting.id,
                number: waiting.number,
                leaf: waiting.leaf,
                tree_size: head.size,
                root: head.root,
            })
    }
}
