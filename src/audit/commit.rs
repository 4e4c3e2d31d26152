//! The future of a record that is to be durable.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    capture::Appended,
    journal::{CommitError, Receipt, Receiving, Rejected},
};

/// Waits until a record is durable; made by [`Audit::commit`](crate::Audit::commit).
///
/// The record is in the trail's buffer already: dropping this future does not take it back.
#[must_use = "the record is durable only when this future says so"]
#[derive(Debug)]
pub struct Commit {
    state: Result<Receiving, Rejected>,
}

impl Commit {
    pub(super) fn new(appended: Result<Appended, Rejected>) -> Self {
        let state = appended.map(Appended::receiving);
        Self { state }
    }
}

impl Future for Commit {
    type Output = Result<Receipt, CommitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            Ok(receiving) => Pin::new(receiving).poll(cx),
            Err(rejected) => Poll::Ready(Err((*rejected).into())),
        }
    }
}
