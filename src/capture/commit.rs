//! The future of an intent.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use crate::journal::{CommitError, Committed, Rejected, Ticket};

/// Waits until an intent is durable; made by [`AuditScope::commit`](super::AuditScope::commit).
#[must_use = "the intent is durable only when this future says so"]
#[derive(Debug)]
pub struct CommitScope {
    /// `None` where there is never a record, because the policy skips the request.
    waiting: Result<Option<Committed>, Rejected>,
}

impl CommitScope {
    pub(super) fn new(intent: Result<Ticket, Rejected>) -> Self {
        Self {
            waiting: intent.map(|ticket| Some(ticket.committed())),
        }
    }

    pub(super) const fn skipped() -> Self {
        Self { waiting: Ok(None) }
    }
}

impl Future for CommitScope {
    type Output = Result<(), CommitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.waiting {
            Ok(Some(committed)) => Pin::new(committed).poll(cx).map_ok(|_| ()),
            Ok(None) => Poll::Ready(Ok(())),
            Err(rejected) => Poll::Ready(Err((*rejected).into())),
        }
    }
}
